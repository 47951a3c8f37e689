//! A VM: a thread of its own, because the SDK and the filter keep their state in thread-local memory.
//!
//! The thread does what the test tells it and the test waits: there is no concurrency, and so no chance in the order of things. When
//! a VM ends its thread ends too, without another word to the guest, as Envoy drops a VM's memory.

use std::any::Any;
use std::cell::Cell;
use std::io::Write;
use std::panic;
use std::sync::Once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::abi::{self, Shared, guest};

type Job = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// A running VM.
pub struct VmThread {
    jobs: Option<Sender<Job>>,
    results: Receiver<Box<dyn Any + Send>>,
    thread: Option<JoinHandle<()>>,
}

thread_local! {
    /// The callback that the guest is in, for the report of a trap.
    static CALLBACK: Cell<Option<&'static str>> = const { Cell::new(None) };
}

impl VmThread {
    /// Starts the module (`_initialize`) as the VM number `vm` of `shared`.
    pub fn start(shared: Shared, vm: usize) -> Self {
        prepare_process();
        let (jobs, inbox) = channel::<Job>();
        let (outbox, results) = channel();
        let name = format!("{} vm {vm}", std::thread::current().name().unwrap_or("test"));
        let body = move || {
            abi::become_vm(shared, vm);
            for job in inbox {
                if outbox.send(job()).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(body).expect("a thread for the VM");
        let mut this = Self { jobs: Some(jobs), results, thread: Some(thread) };
        this.run("_initialize", || guest::initialize());
        this
    }

    /// Runs `call` in the VM and waits for it.
    pub fn run<R: Send + 'static>(&mut self, callback: &'static str, call: impl FnOnce() -> R + Send + 'static) -> R {
        let job = move || -> Box<dyn Any + Send> {
            CALLBACK.set(Some(callback));
            let result = call();
            CALLBACK.set(None);
            Box::new(result)
        };
        self.jobs.as_ref().expect("the VM runs").send(Box::new(job)).expect("the VM's thread runs");
        let result = self.results.recv().expect("the VM's thread answers");
        *result.downcast().expect("the job's own result")
    }
}

impl Drop for VmThread {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // An error is a panic of that thread, which has been reported.
            let _ = thread.join();
        }
    }
}

/// The SDK's logger is set up once per process, by a check that is not safe between threads; its panic hook would send the failures of
/// tests to the simulated host's log. So this happens once, before any guest runs, and the hook is put in place again.
fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        proxy_wasm::set_log_level(proxy_wasm::types::LogLevel::Trace);
        panic::set_hook(Box::new(move |info| {
            if let Some(callback) = CALLBACK.get() {
                // A panic in the guest aborts the test run (it can't cross C functions), so captured output would be lost.
                let name = std::thread::current().name().unwrap_or("?").to_owned();
                let _ = writeln!(std::io::stderr(), "THE FILTER TRAPPED in {callback} ({name}): {info}");
            }
            report(info);
        }));
    });
}
