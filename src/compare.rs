//! Whether two answers to one request agree, and what each of them tells.
//!
//! A [`Comparison`] owns both answers and is worked off in slices: each [`Comparison::step`] does a bounded amount of work, so that no
//! callback holds a worker for long however large the bodies are. It knows no clock: work is counted in bytes touched.
//!
//! Reading order: [`form`] (how the answers of a pair are read), [`content`] (the seam between protocols, which read, and tasks, which
//! compare), [`json`], [`tensor`], [`choice`] and [`text`] (what contents are made of), then the protocols ([`kserve_v1`],
//! [`open_inference`], [`open_inference_grpc`], [`openai`]) and the tasks: [`tensors`] compares values, [`rows`] is what [`labels`],
//! [`decision`] and [`embedding`] look at.

pub mod base64;
pub mod choice;
pub mod content;
pub mod decision;
pub mod embedding;
pub mod form;
pub mod json;
pub mod kserve_v1;
pub mod labels;
mod matrix;
pub mod open_inference;
pub mod open_inference_grpc;
pub mod openai;
pub mod rows;
pub mod tensor;
pub mod tensors;
#[cfg(test)]
mod tests;
pub mod text;
mod unpack;

use std::rc::Rc;

use crate::capture::{Body, Held, Overflow};
use crate::config::{Compare, Task};
use crate::outcome::{End, labels};
use crate::path::{PathPattern, Step};
use crate::request::is_event_stream;
use content::{Bounds, Content, Contents, Decided, Facts, Fault, Judge, Parts, Reader};
use decision::DecisionJudge;
use embedding::{COSINE, EmbeddingJudge};
use form::Form;
use json::place::excerpt;
use json::{DocumentReader, JsonJudge, JsonReader};
use kserve_v1::KserveV1Reader;
use labels::LabelsJudge;
use open_inference::OpenInferenceReader;
use open_inference_grpc::ModelInferReader;
use openai::OpenAiReader;
use openai::choices::{ChoicesJudge, Scope};
use tensors::TensorsJudge;
use unpack::Unpacking;

/// One side of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 2xx here.
    pub status: u16,
    /// `content-type`, raw.
    pub content_type: Vec<u8>,
    /// `content-encoding`, raw; empty or `identity` for a plain body.
    pub content_encoding: Vec<u8>,
    /// `inference-header-content-length`, raw: how many bytes of JSON stand before binary tensors; empty without them.
    pub inference_header_length: Vec<u8>,
    /// `grpc-encoding`, raw: how compressed gRPC messages are encoded.
    pub grpc_encoding: Vec<u8>,
    /// The body as received, or why there is none.
    pub body: Result<Body, Unread>,
}

/// Why an answer has no body that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It was given up while it came.
    Overflow(Overflow),
    /// Its content coding can't be undone.
    Encoded(Fault),
    /// It is a stream that is not what its protocol says.
    Malformed(Fault),
}

impl Unread {
    /// For evidence.
    fn reason(self) -> Fault {
        match self {
            Unread::Overflow(Overflow::Body) => "longer than limits.body",
            Unread::Overflow(Overflow::Memory) => "no room for it in limits.memory",
            Unread::Encoded(fault) | Unread::Malformed(fault) => fault,
        }
    }
}

/// Which answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the client got.
    Primary,
    /// What the shadow answered.
    Shadow,
}

impl Side {
    /// For evidence.
    pub fn label(self) -> &'static str {
        match self {
            Side::Primary => "primary",
            Side::Shadow => "shadow",
        }
    }
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
    Label,
    Shape,
    Datatype,
    Finish,
    Tools,
    Refusal,
    Dimension,
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
    Label => "label",
    Shape => "shape",
    Datatype => "datatype",
    Finish => "finish",
    Tools => "tools",
    Refusal => "refusal",
    Dimension => "dimension",
});

/// What comes of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Whether the answers agree.
    pub judgement: Judgement,
    /// What the primary tells, as far as it was read.
    pub primary: Facts,
    /// What the shadow tells, as far as it was read.
    pub shadow: Facts,
    /// What became of what, for tasks that name answers.
    pub decided: Vec<Decided>,
}

/// A comparison under way.
#[derive(Debug)]
pub struct Comparison {
    form: Form,
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
    content: Option<Result<Rc<Content>, Fault>>,
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
    pub fn new(form: Form, plan: Rc<Compare>, bounds: Bounds, primary: Answer, shadow: Answer) -> Self {
        let (primary, shadow) = (Half::new(primary), Half::new(shadow));
        Self { form, plan, bounds, primary, shadow, stage: Stage::New, identical: false }
    }

