//! Root contexts: each carries one configuration, and an older one may still have copies in flight when a younger one takes over.

use std::rc::Rc;

use super::effect::{Effect, Effects};
use super::event::{PairId, RootId, Time};
use super::evidence::Note;
use super::plan::Plan;
use super::{Engine, Root, judging};
use crate::labels::Outcome;

impl Engine {
    pub(super) fn configured(&mut self, id: RootId, plan: Option<Rc<Plan>>, key: u64, out: &mut Effects) {
        if let Some(plan) = &plan {
            self.ledger.set_limit(plan.config.limits.memory);
            plan.routes.iter().for_each(|route| judging::show(route, out));
        }
        let root = Root { key, outbox: Default::default(), comparisons: Default::default(), woken: false, retiring: false, plan };
        self.roots.insert(id, root);
    }

    pub(super) fn woken(&mut self, id: RootId, now: Time, out: &mut Effects) {
        if let Some(root) = self.roots.get_mut(&id) {
            root.woken = false;
        }
        self.work(id, now, out);
    }

    /// The host wants to end a root context. While another one serves in this VM, the host lets this one wait for its answers. If none
    /// does, the VM ends whatever is said, and all that is still in flight, also of roots that wait, will never be answered.
    pub(super) fn retire(&mut self, id: RootId, now: Time, out: &mut Effects) {
        self.compare(id, now, out);
        let vm_lives = self.roots.iter().any(|(other, root)| *other != id && !root.retiring);
        if !vm_lives {
            let roots: Vec<RootId> = self.roots.keys().copied().collect();
            roots.into_iter().for_each(|root| self.replace(root, now, out));
        } else if self.pairs.values().any(|pair| pair.target.root == id) {
            // The host keeps one waiting root context for a configuration: the next one with the same text takes its place, silently.
            let key = self.roots.get(&id).map(|root| root.key);
            let twins = self.roots.iter().filter(|(other, root)| **other != id && root.retiring && Some(root.key) == key);
            let twins: Vec<RootId> = twins.map(|(other, _)| *other).collect();
            twins.into_iter().for_each(|twin| self.replace(twin, now, out));
            if let Some(root) = self.roots.get_mut(&id) {
                root.retiring = true;
            }
            out.push(Effect::KeepRoot);
        } else {
            self.forget(id, out);
        }
    }

    /// Ends a root context whose answers will never come. It is forgotten first, so that closing its pairs does not release it.
    fn replace(&mut self, id: RootId, now: Time, out: &mut Effects) {
        self.forget(id, out);
        let pending: Vec<PairId> = self.pairs.iter().filter(|(_, pair)| pair.target.root == id).map(|(pair, _)| *pair).collect();
        for pair in pending {
            self.close_pair(pair, Outcome::Replaced, Note::default(), now, out);
        }
        self.calls.retain(|_, pair| self.pairs.contains_key(pair));
    }

    /// Lets a root context that is kept end once nothing of it is open.
    pub(super) fn release_if_idle(&mut self, id: RootId, out: &mut Effects) {
        let retiring = self.roots.get(&id).is_some_and(|root| root.retiring);
        if retiring && !self.pairs.values().any(|pair| pair.target.root == id) {
            self.forget(id, out);
            out.push(Effect::ReleaseRoot);
        }
    }

    /// Drops all that is kept of a root context, and gives back its gauges.
    fn forget(&mut self, id: RootId, out: &mut Effects) {
        let Some(root) = self.roots.remove(&id) else { return };
        self.lessons.retain(|(owner, _), _| *owner != id);
        for target in root.plan.iter().flat_map(|plan| &plan.routes).flat_map(|route| &route.shadows) {
            let shadow = self.shadows.remove(&(id, target.index));
            if shadow.is_some_and(|shadow| shadow.breaker.is_open()) {
                out.add(target.series.breaker_open, -1);
            }
        }
    }
}
