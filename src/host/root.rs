//! Root contexts: they take the configuration, send copies and read the shadows' answers.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, MapType};

use super::service::Service;
use super::statistics::{Host, expect, worker};
use super::stream::Stream;
use super::{HAS_SERVED, Reaction, buffer, calls, handle, log_line, map, now, property, value};
use crate::compare::read::openai::beginning;
use crate::config::Limits;
use crate::engine::event::{Configured, Event};
use crate::engine::head::{Head, Reply};
use crate::engine::ids::RootId;
use crate::engine::intake::{self, Source};
use crate::limits::HEARTBEAT;

/// The header that an upstream's answer has and Envoy's own lacks.
const UPSTREAM_TIME: &str = "x-envoy-upstream-service-time";

/// One configuration in one VM.
pub struct Root {
    id: RootId,
    /// Its configuration at work; `None` without a valid one.
    service: Option<Service>,
}

impl Root {
    /// A root context that has no configuration yet: its streams pass untouched.
    pub fn new(id: RootId) -> Self {
        Self { id, service: None }
    }

    fn tell(&self, event: Event) -> Reaction {
        handle(self.service.as_ref(), event, now())
    }

    fn start(&mut self, configured: Configured) {
        self.service = configured.plan.clone().map(|plan| {
            let queue = calls::open_queue(&configured.plugin, self.id);
            Service { plan, queue, matching: Rc::default() }
        });
        self.tell(Event::Configured(configured));
    }

    fn reply(&self, body_size: usize, trailers: bool) -> Reply {
        let fields = map(MapType::HttpCallResponseHeaders);
        let mut head = Head::read(&fields);
        if trailers && head.is_grpc() {
            head.grpc_status = value(MapType::HttpCallResponseTrailers, "grpc-status").or(head.grpc_status);
        }
        let limits = self.service.as_ref().map(|service| service.plan.config.limits);
        let read = |size| buffer(BufferType::HttpCallResponseBody, size);
        // A longer body is read only if its beginning shows that it may be a stream.
        let fits = |limits: Limits| {
            body_size <= limits.body || body_size <= limits.memory && head.may_stream(&read(body_size.min(beginning::LONGEST)))
        };
        let body = limits.is_some_and(fits).then(|| read(body_size));
        Reply { from_upstream: fields.iter().any(|(name, _)| name == UPSTREAM_TIME), head, body }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body_size: usize, trailers: usize) {
        // Without headers the call was reset, or timed out after headers.
        let reply = (headers > 0).then(|| self.reply(body_size, trailers > 0));
        self.tell(Event::ShadowAnswered { token, reply });
    }

    fn on_done(&mut self) -> bool {
        !self.tell(Event::Retire { root: self.id }).keep_root
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        expect(hostcalls::set_tick_period(HEARTBEAT));
        let plugin = property(&["plugin_name"]).unwrap_or_default();
        let text = buffer(BufferType::PluginConfiguration, size);
        let source =
            Source { root: self.id, plugin: &String::from_utf8_lossy(&plugin), text: &text, variable: &|name| std::env::var(name).ok() };
        let intake = intake::take(source, &worker(), &mut Host);
        intake.lines.into_iter().for_each(log_line);
        // (`false` has the host refuse the configuration.)
        intake.configured.map(|configured| self.start(configured)).is_some()
    }

    fn on_queue_ready(&mut self, queue: u32) {
        calls::take_wake_up(queue);
        self.tell(Event::Work { root: self.id });
    }

    fn on_tick(&mut self) {
        if HAS_SERVED.get() {
            self.tell(Event::Alive { root: self.id });
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        HAS_SERVED.set(true);
        Some(Box::new(Stream::new(id, self.service.clone())))
    }
}
