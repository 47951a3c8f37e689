//! The validated configuration: what the rest of the filter reads.
//!
//! Text becomes a [`raw::Node`] (nothing lost: order, duplicates), [`parse::parse`] turns that into a [`Config`] or into every
//! [`problem::Problem`] at once. The types here hold only what is legal, so nothing after parsing checks a configuration again.

pub mod changes;
mod gate;
mod name;
pub mod parse;
pub mod problem;
pub mod raw;

use std::rc::Rc;
use std::time::Duration;

use crate::path::PathPattern;

pub use self::gate::{Direction, Gate, GateSubject, Guardrail, Measure, SliceBy, Slices, Warmup};
pub use self::name::Name;

/// A whole configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Scopes every counter.
    pub experiment: Name,
    /// Whether a request that carries `x-gnomon-shadow` is believed to be a copy.
    pub trust_copies: bool,
    /// In order: the first that matches wins.
    pub routes: Vec<Rc<Route>>,
    /// Bounds per worker.
    pub limits: Limits,
    /// What is logged.
    pub evidence: Evidence,
    /// Every distinct split header named by a route, in lower case; each is removed from every request.
    pub split_headers: Vec<Rc<str>>,
}

/// How many bytes the indices of bodies being read may need, as a multiple of the largest body: those of both answers of the comparison at
/// hand, and that of the request whose copy is being made. Each needs up to eight: two bytes of brackets make an array, which takes sixteen.
const INDEX: usize = 24;

impl Config {
    /// Bytes that one worker holds at most because of this configuration: all captured bodies (their buffers grow by doubling, so twice
    /// that), the indices of those being read, and one answer that is just being taken. The VM itself, its code and its counters
    /// (4 MiB when idle) come on top.
    pub fn worst_case_memory(&self) -> usize {
        let bodies = self.limits.memory.saturating_mul(2);
        bodies.saturating_add(self.limits.body.saturating_mul(INDEX.saturating_add(1)))
    }
}

/// A named class of inference requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Its name.
    pub name: Name,
    /// The experiment its counters belong to: its own, or that of the configuration.
    pub experiment: Name,
    /// Sets of conditions of which one must hold; never empty (without `match`: one set that takes every POST).
    pub matches: Rc<[Match]>,
    /// How answers are read.
    pub protocol: Protocol,
    /// How the variant is chosen; `None` reroutes nothing.
    pub split: Option<Split>,
    /// What is hashed for sampling; `None`: `x-request-id`.
    pub sample_by: Option<Key>,
    /// In the order configured.
    pub shadows: Vec<Rc<Shadow>>,
    /// How answers are compared.
    pub compare: Rc<Compare>,
    /// How pairs are segmented; `None`: all in slice `all`.
    pub slices: Option<Slices>,
    /// In the order configured.
    pub gates: Vec<Gate>,
    /// When canaries are cut off; `None`: never.
    pub guardrail: Option<Guardrail>,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Upper-case methods, never empty.
    pub methods: Vec<String>,
    /// Compared with the path without its query.
    pub path: Option<Text>,
    /// In lower case. Compared without regard to case, and to the request's port unless the text has one.
    pub authority: Option<Text>,
    /// All must hold.
    pub headers: Vec<HeaderMatch>,
}

/// A condition on a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The whole text.
    Exact(String),
    /// Its beginning.
    Prefix(String),
    /// Its end.
    Suffix(String),
}

/// A condition on a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderMatch {
    /// In lower case.
    pub name: Rc<str>,
    /// What must hold of the first value.
    pub value: HeaderValueMatch,
}

/// What a header must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderValueMatch {
    /// Its first value matches.
    Text(Text),
    /// It is there (`true`) or not (`false`).
    Present(bool),
}

/// How answers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Chosen by path and content type.
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

/// Where a key is taken from; the first value counts, raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A request header (lower case).
    Header(Rc<str>),
    /// A cookie.
    Cookie(String),
    /// A parameter of the query.
    Query(String),
    /// `x-request-id`: not sticky.
    Request,
}

