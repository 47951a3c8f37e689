//! `observe`: variants by the clusters that answer, where the mesh splits by weights.

use super::value::{Object, Problems, Value, unknown};
use super::{condition, cover, header, units, warmup};
use crate::config::{BucketHeader, Name, Observe, ObservedVariant, Text};

const KEYS: [&str; 3] = ["baseline", "variants", "bucket"];
const VARIANT_KEYS: [&str; 3] = ["name", "cluster", "warmup"];

/// Keys of `split`, and of weights in a mesh.
const FOREIGN: [&str; 6] = ["pins", "percent", "weight", "weights", "expose", "same_cluster"];

/// The hint for [`FOREIGN`].
const WEIGHTS: &str = "with observe the weights of the mesh decide who answers: leave it out, or use split, with which Gnomon decides";

/// The default of `bucket.header`.
const HEADER: &str = "x-gnomon-bucket";

/// Reads `observe`. The default of `bucket.salt` is this one, the route's name.
pub(super) fn observe(value: &Value<'_>, salt: Option<&str>, problems: &mut Problems) -> Option<Observe> {
    let object = object(value, &KEYS, problems)?;
    let baseline = object.required("baseline", problems, |value, problems| baseline(value, &object, problems));
    let read = object.required("variants", problems, |value, problems| observed(value, baseline.as_ref(), problems));
    let bucket = object.maybe("bucket", problems, |value, problems| bucket(value, salt, problems));
    let (baseline, read) = (baseline?, read?);
    let (mut all, mut clusters) = (vec![ObservedVariant { name: baseline.clone(), warmup: None }], Vec::new());
    for (variant, cluster) in read {
        clusters.push((cluster, if variant.name == baseline { 0 } else { all.len() }));
        all.extend(Some(variant).filter(|variant| variant.name != baseline));
    }
    Some(Observe { variants: all, clusters, bucket: bucket? })
}

/// Reads an object with these keys. Others have hints of their own.
fn object<'a>(value: &Value<'a>, keys: &[&str], problems: &mut Problems) -> Option<Object<'a>> {
    let strange = |key: &str| match key {
        key if keys.contains(&key) => None,
        "canaries" => Some("write all variants under variants, the baseline, too, each with the cluster that it answers from".to_owned()),
        key if FOREIGN.contains(&key) => Some(WEIGHTS.to_owned()),
        key => Some(unknown(key, keys, &value.path)),
    };
    value.members(&strange, problems)
}

/// Reads the name of the baseline, which has to be one of the variants.
fn baseline(value: &Value<'_>, object: &Object<'_>, problems: &mut Problems) -> Option<Name> {
    let (text, name) = (value.text(problems)?, units::name(value, problems)?);
    let items = object.get("variants").and_then(|variants| variants.items(&mut Vec::new())).unwrap_or_default();
    let names: Vec<&str> = items.iter().filter_map(|item| item.child("name")?.node.as_text()).collect();
    if names.is_empty() || names.contains(&text) {
        return Some(name);
    }
    value.refuse(format!("this is none of the variants: {}", units::one_of(&mut names.into_iter())), problems)
}

/// Reads `variants`, each with the condition on its cluster.
fn observed(value: &Value<'_>, baseline: Option<&Name>, problems: &mut Problems) -> Option<Vec<(ObservedVariant, Text)>> {
    let mut earlier: Vec<(String, Text)> = Vec::new();
    let read = value.list(problems, |item, problems| {
        let object = object(item, &VARIANT_KEYS, problems)?;
        let name = object.required("name", problems, units::name);
        let cluster = object.required("cluster", problems, |value, problems| cluster(value, &mut earlier, name.as_deref(), problems));
        let warmup = object.maybe("warmup", problems, |value, problems| match (&name, baseline) {
            (Some(name), Some(baseline)) if name == baseline => {
                value.refuse("the baseline has no warm-up, because gates judge the others: leave it out", problems)
            }
            _ => warmup::warmup(value, problems),
        });
        Some((ObservedVariant { name: name?, warmup: warmup? }, cluster?))
    });
    match value.items(&mut Vec::new()) {
        Some(items) if items.len() < 2 => value.refuse("give two variants or more: one alone needs no telling apart", problems),
        _ => read,
    }
}

/// Reads the condition on the clusters of a variant, and reports one that never decides, because `earlier` ones take all its clusters.
fn cluster(value: &Value<'_>, earlier: &mut Vec<(String, Text)>, name: Option<&str>, problems: &mut Problems) -> Option<Text> {
    let text = condition::text(value, problems)?;
    if text == Text::Exact(String::new()) {
        return value.refuse("no cluster has an empty name: give one as the proxy has it", problems);
    }
    if let Some((other, _)) = earlier.iter().find(|(_, wider)| cover::text_implies(&text, wider)) {
        let hint = [
            "this is never seen: ",
            other,
            " stands before it and takes all these clusters: move this variant up, or end the other's text where the names part, as with a dot",
        ];
        return value.refuse_as(format!("{:?}", text.text()), hint.concat(), problems);
    }
    earlier.push((name.unwrap_or("a variant").to_owned(), text.clone()));
    Some(text)
}

fn bucket(value: &Value<'_>, salt: Option<&str>, problems: &mut Problems) -> Option<BucketHeader> {
    let object = value.object(&["key", "salt", "header"], problems)?;
    let key = object.required("key", problems, condition::key);
    let salt = object.or("salt", salt.unwrap_or_default(), problems, |value, problems| value.text(problems));
    let header = object.or("header", HEADER.into(), problems, header::split);
    header::report_read(header.as_deref(), key.as_ref(), object.get("header").or_else(|| object.get("key")), problems);
    Some(BucketHeader { key: key?, salt: salt?.to_owned(), header: header? })
}
