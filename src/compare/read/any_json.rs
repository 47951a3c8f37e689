//! Any JSON: all of a text counts, whatever it is.

use core::task::Poll;

use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::part::leftover::Leftovers;
use crate::compare::read::reader::Reader;
use crate::fault::Fault;
use crate::json::document::DocumentReader;

/// Reads an answer as any JSON.
#[derive(Debug)]
pub struct AnyJsonReader(pub DocumentReader);

impl Reader for AnyJsonReader {
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        self.0.step(budget).map_ok(|document| Content {
            document,
            parts: Parts::Json,
            facts: Facts::default(),
            leftovers: Leftovers::default(),
        })
    }
}