/// How the variant of a request is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Index 0 is the baseline, the canaries follow in the order listed.
    pub variants: Vec<Variant>,
    /// What is hashed; always there when there are canaries.
    pub key: Option<Key>,
    /// Part of the hashed text.
    pub salt: String,
    /// First match wins over the percentage.
    pub pins: Vec<Pin>,
    /// The request header that carries the choice (lower case).
    pub header: Rc<str>,
    /// Whether the response carries it too.
    pub expose: bool,
}

/// A model version that may answer the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Its name.
    pub name: Name,
    /// Buckets of a million that it gets; those of all variants sum to a million.
    pub ppm: u32,
    /// What of its answers gates leave out; of the baseline nothing.
    pub warmup: Option<Warmup>,
}

/// Sends requests with a certain header to one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Lower case.
    pub header: Rc<str>,
    /// What the first value must be like.
    pub value: Text,
    /// Index into [`Split::variants`].
    pub variant: usize,
}

/// A model version that gets copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub role: Role,
    /// Where copies go.
    pub cluster: Cluster,
    /// What must hold of a request's body, each of them; a request of which it does not hold is not sampled.
    pub when: Vec<BodyCondition>,
    /// The model version that it should serve; answers of another one are not compared.
    pub expect_version: Option<String>,
    /// Requests of a million that are drawn.
    pub ppm: u32,
    /// Indices into [`Split::variants`] whose requests are copied; `None` (a route without split): all.
    pub of: Option<Vec<usize>>,
    /// Above zero, at most [`crate::limits::MAX_TIMEOUT`].
    pub timeout: Duration,
    /// Copies in flight per worker, above zero.
    pub max_in_flight: u32,
    /// How the copy differs from the request.
    pub request: CopyRequest,
    /// What of its pairs gates leave out.
    pub warmup: Option<Warmup>,
}

/// Envoy's clusters of a shadow: one for each port of its model, or the same twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// For all but gRPC.
    pub http: String,
    /// For gRPC.
    pub grpc: String,
}

/// A condition on a value of a JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyCondition {
    /// Where the value is; without `[*]`.
    pub path: PathPattern,
    /// What it must be like; a value of another type never is.
    pub test: BodyTest,
}

/// What a value of a body must be like.
#[derive(Clone, Debug, PartialEq)]
pub enum BodyTest {
    /// A string, this one.
    Exact(String),
    /// A string that begins so.
    Prefix(String),
    /// The same boolean.
    Boolean(bool),
    /// A number, this one.
    Number(f64),
    /// A number up to this one.
    AtMost(f64),
    /// A number from this one up.
    AtLeast(f64),
}

/// What a shadow is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A version under test.
    Candidate,
    /// The baseline's own version, to measure noise.
    Control,
}

/// How a copy differs from its request: remove, then rewrite, then set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRequest {
    /// `(prefix, with)`: a path with that prefix gets the other one.
    pub path: Option<(String, String)>,
    /// Replaces `:authority`.
    pub authority: Option<String>,
    /// Replaces the top-level `model` of a JSON body, and `model_name` of a ModelInfer request.
    pub model: Option<String>,
    /// Top-level members of a JSON body that are set, each with its value as JSON text.
    pub body_set: Vec<(String, String)>,
    /// Top-level members of a JSON body that are removed.
    pub body_remove: Vec<String>,
    /// Headers set (lower case) to what an environment variable of the VM holds.
    pub from_env: Vec<(Rc<str>, String)>,
    /// Headers set (lower case).
    pub set: Vec<(Rc<str>, String)>,
    /// Headers removed (lower case).
    pub remove: Vec<Rc<str>>,
    /// Whether `authorization`, `cookie`, `proxy-authorization` and `x-forwarded-client-cert` stay.
    pub keep_credentials: bool,
}

/// How answers are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// What of an answer counts.
    pub task: Task,
    /// Used where none of `tolerances` matches.
    pub default: GivenTolerance,
    /// The first whose path matches wins; each holds all that is given for its path, also what `default` gives.
    pub tolerances: Vec<(PathPattern, GivenTolerance)>,
    /// Paths (with all below them) that never count.
    pub ignore: Vec<PathPattern>,
    /// Arrays whose order does not count.
    pub unordered: Vec<Unordered>,
}

