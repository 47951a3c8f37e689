//! A VM: a thread of its own, because the SDK and the filter keep their state in thread-local memory.
//!
//! The thread does what the test tells it and the test waits: there is no concurrency, and so no chance in the order of things. A guest
//! may be held up in a host function, so that another one runs meanwhile: that is how workers come between each other's host calls. When
//! a VM ends its thread ends too, without another word to the guest, as Envoy drops a VM's memory.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic;
use std::sync::Once;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::abi::{self, Shared, guest};

type Job = Box<dyn FnOnce() -> Box<dyn Any + Send> + Send>;

/// What a VM's thread says to the test.
enum Word {
    /// It waits in a host function.
    Held,
    /// The job has this result.
    Done(Box<dyn Any + Send>),
}

/// A running VM.
pub struct VmThread {
    jobs: Option<Sender<Job>>,
    words: Receiver<Word>,
    go_on: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

thread_local! {
    /// The callback that the guest is in, for the report of a trap.
    static CALLBACK: Cell<Option<&'static str>> = const { Cell::new(None) };
    /// How this VM says that it is held up, and hears that it may go on.
    static HOLD: RefCell<Option<(Sender<Word>, Receiver<()>)>> = const { RefCell::new(None) };
}

/// Holds this VM up until the test lets it go on.
pub fn hold_up() {
    HOLD.with(|hold| {
        if let Some((words, go_on)) = &*hold.borrow()
            && words.send(Word::Held).is_ok()
        {
            // An error is the end of the test.
            let _ = go_on.recv();
        }
    });
}

impl VmThread {
    /// Starts the module (`_initialize`) as the VM number `vm` of `shared`.
    pub fn start(shared: Shared, vm: usize) -> Self {
        prepare_process();
        let (jobs, inbox) = channel::<Job>();
        let (outbox, words) = channel();
        let (go_on, may_go_on) = channel();
        let name = format!("{} vm {vm}", std::thread::current().name().unwrap_or("test"));
        let body = move || {
            abi::become_vm(shared, vm);
            HOLD.set(Some((outbox.clone(), may_go_on)));
            for job in inbox {
                if outbox.send(Word::Done(job())).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name(name).spawn(body).expect("a thread for the VM");
        let mut this = Self { jobs: Some(jobs), words, go_on: Some(go_on), thread: Some(thread) };
        let initialized = this.run("_initialize", || guest::initialize());
        initialized.expect("nothing holds it up");
        this
    }

    /// Runs `call` in the VM until it is done, or held up: then there is no result yet, see [`Self::go_on`].
    pub fn run<R: Send + 'static>(&mut self, callback: &'static str, call: impl FnOnce() -> R + Send + 'static) -> Option<R> {
        let job = move || -> Box<dyn Any + Send> {
            CALLBACK.set(Some(callback));
            let result = call();
            CALLBACK.set(None);
            Box::new(result)
        };
        self.jobs.as_ref().expect("the VM runs").send(Box::new(job)).expect("the VM's thread runs");
        self.wait()
    }

    /// Lets a call go on that is held up.
    pub fn go_on<R: 'static>(&mut self) -> Option<R> {
        self.go_on.as_ref().expect("the VM runs").send(()).expect("the VM's thread runs");
        self.wait()
    }

    fn wait<R: 'static>(&self) -> Option<R> {
        match self.words.recv().expect("the VM's thread answers") {
            Word::Held => None,
            Word::Done(result) => Some(*result.downcast().expect("the job's own result")),
        }
    }
}

impl Drop for VmThread {
    fn drop(&mut self) {
        (self.jobs, self.go_on) = (None, None);
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
