//! The seam: the host functions that the SDK imports, as C functions over [`crate::host::Proxy`], and the guest's exports.
//!
//! In a module these functions are the host's; here the linker binds them to this file. The only `unsafe` of the simulator is here:
//! the interface is raw pointers. A status on which the SDK panics (the VM would trap) is not given to it, since a panic cannot unwind
//! through C functions and would end the whole test run: it is noted as a violation, the guest gets nothing, and the test fails with
//! that note as soon as the callback returns.
//!
//! Functions that this filter has no business with (answering for the upstream, holding streams, gRPC calls) are there for the linker
//! only; calling one is a violation.
#![allow(unsafe_code, reason = "host functions take and return raw pointers")]

use std::cell::RefCell;
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType, Status};

use crate::host::Proxy;
use crate::network::Fields;
use crate::vm;
use crate::wire::{deserialize, serialize};

/// The guest's exports, with the host's word that contexts are created before they are used.
pub mod guest {
    use proxy_wasm::types::Action;

    // SAFETY: the signatures are those of proxy-wasm 0.2.5 (`dispatcher.rs`, `allocator.rs`) and of its macro `main!`.
    unsafe extern "C" {
        #[link_name = "_initialize"]
        pub safe fn initialize();
        pub safe fn proxy_on_context_create(context: u32, root: u32);
        pub safe fn proxy_on_vm_start(context: u32, configuration_size: usize) -> bool;
        pub safe fn proxy_on_configure(context: u32, configuration_size: usize) -> bool;
        pub safe fn proxy_on_tick(context: u32);
        pub safe fn proxy_on_queue_ready(context: u32, queue: u32);
        pub safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> Action;
        pub safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> Action;
        pub safe fn proxy_on_request_trailers(context: u32, count: usize) -> Action;
        pub safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> Action;
        pub safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> Action;
        pub safe fn proxy_on_response_trailers(context: u32, count: usize) -> Action;
        pub safe fn proxy_on_http_call_response(context: u32, token: u32, headers: usize, body: usize, trailers: usize);
        pub safe fn proxy_on_log(context: u32);
        pub safe fn proxy_on_done(context: u32) -> bool;
        pub safe fn proxy_on_delete(context: u32);
        pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
    }
}

/// A proxy, shared by the test and the threads of its VMs; only one of them runs at any time.
pub type Shared = Arc<Mutex<Proxy>>;

pub fn lock(shared: &Shared) -> MutexGuard<'_, Proxy> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// Which VM this thread is.
    static VM: RefCell<Option<(Shared, usize)>> = const { RefCell::new(None) };
}

/// Makes this thread the VM number `vm` of `shared`.
pub fn become_vm(shared: Shared, vm: usize) {
    VM.with(|slot| *slot.borrow_mut() = Some((shared, vm)));
}

/// Runs a host function; a status that is not `tolerated` by the SDK becomes a violation and is hidden from the guest as `Ok`.
fn host<T>(name: &str, tolerated: &[Status], call: impl FnOnce(&mut Proxy, usize) -> Result<T, Status>) -> Result<T, Status> {
    let (shared, number) = VM.with(|slot| slot.borrow().clone()).ok_or(Status::InternalFailure)?;
    if lock(&shared).holds_up(name) {
        vm::hold_up();
    }
    let mut proxy = lock(&shared);
    *proxy.host_calls.entry(name.to_owned()).or_default() += 1;
    let callback = proxy.vms[number].frame.map_or("_initialize", |frame| frame.callback);
    if callback == "_initialize" && !matches!(name, "proxy_log" | "proxy_get_log_level") {
        proxy.violations.push(format!("{name} called in _initialize, where Envoy forbids it"));
    }
    call(&mut proxy, number).map_err(|status| {
        if tolerated.contains(&status) {
            return status;
        }
        proxy.violations.push(format!("{name} in {callback} is answered with {status:?}: the SDK panics on it and the VM traps"));
        Status::Ok
    })
}

fn status(result: Result<(), Status>) -> Status {
    result.err().unwrap_or(Status::Ok)
}

/// The guest's bytes; null stands for none.
///
/// SAFETY: the guest passes the address and length of memory that lives until the host function returns.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() { &[] } else { unsafe { slice::from_raw_parts(data, size) } }
}

unsafe fn text(data: *const u8, size: usize) -> String {
    String::from_utf8_lossy(unsafe { bytes(data, size) }).into_owned()
}

