//! One shadow: which requests are copied, where the copies go, and which model version should answer.

use std::time::Duration;

use super::value::{Problems, Seen, Value};
use super::{copy, units, variants, warmup, when};
use crate::config::raw::Node;
use crate::config::{Cluster, CopyRequest, Role, Shadow};

const KEYS: [&str; 11] = ["name", "role", "cluster", "percent", "of", "when", "expect", "timeout", "max_in_flight", "request", "warmup"];
const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_IN_FLIGHT: u32 = 32;

/// Reads a shadow. `split` is the value of the route's `split` or `observe`, if it has such a key.
pub(super) fn shadow(value: &Value<'_>, split: Option<&Value<'_>>, problems: &mut Problems) -> Option<Shadow> {
    let object = value.object(&KEYS, problems)?;
    let roles = [("candidate", Role::Candidate), ("control", Role::Control)];
    let name = object.required("name", problems, units::name);
    let role = object.or("role", Role::Candidate, problems, |value, problems| units::word(value, &roles, problems));
    let cluster = object.required("cluster", problems, cluster);
    let ppm = object.required("percent", problems, units::percent);
    let of = object.or("of", split.map(|_| vec![0]), problems, |value, problems| of(value, split, problems).map(Some));
    let when = object.or("when", Vec::new(), problems, when::when);
    let expect_version = object.maybe("expect", problems, expect);
    let timeout = object.or("timeout", TIMEOUT, problems, units::timeout);
    let max_in_flight = object.or("max_in_flight", MAX_IN_FLIGHT, problems, |value, problems| units::whole(value, 1, problems));
    let request = object.or("request", CopyRequest::default(), problems, copy::request);
    let warmup = object.maybe("warmup", problems, warmup::warmup);
    Some(Shadow {
        name: name?,
        role: role?,
        cluster: cluster?,
        when: when?,
        expect_version: expect_version?,
        ppm: ppm?,
        of: of?,
        timeout: timeout?,
        max_in_flight: max_in_flight?,
        request: request?,
        warmup: warmup?,
    })
}

/// Reads the name of a cluster, or one name for each port of the model.
fn cluster(value: &Value<'_>, problems: &mut Problems) -> Option<Cluster> {
    let name = |value: &Value<'_>, problems: &mut Problems| value.line(problems).map(str::to_owned);
    let Node::Object(_) = value.node else {
        return name(value, problems).map(|name| Cluster { http: name.clone(), grpc: name });
    };
    let object = value.object(&["http", "grpc"], problems)?;
    let mut one = |key| match object.get(key) {
        Some(value) => value.read(problems, name),
        None => object.missing(key, "give both http and grpc, or the plain name of a cluster where both are the same", problems),
    };
    let (http, grpc) = (one("http"), one("grpc"));
    Some(Cluster { http: http?, grpc: grpc? })
}

/// Reads the model version that the shadow should serve.
fn expect(value: &Value<'_>, problems: &mut Problems) -> Option<String> {
    let object = value.object(&["model_version"], problems)?;
    object.required("model_version", problems, |value, problems| value.line(problems).map(str::to_owned))
}

/// Reads the variants whose requests are copied.
fn of(value: &Value<'_>, split: Option<&Value<'_>>, problems: &mut Problems) -> Option<Vec<usize>> {
    let Some(split) = split else {
        return value.refuse("of needs split or observe: without one of them nothing tells variants apart", problems);
    };
    let mut seen = Seen::new();
    let variants = value.list(problems, |item, problems| {
        let (text, variant) = (item.text(problems)?, variants::variant(item, split, problems)?);
        if seen.insert(text) { Some(variant) } else { item.refuse("this variant is there more than once: keep one", problems) }
    })?;
    if variants.is_empty() { value.refuse("give at least one variant, or leave of out for the baseline", problems) } else { Some(variants) }
}
