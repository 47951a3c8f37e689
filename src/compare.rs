//! Whether two answers to one request agree, and what each of them tells.
//!
//! A [`Comparison`] owns both answers and is worked off in slices: each [`Comparison::step`] does a bounded amount of work, so that no
//! callback holds a worker for long however large the bodies are. It knows no clock: work is counted in bytes touched.
//!
//! Here are only its stages. Reading order:
//!
//! 1. [`answer`] and [`judgement`]: what goes in and what comes out. [`side`]: the two sides.
//! 2. [`part`]: what contents are made of.
//! 3. [`read`]: whoever turns an answer into content, as its protocol says. [`inspection`]: one answer that is only read.
//! 4. [`judge`]: whoever compares two contents, as the task says.
//!
//! [`judge`] and [`read`] know [`part`], and neither knows the other.

pub mod answer;
pub mod inspection;
pub mod judge;
pub mod judgement;
pub mod part;
pub mod read;
pub mod side;
#[cfg(test)]
mod tests;

use core::task::{Poll, ready};
use std::borrow::Cow;
use std::rc::Rc;

use crate::capture::{Body, Bounds, Held};
use crate::compare::answer::IMPOSSIBLE;
pub use crate::compare::answer::{Answer, Unread};
use crate::compare::judge::leftovers::{LeftoversMatch, looks_everywhere};
use crate::compare::judge::place::excerpt;
use crate::compare::judge::rules::Rules;
use crate::compare::judge::task::Judge;
use crate::compare::judgement::Decided;
pub use crate::compare::judgement::{Divergence, Judgement, Kind, Report};
use crate::compare::part::content::{Content, Facts};
use crate::compare::read::mistake;
use crate::compare::read::reader::Reader;
use crate::compare::read::unpack::Unpacking;
use crate::compare::read::wire_format::WireFormat;
pub use crate::compare::side::Side;
use crate::compare::side::Sides;
use crate::config::Compare;
use crate::fault::Fault;
use crate::labels::End;

/// A comparison under way.
#[derive(Debug)]
pub struct Comparison {
    wire_format: WireFormat,
    plan: Rc<Compare>,
    bounds: Bounds,
    primary: Half,
    shadow: Half,
    stage: Stage,
    /// Whether the bodies are the same bytes.
    identical: bool,
}

/// One side of a comparison.
#[derive(Debug)]
struct Half {
    answer: Answer,
    /// What was read, or why it can't be; `None` before.
    content: Option<Result<Rc<Content>, Cow<'static, str>>>,
    facts: Facts,
}

#[derive(Debug)]
enum Stage {
    /// Nothing has been looked at.
    New,
    /// An answer's content coding is being undone, or its stream joined.
    Unpack(Side, Box<Unpacking>),
    /// The bodies are equally long, and the same bytes so far.
    Bytes(usize),
    /// An answer is being read as its protocol says.
    Read(Side, Box<dyn Reader>),
    /// Two contents are being compared.
    Judge(Box<dyn Judge>),
    /// They are equivalent, with these cells of the confusion matrix, and what was left unread of them is being compared.
    Leftovers(Box<LeftoversMatch>, Vec<Decided>),
    /// The end.
    Done(Judgement, Vec<Decided>),
}

impl Half {
    fn new(answer: Answer) -> Self {
        Self { answer, content: None, facts: Facts::default() }
    }

    fn bytes(&self) -> &[u8] {
        self.answer.body.as_deref().map(Held::bytes).unwrap_or_default()
    }
}

impl Comparison {
    /// Sets two 2xx answers against each other as `plan` says. Does no work yet.
    pub fn new(wire_format: WireFormat, plan: Rc<Compare>, bounds: Bounds, primary: Answer, shadow: Answer) -> Self {
        let (primary, shadow) = (Half::new(primary), Half::new(shadow));
        Self { wire_format, plan, bounds, primary, shadow, stage: Stage::New, identical: false }
    }

    /// Works until it is done or `budget` bytes have been touched. `Pending`: the budget was not enough; call again, with a budget above
    /// zero. It may overrun the budget by one comparison of two numbers (in practice some 50 bytes) or by 100 bytes. 64 KiB take less than
    /// 0.5 ms in Wasm.
    pub fn step(&mut self, budget: &mut usize) -> Poll<Report> {
        while *budget > 0 && !matches!(self.stage, Stage::Done(..)) {
            if let Poll::Ready(next) = self.turn(budget) {
                self.stage = next;
                *budget = budget.saturating_sub(1);
            }
        }
        let Stage::Done(judgement, decided) = &self.stage else { return Poll::Pending };
        Poll::Ready(Report {
            judgement: judgement.clone(),
            primary: self.primary.facts.clone(),
            shadow: self.shadow.facts.clone(),
            decided: decided.clone(),
        })
    }

