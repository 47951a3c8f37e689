//! Dispatching copies, and getting into a root context to do so.
//!
//! A call belongs to the context that is active when it is dispatched, and dies with it. So copies are dispatched by the root context,
//! and a stream wakes it through a shared queue: the only way the ABI documents that is prompt. Registering a queue's name takes it from
//! whoever had it, so each name holds a random number of the VM and the id of the root context. Nothing but the wake-up goes through it.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::statistics::{Host, expect};
use crate::engine::effect::Dispatch;
use crate::engine::event::CallError;
use crate::engine::ids::{CallToken, RootId};
use crate::labels::Anomaly;
use crate::stats::Statistics;

/// The host's id of a queue.
pub type Queue = u32;

/// Makes a queue for the root context `root` of the plugin `plugin`.
pub fn open_queue(plugin: &str, root: RootId) -> Option<Queue> {
    let name = format!("gnomon/v1/wake/{plugin}/{:016x}/{root}", super::seed());
    hostcalls::register_shared_queue(&name).ok()
}

/// Has `on_queue_ready` called on the root context of `queue`, soon and outside the current callback.
pub fn wake(queue: Option<Queue>) {
    let woken = queue.map(|queue| hostcalls::enqueue_shared_queue(queue, None));
    if !matches!(woken, Some(Ok(()))) {
        Host.anomaly(Anomaly::HostCall);
    }
}

/// Takes the wake-up that has come off the queue `queue`. It is empty, so that the host need not put anything into the VM's memory.
pub fn take_wake_up(queue: Queue) {
    expect(hostcalls::dequeue_shared_queue(queue));
}

/// Sends a copy from the active context, which must be a root context; returns the host's token.
pub fn dispatch(copy: Dispatch) -> Result<CallToken, CallError> {
    let headers = copy.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = Some(copy.body.bytes()).filter(|body| !body.is_empty());
    hostcalls::dispatch_http_call(&copy.cluster, headers, body, Vec::new(), copy.timeout).map_err(|status| match status {
        Status::BadArgument => CallError::NoCluster,
        _ => CallError::Refused,
    })
}
