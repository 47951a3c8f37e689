//! Client requests: each callback lets the stream go on, whatever happens.
//!
//! Host calls are what a request costs, so no more is read than is needed: of most requests only the path, and of the answer to a
//! request without copies only its status, at the end.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, MapType};

use super::service::Service;
use super::{buffer, handle, map, now, property, value};
use crate::engine::effect::{ClusterOf, Follow};
use crate::engine::ending::Ending;
use crate::engine::event::{Arrival, Event};
use crate::engine::head::{Head, status};
use crate::engine::ids::StreamId;
use crate::http::{Fields, Request, is_grpc};
use crate::mirror::SHADOW_HEADER;
use crate::route;
use crate::timestamp::Timestamp;

/// A client's request and its answer.
pub struct Stream {
    id: StreamId,
    /// That of its root context; `None`: all requests pass untouched.
    service: Option<Service>,
    /// The events that the engine wants; `None` if no route matched, or the stream is over.
    follow: Option<Follow>,
    /// Whether the request is one of gRPC's: then the answer's status is in `grpc-status`.
    grpc: bool,
    /// When the request headers came.
    began: Timestamp,
    /// Whether response headers came without an event for the engine.
    head_due: bool,
    /// Whether response headers came.
    answered: bool,
    /// The `grpc-status` in the answer's trailers.
    grpc_status: Option<Vec<u8>>,
    /// When the first byte of the answer's body passed, if [`Follow::may_stream`] is set.
    first_byte: Option<Timestamp>,
    last_byte: LastByte,
}

/// The last byte of the answer.
#[derive(Clone, Copy, Default)]
enum LastByte {
    /// It has not passed.
    #[default]
    Awaited,
    /// It has passed. Its time does not matter: the end of the stream, right after it, is near enough.
    Passed,
    /// It passed at this time.
    PassedAt(Timestamp),
}

impl Stream {
    /// A stream of a root context.
    pub fn new(id: StreamId, service: Option<Service>) -> Self {
        Self {
            id,
            service,
            follow: None,
            grpc: false,
            began: Timestamp::default(),
            head_due: false,
            answered: false,
            grpc_status: None,
            first_byte: None,
            last_byte: LastByte::default(),
        }
    }

    /// Tells the engine of an event, and keeps what it wants to follow.
    fn tell(&mut self, event: Event, now: Timestamp) {
        self.follow = handle(self.service.as_ref(), event, now).follow.or(self.follow);
    }

    /// The request is complete, and no event of its body says so. An answer that came before did not wait for it.
    fn request_ends(&mut self) {
        if self.follow.is_some_and(|follow| follow.request_body || follow.request_end && !self.answered) {
            self.tell(Event::RequestEnd { stream: self.id }, now());
        }
    }

    /// The last byte of the answer passes.
    fn answer_ends(&mut self, follow: Follow) {
        self.last_byte = if follow.times { LastByte::PassedAt(now()) } else { LastByte::Passed };
    }

    /// A piece of a body, which may be a stream's: no more than can be kept, and one byte to show that it can't. A filter before this one
    /// may hand over a whole body.
    fn chunk(&self, kind: BufferType, size: usize, may_stream: bool) -> Vec<u8> {
        let limit = self.service.as_ref().map_or(0, |service| service.plan.config.limits.of_answer(may_stream));
        buffer(kind, size.min(limit.saturating_add(1)))
    }

    /// What the response headers say.
    fn head(&self, follow: Follow) -> Head {
        if follow.response_body || follow.may_stream || self.grpc {
            return Head::read(&map(MapType::HttpResponseHeaders));
        }
        let text = value(MapType::HttpResponseHeaders, ":status").unwrap_or_default();
        Head { status: status(&text), ..Head::default() }
    }
}

/// The request headers: all of them if a route may match, otherwise those that Gnomon removes, and `None` if there are none.
///
/// Each call that returns data costs some 3 µs, 5 % of a request that is merely proxied. So where the last request was of no route only
/// the path is read at first, and where it was of one (then this one probably is) everything is read at once.
fn request_fields(service: &Service) -> Option<Fields> {
    let config = &service.plan.config;
    let field = |name: &str| value(MapType::HttpRequestHeaders, name).map(|value| (name.to_owned(), value));
    if service.matching.get() {
        let fields = map(MapType::HttpRequestHeaders);
        service.matching.set(route::may_match(config, &Request::new(&fields)));
        return Some(fields);
    }
    let path: Fields = field(":path").into_iter().collect();
    if route::may_match(config, &Request::new(&path)) {
        service.matching.set(true);
        return Some(map(MapType::HttpRequestHeaders));
    }
    let ours = config.split_headers.iter().map(|name| &**name).chain((!config.trust_copies).then_some(SHADOW_HEADER));
    let ours: Fields = ours.filter_map(field).collect();
    (!ours.is_empty()).then(|| [path, ours].concat())
}

