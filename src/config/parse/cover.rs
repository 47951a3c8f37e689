//! Finds routes that can never match, because earlier routes take all their requests.
//!
//! A route that is found is certain to be covered. Some covered routes are not found, such as one that only two earlier conditions together
//! cover.

use std::rc::Rc;

use crate::config::{HeaderMatch, HeaderValueMatch, Match, Text};

/// Whether every request that matches one of `sets` also matches a set of an earlier route.
pub(super) fn covers(earlier: &[Rc<[Match]>], sets: &[Match]) -> bool {
    let earlier = || earlier.iter().flat_map(|sets| &**sets);
    sets.iter().all(|set| set.methods.iter().all(|method| earlier().any(|wider| wider.methods.contains(method) && implies(set, wider))))
}

/// Whether every request that meets `set` also meets `wider`, apart from its method.
fn implies(set: &Match, wider: &Match) -> bool {
    let follows = |by: fn(&Text, &Text) -> bool, wider: &Option<Text>, narrow: &Option<Text>| match (wider, narrow) {
        (None, _) => true,
        (Some(Text::Prefix(text) | Text::Suffix(text)), None) => text.is_empty(),
        (Some(Text::Exact(_)), None) => false,
        (Some(wider), Some(narrow)) => by(narrow, wider),
    };
    follows(text_implies, &wider.path, &set.path)
        && follows(authority_implies, &wider.authority, &set.authority)
        && wider.headers.iter().all(|wider| set.headers.iter().any(|narrow| header_implies(narrow, wider)))
}

fn header_implies(narrow: &HeaderMatch, wider: &HeaderMatch) -> bool {
    narrow.name == wider.name
        && match (&narrow.value, &wider.value) {
            (HeaderValueMatch::Text(narrow), HeaderValueMatch::Text(wider)) => text_implies(narrow, wider),
            (HeaderValueMatch::Text(_), HeaderValueMatch::Present(present)) => *present,
            (HeaderValueMatch::Present(narrow), HeaderValueMatch::Present(wider)) => narrow == wider,
            (HeaderValueMatch::Present(_), HeaderValueMatch::Text(_)) => false,
        }
}

/// Whether every text that meets `narrow` also meets `wider`.
pub(super) fn text_implies(narrow: &Text, wider: &Text) -> bool {
    match (narrow, wider) {
        (_, Text::Prefix(text) | Text::Suffix(text)) if text.is_empty() => true,
        (Text::Exact(narrow), Text::Exact(wider)) => narrow == wider,
        (Text::Exact(narrow) | Text::Prefix(narrow), Text::Prefix(wider)) => narrow.starts_with(wider),
        (Text::Exact(narrow) | Text::Suffix(narrow), Text::Suffix(wider)) => narrow.ends_with(wider),
        _ => false,
    }
}

/// Whether every authority that meets `narrow` also meets `wider`. A condition without a port ignores the request's port.
fn authority_implies(narrow: &Text, wider: &Text) -> bool {
    let plain = |text: &Text| !text.text().contains(':');
    if narrow == wider {
        return true;
    }
    match (plain(narrow), plain(wider)) {
        (true, true) => text_implies(narrow, wider),
        (false, true) => without_port(narrow).is_some_and(|narrow| text_implies(&narrow, wider)),
        (false, false) => without_port(narrow).and(without_port(wider)).is_some() && text_implies(narrow, wider),
        (true, false) => false,
    }
}

