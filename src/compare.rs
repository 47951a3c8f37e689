//! Whether two answers to one request agree.
//!
//! A [`Comparison`] owns both answers and is worked off in slices: each [`Comparison::step`] does a bounded amount of work, so that no
//! callback holds a worker for long however large the bodies are. It knows no clock: work is counted in bytes touched.

mod json;
#[cfg(test)]
mod tests;

use crate::capture::{Body, Held, Overflow};
use crate::config::{Compare, Protocol};
use crate::outcome::labels;
use json::{JsonComparison, excerpt};
use std::rc::Rc;

/// One side of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 2xx here.
    pub status: u16,
    /// `content-type`, raw.
    pub content_type: Vec<u8>,
    /// `content-encoding`, raw; empty or `identity` for a plain body.
    pub content_encoding: Vec<u8>,
    /// The body as received, or why there is none.
    pub body: Result<Body, Overflow>,
}

/// Which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the client got.
    Primary,
    /// What the shadow answered.
    Shadow,
}

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
        reason: &'static str,
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

/// Kinds of divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after its label")]
pub enum Kind {
    Status,
    Type,
    Missing,
    Extra,
    Length,
    Number,
    Text,
    Boolean,
    Null,
}

labels!(Kind {
    Status => "status",
    Type => "type",
    Missing => "missing",
    Extra => "extra",
    Length => "length",
    Number => "number",
    Text => "text",
    Boolean => "boolean",
    Null => "null",
});

/// A comparison under way.
#[derive(Debug)]
pub struct Comparison {
    protocol: Protocol,
    plan: Rc<Compare>,
    primary: Answer,
    shadow: Answer,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at.
    New,
    /// The bodies are equally long, and the same bytes so far.
    Bytes(usize),
    /// The bodies differ, and are read as JSON.
    Json(Box<JsonComparison>),
    /// The end.
    Done(Judgement),
}

/// How bodies that are not the same bytes are read. A protocol with rules of its own gets a variant here, a stage, and a module.
enum Reading {
    Opaque,
    Json,
}

impl Comparison {
    /// Sets two 2xx answers against each other as `plan` and `protocol` say. Does no work yet.
    pub fn new(protocol: Protocol, plan: Rc<Compare>, primary: Answer, shadow: Answer) -> Self {
        Self { protocol, plan, primary, shadow, stage: Stage::New }
    }

    /// Works until it is done or `budget` bytes have been touched; `None` means call again, with a budget above zero. It may overrun the
    /// budget by one comparison of two numbers (in practice some 50 bytes) or by 100 bytes. 64 KiB take less than 0.5 ms in Wasm. Once
    /// done, it says the same again.
    pub fn step(&mut self, budget: &mut usize) -> Option<Judgement> {
        while *budget > 0 {
            self.stage = match &mut self.stage {
                Stage::New => {
                    *budget = budget.saturating_sub(1);
                    self.begin()
                }
                Stage::Bytes(equal) => match same_bytes(&self.primary, &self.shadow, equal, budget) {
                    None => continue,
                    Some(true) => Stage::Done(Judgement::Identical),
                    Some(false) => self.read(),
                },
                Stage::Json(json) => Stage::Done(json.step(budget)?),
                Stage::Done(judgement) => return Some(judgement.clone()),
            };
        }
        match &self.stage {
            Stage::Done(judgement) => Some(judgement.clone()),
            _ => None,
        }
    }

    /// What the heads of the answers say.
    fn begin(&mut self) -> Stage {
        let (primary, shadow) = (&self.primary, &self.shadow);
        if primary.status != shadow.status {
            let values = (primary.status.to_string(), shadow.status.to_string());
            return diverged_at_root(Kind::Status, values);
        }
        for (side, answer) in [(Side::Primary, primary), (Side::Shadow, shadow)] {
            if let Err(reason) = is_readable(answer) {
                return Stage::Done(Judgement::Incomparable { side, reason });
            }
        }
        if body(primary).len() == body(shadow).len() { Stage::Bytes(0) } else { self.read() }
    }

    /// Takes up the comparison of bodies that are not the same bytes.
    fn read(&mut self) -> Stage {
        match self.reading() {
            Reading::Opaque => diverged_at_root(Kind::Text, (excerpt(body(&self.primary)), excerpt(body(&self.shadow)))),
            Reading::Json => {
                let [primary, shadow] = [&mut self.primary, &mut self.shadow].map(|side| side.body.clone().unwrap_or_default());
                Stage::Json(Box::new(JsonComparison::new(self.plan.clone(), primary, shadow)))
            }
        }
    }

    fn reading(&self) -> Reading {
        match self.protocol {
            Protocol::Json => Reading::Json,
            Protocol::Auto if is_json(&self.primary.content_type) => Reading::Json,
            _ => Reading::Opaque,
        }
    }
}

fn diverged_at_root(kind: Kind, values: (String, String)) -> Stage {
    let (path, pattern) = ("$".to_owned(), "$".to_owned());
    Stage::Done(Judgement::Diverged(Divergence { kind, path, pattern, relative: None, values }))
}

fn body(answer: &Answer) -> &[u8] {
    answer.body.as_deref().map(Held::bytes).unwrap_or_default()
}

/// Whether a body is there, and not encoded.
fn is_readable(answer: &Answer) -> Result<(), &'static str> {
    let encoding = answer.content_encoding.trim_ascii();
    match answer.body {
        Err(Overflow::Body) => Err("longer than limits.body"),
        Err(Overflow::Memory) => Err("no room for it in limits.memory"),
        Ok(_) if encoding.is_empty() || encoding.eq_ignore_ascii_case(b"identity") => Ok(()),
        Ok(_) => Err("encoded in a way that can't be decoded"),
    }
}

/// Whether two bodies of one length are the same bytes, of which the first `equal` are known to be; `None` if the budget was not enough.
fn same_bytes(primary: &Answer, shadow: &Answer, equal: &mut usize, budget: &mut usize) -> Option<bool> {
    let (a, b) = (body(primary), body(shadow));
    let end = equal.saturating_add(*budget).min(a.len());
    *budget = budget.saturating_sub(end.saturating_sub(*equal));
    if a.get(*equal..end) != b.get(*equal..end) {
        return Some(false);
    }
    *equal = end;
    (end == a.len()).then_some(true)
}

/// Whether a content type is that of a JSON text: `application/json`, `text/json`, or any with the suffix `+json` (RFC 6839).
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence == b"text/json" || essence.ends_with(b"+json")
}
