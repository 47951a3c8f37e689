//! What can happen to the engine, as data: each host callback becomes one [`Event`].

use std::rc::Rc;

use super::ending::Ending;
use super::head::{Head, Reply};
use super::ids::{CallToken, PairId, RootId, StreamId};
use super::plan::Plan;
use crate::http::Fields;
use crate::stats::Applied;
use crate::timestamp::Timestamp;

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A root context has got a configuration.
    Configured(Configured),
    /// Request headers arrived, complete.
    RequestHeaders(Arrival),
    /// A piece of a request body arrived.
    RequestBody {
        /// The stream.
        stream: StreamId,
        /// The piece, perhaps empty.
        chunk: Vec<u8>,
        /// Whether it is the last.
        end: bool,
    },
    /// A request is complete, by its trailers or by a body that is not followed.
    RequestEnd {
        /// The stream.
        stream: StreamId,
    },
    /// Response headers are on their way to the client.
    ResponseHeaders {
        /// The stream.
        stream: StreamId,
        /// What they say.
        head: Head,
    },
    /// A piece of a response body is on its way to the client.
    ResponseBody {
        /// The stream.
        stream: StreamId,
        /// The piece, perhaps empty.
        chunk: Vec<u8>,
    },
    /// An answer is at its end, or none will come. It comes only if [`super::effect::Follow`] asked for the cluster, right before
    /// [`Event::StreamEnd`].
    AnsweredBy {
        /// The stream.
        stream: StreamId,
        /// Envoy's name of the cluster.
        cluster: String,
    },
    /// A stream is over.
    StreamEnd {
        /// The stream.
        stream: StreamId,
        /// How the stream ended.
        ending: Ending,
        /// When the first byte of the answer's body passed, if [`super::effect::Follow`] asked for the time.
        first_byte: Option<Timestamp>,
    },
    /// The root context was woken to work.
    Work {
        /// The root context.
        root: RootId,
    },
    /// The host took a copy, or refused it.
    Dispatched {
        /// The pair the copy belongs to.
        pair: PairId,
        /// The host's token of the call.
        result: Result<CallToken, CallError>,
    },
    /// A copy was answered, or its call has failed.
    ShadowAnswered {
        /// The host's token of the call.
        token: CallToken,
        /// The answer; `None` if the call was reset or timed out after headers.
        reply: Option<Reply>,
    },
    /// A root context that has had streams is alive: so after every [`HEARTBEAT`](crate::limits::HEARTBEAT).
    Alive {
        /// The root context.
        root: RootId,
    },
    /// The host wants to end a root context.
    Retire {
        /// The root context.
        root: RootId,
    },
}

/// What a root context is to do.
#[derive(Debug)]
pub struct Configured {
    /// The root context.
    pub root: RootId,
    /// Its configuration at work. `None` without a valid one: its streams pass untouched.
    pub plan: Option<Rc<Plan>>,
    /// A hash of the plugin and the configuration text. The host keeps one waiting root context for each.
    pub key: u64,
    /// Envoy's name of the plugin.
    pub plugin: String,
    /// The value of `gnomon_configuration`.
    pub applied: Applied,
}

/// The headers of a request.
#[derive(Debug)]
pub struct Arrival {
    /// The stream's root context.
    pub root: RootId,
    /// The stream.
    pub stream: StreamId,
    /// Its header fields.
    pub fields: Fields,
    /// Whether there is no body.
    pub end: bool,
    /// The cluster that the host has chosen so far, if [`Plan::reads_cluster`] asks for it and the host names one.
    pub cluster: Option<Vec<u8>>,
}

/// Why the host did not take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The host has no such cluster.
    NoCluster,
    /// The cluster has no host, or its circuit breaker is open.
    Refused,
}