    /// Goes on with the stage at hand. Ready with the next stage once it is over.
    fn turn(&mut self, budget: &mut usize) -> Poll<Stage> {
        Poll::Ready(match &mut self.stage {
            Stage::New => self.begin(),
            Stage::Unpack(side, unpacking) => {
                let side = *side;
                let body = ready!(unpacking.step(budget));
                self.have_unpacked(side, body)
            }
            Stage::Bytes(equal) => {
                self.identical = ready!(same_bytes(self.primary.bytes(), self.shadow.bytes(), equal, budget));
                self.after_bytes()
            }
            Stage::Read(side, reader) => {
                let side = *side;
                let content = ready!(reader.step(budget));
                self.have_read(side, content)
            }
            Stage::Judge(judge) => {
                let (Some(Ok(primary)), Some(Ok(shadow))) = (&self.primary.content, &self.shadow.content) else {
                    return Poll::Ready(self.unreadable());
                };
                let judgement = ready!(judge.step(Sides { primary, shadow }, budget));
                let decided = judge.decided();
                let has_leftovers = !primary.leftovers.is_empty() || !shadow.leftovers.is_empty();
                if self.identical {
                    Stage::Done(Judgement::Identical, decided)
                } else if judgement == Judgement::Equivalent && has_leftovers && looks_everywhere(&self.plan.task) {
                    let (rules, effect) = Rules::new(self.plan.clone());
                    Stage::Leftovers(Box::new(LeftoversMatch::new(rules, effect.ignored)), decided)
                } else {
                    Stage::Done(judgement, decided)
                }
            }
            Stage::Leftovers(leftovers, decided) => {
                let (Some(Ok(primary)), Some(Ok(shadow))) = (&self.primary.content, &self.shadow.content) else {
                    return Poll::Ready(self.unreadable());
                };
                let judgement = ready!(leftovers.step(Sides { primary, shadow }, budget));
                Stage::Done(judgement, core::mem::take(decided))
            }
            Stage::Done(..) => self.unreadable(),
        })
    }

    /// What the heads of the answers say.
    fn begin(&mut self) -> Stage {
        let (primary, shadow) = (self.primary.answer.status, self.shadow.answer.status);
        if primary != shadow {
            return diverged_at_root(Kind::Status, (primary.to_string(), shadow.to_string()));
        }
        self.unpack(Side::Primary)
    }

    /// Begins to unpack one side. If there is nothing to unpack, goes on to what comes after it.
    fn unpack(&mut self, side: Side) -> Stage {
        let (wire_format, bounds) = (self.wire_format, self.bounds.clone());
        let answer = &self.half(side).answer;
        match Unpacking::new(answer, wire_format == WireFormat::OpenAi, &bounds) {
            Ok(Some(unpacking)) => Stage::Unpack(side, Box::new(unpacking)),
            Ok(None) => self.unpacked(side),
            Err(unread) => self.have_unpacked(side, Err(unread)),
        }
    }

    fn have_unpacked(&mut self, side: Side, body: Result<Body, Unread>) -> Stage {
        let malformed = matches!(body, Err(Unread::Malformed(_)));
        let half = self.half(side);
        if let Err(unread) = &body {
            half.content = Some(Err(mistake::not_unpacked(*unread, half.bytes(), &half.answer.content_encoding)));
        }
        half.facts.end = malformed.then_some(End::Invalid);
        half.answer.body = body;
        self.unpacked(side)
    }

    /// What comes after one side has been unpacked.
    fn unpacked(&mut self, side: Side) -> Stage {
        if side == Side::Primary {
            return self.unpack(Side::Shadow);
        }
        let readable = self.primary.content.is_none() && self.shadow.content.is_none();
        if readable && self.primary.bytes().len() == self.shadow.bytes().len() { Stage::Bytes(0) } else { self.after_bytes() }
    }

    fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Primary => &mut self.primary,
            Side::Shadow => &mut self.shadow,
        }
    }

    /// What comes once it is known whether the bodies are the same bytes.
    fn after_bytes(&mut self) -> Stage {
        match self.wire_format {
            WireFormat::Opaque if self.identical => Stage::Done(Judgement::Identical, Vec::new()),
            WireFormat::Json if self.identical && !judge::names_answers(&self.plan.task) => Stage::Done(Judgement::Identical, Vec::new()),
            WireFormat::Opaque if self.primary.content.is_none() && self.shadow.content.is_none() => {
                diverged_at_root(Kind::Text, (excerpt(self.primary.bytes()), excerpt(self.shadow.bytes())))
            }
            WireFormat::Opaque => self.unreadable(),
            _ => self.read(Side::Primary),
        }
    }

    /// Begins to read one side. If nothing of it can be read, goes on to what comes after it.
    fn read(&mut self, side: Side) -> Stage {
        let (wire_format, bounds) = (self.wire_format, self.bounds.clone());
        let half = self.half(side);
        match (&half.content, &half.answer.body, side) {
            (None, Ok(body), _) => Stage::Read(side, read::reader_of(wire_format, &half.answer, body.clone(), &bounds)),
            (_, _, Side::Primary) => self.read(Side::Shadow),
            (_, _, Side::Shadow) => self.judge(),
        }
    }

    fn have_read(&mut self, side: Side, content: Result<Content, Fault>) -> Stage {
        let wire_format = self.wire_format;
        let end = (wire_format == WireFormat::OpenAi).then_some(End::Invalid);
        let half = self.half(side);
        half.facts = match &content {
            Ok(content) => content.facts.clone(),
            Err(_) => Facts { end, ..Facts::default() },
        };
        let fault = |fault: Fault| match wire_format {
            WireFormat::OpenInferenceGrpc => fault.into(),
            _ => mistake::not_json(fault, half.bytes(), &half.answer.content_type),
        };
        half.content = Some(content.map(Rc::new).map_err(fault));
        if side == Side::Primary && self.identical {
            // The same bytes need not be read twice.
            self.shadow.content.clone_from(&self.primary.content);
            self.shadow.facts = self.primary.facts.clone();
        }
        if side == Side::Primary { self.read(Side::Shadow) } else { self.judge() }
    }

    /// Begins to compare what was read.
    fn judge(&mut self) -> Stage {
        match (&self.primary.content, &self.shadow.content) {
            (Some(Ok(_)), Some(Ok(_))) if self.identical && !judge::names_answers(&self.plan.task) => {
                Stage::Done(Judgement::Identical, Vec::new())
            }
            (Some(Ok(primary)), Some(Ok(_))) => match judge::judge(&self.plan, primary) {
                Ok(judge) => Stage::Judge(judge),
                Err(reason) => Stage::Done(Judgement::Incomparable { side: Side::Primary, reason: reason.into() }, Vec::new()),
            },
            _ => self.unreadable(),
        }
    }

    /// The end of a pair of which one side at least can't be read.
    fn unreadable(&self) -> Stage {
        let fault = |half: &Half| half.content.as_ref().and_then(|content| content.as_ref().err().cloned());
        let (side, reason) = match (fault(&self.primary), fault(&self.shadow)) {
            (Some(reason), _) => (Side::Primary, reason),
            (None, reason) => (Side::Shadow, reason.unwrap_or(IMPOSSIBLE.into())),
        };
        let judgement = if self.identical { Judgement::Identical } else { Judgement::Incomparable { side, reason } };
        Stage::Done(judgement, Vec::new())
    }
}

fn diverged_at_root(kind: Kind, values: (String, String)) -> Stage {
    let divergence = Divergence::new(kind, ("$".to_owned(), "$".to_owned()), values);
    Stage::Done(Judgement::Diverged(Box::new(divergence)), Vec::new())
}

/// Whether two bodies of one length are the same bytes. The first `equal` bytes are known to be. `Pending`: the budget was not enough; call
/// again.
fn same_bytes(a: &[u8], b: &[u8], equal: &mut usize, budget: &mut usize) -> Poll<bool> {
    let end = equal.saturating_add(*budget).min(a.len());
    *budget = budget.saturating_sub(end.saturating_sub(*equal));
    if a.get(*equal..end) != b.get(*equal..end) {
        return Poll::Ready(false);
    }
    *equal = end;
    if end == a.len() { Poll::Ready(true) } else { Poll::Pending }
}
