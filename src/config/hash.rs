//! A short hash of a configuration, by which one sees whether proxies run the same one.

use xxhash_rust::xxh64::xxh64;

use super::raw::{Node, quoted};

/// Returns the first 8 of the 16 hexadecimal digits of the XXH64 of `node` as JSON without whitespace, with sorted keys, and with numbers
/// by their value. So the order of keys and the spelling of a number (`1.0`) do not matter, nor whether the file is YAML or JSON.
pub(super) fn of(node: &Node) -> String {
    let mut text = String::new();
    write(node, &mut text);
    format!("{:08x}", xxh64(text.as_bytes(), 0) >> 32)
}

fn write(node: &Node, text: &mut String) {
    match node {
        Node::Null => text.push_str("null"),
        Node::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        // Adding 0 drops the sign of -0.
        Node::Number(value) => text.push_str(&(value + 0.0).to_string()),
        Node::Text(value) => text.push_str(&quoted(value)),
        Node::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Node::Object(pairs) => {
            // Sorted as names of tensors are: a sort of another type would add 7 KiB to the filter.
            let mut keys: Vec<(&str, usize)> = pairs.iter().enumerate().map(|(at, (key, _))| (key.as_str(), at)).collect();
            keys.sort_unstable_by(Ord::cmp);
            text.push('{');
            for (at, (key, _)) in keys.into_iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                text.push_str(&quoted(key));
                text.push(':');
                write(node.get(key).unwrap_or(&Node::Null), text);
            }
            text.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::parse;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn hash(text: &str) -> String {
        of(&Node::from_json(text.as_bytes()).unwrap())
    }

    #[test]
    fn the_spelling_does_not_matter() {
        for (one, other) in [
            (r#"{"a": 1, "b": {"d": [1.5], "c": true}}"#, r#"{"b":{"c":true,"d":[15e-1]},"a":1.0}"#),
            (r#"{"a": 0.000001, "b": -0.0}"#, r#"{"b": 0, "a": 1e-6}"#),
            (r#"{"a": "ä\/\n"}"#, r#"{"a": "\u00e4/\u000a"}"#),
            ("{}", " {\n} "),
        ] {
            assert_eq!(hash(one), hash(other), "{one}");
        }
    }

    #[test]
    fn the_content_matters() {
        let texts = [
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "\"1\"",
            "\"\"",
            "[]",
            "{}",
            "[1,2]",
            "[2,1]",
            "[[1],2]",
            "[[1,2]]",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":{"b":2}}"#,
            r#"{"a\":1,\"b":2}"#,
            "1e300",
        ];
        let mut hashes = texts.map(hash);
        hashes.sort();
        assert!(hashes.windows(2).all(|two| two[0] != two[1]), "{hashes:?}");
    }

    /// Anyone can compute it: `xxhash.xxh64(b'{"experiment":"e","routes":[],"version":1}').hexdigest()[:8]` in Python.
    #[test]
    fn a_configuration_has_its_hash() {
        let config = parse(br#"{"version": 1.0, "routes": [], "experiment": "e"}"#).unwrap();
        let written = br#"{"experiment":"e","routes":[],"version":1}"#;
        assert_eq!(config.hash, format!("{:016x}", xxh64(written, 0))[..8]);
    }
}
