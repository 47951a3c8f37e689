//! The validated configuration.
//!
//! A text is read into a [`raw::Node`], which keeps the order of keys and duplicate keys. [`parse::parse`] makes a [`Config`] of it, or
//! lists all its [`problem::Problem`]s. The types here hold only legal values, so nothing checks a configuration again after parsing.

pub mod changes;
mod gate;
mod hash;
mod name;
mod observe;
pub mod parse;
pub mod problem;
pub mod raw;
mod reach;
mod tolerance;

use std::rc::Rc;
use std::time::Duration;

use crate::path::PathPattern;

pub use self::gate::{Direction, Ended, Event, Failures, Gate, GateSubject, Guardrail, Measure, SliceBy, Slices, Warmup};
pub use self::name::Name;
pub use self::observe::{BucketHeader, Observe, ObservedVariant};
pub use self::tolerance::{GivenTolerance, Tolerance};

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The experiment of all routes that have none of their own; a label of every series of a route.
    pub experiment: Name,
    /// Whether a request with the header `x-gnomon-shadow` counts as a copy.
    pub trust_copies: bool,
    /// The routes. The first one that matches a request takes it.
    pub routes: Vec<Rc<Route>>,
    /// Bounds per worker.
    pub limits: Limits,
    /// What is logged.
    pub evidence: Evidence,
    /// The distinct split headers and bucket headers of all routes, in lower case. They are removed from every request.
    pub split_headers: Vec<Rc<str>>,
    /// A short hash of what is configured: 8 hexadecimal digits. It does not depend on the order of keys or the spelling of numbers.
    pub hash: String,
}

/// Most bytes of indices for each byte of the largest body. Three bodies are indexed at a time: both answers of a comparison, and the
/// request whose copy is being made. Each index has up to eight bytes for each byte: an empty array has two bytes and takes sixteen.
const INDEX: usize = 24;

impl Config {
    /// Returns the most bytes that one worker needs because of this configuration: twice the captured bodies, because their buffers grow by
    /// doubling; the indices of the bodies that are being read; and one answer that is just arriving. The VM itself, its code and its
    /// counters (4 MiB when idle) come on top.
    pub fn worst_case_memory(&self) -> usize {
        let bodies = self.limits.memory.saturating_mul(2);
        bodies.saturating_add(self.limits.body.saturating_mul(INDEX.saturating_add(1)))
    }
}

/// A class of inference requests, and what is done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The route's name.
    pub name: Name,
    /// The experiment of the route's series: its own, or that of the configuration.
    pub experiment: Name,
    /// Who is to be told of the route: 1 to [`crate::limits::MAX_OWNER`] printable ASCII characters without `;`, `=` and `\`.
    pub owner: Option<Rc<str>>,
    /// Sets of conditions, one of which must hold; never empty. Without `match` there is one set that takes every POST.
    pub matches: Rc<[Match]>,
    /// The protocol of the answers.
    pub protocol: Protocol,
    /// How the variant is chosen; `None` reroutes nothing.
    pub split: Option<Split>,
    /// How it is seen which variant answered, where the mesh chooses; never beside `split`.
    pub observe: Option<Observe>,
    /// The key that is hashed for sampling; `None` means `x-request-id`.
    pub sample_by: Option<Key>,
    /// The shadows, in the order of the configuration.
    pub shadows: Vec<Rc<Shadow>>,
    /// How answers are compared.
    pub compare: Rc<Compare>,
    /// How requests are divided into slices; `None` means one slice, `all`.
    pub slices: Option<Slices>,
    /// The gates, in the order of the configuration.
    pub gates: Vec<Gate>,
    /// When canaries are cut off; `None` means never.
    pub guardrail: Option<Guardrail>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// The allowed methods, in upper case; never empty.
    pub methods: Vec<String>,
    /// The condition on the path without its query.
    pub path: Option<Text>,
    /// The condition on the authority, in lower case. Case does not count. The request's port counts only if this text has a port.
    pub authority: Option<Text>,
    /// The conditions on headers.
    pub headers: Vec<HeaderMatch>,
}

/// A condition on a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The text is this one.
    Exact(String),
    /// The text begins with this one.
    Prefix(String),
    /// The text ends with this one.
    Suffix(String),
}

impl Text {
    /// Returns the text that the condition compares with.
    pub fn text(&self) -> &str {
        let (Text::Exact(text) | Text::Prefix(text) | Text::Suffix(text)) = self;
        text
    }
}

/// A condition on a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// The name of the header, in lower case.
    pub name: Rc<str>,
    /// The condition on its first value, or on its presence.
    pub value: HeaderValueMatch,
}

