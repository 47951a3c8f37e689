//! What the shell is to do beside counting, as data. The shell does so after the engine is back.

use std::rc::Rc;
use std::time::Duration;

use super::ids::PairId;
use crate::capture::Body;
use crate::config::Name;

/// One thing to do.
#[derive(Debug)]
pub enum Effect {
    /// Take a header off the request.
    RemoveRequestHeader(Rc<str>),
    /// Set a header of the request.
    SetRequestHeader(Rc<str>, Name),
    /// Set a header of the response.
    SetResponseHeader(Rc<str>, Name),
    /// Send the engine events of the rest of this stream.
    Follow(Follow),
    /// Have [`super::event::Event::Work`] come to the root context concerned soon, outside the current callback.
    Wake,
    /// Send a copy.
    Dispatch(Dispatch),
    /// Log a line of evidence.
    Evidence(String),
    /// Log a line for the operator.
    Tell(Line),
    /// The root context is still needed: it must not end yet.
    KeepRoot,
    /// The active root context, kept before, may end.
    ReleaseRoot,
}

/// A line for the operator.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// About a mistake.
    Error(String),
    /// About a change.
    Warning(String),
}

/// What the engine wants to know of the rest of a stream, beside its headers, trailers and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow {
    /// The request body.
    pub request_body: bool,
    /// The end of the request; that of its body is told with [`super::event::Event::RequestBody`] if the body is followed.
    pub request_end: bool,
    /// The response headers when they come; otherwise at the end of the stream.
    pub response_headers: bool,
    /// The response body.
    pub response_body: bool,
    /// When the parts of the response pass: it matters to copies, and to streams. Otherwise they may be told with an older time.
    pub times: bool,
    /// When the first byte of the response body passes, because the answer may be a stream of generated text.
    pub may_stream: bool,
    /// The cluster that answered, at the end of the stream.
    pub cluster: ClusterOf,
}

/// Of which streams the engine wants to know the cluster, at their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterOf {
    /// Of none.
    #[default]
    Nothing,
    /// Of those that an upstream answered.
    Answer,
    /// Of all, those that Envoy answered itself and those whose client left, too.
    Request,
}

/// A copy to send.
#[derive(Debug)]
pub struct Dispatch {
    /// The pair it belongs to.
    pub pair: PairId,
    /// The cluster it goes to.
    pub cluster: String,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
    /// After how long the host is to give up.
    pub timeout: Duration,
}
