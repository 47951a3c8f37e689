//! The shell: the only place that speaks to Envoy, through the `proxy-wasm` SDK.
//!
//! A callback reads bytes, builds one [`Event`], lends the engine out once, and carries out the effects after the engine is back. It
//! decides nothing. The engine counts and reads series itself, through [`statistics`].
//!
//! Never to trap is its first duty, and the SDK panics easily: only `hostcalls` functions that return a `Result` are used, headers are
//! read as bytes, and each call is made in the phase that the host allows it in (`clippy.toml` bans the rest).
//!
//! * [`root`]: root contexts: configuration, turns of work, answers to copies.
//! * [`stream`]: client requests.
//! * [`service`]: what both have in common.
//! * [`calls`]: dispatching copies and waking a root context.
//! * [`statistics`]: the host's series and shared data.

mod calls;
mod root;
mod service;
mod statistics;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType};

use crate::config::Name;
use crate::engine::Engine;
use crate::engine::effect::{Effect, Follow, Line};
use crate::engine::event::Event;
use crate::http::Fields;
use crate::labels::Anomaly;
use crate::stats::Statistics;
use crate::timestamp::Timestamp;
use service::Service;
use statistics::{Host, expect, worker};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}

thread_local! {
    /// The engine of this VM. A VM has one thread.
    static ENGINE: RefCell<Engine> = RefCell::new(Engine::new(worker(), seed()));

    /// Whether this VM has had a stream, under any configuration. The main thread, and workers that wait for their first request, have VMs, too.
    static HAS_SERVED: Cell<bool> = const { Cell::new(false) };
}

/// A number that a client can't know: the standard library's own hash seed, which WASI's `random_get` provides.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}

/// What the engine wants of the current callback.
#[derive(Debug, Default)]
struct Reaction {
    /// The events that it wants of the rest of the stream; `None` leaves them as they are.
    follow: Option<Follow>,
    /// Whether the root context must not end yet.
    keep_root: bool,
}

/// Tells the engine what happened at the time `now`, and carries out the effects. `service` is that of the root context concerned.
fn handle(service: Option<&Service>, event: Event, now: Timestamp) -> Reaction {
    let mut reaction = Reaction::default();
    let mut effects = VecDeque::from(tell(event, now));
    while let Some(effect) = effects.pop_front() {
        match effect {
            Effect::RemoveRequestHeader(name) => expect(hostcalls::remove_map_value(MapType::HttpRequestHeaders, &name)),
            Effect::SetRequestHeader(name, value) => set_header(MapType::HttpRequestHeaders, &name, &value),
            Effect::SetResponseHeader(name, value) => set_header(MapType::HttpResponseHeaders, &name, &value),
            Effect::Follow(follow) => reaction.follow = Some(follow),
            Effect::Wake => calls::wake(service.and_then(|service| service.queue)),
            Effect::Dispatch(copy) => {
                let pair = copy.pair;
                // The copy is dropped here, so that the engine sees the memory that it held come back.
                let result = calls::dispatch(copy);
                effects.extend(tell(Event::Dispatched { pair, result }, now));
            }
            Effect::Evidence(line) => log::warn!("{line}"),
            Effect::Tell(line) => log_line(line),
            Effect::KeepRoot => reaction.keep_root = true,
            Effect::ReleaseRoot => expect(hostcalls::done()),
        }
    }
    reaction
}

/// Lends the engine out once, before any effect is carried out. The calls of [`statistics`] never come back into the engine.
fn tell(event: Event, now: Timestamp) -> Vec<Effect> {
    ENGINE.with(|engine| match engine.try_borrow_mut() {
        Ok(mut engine) => engine.on(event, now, &mut Host),
        Err(_) => {
            Host.anomaly(Anomaly::Reentrant);
            Vec::new()
        }
    })
}

fn log_line(line: Line) {
    match line {
        Line::Error(line) => log::error!("{line}"),
        Line::Warning(line) => log::warn!("{line}"),
    }
}

fn set_header(map: MapType, name: &str, value: &Name) {
    expect(hostcalls::set_map_value_bytes(map, name, Some(value.as_bytes())));
}

/// The host's wall clock.
fn now() -> Timestamp {
    let time = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
    Timestamp::from_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The fields of a map of headers or trailers.
fn map(kind: MapType) -> Fields {
    hostcalls::get_map_bytes(kind).unwrap_or_default()
}

/// One field of a map of headers or trailers.
fn value(kind: MapType, name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(kind, name).ok().flatten()
}

/// The first `size` bytes of a buffer.
fn buffer(kind: BufferType, size: usize) -> Vec<u8> {
    hostcalls::get_buffer(kind, 0, size).ok().flatten().unwrap_or_default()
}

/// A property, raw.
fn property(path: &[&str]) -> Option<Vec<u8>> {
    hostcalls::get_property(path.to_vec()).ok().flatten()
}
