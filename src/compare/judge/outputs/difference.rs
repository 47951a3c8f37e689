//! How the comparison of two outputs of one name ends early.

use crate::compare::answer::IMPOSSIBLE;
use crate::compare::judge::place::Place;
use crate::compare::judge::rules::Here;
use crate::compare::judgement::{Divergence, Judgement, Kind};
use crate::compare::side::Side;

/// A difference between two outputs of one name.
#[derive(Debug)]
pub struct Difference {
    pub kind: Kind,
    /// The member of the output that differs, and the index of the element if one does; `None`: one side has no such output.
    pub member: Option<(&'static str, Option<u32>)>,
    pub relative: Option<f64>,
    pub values: (String, String),
}

/// Why a comparison of outputs ends before all of them are compared.
#[derive(Debug)]
pub enum Stop {
    /// A difference that counts.
    Difference(Difference),
    /// A state that can't be.
    Impossible,
}

impl From<Difference> for Stop {
    fn from(difference: Difference) -> Self {
        Stop::Difference(difference)
    }
}

impl Stop {
    /// The judgement on an output that paths call `index`.
    pub fn judgement(self, index: u32) -> Judgement {
        let Stop::Difference(Difference { kind, member, relative, values }) = self else {
            return Judgement::Incomparable { side: Side::Primary, reason: IMPOSSIBLE };
        };
        let mut place = Place::default();
        place.push(Here::member("outputs"));
        place.push(Here::Index(index));
        if let Some((member, element)) = member {
            place.push(Here::member(member));
            if let Some(element) = element {
                place.push(Here::Index(element));
            }
        }
        let (path, pattern) = place.finish();
        Judgement::Diverged(Divergence { kind, path, pattern, relative, values })
    }
}