/// Envoy's name of the cluster that it has chosen for the request, or that answered.
fn cluster() -> Option<Vec<u8>> {
    property(&["xds", "cluster_name"]).filter(|name| !name.is_empty())
}

impl Context for Stream {
    fn on_done(&mut self) -> bool {
        // After `on_log`, which takes `follow`; where the host has none (an upstream filter), nothing is known of the answer.
        if self.follow.take().is_some() {
            self.tell(Event::StreamEnd { stream: self.id, ending: Ending::Broken, first_byte: None }, now());
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        // Request headers can't be read in later phases.
        if let Some((root, fields)) = self.service.as_ref().and_then(|service| Some((service.plan.root, request_fields(service)?))) {
            self.grpc = Request::new(&fields).header("content-type").is_some_and(is_grpc);
            self.began = now();
            let cluster = self.service.as_ref().filter(|service| service.plan.reads_cluster).and_then(|_| cluster());
            self.tell(Event::RequestHeaders(Arrival { root, stream: self.id, fields, end, cluster }), self.began);
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        if self.follow.is_some_and(|follow| follow.request_body) {
            let chunk = self.chunk(BufferType::HttpRequestBody, size, false);
            self.tell(Event::RequestBody { stream: self.id, chunk, end }, now());
        } else if end {
            self.request_ends();
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.request_ends();
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        let Some(follow) = self.follow else { return Action::Continue };
        (self.head_due, self.answered) = (!follow.response_headers, true);
        if follow.response_headers {
            let head = self.head(follow);
            self.tell(Event::ResponseHeaders { stream: self.id, head }, if follow.times { now() } else { self.began });
        }
        if end {
            self.answer_ends(follow);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        let Some(follow) = self.follow else { return Action::Continue };
        let is_first = follow.may_stream && size > 0 && self.first_byte.is_none();
        let is_told = follow.response_body && size > 0;
        // The time is a host call: no more than one, and none where nobody asks for it.
        let time = (is_first || follow.times && (is_told || end)).then(now);
        if is_first {
            self.first_byte = time;
        }
        if end {
            self.last_byte = time.map_or(LastByte::Passed, LastByte::PassedAt);
        }
        if is_told {
            let chunk = self.chunk(BufferType::HttpResponseBody, size, follow.may_stream);
            self.tell(Event::ResponseBody { stream: self.id, chunk }, time.unwrap_or(self.began));
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        if let Some(follow) = self.follow {
            self.answer_ends(follow);
            if self.grpc {
                self.grpc_status = value(MapType::HttpResponseTrailers, "grpc-status");
            }
        }
        Action::Continue
    }

    fn on_log(&mut self) {
        let Some(follow) = self.follow.take() else { return };
        let now = now();
        if self.head_due {
            let head = self.head(follow);
            self.tell(Event::ResponseHeaders { stream: self.id, head }, now);
        }
        let mut answered = |at| Ending::Answered { at, grpc_status: self.grpc_status.take() };
        let ending = match self.last_byte {
            LastByte::Awaited => Ending::broken_off(&property(&["response", "code_details"]).unwrap_or_default()),
            LastByte::Passed => answered(now),
            LastByte::PassedAt(at) => answered(at),
        };
        let cluster = match follow.cluster {
            ClusterOf::Nothing => None,
            // A reply of Envoy's own may come before it has chosen a route by the split header.
            ClusterOf::Answer => {
                property(&["response", "code_details"]).filter(|details| details == b"via_upstream").and_then(|_| cluster())
            }
            ClusterOf::Request => cluster(),
        };
        if let Some(cluster) = cluster {
            let cluster = String::from_utf8_lossy(&cluster).into_owned();
            self.tell(Event::AnsweredBy { stream: self.id, cluster }, now);
        }
        self.tell(Event::StreamEnd { stream: self.id, ending, first_byte: self.first_byte }, now);
    }
}
