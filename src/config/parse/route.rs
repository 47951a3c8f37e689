//! `routes`: every route, and the rules among routes: different names, and no route that earlier routes cover.

use std::rc::Rc;

use super::event::Answers;
use super::gate::{self, Surroundings};
use super::value::{Object, Problems, Seen, Value};
use super::{condition, cover, guardrail, header, observe, plan, shadow, slices, split, units, variants};
use crate::config::{Key, Match, Name, Protocol, Route, reach};
use crate::limits::MAX_OWNER;

const KEYS: [&str; 13] = [
    "name",
    "experiment",
    "owner",
    "match",
    "protocol",
    "split",
    "observe",
    "sample_by",
    "shadows",
    "compare",
    "slices",
    "gates",
    "guardrail",
];

const PROTOCOLS: [(&str, Protocol); 6] = [
    ("auto", Protocol::Auto),
    ("json", Protocol::Json),
    ("kserve-v1", Protocol::KserveV1),
    ("open-inference", Protocol::OpenInference),
    ("openai", Protocol::OpenAi),
    ("opaque", Protocol::Opaque),
];

/// Reads `routes`. `experiment` is that of the configuration, the default; `None` if it has problems.
pub(super) fn routes(value: &Value<'_>, experiment: Option<&Name>, problems: &mut Problems) -> Option<Vec<Rc<Route>>> {
    let items = value.items(problems)?;
    let mut names = Seen::new();
    let mut taken = Vec::new();
    let mut routes = Vec::new();
    for item in &items {
        let Some(object) = item.object(&KEYS, problems) else { continue };
        different(&object, &mut names, problems);
        let sets: Option<Rc<[Match]>> = object.or("match", vec![condition::every_post()], problems, condition::matches).map(Rc::from);
        taken.push((item, sets.clone().unwrap_or_default()));
        routes.extend(route(&object, sets, experiment, problems).map(Rc::new));
    }
    report_covered(taken, problems);
    (routes.len() == items.len()).then_some(routes)
}

/// Reports every route that can never match because of earlier routes. Each route comes with its sets of conditions; none if they have
/// problems.
fn report_covered(routes: Vec<(&Value<'_>, Rc<[Match]>)>, problems: &mut Problems) {
    const HINT: &str = "this route can never match: earlier routes take all its requests; move it up or remove it";
    let mut earlier: Vec<Rc<[Match]>> = Vec::new();
    for (value, sets) in routes {
        if !sets.is_empty() && cover::covers(&earlier, &sets) {
            let name = value.child("name").map_or("a route".to_owned(), |name| name.node.to_string());
            value.refuse_as::<()>(name, HINT, problems);
        }
        earlier.push(sets);
    }
}

/// Reports a name that is already among `names`.
fn different<'a>(object: &Object<'a>, names: &mut Seen<'a>, problems: &mut Problems) {
    let Some(value) = object.get("name") else { return };
    let Some(name) = value.node.as_text() else { return };
    if !name.is_empty() && !names.insert(name) {
        value.refuse::<()>("this name is taken: choose another", problems);
    }
}

