//! The words in which a comparison says what it found.

use std::borrow::Cow;

use crate::compare::part::content::Facts;
use crate::compare::side::Side;
use crate::config::Tolerance;
use crate::fault::Fault;
use crate::labels::labels;
use crate::limits::{MAX_DIFFERENCES, MAX_EVIDENCE_PATHS};

/// What a comparison found.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// The same bytes.
    Identical,
    /// Different bytes, equal within tolerance.
    Equivalent,
    /// A difference that counts: the first in walking order, with the number of all.
    Diverged(Box<Divergence>),
    /// An answer that can't be read as the protocol says.
    Incomparable {
        /// The first side that can't be read.
        side: Side,
        /// Why, for the evidence line; and where, if it is about one place.
        reason: Cow<'static, str>,
    },
    /// All that is read is equal, but the answers hold something else that is not. It is the fault of neither.
    LeftUnread {
        /// Where it is, with indices.
        path: String,
        /// What is to be said of it.
        reason: Fault,
    },
}

/// The difference that made a pair diverge: the first of those that there are.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// What differs.
    pub kind: Kind,
    /// Where, with indices: `outputs[3].score`. It goes on in JSON that a text holds.
    pub path: String,
    /// Where in the answer itself, any index as `[*]`: `outputs[*].score`. Not yet cut or cleaned for use as a label.
    pub pattern: String,
    /// How far two numbers, or two vectors, lie apart.
    pub gap: Option<Gap>,
    /// The name of the tool whose arguments differ, if both sides call that one.
    pub tool: Option<String>,
    /// The two values as in the bodies, each cut at [`crate::limits::MAX_EVIDENCE_VALUE`] characters; the empty text for a missing one.
    pub values: (String, String),
    /// How many paths differ, counted up to [`MAX_DIFFERENCES`].
    pub count: u32,
    /// The first of these paths, at most [`MAX_EVIDENCE_PATHS`].
    pub paths: Vec<String>,
}

/// How far two numbers lie apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gap {
    /// `|a-b|`, if finite; of vectors nothing.
    pub absolute: Option<f64>,
    /// `|a-b| / max(|a|,|b|)`, if finite; of vectors 1 minus their cosine.
    pub relative: Option<f64>,
    /// The tolerance that they are beyond; of vectors nothing.
    pub tolerance: Option<Tolerance>,
}

impl Divergence {
    /// A difference of two values at a path, of which the pattern is given, too.
    pub fn new(kind: Kind, (path, pattern): (String, String), values: (String, String)) -> Self {
        let paths = vec![path.clone()];
        Self { kind, path, pattern, gap: None, tool: None, values, count: 1, paths }
    }
}

/// The differences of two answers, as far as they are counted.
#[derive(Debug, Default)]
pub struct Differences(Option<Divergence>);

impl Differences {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there are as many as are counted, so that nobody has to look for more.
    pub fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|first| first.count >= MAX_DIFFERENCES)
    }

    /// Counts one more, which is only made if any of it is shown.
    pub fn add(&mut self, next: impl FnOnce() -> Divergence) {
        match &mut self.0 {
            Some(first) if first.paths.len() >= MAX_EVIDENCE_PATHS => first.count = first.count.saturating_add(1).min(MAX_DIFFERENCES),
            _ => self.show(next()),
        }
    }

    fn show(&mut self, next: Divergence) {
        match &mut self.0 {
            None => self.0 = Some(next),
            Some(first) => {
                first.count = first.count.saturating_add(1);
                first.paths.push(next.path);
            }
        }
    }

    /// What they come to, if nothing else is found.
    pub fn take(&mut self) -> Judgement {
        self.0.take().map_or(Judgement::Equivalent, |first| Judgement::Diverged(Box::new(first)))
    }
}

labels! {
    /// Kinds of divergence.
    #[expect(missing_docs, reason = "each is named after its label")]
    pub enum Kind {
        Status => "status",
        Type => "type",
        Missing => "missing",
        Extra => "extra",
        Length => "length",
        Number => "number",
        Text => "text",
        Boolean => "boolean",
        Null => "null",
        Label => "label",
        Shape => "shape",
        Datatype => "datatype",
        Finish => "finish",
        Tools => "tools",
        Refusal => "refusal",
        Dimension => "dimension",
    }
}

/// What comes of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether the answers agree.
    pub judgement: Judgement,
    /// What the primary tells, as far as it was read.
    pub primary: Facts,
    /// What the shadow tells, as far as it was read.
    pub shadow: Facts,
    /// The cells of the confusion matrix, for tasks that name answers.
    pub decided: Vec<Decided>,
}

/// A cell of the confusion matrix: in how many rows the primary's answer was one thing and the shadow's another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What the primary's answer was.
    pub primary: String,
    /// What the shadow's answer was.
    pub shadow: String,
    /// How many rows.
    pub rows: u32,
}
