//! Root contexts: each carries one configuration, and an older one may still have copies in flight when a younger one takes over.

use super::breaker::Finding;
use super::callback::Callback;
use super::effect::Effect;
use super::event::Configured;
use super::gates::guardrail::Shown;
use super::gates::{judge, line};
use super::ids::{PairId, RootId};
use super::note::Note;
use super::{Engine, Root, exported};
use crate::labels::Outcome;
use crate::limits::COMPARED_PER_CALLBACK;
use crate::stats::{retention, started};

impl Engine {
    pub(super) fn configured(&mut self, configured: Configured, callback: &mut Callback<'_>) {
        let Configured { root: id, plan, key, plugin, applied } = configured;
        started::show(self.series.started, callback.now, callback.statistics);
        let mut kept = callback.statistics.read(self.series.started) > 0;
        if let Some(plan) = &plan {
            self.ledger.set_limit(plan.config.limits.memory);
            for route in &plan.routes {
                route.shares.show(Shown::All, callback.statistics);
                route.routing.show(callback.statistics);
                judge::take_over(&route.gates, callback);
                kept &= judge::are_kept(&route.gates, callback.statistics) && route.shares.are_kept(callback.statistics);
            }
            plan.info.iter().for_each(|info| callback.statistics.set(*info, 1));
            retention::settle(callback.statistics, &plugin, &plan.retained);
            exported::tell(&mut self.exported, &plugin, &plan.experiments, callback);
        }
        self.forget(id, callback);
        let root = Root {
            key,
            outbox: Default::default(),
            comparisons: Default::default(),
            inspections: Default::default(),
            woken: false,
            retiring: false,
            plan,
        };
        self.roots.insert(id, root);
        self.show_limit(callback);
        kept &= self.series.show(&plugin, applied, callback.statistics);
        if !kept {
            line::hidden(&format!("configuration of {plugin}"), callback);
        }
    }

    pub(super) fn woken(&mut self, id: RootId, callback: &mut Callback<'_>) {
        if let Some(root) = self.roots.get_mut(&id) {
            root.woken = false;
        }
        self.work(id, callback);
    }

    /// The host wants to end a root context. While another one serves in this VM, the host lets this one wait for its answers. If none
    /// does, the VM ends whatever is said, and all that is still in flight, also of roots that wait, will never be answered.
    pub(super) fn retire(&mut self, id: RootId, callback: &mut Callback<'_>) {
        self.compare(id, &mut COMPARED_PER_CALLBACK.clone(), callback);
        let vm_lives = self.roots.iter().any(|(other, root)| *other != id && !root.retiring);
        if !vm_lives {
            let roots: Vec<RootId> = self.roots.keys().copied().collect();
            roots.into_iter().for_each(|root| self.replace(root, callback));
        } else if self.pairs.values().any(|pair| pair.shadow.root == id) {
            // The host keeps one waiting root context for a configuration: the next one with the same text takes its place, silently.
            let key = self.roots.get(&id).map(|root| root.key);
            let twins = self.roots.iter().filter(|(other, root)| **other != id && root.retiring && Some(root.key) == key);
            let twins: Vec<RootId> = twins.map(|(other, _)| *other).collect();
            twins.into_iter().for_each(|twin| self.replace(twin, callback));
            if let Some(root) = self.roots.get_mut(&id) {
                root.retiring = true;
            }
            callback.effects.push(Effect::KeepRoot);
        } else {
            self.forget(id, callback);
        }
        self.show_limit(callback);
    }

    /// Ends a root context whose answers will never come. The root context is forgotten first, so that closing its pairs does not release
    /// it.
    fn replace(&mut self, id: RootId, callback: &mut Callback<'_>) {
        self.forget(id, callback);
        let pending: Vec<PairId> = self.pairs.iter().filter(|(_, pair)| pair.shadow.root == id).map(|(pair, _)| *pair).collect();
        for pair in pending {
            self.close_pair(pair, Outcome::Replaced, Note::default(), callback);
        }
        self.calls.retain(|_, pair| self.pairs.contains_key(pair));
    }

    /// Lets a kept root context end once it has no open pairs.
    pub(super) fn release_if_idle(&mut self, id: RootId, callback: &mut Callback<'_>) {
        let retiring = self.roots.get(&id).is_some_and(|root| root.retiring);
        if retiring && !self.pairs.values().any(|pair| pair.shadow.root == id) {
            self.forget(id, callback);
            self.show_limit(callback);
            callback.effects.push(Effect::ReleaseRoot);
        }
    }

    /// Drops all that is kept of a root context, and gives back its gauges.
    fn forget(&mut self, id: RootId, callback: &mut Callback<'_>) {
        let Some(root) = self.roots.remove(&id) else { return };
        for shadow in root.plan.iter().flat_map(|plan| &plan.routes).flat_map(|route| &route.shadows) {
            // Closes the breaker, so that its gauge no longer counts this root context.
            shadow.record(Finding::Works, false, callback);
        }
    }
}
