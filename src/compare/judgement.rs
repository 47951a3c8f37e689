//! The words in which a comparison says what it found.

use crate::compare::part::content::Facts;
use crate::compare::side::Side;
use crate::fault::Fault;
use crate::labels::labels;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// The same bytes.
    Identical,
    /// Different bytes, equal within tolerance.
    Equivalent,
    /// A difference that counts: the first in walking order.
    Diverged(Divergence),
    /// An answer that can't be read as the protocol says.
    Incomparable {
        /// The first side that can't be read.
        side: Side,
        /// Why, for the evidence line.
        reason: Fault,
    },
    /// All that is read is equal, but the answers hold something else that is not. It is the fault of neither.
    LeftUnread {
        /// Where it is, with indices.
        path: String,
        /// What is to be said of it.
        reason: Fault,
    },
}

/// The difference that made a pair diverge.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// What differs.
    pub kind: Kind,
    /// Where, with indices: `outputs[3].score`.
    pub path: String,
    /// Where, any index as `[*]`: `outputs[*].score`. Not yet cut or cleaned for use as a label.
    pub pattern: String,
    /// `|a-b| / max(|a|,|b|)` for numbers, if finite.
    pub relative: Option<f64>,
    /// The two values as in the bodies, each cut at [`crate::limits::MAX_EVIDENCE_VALUE`] characters; the empty text for a missing one.
    pub values: (String, String),
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
