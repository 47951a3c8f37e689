//! Root contexts: they take the configuration, send copies and read the shadows' answers.

use std::cell::Cell;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, MapType};
use xxhash_rust::xxh64::xxh64;

use super::calls::Queue;
use super::metrics::State;
use super::stream::Stream;
use super::{Reaction, calls, handle, metrics, now, property, shared};
use crate::config::Config;
use crate::config::changes::changes;
use crate::config::parse::{Refused, parse};
use crate::engine::event::{Event, Head, RootId, ShadowReply};
use crate::engine::plan::Plan;
use crate::http::is_event_stream;

/// The header that an upstream's answer has and Envoy's own lacks.
const UPSTREAM_TIME: &str = "x-envoy-upstream-service-time";

/// What a root context does, and how its streams wake it.
#[derive(Clone)]
pub struct Service {
    /// Its configuration at work.
    pub plan: Rc<Plan>,
    /// The queue of the root context.
    pub queue: Option<Queue>,
    /// Whether the last request may have matched a route: the next one probably will, too.
    pub matching: Rc<Cell<bool>>,
}

/// One configuration in one VM.
pub struct Root {
    id: RootId,
    /// What it does; `None` without a valid configuration.
    service: Option<Service>,
}

impl Root {
    /// A root context that has no configuration yet: its streams pass untouched.
    pub fn new(id: RootId) -> Self {
        Self { id, service: None }
    }

    fn tell(&self, event: Event) -> Reaction {
        handle(self.service.as_ref().and_then(|service| service.queue), event, now())
    }

    fn start(&mut self, plugin: &str, key: u64, config: Config, state: State) {
        let plan = Rc::new(Plan::new(self.id, config, &mut metrics::define, &metrics::registered, &variable));
        metrics::retire(plugin, &plan);
        for line in &plan.missing {
            log::error!("configuration of {plugin}: {line}");
        }
        self.service = Some(Service { plan: plan.clone(), queue: calls::open_queue(plugin, self.id), matching: Rc::default() });
        self.tell(Event::Configured { plan, key });
        metrics::tell_state(plugin, state);
    }

    /// Goes on with the last good configuration if there is one; `false` if the host is to refuse the new one too.
    fn refuse(&mut self, plugin: &str, key: u64, refused: &Refused) -> bool {
        let count = refused.problems.len();
        for problem in &refused.problems {
            log::error!("configuration of {plugin}: {problem}");
        }
        let last_good = shared::last_configuration(plugin).and_then(|text| parse(&text).ok());
        match (last_good, refused.reject) {
            (last_good, true) => {
                log::error!("configuration of {plugin} refused, {count} problem(s), on_invalid: reject");
                if last_good.is_some() {
                    metrics::tell_state(plugin, State::LastGood);
                }
                return false;
            }
            (Some(config), false) => {
                log::error!("configuration of {plugin} refused, {count} problem(s): the last good one goes on");
                self.start(plugin, key, config, State::LastGood);
            }
            (None, false) => {
                log::error!("configuration of {plugin} refused, {count} problem(s): all requests pass untouched");
                self.tell(Event::Untouched { root: self.id, key });
                metrics::tell_state(plugin, State::Untouched);
            }
        }
        true
    }

    fn reply(&self, body_size: usize, trailers: bool) -> ShadowReply {
        let fields = hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default();
        let mut head = Head::read(&fields);
        if trailers && head.is_grpc() {
            let status = hostcalls::get_map_value_bytes(MapType::HttpCallResponseTrailers, "grpc-status").ok().flatten();
            head.grpc_status = status.or(head.grpc_status);
        }
        let limits = self.service.as_ref().map(|service| service.plan.config.limits);
        let limit = limits.map_or(0, |limits| limits.of_answer(is_event_stream(&head.content_type)));
        let body = (body_size <= limit)
            .then(|| hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body_size).ok().flatten().unwrap_or_default());
        ShadowReply { from_upstream: fields.iter().any(|(name, _)| name == UPSTREAM_TIME), head, body }
    }
}

/// A variable of the VM's environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
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
        let plugin = property(&["plugin_name"]).unwrap_or_default();
        let plugin = String::from_utf8_lossy(&plugin);
        let text = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size).ok().flatten().unwrap_or_default();
        let key = xxh64(&text, xxh64(plugin.as_bytes(), 0));
        match parse(&text) {
            Ok(config) => {
                // The first of the workers takes the place of the last one's text, so this is told about once.
                let last = shared::last_configuration(&plugin).filter(|last| *last != text).and_then(|last| parse(&last).ok());
                for line in last.iter().flat_map(|last| changes(last, &config)) {
                    log::warn!("configuration of {plugin}: {line}");
                }
                shared::remember_configuration(&plugin, &text);
                self.start(&plugin, key, config, State::Accepted);
                true
            }
            Err(refused) => self.refuse(&plugin, key, &refused),
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        calls::take_wake_up(queue);
        self.tell(Event::Work { root: self.id });
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(id, self.service.clone())))
    }
}