/// Gives `value` to the guest in memory of the guest's own allocator, which the SDK frees as a `Vec`. Nothing is given as null.
///
/// SAFETY: both addresses are variables of the running SDK function.
unsafe fn give(value: &[u8], data: *mut *mut u8, size: *mut usize) {
    let place = if value.is_empty() { std::ptr::null_mut() } else { guest::proxy_on_memory_allocate(value.len()) };
    unsafe {
        if !place.is_null() {
            place.copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        data.write(place);
        size.write(value.len());
    }
}

unsafe fn give_result(result: Result<Vec<u8>, Status>, data: *mut *mut u8, size: *mut usize) -> Status {
    status(result.map(|value| unsafe { give(&value, data, size) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_log(level: LogLevel, data: *const u8, size: usize) -> Status {
    let line = unsafe { text(data, size) };
    status(host("proxy_log", &[], |proxy, _| {
        proxy.log(level, line);
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_log_level(level: *mut LogLevel) -> Status {
    unsafe { level.write(LogLevel::Trace) };
    Status::Ok
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_current_time_nanoseconds(time: *mut u64) -> Status {
    let now = host("proxy_get_current_time_nanoseconds", &[], |proxy, _| Ok(proxy.now));
    status(now.map(|value| unsafe { time.write(value) }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_tick_period_milliseconds(period: u32) -> Status {
    status(host("proxy_set_tick_period_milliseconds", &[], |proxy, vm| {
        proxy.set_tick_period(vm, Duration::from_millis(period.into()));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_buffer_bytes(
    buffer: BufferType,
    start: usize,
    length: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let part = host("proxy_get_buffer_bytes", &[Status::NotFound], |proxy, vm| {
        let all = proxy.buffer(vm, buffer)?;
        let start = start.min(all.len());
        Ok(all[start..start + length.min(all.len() - start)].to_vec())
    });
    unsafe { give_result(part, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_pairs(map: MapType, data: *mut *mut u8, size: *mut usize) -> Status {
    let pairs = host("proxy_get_header_map_pairs", &[], |proxy, vm| {
        Ok(proxy.map(vm, map).filter(|fields| !fields.is_empty()).map(serialize).unwrap_or_default())
    });
    unsafe { give_result(pairs, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_header_map_pairs(map: MapType, data: *const u8, size: usize) -> Status {
    let fields = deserialize(unsafe { bytes(data, size) });
    status(host("proxy_set_header_map_pairs", &[], |proxy, vm| proxy.map_mut(vm, map).map(|place| *place = fields)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_header_map_value(
    map: MapType,
    key: *const u8,
    key_size: usize,
    data: *mut *mut u8,
    size: *mut usize,
) -> Status {
    let key = unsafe { text(key, key_size) }.to_ascii_lowercase();
    let value = host("proxy_get_header_map_value", &[Status::NotFound], |proxy, vm| {
        let fields = proxy.map(vm, map).ok_or(Status::BadArgument)?;
        fields.iter().find(|(name, _)| *name == key).map(|(_, value)| value.clone()).ok_or(Status::NotFound)
    });
    unsafe { give_result(value, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_replace_header_map_value(
    map: MapType,
    key: *const u8,
    key_size: usize,
    value: *const u8,
    size: usize,
) -> Status {
    let (key, value) = unsafe { (text(key, key_size).to_ascii_lowercase(), bytes(value, size).to_vec()) };
    status(host("proxy_replace_header_map_value", &[], |proxy, vm| {
        let fields = proxy.map_mut(vm, map)?;
        fields.retain(|(name, _)| *name != key);
        fields.push((key, value));
        Ok(())
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_add_header_map_value(map: MapType, key: *const u8, key_size: usize, value: *const u8, size: usize) -> Status {
    let field = unsafe { (text(key, key_size).to_ascii_lowercase(), bytes(value, size).to_vec()) };
    status(host("proxy_add_header_map_value", &[], |proxy, vm| proxy.map_mut(vm, map).map(|fields| fields.push(field))))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_remove_header_map_value(map: MapType, key: *const u8, key_size: usize) -> Status {
    let key = unsafe { text(key, key_size) }.to_ascii_lowercase();
    let remove = |fields: &mut Fields| fields.retain(|(name, _)| *name != key);
    status(host("proxy_remove_header_map_value", &[], |proxy, vm| proxy.map_mut(vm, map).map(remove)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> Status {
    let path = unsafe { text(path, path_size) }.replace('\0', ".");
    let value = host("proxy_get_property", &[Status::NotFound], |proxy, vm| proxy.property(vm, &path));
    unsafe { give_result(value, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_shared_data(key: *const u8, key_size: usize, data: *mut *mut u8, size: *mut usize, cas: *mut u32) -> Status {
    let key = unsafe { bytes(key, key_size) };
    let entry = host("proxy_get_shared_data", &[Status::NotFound], |proxy, _| proxy.shared_data.get(key));
    status(entry.map(|(value, number)| unsafe {
        give(&value, data, size);
        cas.write(number);
    }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, size: usize, cas: u32) -> Status {
    let (key, value) = unsafe { (bytes(key, key_size), bytes(value, size)) };
    status(host("proxy_set_shared_data", &[Status::CasMismatch], |proxy, _| proxy.shared_data.set(key, value, cas)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_register_shared_queue(name: *const u8, size: usize, token: *mut u32) -> Status {
    let name = unsafe { bytes(name, size) };
    let registered = host("proxy_register_shared_queue", &[], |proxy, vm| Ok(proxy.register_queue(vm, name)));
    status(registered.map(|value| unsafe { token.write(value) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_resolve_shared_queue(_: *const u8, _: usize, name: *const u8, size: usize, token: *mut u32) -> Status {
    let name = unsafe { bytes(name, size) };
    let resolved = host("proxy_resolve_shared_queue", &[Status::NotFound], |proxy, _| proxy.queues.resolve(name));
    status(resolved.map(|value| unsafe { token.write(value) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_dequeue_shared_queue(token: u32, data: *mut *mut u8, size: *mut usize) -> Status {
    let item = host("proxy_dequeue_shared_queue", &[Status::NotFound, Status::Empty], |proxy, _| proxy.queues.dequeue(token));
    unsafe { give_result(item, data, size) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_enqueue_shared_queue(token: u32, value: *const u8, size: usize) -> Status {
    let item = unsafe { bytes(value, size) };
    status(host("proxy_enqueue_shared_queue", &[Status::NotFound], |proxy, _| proxy.enqueue(token, item)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_http_call(
    cluster: *const u8,
    cluster_size: usize,
    fields: *const u8,
    fields_size: usize,
    body: *const u8,
    body_size: usize,
    _trailers: *const u8,
    _trailers_size: usize,
    timeout: u32,
    token: *mut u32,
) -> Status {
    let (cluster, fields, body) = unsafe { (text(cluster, cluster_size), deserialize(bytes(fields, fields_size)), bytes(body, body_size)) };
    let tolerated = [Status::BadArgument, Status::InternalFailure];
    let sent = host("proxy_http_call", &tolerated, |proxy, vm| proxy.http_call(vm, &cluster, fields, body, timeout));
    status(sent.map(|value| unsafe { token.write(value) }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_set_effective_context(context: u32) -> Status {
    status(host("proxy_set_effective_context", &[Status::BadArgument], |proxy, vm| proxy.set_effective_context(vm, context)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_done() -> Status {
    status(host("proxy_done", &[], |proxy, vm| proxy.done(vm)))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_define_metric(kind: MetricType, name: *const u8, size: usize, id: *mut u32) -> Status {
    let name = unsafe { text(name, size) };
    let defined = host("proxy_define_metric", &[], |proxy, vm| Ok(proxy.define_metric(vm, kind, &name)));
    status(defined.map(|value| unsafe { id.write(value) }))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn proxy_get_metric(id: u32, value: *mut u64) -> Status {
    let nested = VM.with(|slot| slot.borrow().as_ref().and_then(|(shared, _)| lock(shared).nested.take()));
    nested.into_iter().for_each(|nested| nested());
    let got = host("proxy_get_metric", &[Status::NotFound, Status::BadArgument], |proxy, vm| proxy.get_metric(vm, id));
    status(got.map(|number| unsafe { value.write(number) }))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_record_metric(id: u32, value: u64) -> Status {
    status(host("proxy_record_metric", &[Status::NotFound], |proxy, vm| proxy.record_metric(vm, id, value)))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_increment_metric(id: u32, offset: i64) -> Status {
    let tolerated = [Status::NotFound, Status::BadArgument];
    status(host("proxy_increment_metric", &tolerated, |proxy, vm| proxy.increment_metric(vm, id, offset)))
}

/// Functions that the filter must not call.
macro_rules! forbidden {
    ($($name:ident($($argument:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name($(_: $argument),*) -> Status {
            status(host(stringify!($name), &[], |_, _| Err(Status::BadArgument)))
        }
    )*};
}

type Data = *const u8;

forbidden! {
    proxy_set_buffer_bytes(BufferType, usize, usize, Data, usize);
    proxy_set_property(Data, usize, Data, usize);
    proxy_continue_stream(u32);
    proxy_close_stream(u32);
    proxy_send_local_response(u32, Data, usize, Data, usize, Data, usize, i32);
    proxy_get_status(*mut u32, *mut *mut u8, *mut usize);
    proxy_call_foreign_function(Data, usize, Data, usize, *mut *mut u8, *mut usize);
    proxy_grpc_call(Data, usize, Data, usize, Data, usize, Data, usize, Data, usize, u32, *mut u32);
    proxy_grpc_stream(Data, usize, Data, usize, Data, usize, Data, usize, *mut u32);
    proxy_grpc_send(u32, Data, usize, bool);
    proxy_grpc_cancel(u32);
    proxy_grpc_close(u32);
}
