//! Which outputs and elements of tensors a task looks at.
//!
//! Scores are floating-point outputs, a regression is all numeric ones, a text is one of `BYTES`; every other task looks at all. The
//! task's path narrows that down to the values at it and below it.

use crate::compare::part::tensor::{Datatype, Tensor};
use crate::config::{Task, Texts};
use crate::path::{PathPattern, Step};

/// What a task looks at.
#[derive(Debug)]
pub struct Scope {
    datatypes: Datatypes,
    path: Option<PathPattern>,
    /// When texts are equal.
    pub texts: Texts,
}

/// Of which datatypes outputs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Datatypes {
    All,
    Floats,
    Numbers,
    Texts,
}

/// What of an output counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// All of it.
    Output,
    /// Its elements.
    Data,
    /// One of its elements.
    Element(u32),
}

impl Scope {
    /// Of a task. Tasks that do more than compare elements look at everything here.
    pub fn new(task: &Task) -> Self {
        let (datatypes, path, texts) = match task {
            Task::Scores { path } => (Datatypes::Floats, path, Texts::default()),
            Task::Regression { path } => (Datatypes::Numbers, path, Texts::default()),
            Task::Text { path, texts } => (Datatypes::Texts, path, *texts),
            _ => (Datatypes::All, &None, Texts::default()),
        };
        Self { datatypes, path: path.clone(), texts }
    }

    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.datatypes == Datatypes::All && self.path.is_none()
    }

    /// Whether it looks at an output, of which at least one side is there. Its index is the primary's.
    pub fn covers(&self, primary: Option<&Tensor>, shadow: Option<&Tensor>) -> bool {
        let sides = [primary, shadow];
        let mut tensors = sides.into_iter().flatten();
        let cover = tensors.clone().next().and_then(|first| self.cover(first.place));
        match cover {
            None => false,
            Some(Cover::Element(index)) => tensors.any(|tensor| self.takes(tensor.datatype) && u64::from(index) < tensor.elements()),
            Some(_) => tensors.any(|tensor| self.takes(tensor.datatype)),
        }
    }

    fn takes(&self, datatype: Datatype) -> bool {
        match self.datatypes {
            Datatypes::All => true,
            Datatypes::Floats => datatype.is_float(),
            Datatypes::Numbers => datatype.is_number(),
            Datatypes::Texts => datatype == Datatype::Bytes,
        }
    }

    /// What its path covers of the output that paths call `index`.
    pub fn cover(&self, index: u32) -> Option<Cover> {
        let steps = self.path.as_ref().map(PathPattern::steps).unwrap_or_default();
        let is_member = |step: &Step, name: &str| matches!(step, Step::Member(member) if member == name);
        let covers = |step: &Step| *step == Step::AnyIndex || *step == Step::Index(index as usize);
        match steps {
            [] => Some(Cover::Output),
            [outputs, rest @ ..] if is_member(outputs, "outputs") => match rest {
                [] => Some(Cover::Output),
                [output, rest @ ..] if covers(output) => match rest {
                    [] => Some(Cover::Output),
                    [data] | [data, Step::AnyIndex] if is_member(data, "data") => Some(Cover::Data),
                    [data, Step::Index(element)] if is_member(data, "data") => u32::try_from(*element).ok().map(Cover::Element),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}
