//! The objects of a configuration with their keys: where a key belongs that is in the wrong place, and how an object or list looks.
//!
//! For hints alone: each reader checks the keys of its own object. A test holds this table against the readers.

use crate::config::raw::Node;

/// The place of an object (indices left out), its keys, none if they are free, and an example, empty if its reader gives one.
type Row = (&'static str, &'static [&'static str], &'static str);

static PLACES: &[Row] = &[
    (
        "",
        &["version", "on_invalid", "experiment", "trust_copies", "routes", "limits", "evidence"],
        "{version: 1, experiment: fraud-2026-11, routes: […]}",
    ),
    ("limits", &["pairs", "memory", "body"], "{body: 1MiB}"),
    ("evidence", &["per_second", "values"], "{values: true}"),
    (
        "routes[]",
        &[
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
        ],
        "{name: fraud}",
    ),
    ("routes[].match", &["methods", "path", "authority", "headers"], "{path: {prefix: /v2/models/fraud/}}"),
    ("routes[].match.path", &["exact", "prefix", "suffix"], "{prefix: /v2/models/fraud/}"),
    ("routes[].match.authority", &["exact", "prefix", "suffix"], "{exact: fraud.example.com}"),
    ("routes[].match.headers[]", &["name", "exact", "prefix", "suffix", "present"], "{name: x-tenant, exact: acme}"),
    ("routes[].split", &["baseline", "canaries", "key", "salt", "pins", "header", "expose", "same_cluster"], "{baseline: v1}"),
    ("routes[].split.canaries[]", &["name", "percent", "warmup"], "{name: v2, percent: 5%}"),
    ("routes[].split.canaries[].warmup", &["pairs"], ""),
    ("routes[].split.key", &["header", "cookie", "query"], "{header: x-user-id}"),
    ("routes[].split.pins[]", &["header", "exact", "prefix", "suffix", "variant"], "{header: x-pin, exact: v2, variant: v2}"),
    ("routes[].observe", &["baseline", "variants", "bucket"], "{baseline: stable, variants: […]}"),
    ("routes[].observe.variants[]", &["name", "cluster", "warmup"], "{name: canary, cluster: {exact: fraud-canary}}"),
    ("routes[].observe.variants[].cluster", &["exact", "prefix", "suffix"], "{exact: fraud-canary}"),
    ("routes[].observe.variants[].warmup", &["pairs"], ""),
    ("routes[].observe.bucket", &["key", "salt", "header"], "{key: {header: x-user-id}}"),
    ("routes[].observe.bucket.key", &["header", "cookie", "query"], "{header: x-user-id}"),
    ("routes[].sample_by", &["header", "cookie", "query"], "{header: x-user-id}"),
    (
        "routes[].shadows[]",
        &["name", "role", "cluster", "percent", "of", "when", "expect", "timeout", "max_in_flight", "request", "warmup"],
        "{name: v2-copy, cluster: v2, percent: 10%}",
    ),
    ("routes[].shadows[].cluster", &["http", "grpc"], ""),
    ("routes[].shadows[].when", &["body"], "{body: [{path: model, exact: chat}]}"),
    ("routes[].shadows[].when.body[]", &["path", "exact", "prefix", "at_most", "at_least"], "{path: model, exact: chat}"),
    ("routes[].shadows[].expect", &["model_version"], "{model_version: \"2\"}"),
    ("routes[].shadows[].request", &["path", "authority", "model", "body", "headers", "keep_credentials"], "{model: fraud-v2}"),
    ("routes[].shadows[].request.path", &["prefix", "with"], "{prefix: /v1/, with: /v2/}"),
    ("routes[].shadows[].request.body", &["set", "remove"], "{set: {stream: false}}"),
    ("routes[].shadows[].request.body.set", &[], "{stream: false}"),
    ("routes[].shadows[].request.headers", &["set", "from_env", "remove"], "{set: {x-env: shadow}}"),
    ("routes[].shadows[].request.headers.set", &[], "{x-env: shadow}"),
    ("routes[].shadows[].request.headers.from_env", &[], "{authorization: SHADOW_AUTH}"),
    ("routes[].compare", &["task", "absolute", "relative", "tolerances", "ignore", "unordered", "reasoning"], "{relative: 0.01}"),
    ("routes[].compare.task", &["labels", "scores", "regression", "embedding", "text", "decision", "structure"], ""),
    ("routes[].compare.task.labels", &["path", "top", "overlap", "names"], "{top: 5}"),
    ("routes[].compare.task.scores", &["path"], "{path: scores}"),
    ("routes[].compare.task.regression", &["path"], "{path: value}"),
    ("routes[].compare.task.embedding", &["path", "cosine"], "{cosine: 0.99}"),
    ("routes[].compare.task.text", &["path", "whitespace", "json"], "{json: true}"),
    (
        "routes[].compare.task.decision",
        &["path", "thresholds", "names", "and"],
        "{path: score, thresholds: [0.7], names: [approve, block]}",
    ),
    ("routes[].compare.tolerances[]", &["path", "absolute", "relative"], "{path: score, absolute: 0.01}"),
    ("routes[].compare.unordered[]", &["path", "by"], "{path: results, by: id}"),
    ("routes[].slices", &["header", "body", "values"], "{header: x-region, values: [eu, us]}"),
    (
        "routes[].gates[]",
        &[
            "name",
            "of",
            "measure",
            "limit",
            "threshold",
            "margin",
            "direction",
            "counts",
            "event",
            "each_slice",
            "alpha",
            "min_trials",
            "requires",
        ],
        "{name: errors, of: v2, measure: failed, limit: 1%}",
    ),
    ("routes[].gates[].event", &["slower_than", "first_byte_slower_than"], ""),
    ("routes[].guardrail", &["gates", "alpha", "min_trials", "window"], "{gates: [errors]}"),
];

/// Lists whose items have no row or may be texts too: how their places end, and an example.
static LISTS: [(&str, &str); 11] = [
    (".methods", "[POST]"),
    (".of", "[v1, v2]"),
    (".body.remove", "[stream_options]"),
    (".headers.remove", "[x-billing-id]"),
    (".names", "[approve, block]"),
    (".thresholds", "[0.7]"),
    (".ignore", "[id]"),
    (".unordered", "[tags, {path: results, by: id}]"),
    (".counts", "[5xx, reset, error]"),
    (".values", "[eu, us]"),
    ("guardrail.gates", "[errors]"),
];

/// Most places that are named for one key.
const NAMED: usize = 3;

/// Returns the place of the object at `path`.
#[cold]
#[inline(never)]
fn of(path: &str) -> String {
    let (mut place, mut in_index) = (String::new(), false);
    for letter in path.chars() {
        in_index = letter == '[' || in_index && letter.is_ascii_digit();
        if letter == '[' || !in_index {
            place.push(letter);
        }
    }
    match place.strip_prefix("routes[].match[]") {
        Some(rest) => ["routes[].match", rest].concat(),
        None => place,
    }
}

/// Returns the keys and the example of the object at `place`; both are empty if it has no row.
#[cold]
#[inline(never)]
fn row(place: &str) -> (&'static [&'static str], &'static str) {
    PLACES.iter().find(|(other, ..)| *other == place).map_or((&[], ""), |(_, keys, example)| (keys, example))
}

