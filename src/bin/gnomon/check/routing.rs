//! Warnings of a split that the proxy's routes don't follow.

use std::collections::BTreeSet;

use gnomon::config::{Config, Name, Route, Split, Text};

use super::text_test::TextTest;
use super::world::World;

/// What the routes of a proxy do with one header.
#[derive(Debug, Default)]
pub struct Routing<'a> {
    /// The routes that look at the header.
    pub conditions: Vec<Condition<'a>>,
    /// Whether any route to a cluster does not look at it.
    pub has_other: bool,
    /// Where those of them lead that take all requests of the split; `None` if that can't be told.
    pub others: Vec<Option<String>>,
    /// Whether any of the routes carries requests of the split for sure.
    pub is_sure: bool,
}

/// A condition on the path of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path<'a> {
    /// The path is this one.
    Exact(&'a str),
    /// The path begins with this one.
    Prefix(&'a str),
    /// The path is this one, or below it.
    Below(&'a str),
    /// This can't be told.
    Unread,
}

impl<'a> Path<'a> {
    /// Every path.
    pub const ANY: Self = Path::Prefix("");

    /// A regular expression, if it is a text before `.*`.
    pub fn of_regex(regex: &'a str) -> Self {
        let is_plain = |text: &&str| text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '/' | '-' | '_'));
        let text = regex.strip_prefix('^').unwrap_or(regex);
        let text = text.strip_suffix('$').unwrap_or(text).strip_suffix(".*").filter(is_plain);
        text.map_or(Path::Unread, Path::Prefix)
    }

    /// Whether all requests that `route` takes meet this condition.
    pub fn takes_all(&self, route: &Route) -> bool {
        let below = |text: &str, own: &str| {
            own.is_empty() || text.strip_prefix(own).is_some_and(|rest| own.ends_with('/') || rest.starts_with('/'))
        };
        let takes = |path: &Option<Text>| match (self, path) {
            (Path::Prefix("" | "/") | Path::Below("" | "/"), _) => true,
            (Path::Exact(own), Some(Text::Exact(text))) => text == own,
            (Path::Prefix(own), Some(Text::Exact(text) | Text::Prefix(text))) => text.starts_with(own),
            (Path::Below(own), Some(Text::Exact(text))) => text == own || below(text, own),
            (Path::Below(own), Some(Text::Prefix(text))) => below(text, own),
            _ => false,
        };
        route.matches.iter().all(|set| takes(&set.path))
    }
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
    /// Whether a route before it takes all requests of the split.
    pub hidden: bool,
    /// Where it leads; `None` if that can't be told.
    pub target: Option<String>,
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
        let nothing = routing.is_sure && routing.has_other && !mentioned;
        return Vec::from_iter(nothing.then(|| {
            format!("{place}: {whose} don't look at {header}, so all variants get the same answers: add a route for each canary that matches this header")
        }));
    }
    let known = world.variants(header);
    let strange = routing.conditions.iter().filter_map(|condition| nobody(condition, header, known?));
    let missing = split.variants.iter().enumerate().filter_map(|(at, variant)| {
        let mut takers = routing.conditions.iter().filter(|condition| condition.may_take(&variant.name)).peekable();
        let (name, taken) = (&variant.name, takers.peek().map(|condition| &condition.place));
        if takers.any(|condition| !condition.hidden) || at > 0 && !draws(split, at) || at == 0 && routing.has_other {
            None
        } else if let Some(taken) = taken {
            let has_order = !["HTTPRoute", "GRPCRoute"].iter().any(|kind| taken.starts_with(kind));
            let remedy = if has_order { "move it up" } else { "give both the same path" };
            Some(format!(
                "{place}: the route of {name} stands behind one that takes all of its requests, so {name} never answers: {remedy}"
            ))
        } else {
            Some(format!("{place}: {whose} have none for {name}: add one that matches {header}: {name}"))
        }
    });
    let same = (1..split.variants.len()).filter(|at| draws(split, *at)).filter_map(|at| together(split, at, routing));
    strange.chain(same).map(|line| format!("{place}: {line}")).chain(missing).collect()
}

/// Returns a line if the routes of the canary at this index and those of the baseline all lead to one place.
fn together(split: &Split, at: usize, routing: &Routing<'_>) -> Option<String> {
    let (canary, baseline) = (split.variants.get(at)?, split.variants.first()?);
    let targets = |name: &str| -> Vec<&Option<String>> {
        let takers = routing.conditions.iter().filter(|condition| !condition.hidden && condition.may_take(name));
        takers.map(|condition| &condition.target).collect()
    };
    let (own, mut others) = (targets(&canary.name), targets(&baseline.name));
    others.extend(&routing.others);
    let target = own.first()?.as_ref()?;
    let all = |targets: &[&Option<String>]| !targets.is_empty() && targets.iter().all(|other| other.as_ref() == Some(target));
    (all(&own) && all(&others)).then(|| {
        format!(
            "the routes of {} and {} lead to the same {target}, so both variants get the same answers: send {} to its own, or write same_cluster: true if that is meant",
            canary.name, baseline.name, canary.name
        )
    })
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
