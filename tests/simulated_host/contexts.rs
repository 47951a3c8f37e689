//! What the host knows of a VM: its contexts, where each stands, and what its callbacks may see.

use std::collections::BTreeMap;
use std::time::Duration;

use proxy_wasm::types::MetricType;

use crate::network::{Fields, Message};

/// The callback of the host that is running in a stream context; it decides which maps are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Idle,
    RequestHeaders,
    RequestBody,
    RequestTrailers,
    ResponseHeaders,
    ResponseBody,
    ResponseTrailers,
    Log,
}

/// A stream context: one HTTP exchange of a client.
#[derive(Debug)]
pub struct Stream {
    pub root: u32,
    pub phase: Phase,
    pub request: Fields,
    pub request_trailers: Fields,
    pub response: Fields,
    pub response_trailers: Fields,
    /// The piece of a body that the running callback may read.
    pub chunk: Vec<u8>,
    /// Properties by their path joined with dots.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Whether the response has begun or the stream has ended: from then on the response's properties are there.
    pub answering: bool,
}

/// A call of the filter that waits for its answer; `None` is a reset.
#[derive(Debug)]
pub struct Call {
    pub response: Option<Message>,
}

/// Where a root context stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootState {
    Serving,
    /// Its `on_done` said false: it lives until `proxy_done`.
    WaitsForDone,
}

/// A root context: one plugin configuration in one VM.
#[derive(Debug)]
pub struct Root {
    pub plugin: String,
    pub configuration: String,
    /// Whether `on_configure` is running: the only time when the configuration can be read.
    pub configuring: bool,
    pub state: RootState,
    pub tick: Duration,
    /// Told apart from ticks of a period that was changed since.
    pub tick_generation: u64,
    pub calls: BTreeMap<u32, Call>,
    /// The answer that the running callback may read.
    pub answer: Option<Message>,
}

#[derive(Debug)]
pub enum Context {
    Root(Root),
    Stream(Box<Stream>),
}

/// The call into the guest that is running.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    pub callback: &'static str,
    pub current: u32,
    /// 0: the current one.
    pub effective: u32,
}

/// One VM, which is one thread.
#[derive(Debug, Default)]
pub struct Vm {
    pub contexts: BTreeMap<u32, Context>,
    pub last_context: u32,
    pub last_token: u32,
    pub frame: Option<Frame>,
    /// Identifiers are the VM's own, one more with each definition; values are the proxy's.
    pub metrics: Vec<(MetricType, String)>,
    /// Root contexts that have called `proxy_done`: deleted once the running call returns.
    pub done: Vec<u32>,
}
