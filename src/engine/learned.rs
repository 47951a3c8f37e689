//! Counting in series whose label values come from bodies. A value that the engine has not met is registered by the host, which tells
//! whether it is among the first.

use std::rc::Rc;

use super::Engine;
use super::effect::{Effect, Effects};
use super::event::RootId;
use crate::stats::MetricId;
use crate::stats::learned::{Learned, OTHER};
use crate::stats::names;

/// What a root context knows of the values of one [`Learned`] beyond what its configuration began with.
#[derive(Debug, Default)]
pub struct Lesson {
    values: Vec<String>,
    series: Vec<(Vec<String>, MetricId)>,
    /// Whether no other value will get series of its own.
    full: bool,
}

/// A count that waits for its values to be registered.
#[derive(Clone, Debug)]
pub struct Sum {
    /// The root context that counts.
    pub root: RootId,
    /// Where.
    pub learned: Rc<Learned>,
    /// The values of its labels, clean.
    pub values: Vec<String>,
    /// How many.
    pub by: i64,
}

impl Engine {
    /// Adds `by` to the series of `values`, as they are in bodies.
    pub(super) fn count_learned(&mut self, root: RootId, learned: &Rc<Learned>, values: &[&str], by: i64, out: &mut Effects) {
        let lesson = self.lessons.entry((root, learned.index)).or_default();
        let is_known = |value: &String| learned.known.contains(value) || lesson.values.contains(value);
        let closed = lesson.full || learned.most == 0;
        let resolve = |value: &&str| Some(names::value(value)).filter(|value| !closed || is_known(value)).unwrap_or_else(|| OTHER.into());
        let values: Vec<String> = values.iter().map(resolve).collect();
        match learned.series.iter().chain(&lesson.series).find(|(known, _)| *known == values) {
            Some((_, id)) => out.add(*id, by),
            None => out.push(Effect::Learn(Sum { root, learned: learned.clone(), values, by })),
        }
    }

    /// The host has registered what it could, and `known` are all that are registered now, by whichever worker: `values` are those of
    /// `sum`, or [`OTHER`] where there are enough already.
    pub(super) fn learn_series(&mut self, sum: &Sum, known: Vec<String>, values: Vec<String>, id: MetricId, out: &mut Effects) {
        out.add(id, sum.by);
        // (A root context that has ended meanwhile must not be remembered again; and of a registry that could not be read, which is then as
        // good as empty, nothing is learned.)
        if known.is_empty() || !self.roots.contains_key(&sum.root) {
            return;
        }
        let lesson = self.lessons.entry((sum.root, sum.learned.index)).or_default();
        lesson.full |= values != sum.values;
        lesson.values = known;
        if !lesson.series.iter().any(|(known, _)| *known == values) {
            lesson.series.push((values, id));
        }
    }
}
