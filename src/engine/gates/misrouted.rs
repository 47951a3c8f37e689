//! Whether the routes of the proxy follow a split. Where they match another header or another value, one variant answers for several: the
//! gates of a dead canary would pass by the baseline's answers.
//!
//! Each worker looks at the cluster that answered a request of each variant, once in a while. Only answers of upstreams count: Envoy may
//! reply before it has chosen a route by the split header.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::guardrail::{Misrouted, Shares};
use super::line;
use crate::config::Route;
use crate::engine::callback::Callback;
use crate::engine::effect::Effect;
use crate::engine::log_line::LogLine;
use crate::stats::Statistics;
use crate::timestamp::Timestamp;
use xxhash_rust::xxh64::xxh64;

/// The time between two looks at a variant.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// For how long two variants must have been seen at one cluster. Routes may be deployed some seconds after the split.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// Which clusters answer the variants of one route, as far as this worker has seen.
#[derive(Debug)]
pub struct Routing {
    route: Rc<Route>,
    /// In the order of the split; none without a split.
    variants: Vec<Watched>,
}

/// One variant.
#[derive(Debug)]
struct Watched {
    /// What has been found of it.
    misrouted: Misrouted,
    /// When the last request began whose cluster was to be looked at.
    asked: Cell<Option<Timestamp>>,
    seen: Cell<Option<Seen>>,
}

/// The youngest looks at a variant that all showed the same cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// The hash of the cluster's name.
    cluster: u64,
    /// When the requests of the first and the last of these looks began.
    first: Timestamp,
    last: Timestamp,
}

impl Seen {
    /// What has been seen after one more look, at a request that began at `at`. One that began before the last is out of date.
    fn after(before: Option<Self>, cluster: &str, at: Timestamp) -> Self {
        let cluster = xxh64(cluster.as_bytes(), 0);
        match before {
            Some(seen) if at < seen.last => seen,
            Some(seen) if seen.cluster == cluster => Self { last: at, ..seen },
            _ => Self { cluster, first: at, last: at },
        }
    }

    /// Whether both were seen at the same cluster for long enough, each by two looks or more.
    fn is_as(self, other: Self) -> bool {
        self.cluster == other.cluster && self.last.min(other.last).since(self.first.max(other.first)) >= LONG_ENOUGH
    }
}

impl Routing {
    /// The routing of `route`, of which nothing has been seen yet.
    pub fn new(route: &Rc<Route>, shares: &Shares) -> Self {
        let watched = |misrouted| Watched { misrouted, asked: Cell::default(), seen: Cell::default() };
        Self { route: route.clone(), variants: shares.misrouted().map(watched).collect() }
    }

    fn is_meant(&self) -> bool {
        self.route.split.as_ref().is_some_and(|split| split.same_cluster)
    }

    /// Takes back what was found, if one cluster is now meant to answer for several variants.
    pub fn show(&self, statistics: &mut dyn Statistics) {
        for variant in self.variants.iter().filter(|_| self.is_meant()) {
            variant.misrouted.show(false, statistics);
        }
    }

    /// Whether the cluster that answers a request of `variant`, which begins now, is to be looked at.
    pub fn is_due(&self, variant: usize, now: Timestamp) -> bool {
        let Some(variant) = self.variants.get(variant).filter(|_| self.variants.len() > 1 && !self.is_meant()) else { return false };
        let asked = variant.asked.get();
        if asked.is_some_and(|asked| asked > now) {
            // The clock was set back.
            variant.seen.set(None);
        } else if asked.is_some_and(|asked| now.since(asked) < BETWEEN_LOOKS) {
            return false;
        }
        variant.asked.set(Some(now));
        true
    }

