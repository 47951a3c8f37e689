//! Warnings of a split that the proxy's routes don't follow.

use std::collections::BTreeSet;

use gnomon::config::{Config, Name, Route, Split};

use crate::text_test::TextTest;
use crate::world::World;

/// What the routes of a proxy do with one header.
#[derive(Debug, Default)]
pub struct Routing<'a> {
    /// The routes that look at the header.
    pub conditions: Vec<Condition<'a>>,
    /// Whether any route to a cluster does not look at it.
    pub has_other: bool,
}

/// A route that looks at the header.
#[derive(Debug)]
pub struct Condition<'a> {
    /// Where the route is, for messages.
    pub place: String,
    /// The values that it takes; `None` if that can't be told.
    pub value: Option<TextTest<'a>>,
    /// Whether it takes all others instead.
    pub inverted: bool,
    /// Whether a route before it takes every request.
    pub hidden: bool,
}

impl Condition<'_> {
    /// Whether a request with this value may pass.
    fn may_take(&self, value: &str) -> bool {
        let passes = self.value.as_ref().and_then(|test| test.passes(value));
        passes.is_none_or(|passes| passes != self.inverted)
    }
}

/// Returns all splits that the proxy's routes have to follow, each with its route and the index of that: those with a canary that gets
/// requests, unless all variants are meant to have one cluster.
pub fn splits(config: &Config) -> Vec<(usize, &Route, &Split)> {
    let splits = config.routes.iter().enumerate().filter_map(|(index, route)| Some((index, &**route, route.split.as_ref()?)));
    let is_live = |split: &Split| (1..split.variants.len()).any(|canary| draws(split, canary));
    splits.filter(|(_, _, split)| is_live(split) && !split.same_cluster).collect()
}

/// Whether the variant at this index may get requests.
fn draws(split: &Split, at: usize) -> bool {
    split.variants.get(at).is_some_and(|variant| variant.ppm > 0) || split.pins.iter().any(|pin| pin.variant == at)
}

/// Returns a line for each mistake in how `routing` follows the split of the configuration's route at `index`. `whose` are the routes, and
/// `mentioned` says whether anything else of the proxy names the split's header.
pub fn warnings(index: usize, split: &Split, routing: &Routing<'_>, whose: &str, mentioned: bool, world: &World<'_>) -> Vec<String> {
    let (header, place) = (&split.header, format!("routes[{index}].split"));
    if routing.conditions.is_empty() {
        let nothing = routing.has_other && !mentioned;
        return Vec::from_iter(nothing.then(|| {
            format!("{place}: {whose} don't look at {header}, so all variants get the same answers: add a route for each canary that matches this header")
        }));
    }
    let known = world.variants(header);
    let strange = routing.conditions.iter().filter_map(|condition| nobody(condition, header, known?));
    let missing = split.variants.iter().enumerate().filter_map(|(at, variant)| {
        let mut takers = routing.conditions.iter().filter(|condition| condition.may_take(&variant.name)).peekable();
        let (name, taken) = (&variant.name, takers.peek().is_some());
        if takers.any(|condition| !condition.hidden) || at > 0 && !draws(split, at) || at == 0 && routing.has_other {
            None
        } else if taken {
            Some(format!("{place}: the route of {name} stands behind one that takes every request, so {name} never answers: move it up"))
        } else {
            Some(format!("{place}: {whose} have none for {name}: add one that matches {header}: {name}"))
        }
    });
    strange.map(|line| format!("{place}: {line}")).chain(missing).collect()
}

/// Returns a line if the condition takes no variant at all.
fn nobody(condition: &Condition<'_>, header: &str, known: &BTreeSet<Name>) -> Option<String> {
    let value = condition.value.as_ref().filter(|_| !condition.inverted)?;
    if known.iter().any(|name| condition.may_take(name)) {
        return None;
    }
    let names = known.iter().map(|name| &**name).collect::<Vec<_>>().join(", ");
    let (place, text) = (&condition.place, value.text());
    Some(format!(
        "{place} matches {header}: {text}, which is no variant ({names}), so no request takes it: mend the value, or take the route out"
    ))
}