/// A condition on the value or the presence of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValueMatch {
    /// The header's first value matches.
    Text(Text),
    /// The header is present (`true`) or absent (`false`).
    Present(bool),
}

/// The protocol of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The protocol is found by path and content type.
    Auto,
    /// Any JSON.
    Json,
    /// KServe V1: `predictions`.
    KserveV1,
    /// The Open Inference Protocol (KServe V2): tensors, in JSON, behind JSON, or in gRPC.
    OpenInference,
    /// OpenAI: chat completions, completions, embeddings; whole or as a stream.
    OpenAi,
    /// Bytes.
    Opaque,
}

/// The part of a request that is the key. The first value counts, without any decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A request header (lower case).
    Header(Rc<str>),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
    /// The header `x-request-id`. Requests of one user get different keys.
    Request,
}

/// How the variant of a request is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// The baseline at index 0, then the canaries in the order of the configuration.
    pub variants: Vec<Variant>,
    /// The key that is hashed; always given if there are canaries.
    pub key: Option<Key>,
    /// A text that is hashed with the key.
    pub salt: String,
    /// The pins. The first one that matches decides, before the percentages.
    pub pins: Vec<Pin>,
    /// The request header that gets the name of the variant (lower case).
    pub header: Rc<str>,
    /// Whether the response gets the header too.
    pub expose: bool,
    /// Whether one cluster of the proxy is meant to answer for several variants.
    pub same_cluster: bool,
}

/// A model version that may answer the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The variant's name.
    pub name: Name,
    /// How many of a million buckets the variant has. The sum over all variants is a million.
    pub ppm: u32,
    /// The variant's first answers, which gates leave out; `None` for the baseline.
    pub warmup: Option<Warmup>,
}

/// Sends requests with a certain header to one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name of the header, in lower case.
    pub header: Rc<str>,
    /// The condition on its first value.
    pub value: Text,
    /// Index into [`Split::variants`].
    pub variant: usize,
}

/// A model version that gets copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// The shadow's name.
    pub name: Name,
    /// Whether the shadow is tested or measures noise.
    pub role: Role,
    /// The clusters that copies are sent to.
    pub cluster: Cluster,
    /// Conditions on the body of a request. A request is sampled only if all of them hold.
    pub when: Vec<BodyCondition>,
    /// The model version that the shadow should serve. Answers of another version are not compared.
    pub expect_version: Option<String>,
    /// How many of a million buckets are sampled.
    pub ppm: u32,
    /// The variants whose requests are copied, as indices into [`Route::variants`]; `None` (a route with neither `split` nor `observe`) means
    /// all requests.
    pub of: Option<Vec<usize>>,
    /// How long a copy may wait for its answer; above zero, at most [`crate::limits::MAX_TIMEOUT`].
    pub timeout: Duration,
    /// Most copies in flight per worker; above zero.
    pub max_in_flight: u32,
    /// How the copy differs from the request.
    pub request: CopyRequest,
    /// The shadow's first pairs, which gates leave out.
    pub warmup: Option<Warmup>,
}

/// Envoy's clusters of a shadow. Both are the same if the model has one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The cluster for all requests but gRPC.
    pub http: String,
    /// The cluster for gRPC.
    pub grpc: String,
}

/// A condition on a value of a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyCondition {
    /// The path of the value, without `[*]`.
    pub path: PathPattern,
    /// The condition on the value.
    pub test: BodyTest,
}

/// A condition on a value. It does not hold for values of another type.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyTest {
    /// The string is this one.
    Exact(String),
    /// The string begins with this one.
    Prefix(String),
    /// The boolean is this one.
    Boolean(bool),
    /// The number is this one.
    Number(f64),
    /// The number is at most this one.
    AtMost(f64),
    /// The number is at least this one.
    AtLeast(f64),
}

/// The purpose of a shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A version under test.
    Candidate,
    /// The baseline's own version, to measure noise.
    Control,
}

/// How a copy differs from its request. First is removed, then rewritten, then set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRequest {
    /// A prefix of paths, and the text that replaces it.
    pub path: Option<(String, String)>,
    /// The new `:authority`.
    pub authority: Option<String>,
    /// The new value of the top-level member `model` of a JSON body, or of `model_name` in a ModelInfer request.
    pub model: Option<String>,
    /// Top-level members of a JSON body that are set, each with its value as JSON text.
    pub body_set: Vec<(String, String)>,
    /// Top-level members of a JSON body that are removed.
    pub body_remove: Vec<String>,
    /// Headers (lower case) that are set to the value of an environment variable of the VM, each with the variable's name.
    pub from_env: Vec<(Rc<str>, String)>,
    /// Headers (lower case) that are set, each with its value.
    pub set: Vec<(Rc<str>, String)>,
    /// Headers (lower case) that are removed.
    pub remove: Vec<Rc<str>>,
    /// Whether the copy keeps the client's credentials: `authorization`, `cookie`, API keys and the like (see [`crate::mirror::headers`]).
    pub keep_credentials: bool,
}