    /// Takes a look: a request of `variant` that began at `at` was answered by `cluster`. Returns whether this shows for the first time that
    /// the routes don't follow the split.
    pub fn look(&self, variant: usize, cluster: &str, at: Timestamp, callback: &mut Callback<'_>) -> bool {
        let Some(watched) = self.variants.get(variant) else { return false };
        let seen = Seen::after(watched.seen.get(), cluster, at);
        watched.seen.set(Some(seen));
        let is_alike = |other: &Watched| other.seen.get().is_some_and(|other| other.is_as(seen));
        // (The variant itself is among them, once it has been seen for long enough.)
        let alike: Vec<(usize, &Watched)> = (0..).zip(&self.variants).filter(|(_, other)| is_alike(other)).collect();
        if alike.len() < 2 || alike.iter().all(|(_, variant)| variant.misrouted.is_found(callback.statistics)) {
            return false;
        }
        let mut kept = true;
        for (_, variant) in &alike {
            kept &= variant.misrouted.show(true, callback.statistics);
        }
        if !kept {
            line::hidden(&format!("gnomon_split_misrouted of {} {}", self.route.experiment, self.route.name), callback);
        }
        self.log(&alike, cluster, callback);
        true
    }

    /// Logs that `cluster` answers for all of these variants.
    fn log(&self, variants: &[(usize, &Watched)], cluster: &str, callback: &mut Callback<'_>) {
        let Some(split) = &self.route.split else { return };
        let names = variants.iter().filter_map(|(index, _)| Some(split.variants.get(*index)?.name.to_string()));
        let mut line = LogLine::default();
        line.text("experiment", &self.route.experiment);
        line.text("route", &self.route.name);
        line.text("misrouted", cluster);
        line.texts("variants", &names.collect::<Vec<_>>());
        line.text("hint", &hint(cluster, &split.header));
        callback.effects.push(Effect::Evidence(line.written()));
    }
}

/// What to do where `cluster` answers for several variants.
fn hint(cluster: &str, header: &str) -> String {
    let remedy = if cluster.starts_with("inbound|") {
        "at a server's own sidecar a split is too late, so split at a gateway or at the clients' sidecars".to_owned()
    } else {
        format!("have the proxy's routes match {header}, which is set to the name of the variant")
    };
    format!(
        "one cluster answers for several variants, so no gate of theirs passes in this experiment: {remedy}, and give a new experiment; if \
         they are meant to have one cluster, set split.same_cluster: true"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// What was seen after looks, each at a cluster and at a second.
    fn seen(looks: &[(&str, u64)]) -> Seen {
        let at = |second| Timestamp::from_epoch(Duration::from_secs(second));
        looks.iter().fold(None, |before, (cluster, second)| Some(Seen::after(before, cluster, at(*second)))).unwrap()
    }

    #[test]
    fn two_variants_are_alike_once_both_were_seen_at_one_cluster_for_long_enough() {
        for (one, other, alike) in [
            (&[("a", 0), ("a", 30)][..], &[("a", 0), ("a", 30)][..], true),
            (&[("a", 0), ("a", 30)], &[("a", 0), ("a", 29)], false),
            (&[("a", 0), ("a", 30)], &[("a", 1), ("a", 31)], false),
            (&[("a", 0), ("a", 10), ("a", 20), ("a", 31)], &[("a", 1), ("a", 3600)], true),
            (&[("a", 0), ("a", 30)], &[("b", 0), ("b", 30)], false),
            // One look is not enough, however long ago.
            (&[("a", 0), ("a", 3600)], &[("a", 0)], false),
            (&[("a", 0), ("a", 3600)], &[("a", 3600)], false),
            // They were not seen there at the same time.
            (&[("a", 0), ("a", 100)], &[("a", 200), ("a", 300)], false),
            // Another cluster in between begins anew.
            (&[("a", 0), ("b", 20), ("a", 40)], &[("a", 0), ("a", 40)], false),
            (&[("a", 0), ("b", 20), ("a", 40), ("a", 70)], &[("a", 0), ("a", 70)], true),
            // An answer that took long tells how requests were routed before.
            (&[("a", 0), ("b", 40), ("a", 35)], &[("a", 0), ("a", 40)], false),
            (&[("b", 40), ("a", 0), ("b", 70)], &[("b", 40), ("b", 70)], true),
        ] {
            assert_eq!(seen(one).is_as(seen(other)), alike, "{one:?} {other:?}");
            assert_eq!(seen(other).is_as(seen(one)), alike, "{other:?} {one:?}");
        }
    }

    #[test]
    fn it_is_said_what_to_do() {
        assert!(hint("fraud-v1", "x-mine").contains("routes match x-mine"));
        assert!(hint("inbound|8080||", "x-mine").contains("at a server's own sidecar a split is too late"));
        assert!(!hint("inbound-v1", "x-mine").contains("sidecar"));
    }
}