fn route(object: &Object<'_>, sets: Option<Rc<[Match]>>, experiment: Option<&Name>, problems: &mut Problems) -> Option<Route> {
    let name = object.required("name", problems, units::name);
    let own = object.maybe("experiment", problems, units::name);
    let owner = object.maybe("owner", problems, owner);
    let protocol = object.or("protocol", Protocol::Auto, problems, |value, problems| units::word(value, &PROTOCOLS, problems));
    let split = object.maybe("split", problems, |value, problems| split::split(value, name.as_deref(), problems));
    let observe = object.maybe("observe", problems, |value, problems| match object.get("split") {
        Some(_) => value.refuse("with split Gnomon chooses the variant, with observe the mesh does: leave one of them out", problems),
        None => observe::observe(value, name.as_deref(), problems),
    });
    let sample_by = object.maybe("sample_by", problems, condition::key);
    let bucket = || observe.as_ref()?.as_ref()?.bucket.as_ref().map(|bucket| &bucket.header);
    let split_header = split.as_ref().and_then(|split| split.as_ref().map(|split| &split.header)).or_else(bucket);
    let read = sample_by.as_ref().and_then(Option::as_ref);
    header::report_read(split_header.map(|name| &**name), read, object.get("sample_by"), problems);
    let written = object.get("split").or_else(|| object.get("observe"));
    let shadows = object.or("shadows", Vec::new(), problems, |value, problems| {
        value.list(problems, |item, problems| shadow::shadow(item, written.as_ref(), problems).map(Rc::new))
    });
    all_different(object, problems);
    report_expectations(object, protocol, sets.as_deref(), problems);
    // With `auto` every task is possible, so an unknown protocol causes no problem with the task.
    let reads = protocol.unwrap_or(Protocol::Auto);
    let compare = object.or("compare", plan::default(), problems, |value, problems| plan::compare(value, reads, problems));
    let slices = object.maybe("slices", problems, slices::slices);
    let around = Surroundings {
        variants: written,
        written_shadows: object.get("shadows"),
        shadows: shadows.as_deref(),
        answers: Answers { protocol: reads, generates: sets.as_deref().is_none_or(|sets| reach::may_generate(reads, sets)) },
        task: compare.as_ref().map(|compare| &compare.task),
        slices: slices.as_ref().map(Option::as_ref),
    };
    let gates = object.or("gates", Vec::new(), problems, |value, problems| gate::gates(value, &around, problems));
    let guardrail = object.maybe("guardrail", problems, |value, problems| {
        guardrail::guardrail(value, object.get("gates").as_ref(), gates.as_deref(), &around, problems)
    });
    Some(Route {
        name: name?,
        experiment: own?.or_else(|| experiment.cloned())?,
        owner: owner?,
        matches: sets?,
        protocol: protocol?,
        split: split?,
        observe: observe?,
        sample_by: sample_by?.filter(|key| *key != Key::Request),
        shadows: shadows?,
        compare: Rc::new(compare?),
        slices: slices?,
        gates: gates?,
        guardrail: guardrail?,
    })
}

/// Reads who is to be told of a route: a text that a label can have as it is.
fn owner(value: &Value<'_>, problems: &mut Problems) -> Option<Rc<str>> {
    let text = value.line(problems)?;
    if text.len() <= MAX_OWNER && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b";=\\".contains(&byte)) {
        return Some(text.into());
    }
    value.refuse(
        "this becomes the value of a label: give a name or an address of at most 64 printable ASCII characters without ; = \\",
        problems,
    )
}

/// Reports a variant or shadow with the name of another one. The `of` of a gate could mean either.
fn all_different<'a>(route: &Object<'a>, problems: &mut Problems) {
    let mut names = Seen::new();
    let mut check = |value: Option<Value<'a>>| {
        let name = value.as_ref().and_then(|value| value.node.as_text());
        if let (Some(value), Some(name)) = (&value, name)
            && !name.is_empty()
            && !names.insert(name)
        {
            value.refuse::<()>("variants and shadows of a route need different names: choose another", problems);
        }
    };
    let variants = route.get("split").or_else(|| route.get("observe"));
    variants.iter().flat_map(variants::name_values).for_each(|name| check(Some(name)));
    let shadows = route.get("shadows").and_then(|list| list.items(&mut Vec::new()));
    shadows.into_iter().flatten().for_each(|shadow| check(shadow.child("name")));
}

/// Reports `expect` of shadows if answers of the route tell no model version. Every answer would be of a wrong version.
fn report_expectations(route: &Object<'_>, protocol: Option<Protocol>, sets: Option<&[Match]>, problems: &mut Problems) {
    const HINT: &str = "answers of this protocol, or at this path, tell no model version: choose another protocol, or leave expect out";
    if protocol.zip(sets).is_none_or(|(protocol, sets)| reach::may_tell_version(protocol, sets)) {
        return;
    }
    let shadows = route.get("shadows").and_then(|list| list.items(&mut Vec::new()));
    for expect in shadows.into_iter().flatten().filter_map(|shadow| shadow.child("expect")) {
        expect.refuse::<()>(HINT, problems);
    }
}