/// How answers are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// The part of an answer that is compared.
    pub task: Task,
    /// The tolerance for values that no path of `tolerances` matches.
    pub default: GivenTolerance,
    /// Tolerances by path; the first path that matches decides. Parts that were not given for a path are those of `default`.
    pub tolerances: Vec<(PathPattern, GivenTolerance)>,
    /// Paths of values that are not compared, neither are the values below them.
    pub ignore: Vec<PathPattern>,
    /// Arrays that are compared without regard to order.
    pub unordered: Vec<Unordered>,
    /// Whether what a model thought counts, too.
    pub reasoning: bool,
}

impl Compare {
    /// Returns the strictest comparison: exact numbers, nothing ignored, every array in order.
    pub fn exact() -> Self {
        let default = GivenTolerance::EXACT;
        Self { task: Task::Auto, default, tolerances: Vec::new(), ignore: Vec::new(), unordered: Vec::new(), reasoning: false }
    }
}

/// The part of an answer that is compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// The whole answer, as its protocol defines.
    Auto,
    /// The label of each row.
    Labels(Labels),
    /// Floating-point numbers only.
    Scores {
        /// The path of the numbers; `None` means everywhere.
        path: Option<PathPattern>,
    },
    /// All numbers, and nothing else.
    Regression {
        /// The path of the numbers; `None` means everywhere.
        path: Option<PathPattern>,
    },
    /// The directions of vectors.
    Embedding {
        /// The path of the vectors; `None` means each row.
        path: Option<PathPattern>,
        /// The least cosine of two vectors that count as equal, from -1 to 1.
        cosine: f64,
    },
    /// Strings.
    Text {
        /// The path of the strings; `None` means everywhere the answer has text.
        path: Option<PathPattern>,
        /// When two of them are equal.
        texts: Texts,
    },
    /// How an answer ended, which tools it calls, whether it is a refusal, and whether it is JSON. Wording does not count.
    Structure,
    /// The decision that follows from each number.
    Decision(Decision),
}

impl Task {
    /// The default of the least cosine of equal vectors.
    pub const COSINE: f64 = 0.999;
}

/// When two texts are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Whether runs of white space count as one space, and are dropped at both ends.
    pub normalize: bool,
    /// Whether texts that both are objects or arrays of JSON are compared as such.
    pub json: bool,
}

/// How the label of a row is found. A string, boolean or whole number is the label itself. For a vector of scores the label is the index of
/// the largest score.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The path of the labels or vectors; `None` means the rows of the protocol.
    pub path: Option<PathPattern>,
    /// How many labels with the largest scores are compared; above zero.
    pub top: usize,
    /// How many of these labels both answers must share; from 1 to `top`.
    pub overlap: usize,
    /// The names of the labels by index; if empty, the index is the name.
    pub names: Vec<Rc<str>>,
}

/// How decisions follow from numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The path of the numbers.
    pub path: PathPattern,
    /// Thresholds in ascending order. A number that reaches `n` of them leads to the decision `names[n]`.
    pub thresholds: Vec<f64>,
    /// The names of the decisions: one more than thresholds, at most [`crate::limits::MAX_ANSWER_NAMES`].
    pub names: Vec<Rc<str>>,
    /// Whether numbers that lead to the same decision also have to be equal within tolerance.
    pub scores: bool,
}

/// An array that is compared without regard to order.
#[derive(Clone, Debug, PartialEq)]
pub struct Unordered {
    /// The path of the array.
    pub path: PathPattern,
    /// The member by which objects of the two arrays are matched; `None` for arrays of scalars, which are sorted.
    pub by: Option<String>,
}

/// Bounds per worker VM, shared by its root contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most open pairs.
    pub pairs: usize,
    /// Most bytes of all captured bodies.
    pub memory: usize,
    /// Most bytes of one captured body; at most `memory`.
    pub body: usize,
}

impl Limits {
    /// Returns the most bytes that may arrive of an answer. Of a stream `body` bounds only the joined text, so what `may_stream` may have up
    /// to `memory` bytes, until it turns out to be no stream.
    pub fn of_answer(&self, may_stream: bool) -> usize {
        if may_stream { self.memory } else { self.body }
    }
}

/// What is logged of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Most lines per second and worker; 0 logs none.
    pub per_second: u32,
    /// Whether lines show the two values at the path of the divergence.
    pub values: bool,
}
