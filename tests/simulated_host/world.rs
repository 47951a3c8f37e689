//! The simulator: drives the guest's callbacks in the order of virtual time, as Envoy's threads would. [`crate::workers`] and
//! [`crate::clients`] hold the rest of it.
//!
//! After every callback it fails the test if the guest did what it must never do: pause a stream, make a call that traps, define a
//! series outside the contract.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use proxy_wasm::types::LogLevel;

use crate::abi::{self, Shared, guest};
use crate::agenda::Event;
use crate::contexts::{Frame, Root};
use crate::host::Proxy;
use crate::interleaving::Meanwhile;
use crate::network::{Arrival, Cluster, Message, Reply};
use crate::shared::Owner;
use crate::traffic::Exchange;
use crate::vm::VmThread;

/// The plugin's name in the simulated proxy.
pub const PLUGIN: &str = "gnomon";

/// More events than any test has: a filter that arms itself for ever is found, not waited for.
const MAX_EVENTS: usize = 2_000_000;

/// A root context that serves.
pub type Place = Owner;

/// A proxy with its clients and upstreams.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) shared: Shared,
    pub(crate) threads: Vec<Option<VmThread>>,
    /// VMs that end once their streams have.
    pub(crate) retired: Vec<bool>,
    /// Roots that end once their streams have.
    pub(crate) closing: Vec<Place>,
    pub exchanges: Vec<Exchange>,
    /// Clusters that the router takes in turn for requests without a split header; none: `primary`.
    pub weighted: Vec<&'static str>,
    /// Headers by which the filter may change a request or an answer.
    pub split_headers: Vec<String>,
    /// Between the pieces of a request.
    pub pace: Duration,
    /// What happens while a VM is held up; see [`crate::interleaving`].
    pub(crate) meanwhile: Option<Meanwhile>,
    /// VMs that are held up.
    pub(crate) held_up: Vec<usize>,
    /// Gates and slices that were seen to have failed.
    pub(crate) failed: RefCell<BTreeSet<([String; 4], String)>>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            shared: Arc::new(Mutex::new(Proxy::new(seed))),
            threads: Vec::new(),
            retired: Vec::new(),
            closing: Vec::new(),
            exchanges: Vec::new(),
            weighted: Vec::new(),
            split_headers: vec!["x-gnomon-variant".to_owned()],
            pace: Duration::from_micros(50),
            meanwhile: None,
            held_up: Vec::new(),
            failed: RefCell::default(),
        }
    }

    /// The state of the proxy; not to be held while the guest runs.
    pub fn proxy(&self) -> MutexGuard<'_, Proxy> {
        abi::lock(&self.shared)
    }

    /// A cluster whose server answers by `server`.
    pub fn serve(&self, cluster: &str, server: impl FnMut(&Message) -> Reply + Send + 'static) {
        self.proxy().network.set(cluster, Cluster::Serves(Box::new(server)));
    }

    /// The filter's calls to a cluster so far.
    pub fn calls(&self, cluster: &str) -> Vec<Arrival> {
        self.proxy().network.calls.iter().filter(|call| call.cluster == cluster).cloned().collect()
    }

    /// The sum of a statistic over all series with these labels.
    pub fn sum(&self, stat: &str, labels: &[(&str, &str)]) -> u64 {
        self.proxy().metrics.sum(stat, labels)
    }

    /// The lines logged at a level.
    pub fn lines(&self, level: LogLevel) -> Vec<String> {
        self.proxy().log.iter().filter(|line| line.level == level).map(|line| line.text.clone()).collect()
    }

    /// Calls the guest and then does what the host has put off until the call returned.
    pub(crate) fn enter<R: Send + 'static>(
        &mut self,
        vm: usize,
        context: u32,
        callback: &'static str,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> R {
        let mut result = self.begin(vm, context, callback, call);
        loop {
            if let Some(result) = result {
                self.finish(vm);
                return result;
            }
            self.while_held_up(vm);
            result = self.thread(vm).go_on();
        }
    }

    pub(crate) fn thread(&mut self, vm: usize) -> &mut VmThread {
        self.threads[vm].as_mut().expect("the VM is alive")
    }

    /// Calls the guest; without a result it is held up.
    pub(crate) fn begin<R: Send + 'static>(
        &mut self,
        vm: usize,
        context: u32,
        callback: &'static str,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Option<R> {
        self.proxy().vms[vm].frame = Some(Frame { callback, current: context, effective: 0 });
        self.thread(vm).run(callback, call)
    }

    /// Does what the host has put off until the call returned.
    pub(crate) fn finish(&mut self, vm: usize) {
        let done = {
            let mut proxy = self.proxy();
            proxy.vms[vm].frame = None;
            std::mem::take(&mut proxy.vms[vm].done)
        };
        self.fail_on_violations();
        for root in done {
            self.delete_root(Place { vm, root });
        }
    }

    pub(crate) fn fail_on_violations(&self) {
        let violations = std::mem::take(&mut self.proxy().violations);
        assert!(violations.is_empty(), "seed {}: {}", self.seed, violations.join("\n"));
    }

    /// Takes the next event that is due by `deadline`; what the test itself does is given to it.
    pub fn next(&mut self, deadline: u64) -> Option<Event> {
        let (at, event) = self.proxy().agenda.next_until(deadline, |_| true)?;
        self.happen(at, event);
        Some(event)
    }

    pub(crate) fn happen(&mut self, at: u64, event: Event) {
        self.proxy().now = at;
        match event {
            Event::QueueReady { owner, token } => self.queue_ready(owner, token),
            Event::CallDone { owner, token } => self.call_done(owner, token),
            Event::Tick { vm, root, generation } => self.tick(vm, root, generation),
            Event::Step { exchange } => {
                self.step(exchange);
                self.play(exchange);
            }
            Event::ClientLeaves { exchange } => self.client_leaves(exchange),
            Event::Script { .. } => {}
        }
    }

    fn queue_ready(&mut self, owner: Owner, token: u32) {
        let Owner { vm, root } = owner;
        if self.proxy().root(vm, root).is_some() {
            self.enter(vm, root, "on_queue_ready", move || guest::proxy_on_queue_ready(root, token));
        }
    }

    fn call_done(&mut self, owner: Owner, token: u32) {
        let Owner { vm, root } = owner;
        let Some(call) = self.proxy().root(vm, root).and_then(|root| root.calls.remove(&token)) else { return };
        let sizes = call.response.as_ref().map_or((0, 0, 0), |it| (it.fields.len(), it.body.len(), it.trailers.len()));
        if let Some(it) = self.proxy().root(vm, root) {
            it.answer = call.response;
        }
        let (fields, body, trailers) = sizes;
        self.enter(vm, root, "on_http_call_response", move || {
            guest::proxy_on_http_call_response(root, token, fields, body, trailers);
        });
        if let Some(it) = self.proxy().root(vm, root) {
            it.answer = None;
        }
    }

    fn tick(&mut self, vm: usize, id: u32, generation: u64) {
        let current = |root: &Root| root.tick_generation == generation && !root.tick.is_zero();
        if !self.proxy().root(vm, id).is_some_and(|root| current(root)) {
            return;
        }
        self.enter(vm, id, "on_tick", move || guest::proxy_on_tick(id));
        let period = self.proxy().root(vm, id).filter(|root| current(root)).map(|root| root.tick);
        if let Some(period) = period {
            self.proxy().schedule(period, Event::Tick { vm, root: id, generation });
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, time: Duration) {
        let deadline = self.proxy().now + time.as_nanos() as u64;
        while self.next(deadline).is_some() {}
        let mut proxy = self.proxy();
        proxy.now = proxy.now.max(deadline);
    }

    /// Whether a root context still exists.
    pub fn is_alive(&self, place: Place) -> bool {
        self.proxy().root(place.vm, place.root).is_some()
    }

    /// Lets everything happen that is under way, and two seconds of ticks.
    pub fn settle(&mut self) {
        for _ in 0..MAX_EVENTS {
            if !self.proxy().agenda.busy() {
                return self.advance(Duration::from_secs(2));
            }
            self.next(u64::MAX);
        }
        panic!("seed {}: the filter never comes to rest", self.seed);
    }
}
