//! What differs between two outputs of one name.

use crate::compare::judge::place::Place;
use crate::compare::judge::rules::Here;
use crate::compare::judgement::{Divergence, Kind};

/// A difference between two outputs of one name.
#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    /// The member of the output that differs, and the index of the element if one does; `None`: one side has no such output.
    pub member: Option<(&'static str, Option<u32>)>,
    pub values: (String, String),
}

impl Difference {
    /// The divergence of an output that paths call `index`.
    pub fn divergence(self, index: u32) -> Divergence {
        Divergence::new(self.kind, place(index, self.member).finish(), self.values)
    }
}

/// The place of a member of an output, and of one of its elements.
pub fn place(index: u32, member: Option<(&'static str, Option<u32>)>) -> Place {
    let mut place = Place::default();
    place.push(Here::member("outputs"));
    place.push(Here::Index(index));
    if let Some((member, element)) = member {
        place.push(Here::member(member));
        if let Some(element) = element {
            place.push(Here::Index(element));
        }
    }
    place
}