/// Returns how the object at `path` may look; an empty text if that is not known.
pub(super) fn example(path: &str) -> &'static str {
    row(&of(path)).1
}

/// Returns what makes `node`, which is no list, one as the list at `path` is, as a hint goes on; an empty text if that is not known.
#[cold]
#[inline(never)]
pub(super) fn list(path: &str, node: &Node) -> String {
    let place = of(path);
    let (keys, item) = row(&[&place, "[]"].concat());
    let is_item = |pairs: &[(String, Node)]| pairs.iter().any(|(key, _)| keys.contains(&&**key));
    let shown = node.to_string();
    let (begin, example, end) = match node {
        Node::Object(pairs) if is_item(pairs) => (": put [ ] around this, or - before it", "", ""),
        // A number may be written otherwise than it reads, and a comma may part two items.
        Node::Text(_) | Node::Number(_) if keys.is_empty() => match node.as_text() {
            Some(text) if !text.bytes().any(|byte| byte == b',') => (": put [ ] around it, [", &*shown, "]"),
            _ => (": put [ ] around it", "", ""),
        },
        _ => match LISTS.iter().find(|(end, _)| place.ends_with(end)) {
            Some((_, example)) => (", such as ", *example, ""),
            None => (", such as [", item, "]"),
        },
    };
    [begin, example, end].concat()
}

/// Returns all keys of all objects.
#[cold]
#[inline(never)]
pub(super) fn all_keys() -> Vec<&'static str> {
    let mut all = Vec::new();
    for (_, keys, _) in PLACES {
        all.extend_from_slice(keys);
    }
    all
}