    /// Works until it is done or `budget` bytes have been touched; `None` means call again, with a budget above zero. It may overrun the
    /// budget by one comparison of two numbers (in practice some 50 bytes) or by 100 bytes. 64 KiB take less than 0.5 ms in Wasm.
    pub fn step(&mut self, budget: &mut usize) -> Option<Report> {
        while *budget > 0 && !matches!(self.stage, Stage::Done(..)) {
            if let Some(next) = self.turn(budget) {
                self.stage = next;
                *budget = budget.saturating_sub(1);
            }
        }
        match &self.stage {
            Stage::Done(judgement, decided) => Some(Report {
                judgement: judgement.clone(),
                primary: self.primary.facts.clone(),
                shadow: self.shadow.facts.clone(),
                decided: decided.clone(),
            }),
            _ => None,
        }
    }

    /// Goes on with the stage at hand; the next one, once it is over.
    fn turn(&mut self, budget: &mut usize) -> Option<Stage> {
        match &mut self.stage {
            Stage::New => Some(self.begin()),
            Stage::Unpack(side, unpacking) => {
                let side = *side;
                let body = unpacking.step(budget).transpose()?;
                Some(self.have_unpacked(side, body))
            }
            Stage::Bytes(equal) => same_bytes(self.primary.bytes(), self.shadow.bytes(), equal, budget).map(|same| {
                self.identical = same;
                self.after_bytes()
            }),
            Stage::Read(side, reader) => {
                let side = *side;
                let content = reader.step(budget).transpose()?;
                Some(self.have_read(side, content))
            }
            Stage::Judge(judge) => {
                let (Some(Ok(primary)), Some(Ok(shadow))) = (&self.primary.content, &self.shadow.content) else {
                    return Some(self.unreadable());
                };
                let judgement = judge.step(Contents { primary, shadow }, budget)?;
                let decided = judge.decided();
                Some(Stage::Done(if self.identical { Judgement::Identical } else { judgement }, decided))
            }
            Stage::Done(..) => None,
        }
    }

    /// What the heads of the answers say.
    fn begin(&mut self) -> Stage {
        let (primary, shadow) = (self.primary.answer.status, self.shadow.answer.status);
        if primary != shadow {
            return diverged_at_root(Kind::Status, (primary.to_string(), shadow.to_string()));
        }
        self.unpack(Side::Primary)
    }

    /// Takes up the unpacking of one side, or, if there is nothing to unpack, what comes after it.
    fn unpack(&mut self, side: Side) -> Stage {
        let (form, bounds) = (self.form, self.bounds.clone());
        let answer = &self.half(side).answer;
        let stream = form == Form::OpenAi && is_event_stream(&answer.content_type);
        match Unpacking::new(answer, stream, &bounds) {
            Ok(Some(unpacking)) => Stage::Unpack(side, Box::new(unpacking)),
            Ok(None) => self.unpacked(side),
            Err(unread) => self.have_unpacked(side, Err(unread)),
        }
    }