/// Returns a condition that ends with a port, without the port. A prefix has none: its end is not the end of the authority.
fn without_port(text: &Text) -> Option<Text> {
    let strip = |text: &str| {
        let (host, port) = text.rsplit_once(':')?;
        (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && !host.contains(':')).then(|| host.to_owned())
    };
    match text {
        Text::Exact(text) => strip(text).map(Text::Exact),
        Text::Suffix(text) => strip(text).map(Text::Suffix),
        Text::Prefix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use proptest::prelude::*;

    use super::{Text, authority_implies, text_implies};
    use crate::config::parse::parse;

    #[test]
    fn a_route_that_can_never_match() {
        let covered = |first: &str, second: &str| {
            let text = format!(
                r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "a", "match": {first}}}, {{"name": "b", "match": {second}}}]}}"#
            );
            parse(text.as_bytes()).is_err_and(|refused| {
                assert_eq!(refused.problems.len(), 1, "{:?}", refused.problems);
                assert_eq!(refused.problems[0].path, "routes[1]");
                true
            })
        };
        for (first, second) in [
            ("{}", "{}"),
            (r#"{"path": {"prefix": "/"}}"#, r#"{"path": {"prefix": "/v1"}}"#),
            (r#"{"path": {"prefix": "/v1"}}"#, r#"{"path": {"exact": "/v1/a"}, "headers": [{"name": "a", "present": true}]}"#),
            (r#"{"path": {"suffix": "/infer"}}"#, r#"{"path": {"suffix": "a/infer"}}"#),
            (r#"{"methods": ["GET", "POST"]}"#, r#"{"methods": ["GET"]}"#),
            (r#"[{"methods": ["GET"]}, {"methods": ["POST"]}]"#, r#"{"methods": ["GET", "POST"]}"#),
            (r#"{"headers": [{"name": "a", "present": true}]}"#, r#"{"headers": [{"name": "A", "exact": ""}]}"#),
            (r#"{"authority": {"exact": "a"}}"#, r#"{"authority": {"exact": "A:80"}}"#),
            (r#"{"authority": {"suffix": ".svc"}}"#, r#"{"authority": {"suffix": "a.svc:80"}}"#),
            (r#"{"authority": {"exact": "a:80"}}"#, r#"{"authority": {"exact": "a:80"}}"#),
            (r#"{}"#, r#"[{"path": {"exact": "/a"}}, {"path": {"exact": "/b"}}]"#),
        ] {
            assert!(covered(first, second), "{first} covers {second}");
        }
        for (first, second) in [
            (r#"{"methods": ["GET"]}"#, "{}"),
            (r#"{"path": {"prefix": "/v1"}}"#, r#"{"path": {"prefix": "/v"}}"#),
            (r#"{"path": {"exact": "/v1"}}"#, r#"{"path": {"prefix": "/v1"}}"#),
            (r#"{"path": {"prefix": "/v1"}}"#, r#"{"path": {"suffix": "/v1"}}"#),
            (r#"{"path": {"prefix": "/"}}"#, r#"[{"path": {"exact": "/b"}}, {"methods": ["GET"]}]"#),
            (r#"{"headers": [{"name": "a", "present": true}]}"#, "{}"),
            (r#"{"headers": [{"name": "a", "present": false}]}"#, r#"{"headers": [{"name": "a", "exact": "b"}]}"#),
            (r#"{"authority": {"exact": "a:80"}}"#, r#"{"authority": {"exact": "a"}}"#),
            (r#"{"authority": {"prefix": "a:8"}}"#, r#"{"authority": {"exact": "a:80"}}"#),
        ] {
            assert!(!covered(first, second), "{first} does not cover {second}");
        }
    }

    /// Whether a condition on a text holds.
    fn holds(condition: &Text, text: &str) -> bool {
        match condition {
            Text::Exact(whole) => text == whole,
            Text::Prefix(start) => text.starts_with(start),
            Text::Suffix(end) => text.ends_with(end),
        }
    }

    /// Whether a condition on an authority holds.
    fn authority_holds(condition: &Text, authority: &str) -> bool {
        let has_port =
            |text: &str| text.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let host = authority.rsplit_once(':').filter(|_| has_port(authority)).map_or(authority, |(host, _)| host);
        holds(condition, if has_port(condition.text()) { authority } else { host })
    }

    fn condition() -> impl Strategy<Value = Text> {
        ("[ab:1]{0,3}", 0..3).prop_map(|(text, kind)| match kind {
            0 => Text::Exact(text),
            1 => Text::Prefix(text),
            _ => Text::Suffix(text),
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        /// If `narrow` implies `wider`, every text that meets `narrow` meets `wider`.
        #[test]
        fn implications_are_sound(
            narrow in condition(), wider in condition(), before in "[ab:1]{0,2}", after in "[ab:1]{0,2}", port in "(|:1)",
        ) {
            let text = match &narrow {
                Text::Exact(text) => format!("{text}{port}"),
                Text::Prefix(text) => format!("{text}{after}{port}"),
                Text::Suffix(text) => format!("{before}{text}{port}"),
            };
            if holds(&narrow, &text) && text_implies(&narrow, &wider) {
                prop_assert!(holds(&wider, &text));
            }
            if authority_holds(&narrow, &text) && authority_implies(&narrow, &wider) {
                prop_assert!(authority_holds(&wider, &text));
            }
        }
    }
}
