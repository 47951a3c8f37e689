//! Workers that come between each other's host calls. Envoy's workers run at the same time and share statistics and shared data, so between
//! two host calls of one callback another worker may have done anything. Here a VM is held up before a host function, others go on
//! meanwhile, and the seed decides all of it.

use std::rc::Rc;
use std::time::Duration;

use crate::abi::guest;
use crate::agenda::Event;
use crate::random::SplitMix64;
use crate::world::World;

/// What happens while a VM is held up.
pub type Meanwhile = Rc<dyn Fn(&mut World)>;

/// Host functions whose results another worker may change, or whose effects another worker may see.
fn is_shared(function: &str) -> bool {
    matches!(
        function,
        "proxy_get_metric" | "proxy_record_metric" | "proxy_increment_metric" | "proxy_get_shared_data" | "proxy_set_shared_data"
    )
}

/// A callback is never held up for longer than this, one time.
const MOMENT: Duration = Duration::from_millis(1);

impl World {
    /// From now on workers are held up before `percent` of 100 host calls about what they share, and what is due next in another worker
    /// happens first.
    pub fn interleave(&mut self, percent: u64) {
        let mut random = SplitMix64::new(self.proxy().random.draw());
        self.proxy().hold = Some(Box::new(move |function| is_shared(function) && random.percent(percent)));
        self.meanwhile = Some(Rc::new(World::next_elsewhere));
    }

    /// While a worker is before a host function that `when` chooses, `meanwhile` happens, which must leave that worker alone.
    pub fn come_between(&mut self, when: impl FnMut(&str) -> bool + Send + 'static, meanwhile: impl Fn(&mut World) + 'static) {
        self.proxy().hold = Some(Box::new(when));
        self.meanwhile = Some(Rc::new(meanwhile));
    }

    /// From now on nobody is held up.
    pub fn stop_interleaving(&mut self) {
        self.proxy().hold = None;
        self.meanwhile = None;
    }

    pub(crate) fn while_held_up(&mut self, vm: usize) {
        self.held_up.push(vm);
        if let Some(meanwhile) = self.meanwhile.clone() {
            meanwhile(self);
        }
        self.held_up.pop();
    }

    /// The next thing that is due in a worker that is not held up.
    fn next_elsewhere(&mut self) {
        let idle = |event: &Event| match *event {
            Event::QueueReady { owner, .. } | Event::CallDone { owner, .. } => !self.held_up.contains(&owner.vm),
            Event::Tick { vm, .. } => !self.held_up.contains(&vm),
            Event::Step { exchange } | Event::ClientLeaves { exchange } => !self.held_up.contains(&self.exchanges[exchange].vm),
            Event::Script { .. } => false,
        };
        let next = {
            let mut proxy = self.proxy();
            let deadline = proxy.now + MOMENT.as_nanos() as u64;
            proxy.agenda.next_until(deadline, idle)
        };
        if let Some((at, event)) = next {
            self.happen(at, event);
        }
    }

    /// Ends exchanges, each of another worker, at the same time: which of them goes on after each host call about what they share, `seed`
    /// decides. All that is left of them must be their end.
    pub fn end_together(&mut self, exchanges: &[usize], seed: u64) {
        let mut random = SplitMix64::new(seed);
        self.proxy().hold = Some(Box::new(is_shared));
        let mut running = Vec::new();
        for exchange in exchanges {
            self.exchanges[*exchange].steps.clear();
            let (vm, context) = self.prepare_log(*exchange);
            self.held_up.push(vm);
            if self.begin(vm, context, "on_log", move || guest::proxy_on_log(context)).is_none() {
                running.push(vm);
            }
        }
        while !running.is_empty() {
            let place = random.below(running.len() as u64) as usize;
            if self.thread(running[place]).go_on::<()>().is_some() {
                running.remove(place);
            }
        }
        self.proxy().hold = None;
        self.held_up.clear();
        for exchange in exchanges {
            self.finish(self.exchanges[*exchange].vm);
            self.end_after_log(*exchange);
        }
    }
}