    fn have_unpacked(&mut self, side: Side, body: Result<Body, Unread>) -> Stage {
        let malformed = matches!(body, Err(Unread::Malformed(_)));
        let half = self.half(side);
        if let Err(unread) = &body {
            half.content = Some(Err(unread.reason()));
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
        match self.form {
            Form::Opaque | Form::Json if self.identical => Stage::Done(Judgement::Identical, Vec::new()),
            Form::Opaque if self.primary.content.is_none() && self.shadow.content.is_none() => {
                diverged_at_root(Kind::Text, (excerpt(self.primary.bytes()), excerpt(self.shadow.bytes())))
            }
            _ => self.read(Side::Primary),
        }
    }

    /// Takes up the reading of one side, or, if nothing of it can be read, what comes after it.
    fn read(&mut self, side: Side) -> Stage {
        let (form, bounds) = (self.form, self.bounds.clone());
        let half = self.half(side);
        match (&half.content, &half.answer.body, side) {
            (None, Ok(body), _) => Stage::Read(side, reader(form, &half.answer, body.clone(), &bounds)),
            (_, _, Side::Primary) => self.read(Side::Shadow),
            (_, _, Side::Shadow) => self.judge(),
        }
    }

    fn have_read(&mut self, side: Side, content: Result<Content, Fault>) -> Stage {
        let end = (self.form == Form::OpenAi).then_some(End::Invalid);
        let half = self.half(side);
        half.facts = match &content {
            Ok(content) => content.facts.clone(),
            Err(_) => Facts { end, ..Facts::default() },
        };
        half.content = Some(content.map(Rc::new));
        if side == Side::Primary && self.identical {
            // The same bytes need not be read twice.
            self.shadow.content.clone_from(&self.primary.content);
            self.shadow.facts = self.primary.facts.clone();
        }
        if side == Side::Primary { self.read(Side::Shadow) } else { self.judge() }
    }

    /// Takes up the comparison of what was read.
    fn judge(&mut self) -> Stage {
        match (&self.primary.content, &self.shadow.content) {
            (Some(Ok(_)), Some(Ok(_))) if self.identical && !names_answers(&self.plan.task) => {
                Stage::Done(Judgement::Identical, Vec::new())
            }
            (Some(Ok(primary)), Some(Ok(_))) => Stage::Judge(judge(&self.plan, primary)),
            _ => self.unreadable(),
        }
    }

    /// The end of a pair of which one side at least can't be read.
    fn unreadable(&self) -> Stage {
        let fault = |half: &Half| half.content.as_ref().and_then(|content| content.as_ref().err().copied());
        let (side, reason) = match (fault(&self.primary), fault(&self.shadow)) {
            (Some(reason), _) => (Side::Primary, reason),
            (None, reason) => (Side::Shadow, reason.unwrap_or_default()),
        };
        let judgement = if self.identical { Judgement::Identical } else { Judgement::Incomparable { side, reason } };
        Stage::Done(judgement, Vec::new())
    }
}

/// Whether a task counts what became of what, also of answers that are the same bytes.
fn names_answers(task: &Task) -> bool {
    matches!(task, Task::Labels(_) | Task::Decision(_))
}

/// What reads the body of `answer` in `form`.
fn reader(form: Form, answer: &Answer, body: Body, bounds: &Bounds) -> Box<dyn Reader> {
    match form {
        Form::OpenAi => Box::new(OpenAiReader::new(body)),
        Form::OpenInference => Box::new(OpenInferenceReader::new(body, &answer.inference_header_length)),
        Form::OpenInferenceGrpc => Box::new(ModelInferReader::new(answer, body, bounds.clone())),
        Form::KserveV1 => Box::new(KserveV1Reader::new(body)),
        _ => Box::new(JsonReader(DocumentReader::whole(body))),
    }
}

/// What sets two contents against each other, of which the primary's is given.
fn judge(plan: &Rc<Compare>, primary: &Content) -> Box<dyn Judge> {
    let parts = &primary.parts;
    match (&plan.task, parts) {
        (Task::Labels(labels), _) => Box::new(LabelsJudge::new(labels.clone(), parts)),
        (Task::Decision(decision), _) => Box::new(DecisionJudge::new(decision.clone(), parts)),
        (Task::Embedding { path, cosine }, _) => Box::new(EmbeddingJudge::new(path.as_ref(), *cosine, parts)),
        (_, Parts::Embeddings(_)) => Box::new(EmbeddingJudge::new(None, COSINE, parts)),
        (_, Parts::Tensors(_)) => Box::new(TensorsJudge::new(plan.clone())),
        (Task::Auto, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::All)),
        (Task::Structure, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::Structure)),
        (&Task::Text { path: None, normalize }, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::Text { normalize })),
        (_, Parts::Predictions(_)) => {
            let predictions = PathPattern::new(vec![Step::Member("predictions".to_owned())]);
            Box::new(JsonJudge::new(plan.clone(), Some(predictions)))
        }
        (_, Parts::Json | Parts::Choices(_)) => Box::new(JsonJudge::new(plan.clone(), None)),
    }
}

fn diverged_at_root(kind: Kind, values: (String, String)) -> Stage {
    let (path, pattern) = ("$".to_owned(), "$".to_owned());
    Stage::Done(Judgement::Diverged(Divergence { kind, path, pattern, relative: None, values }), Vec::new())
}

/// Whether two bodies of one length are the same bytes, of which the first `equal` are known to be; `None` if the budget was not enough.
fn same_bytes(a: &[u8], b: &[u8], equal: &mut usize, budget: &mut usize) -> Option<bool> {
    let end = equal.saturating_add(*budget).min(a.len());
    *budget = budget.saturating_sub(end.saturating_sub(*equal));
    if a.get(*equal..end) != b.get(*equal..end) {
        return Some(false);
    }
    *equal = end;
    (end == a.len()).then_some(true)
}