impl Compare {
    /// Exact numbers, nothing ignored, everything in order.
    pub fn exact() -> Self {
        let default = GivenTolerance { absolute: Some(0.0), relative: Some(0.0) };
        Self { task: Task::Auto, default, tolerances: Vec::new(), ignore: Vec::new(), unordered: Vec::new() }
    }
}

/// What of an answer counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// All of it, as its protocol says.
    Auto,
    /// The label of each row.
    Labels(Labels),
    /// Floating-point numbers alone.
    Scores {
        /// Where they are; `None`: everywhere.
        path: Option<PathPattern>,
    },
    /// All numbers, and nothing else.
    Regression {
        /// Where they are; `None`: everywhere.
        path: Option<PathPattern>,
    },
    /// The direction of vectors.
    Embedding {
        /// Where they are; `None`: each row.
        path: Option<PathPattern>,
        /// Least cosine of two that are equal, from -1 to 1.
        cosine: f64,
    },
    /// Strings.
    Text {
        /// Where they are; `None`: everywhere the answer has text.
        path: Option<PathPattern>,
        /// Whether runs of white space count as one space, and those at the ends as nothing.
        normalize: bool,
    },
    /// How an answer ended, which tools it calls, whether it refuses, whether it is JSON; wording does not count.
    Structure,
    /// What numbers lead to.
    Decision(Decision),
}

impl Task {
    /// Least cosine of vectors that are equal, where none is given.
    pub const COSINE: f64 = 0.999;
}

/// How the label of a row is found: a string, boolean or whole number is one; of a vector it is the index of the largest number.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// Where labels or score vectors are; `None`: where the protocol has its rows.
    pub path: Option<PathPattern>,
    /// How many of the best are looked at, above zero.
    pub top: usize,
    /// How many of these both answers must share, from 1 to `top`.
    pub overlap: usize,
    /// Names of the indices of score vectors; if empty, an index is its own name.
    pub names: Vec<Rc<str>>,
}

/// What numbers lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Where the numbers are.
    pub path: PathPattern,
    /// Ascending: a number from the i-th up leads to at least `names[i + 1]`.
    pub thresholds: Vec<f64>,
    /// One more than thresholds, at most [`crate::limits::MAX_ANSWER_NAMES`].
    pub names: Vec<Rc<str>>,
}

/// A tolerance as far as it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GivenTolerance {
    /// Not negative, finite.
    pub absolute: Option<f64>,
    /// Not negative, finite.
    pub relative: Option<f64>,
}

impl GivenTolerance {
    /// What is given, and what is not as in `default`.
    pub fn or(self, default: Tolerance) -> Tolerance {
        Tolerance { absolute: self.absolute.unwrap_or(default.absolute), relative: self.relative.unwrap_or(default.relative) }
    }
}

/// Numbers are equal if `|a-b| <= absolute` or `|a-b| <= relative * max(|a|,|b|)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Not negative, finite.
    pub absolute: f64,
    /// Not negative, finite.
    pub relative: f64,
}

impl Tolerance {
    /// For numbers of JSON texts where none is given.
    pub const JSON: Self = Self { absolute: 1e-6, relative: 1e-3 };
}

/// An array whose order does not count.
#[derive(Clone, Debug, PartialEq)]
pub struct Unordered {
    /// Where it is.
    pub path: PathPattern,
    /// Member by which its objects are matched; `None`: an array of scalars, compared sorted.
    pub by: Option<String>,
}

/// Bounds per worker VM, shared by its root contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open pairs.
    pub pairs: usize,
    /// Bytes of all captured bodies.
    pub memory: usize,
    /// Bytes of one captured body, at most `memory`.
    pub body: usize,
}

impl Limits {
    /// Bytes of a whole answer that may be captured. Of a stream the text counts that it joins to, so its wire bytes may fill the memory.
    pub fn of_answer(&self, is_stream: bool) -> usize {
        if is_stream { self.memory } else { self.body }
    }
}

/// What is logged of pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Lines per second and worker; 0: none.
    pub per_second: u32,
    /// Whether the two values at the diverging path are shown.
    pub values: bool,
}