/// Returns where `key` belongs: in objects inside the one at `path`, if some have it, else anywhere; an empty text if no object has it.
#[cold]
#[inline(never)]
pub(super) fn belongs(key: &str, path: &str) -> String {
    let (here, mut named, mut count) = (of(path), String::new(), 0_usize);
    for anywhere in [false, true] {
        for (place, keys, _) in PLACES {
            let is_inside = place.len() > here.len() && place.starts_with(&here);
            if keys.contains(&key) && (anywhere || is_inside) && count < NAMED {
                named.push_str(if count > 0 { " or " } else { "" });
                named.push_str(if place.is_empty() { "the outermost object" } else { place });
                count = count.saturating_add(1);
            }
        }
        if count > 0 {
            break;
        }
    }
    named
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::parse::parse;
    use crate::config::problem::Problem;

    /// Returns `node`, which stands at the path `at`, with what is at `place` replaced by `object`.
    fn with(node: &Value, at: &str, place: &str, object: &Value) -> Value {
        if of(at) == place {
            return object.clone();
        }
        let inside = |key: String, value: &Value| with(value, &format!("{at}{key}"), place, object);
        match node {
            Value::Array(items) => items.iter().enumerate().map(|(i, item)| inside(format!("[{i}]"), item)).collect(),
            Value::Object(pairs) => {
                let dot = if at.is_empty() { "" } else { "." };
                pairs.iter().map(|(key, item)| (key.clone(), inside(format!("{dot}{key}"), item))).collect()
            }
            other => other.clone(),
        }
    }

    /// The problems of a configuration that has an object of each kind, but for this one at `place`.
    fn problems(place: &str, object: &Value) -> Vec<Problem> {
        let task = place.strip_prefix("routes[].compare.task.").and_then(|rest| rest.split('.').next());
        let warmup = |object: &str| json!({"name": object, "percent": 1, "warmup": {"pairs": 1}});
        let everything = json!({
            "version": 1, "experiment": "e", "limits": {}, "evidence": {},
            "routes": [{
                "name": "r", "match": [{"path": {"exact": "/"}, "authority": {"exact": "a"}, "headers": [{"name": "a", "exact": "b"}]}],
                "split": {"baseline": "v1", "canaries": [warmup("v2")], "key": {"header": "a"},
                          "pins": [{"header": "p", "exact": "v2", "variant": "v2"}]},
                "sample_by": {"header": "a"},
                "shadows": [{
                    "name": "s", "cluster": {"http": "c", "grpc": "c"}, "percent": 1, "expect": {"model_version": "2"},
                    "when": {"body": [{"path": "a", "exact": 1}]},
                    "request": {"path": {"prefix": "/", "with": "/"}, "body": {"set": {"a": 1}},
                                "headers": {"set": {"a": "b"}, "from_env": {"c": "D"}}}
                }],
                "compare": {"task": {task.unwrap_or("text"): {}}, "tolerances": [{"path": "a"}], "unordered": [{"path": "a", "by": "b"}]},
                "slices": {"header": "a", "values": []},
                "gates": [{"name": "g", "of": "v2", "measure": "worse_than_baseline", "event": {"slower_than": "1s"}, "limit": 1}],
                "guardrail": {"gates": ["g"]}
            }, {
                "name": "o", "match": {"path": {"exact": "/o"}},
                "observe": {"baseline": "v1", "bucket": {"key": {"header": "a"}},
                            "variants": [{"name": "v1", "cluster": {"exact": "a"}},
                                         {"name": "v2", "cluster": {"exact": "b"}, "warmup": {"pairs": 1}}]}
            }]
        });
        let changed = with(&everything, "", place, object);
        assert_ne!(changed, everything, "{place} is nowhere");
        parse(changed.to_string().as_bytes()).err().map(|refused| refused.problems).unwrap_or_default()
    }

    /// Whether the reader of the object at `place` knows this key: then it finds fault with its value alone.
    fn knows(place: &str, key: &str) -> bool {
        let found = problems(place, &json!({key: null}));
        let problem = found.iter().find(|problem| of(&problem.path).strip_prefix(place).unwrap_or_default().trim_start_matches('.') == key);
        problem.is_some_and(|problem| problem.hint.starts_with("null stands") || problem.hint.starts_with("these tasks have no settings"))
    }

    #[test]
    fn the_table_is_that_of_the_readers() {
        let mut all = all_keys();
        all.sort_unstable();
        all.dedup();
        for (place, keys, _) in PLACES.iter().filter(|(_, keys, _)| !keys.is_empty()) {
            for key in &all {
                assert_eq!(knows(place, key), keys.contains(key), "{key:?} at {place:?}");
            }
            let unknown = problems(place, &json!({"zzzzzzzzzzzz": 1})).into_iter().find(|problem| problem.path.ends_with("zzz")).unwrap();
            let known = unknown.hint.strip_prefix("unknown key: the keys here are ").unwrap();
            assert!(known.split(", ").all(|key| keys.contains(&key)), "{known} at {place:?}");
        }
    }

    #[test]
    fn examples_have_all_required_keys() {
        for (place, ..) in PLACES {
            for problem in problems(place, &json!({"zzz": 1})).iter().filter(|problem| problem.hint.contains(", as in ")) {
                let key = problem.path.rsplit('.').next().unwrap();
                assert!(problem.hint.contains(&format!("{key}: ")), "{problem}");
            }
        }
    }

    #[test]
    fn examples_have_keys_of_their_object_alone() {
        for (place, _, example) in PLACES.iter().filter(|(_, keys, example)| !keys.is_empty() && !example.is_empty()) {
            let mut depth = 0;
            let outermost: String = example
                .chars()
                .filter(|letter| {
                    depth += i32::from("{[".contains(*letter)) - i32::from("}]".contains(*letter));
                    depth == 1
                })
                .collect();
            for pair in outermost.trim_matches(|letter| "{}".contains(letter)).split(", ") {
                let key = pair.split(':').next().unwrap_or_default().trim_matches(|letter: char| "{[ ".contains(letter));
                assert!(knows(place, key), "{key:?} of {example} at {place}");
            }
        }
    }
}
