//! Two JSON texts: read into tapes, then walked to the first difference that counts.

mod matched;
mod number;
mod order;
mod place;
mod reader;
mod rules;
mod tape;
mod text;
mod walk;

pub use place::excerpt;

use super::{Judgement, Side};
use crate::capture::Body;
use crate::config::Compare;
use reader::Reader;
use std::rc::Rc;
use tape::{Document, Tape};
use walk::{Finding, Pair, Walk};

/// A comparison of two JSON texts under way.
#[derive(Debug)]
pub struct JsonComparison {
    pair: Pair,
    stage: Stage,
    walk: Walk,
}

#[derive(Debug)]
enum Stage {
    Read(Side, Reader),
    Walk,
}

impl JsonComparison {
    /// Sets two bodies against each other.
    pub fn new(plan: Rc<Compare>, primary: Body, shadow: Body) -> Self {
        let document = |body| Document { body, tape: Tape::default() };
        let pair = Pair { primary: document(primary), shadow: document(shadow) };
        Self { pair, stage: Stage::Read(Side::Primary, Reader::default()), walk: Walk::new(plan) }
    }

    /// Goes on for about `budget` bytes; `None` when that was not enough.
    pub fn step(&mut self, budget: &mut usize) -> Option<Judgement> {
        while *budget > 0 {
            match &mut self.stage {
                Stage::Read(side, reader) => {
                    let side = *side;
                    let document = match side {
                        Side::Primary => &mut self.pair.primary,
                        Side::Shadow => &mut self.pair.shadow,
                    };
                    match reader.step(document.body.bytes(), budget) {
                        Err(reason) => return Some(Judgement::Incomparable { side, reason }),
                        Ok(false) => {}
                        Ok(true) => {
                            document.tape = core::mem::take(&mut reader.tape);
                            self.stage = match side {
                                Side::Primary => Stage::Read(Side::Shadow, Reader::default()),
                                Side::Shadow => Stage::Walk,
                            };
                        }
                    }
                }
                Stage::Walk => {
                    return self.walk.step(&self.pair, budget).map(|finding| match finding {
                        Finding::Equivalent => Judgement::Equivalent,
                        Finding::Diverged(divergence) => Judgement::Diverged(divergence),
                    });
                }
            }
        }
        None
    }
}
