//! One answer that is read alone, for the facts that it tells.

use core::task::{Poll, ready};

use crate::capture::Bounds;
use crate::compare::answer::Answer;
use crate::compare::part::content::Facts;
use crate::compare::read;
use crate::compare::read::reader::Reader;
use crate::compare::read::unpack::Unpacking;
use crate::compare::read::wire_format::WireFormat;

/// An answer that is being read. Like a [`crate::compare::Comparison`] it is worked off in slices.
#[derive(Debug)]
pub struct Inspection {
    wire_format: WireFormat,
    bounds: Bounds,
    answer: Answer,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at.
    New,
    /// Its content coding is being undone, or its stream joined.
    Unpack(Box<Unpacking>),
    /// It is being read as its protocol says.
    Read(Box<dyn Reader>),
}

impl Inspection {
    /// Of a 2xx answer in this format. Does no work yet.
    pub fn new(wire_format: WireFormat, bounds: Bounds, answer: Answer) -> Self {
        Self { wire_format, bounds, answer, stage: Stage::New }
    }

    /// Works until it is done or about `budget` bytes have been touched. Ready with what the answer tells; nothing if it can't be read.
    /// `Pending`: the budget was not enough; call again.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Facts> {
        while *budget > 0 {
            *budget = budget.saturating_sub(1);
            let unpacked = match &mut self.stage {
                Stage::New => match Unpacking::new(&self.answer, self.wire_format == WireFormat::OpenAi, &self.bounds) {
                    Ok(Some(unpacking)) => {
                        self.stage = Stage::Unpack(Box::new(unpacking));
                        continue;
                    }
                    Ok(None) => self.answer.body.clone(),
                    Err(unread) => Err(unread),
                },
                Stage::Unpack(unpacking) => ready!(unpacking.step(budget)),
                Stage::Read(reader) => return reader.step(budget).map(|content| content.map(|content| content.facts).unwrap_or_default()),
            };
            let Ok(body) = unpacked else { return Poll::Ready(Facts::default()) };
            self.stage = Stage::Read(read::reader_of(self.wire_format, &self.answer, body, &self.bounds));
        }
        Poll::Pending
    }
}
