//! One shadow: where copies go, how many, and how they differ from the request.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::value::{Problems, Value};
use super::{header, split, units};
use crate::config::raw::Node;
use crate::config::{Cluster, CopyRequest, Role, Shadow};

const KEYS: [&str; 8] = ["name", "role", "cluster", "percent", "of", "timeout", "max_in_flight", "request"];
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_IN_FLIGHT: u32 = 32;

/// A shadow of a route that has `split`, or none.
pub(super) fn shadow(value: &Value<'_>, split: Option<&Value<'_>>, problems: &mut Problems) -> Option<Shadow> {
    let object = value.object(&KEYS, problems)?;
    let roles = [("candidate", Role::Candidate), ("control", Role::Control)];
    let name = object.required("name", problems, units::name);
    let role = object.or("role", Role::Candidate, problems, |value, problems| units::word(value, &roles, &[], problems));
    let cluster = object.required("cluster", problems, cluster);
    let ppm = object.required("percent", problems, units::percent);
    let of = object.or("of", split.map(|_| vec![0]), problems, |value, problems| of(value, split, problems).map(Some));
    let timeout = object.or("timeout", TIMEOUT, problems, units::timeout);
    let max_in_flight = object.or("max_in_flight", MAX_IN_FLIGHT, problems, |value, problems| units::whole(value, 1, problems));
    let request = object.or("request", CopyRequest::default(), problems, request);
    Some(Shadow {
        name: name?,
        role: role?,
        cluster: cluster?,
        when: Vec::new(),
        expect_version: None,
        ppm: ppm?,
        of: of?,
        timeout: timeout?,
        max_in_flight: max_in_flight?,
        request: request?,
    })
}

fn cluster(value: &Value<'_>, problems: &mut Problems) -> Option<Cluster> {
    match value.node {
        Node::Object(_) => value.refuse("this build does not know that yet: give the name of a cluster", problems),
        _ => value.line(problems).map(|name| Cluster { http: name.to_owned(), grpc: name.to_owned() }),
    }
}

/// The variants whose requests are copied.
fn of(value: &Value<'_>, split: Option<&Value<'_>>, problems: &mut Problems) -> Option<Vec<usize>> {
    let Some(split) = split else {
        return value.refuse("of needs split: without it nothing tells variants apart", problems);
    };
    let mut seen = BTreeSet::new();
    let variants = value.list(problems, |item, problems| {
        let variant = split::variant(item, split, problems)?;
        if seen.insert(variant) { Some(variant) } else { item.refuse("this variant is there more than once: keep one", problems) }
    })?;
    if variants.is_empty() { value.refuse("give at least one variant, or leave of out for the baseline", problems) } else { Some(variants) }
}

fn request(value: &Value<'_>, problems: &mut Problems) -> Option<CopyRequest> {
    let object = value.object(&["path", "authority", "model", "headers", "keep_credentials"], problems)?;
    let path = object.maybe("path", problems, rewrite);
    let authority = object.maybe("authority", problems, authority);
    let model = object.maybe("model", problems, |value, problems| value.line(problems).map(str::to_owned));
    let headers = object.or("headers", (Vec::new(), Vec::new()), problems, headers);
    let keep_credentials = object.or("keep_credentials", false, problems, Value::boolean);
    let (set, remove) = headers?;
    Some(CopyRequest {
        path: path?,
        authority: authority?,
        model: model?,
        body_set: Vec::new(),
        body_remove: Vec::new(),
        from_env: Vec::new(),
        set,
        remove,
        keep_credentials: keep_credentials?,
    })
}

fn rewrite(value: &Value<'_>, problems: &mut Problems) -> Option<(String, String)> {
    let object = value.object(&["prefix", "with"], problems)?;
    let prefix = object.required("prefix", problems, path);
    let with = object.required("with", problems, path);
    Some((prefix?, with?))
}

/// The beginning of a path, without query.
fn path(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.line(problems)?;
    if !text.starts_with('/') || text.contains([' ', '?', '#']) {
        return value.refuse("give the beginning of a path: /, then no space, ? or #", problems);
    }
    Some(text.to_owned())
}

fn authority(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let text = value.line(problems)?;
    if text.contains([' ', '/', '?', '#', '@']) {
        return value.refuse("give a host, with a port if need be", problems);
    }
    Some(text.to_owned())
}

type SetAndRemove = (Vec<(Rc<str>, String)>, Vec<Rc<str>>);

fn headers(value: &Value<'_>, problems: &mut Problems) -> Option<SetAndRemove> {
    let object = value.object(&["set", "remove"], problems)?;
    let set = object.or("set", Vec::new(), problems, set);
    let remove = object.or("remove", Vec::new(), problems, |value, problems| value.list(problems, header::removed));
    Some((set?, remove?))
}

/// The headers set, each name once without regard to case.
fn set(value: &Value<'_>, problems: &mut Problems) -> Option<Vec<(Rc<str>, String)>> {
    let object = value.members(|_| None, problems)?;
    let mut spellings: BTreeMap<Rc<str>, &str> = BTreeMap::new();
    let fields: Vec<Option<(Rc<str>, String)>> = object
        .pairs
        .iter()
        .map(|(key, node)| {
            let name_node = Node::Text(key.clone());
            let place = object.member(key, &name_node);
            let name = header::set(&place, problems);
            let earlier = name.as_ref().and_then(|name| spellings.insert(Rc::clone(name), key));
            if earlier.is_some_and(|earlier| earlier != key) {
                place.refuse::<()>("this header is there twice, in other letters: keep one", problems);
            }
            let text = object.member(key, node).read(problems, header::value);
            Some((name?, text?))
        })
        .collect();
    fields.into_iter().collect()
}
