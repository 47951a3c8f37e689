//! The route of a request: the first one whose conditions hold.
//!
//! Texts are compared as bytes, since header values need not be UTF-8. Paths are neither decoded nor normalised. (Envoy can normalise paths
//! before the filter sees them.)

use crate::config::{Config, HeaderMatch, HeaderValueMatch, Match, Text};
use crate::http::Request;

/// Whether any route may match a request of which only `:path` is known. For most requests a busy proxy then has to read nothing else.
pub fn may_match(config: &Config, request: &Request) -> bool {
    let path = request.path();
    config.routes.iter().flat_map(|route| &*route.matches).any(|set| set.path.as_ref().is_none_or(|text| text.matches(path)))
}

/// Returns the index in [`Config::routes`] of the first route that matches.
pub fn find(config: &Config, request: &Request) -> Option<usize> {
    let (method, path, authority) = (request.method(), request.path(), request.authority());
    let holds = |conditions: &Match| {
        conditions.methods.iter().any(|allowed| allowed.as_bytes() == method)
            && conditions.path.as_ref().is_none_or(|text| text.matches(path))
            && conditions.authority.as_ref().is_none_or(|text| authority_matches(text, authority))
            && conditions.headers.iter().all(|header| header_matches(header, request))
    };
    config.routes.iter().position(|route| route.matches.iter().any(holds))
}

fn header_matches(condition: &HeaderMatch, request: &Request) -> bool {
    let value = request.header(&condition.name);
    match &condition.value {
        HeaderValueMatch::Text(text) => value.is_some_and(|value| text.matches(value)),
        HeaderValueMatch::Present(wanted) => value.is_some() == *wanted,
    }
}

/// Whether `text` matches `authority`. Case does not count. The port of `authority` counts only if `text` has a port too.
fn authority_matches(text: &Text, authority: &[u8]) -> bool {
    let subject = if without_port(text.text().as_bytes()).is_some() { authority } else { without_port(authority).unwrap_or(authority) };
    text.holds(subject, <[u8]>::eq_ignore_ascii_case)
}

/// Returns `authority` without its port; `None` if it has none. (An IPv6 literal ends in `]`, so its last colon begins no port.)
fn without_port(authority: &[u8]) -> Option<&[u8]> {
    let (host, port) = authority.split_at_checked(authority.iter().rposition(|&byte| byte == b':')?)?;
    port.iter().skip(1).all(u8::is_ascii_digit).then_some(host)
}

impl Text {
    /// Whether the condition holds for `subject`, compared byte by byte.
    pub fn matches(&self, subject: &[u8]) -> bool {
        self.holds(subject, |a, b| a == b)
    }

    /// Whether the condition holds for `subject`, compared by `equal`.
    fn holds(&self, subject: &[u8], equal: fn(&[u8], &[u8]) -> bool) -> bool {
        let text = self.text().as_bytes();
        let part = match self {
            Text::Exact(_) => Some(subject),
            Text::Prefix(_) => subject.get(..text.len()),
            Text::Suffix(_) => subject.len().checked_sub(text.len()).and_then(|start| subject.get(start..)),
        };
        part.is_some_and(|part| equal(part, text))
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Compare, Evidence, Limits, Protocol, Route};
    use crate::http::{Fields, fields};

    fn exact(text: &str) -> Text {
        Text::Exact(text.to_owned())
    }

    fn prefix(text: &str) -> Text {
        Text::Prefix(text.to_owned())
    }

    fn suffix(text: &str) -> Text {
        Text::Suffix(text.to_owned())
    }

    fn every_post() -> Match {
        Match { methods: vec!["POST".to_owned()], path: None, authority: None, headers: Vec::new() }
    }

    fn config(routes: Vec<Vec<Match>>) -> Config {
        let route = |matches| Route {
            name: "route".into(),
            experiment: "experiment".into(),
            owner: None,
            matches,
            protocol: Protocol::Auto,
            split: None,
            observe: None,
            sample_by: None,
            shadows: Vec::new(),
            compare: Compare::exact().into(),
            slices: None,
            gates: Vec::new(),
            guardrail: None,
        };
        Config {
            experiment: "experiment".into(),
            trust_copies: true,
            routes: routes.into_iter().map(|sets| Rc::new(route(sets.into()))).collect(),
            limits: Limits { pairs: 1, memory: 1, body: 1 },
            evidence: Evidence { per_second: 0, values: false },
            split_headers: Vec::new(),
            hash: String::new(),
        }
    }

    fn post(target: &str) -> Fields {
        fields(&[(":method", "POST"), (":path", target), (":authority", "ml.local")])
    }

    fn meets(conditions: Match, fields: &Fields) -> bool {
        find(&config(vec![vec![conditions]]), &Request::new(fields)).is_some()
    }

    #[test]
    fn the_first_route_with_a_set_that_holds_wins() {
        let path = |text: &str| Match { path: Some(prefix(text)), ..every_post() };
        let config = config(vec![vec![path("/a/b")], vec![path("/x"), path("/a")], vec![path("/a/c")], vec![every_post()]]);
        for (target, index) in [("/a/b", 0), ("/a/c", 1), ("/x/1", 1), ("/b?/a", 3)] {
            assert_eq!(find(&config, &Request::new(&post(target))), Some(index), "{target}");
        }
        assert_eq!(find(&config, &Request::new(&fields(&[(":method", "GET"), (":path", "/a")]))), None);
        assert_eq!(find(&config, &Request::new(&[])), None);
    }

    #[test]
    fn one_of_the_methods_must_match_exactly() {
        for (method, holds) in [("POST", true), ("PUT", true), ("GET", false), ("post", false), ("", false)] {
            let conditions = Match { methods: vec!["POST".to_owned(), "PUT".to_owned()], ..every_post() };
            assert_eq!(meets(conditions, &fields(&[(":method", method)])), holds, "{method}");
        }
    }

    #[test]
    fn paths_are_compared_without_the_query_and_with_regard_to_case() {
        for (text, target, holds) in [
            (exact("/a"), "/a", true),
            (exact("/a"), "/a?x=1", true),
            (exact("/a"), "/ab", false),
            (exact("/a"), "/A", false),
            (prefix("/a/"), "/a/b?c", true),
            (prefix("/a/"), "/a", false),
            (prefix("/a/"), "/a?/", false),
            (suffix(":predict"), "/v1/models/m:predict?x", true),
            (suffix(":predict"), "/v1/models/m:explain?:predict", false),
            (suffix("/long"), "g", false),
        ] {
            assert_eq!(meets(Match { path: Some(text.clone()), ..every_post() }, &post(target)), holds, "{text:?} {target}");
        }
    }

    #[test]
    fn authorities_are_compared_without_case_and_without_a_port_that_is_not_asked_for() {
        for (text, authority, holds) in [
            (exact("ml.local"), "ml.local", true),
            (exact("ml.local"), "ML.Local:8080", true),
            (exact("ml.local"), "ml.local:", true),
            (exact("ml.local"), "ml.local:http", false),
            (exact("ml.local:8080"), "ML.local:8080", true),
            (exact("ml.local:8080"), "ml.local", false),
            (exact("ml.local:8080"), "ml.local:80", false),
            (prefix("ml."), "ML.local:80", true),
            (prefix("ml.local:80"), "ml.local:8080", true),
            (prefix("ml.local:"), "ml.local:8080", true),
            (prefix("ml.local:"), "ml.local", false),
            (suffix(".local"), "ml.LOCAL:80", true),
            (suffix(":80"), "ml.local:80", true),
            (suffix(":80"), "ml.local", false),
            (exact("[::1]"), "[::1]", true),
            (exact("[::1]"), "[::1]:80", true),
            (exact("[::1]:80"), "[::1]:80", true),
            (exact("[::1]:80"), "[::1]", false),
            (exact("[::1]:80"), "[::1]:8080", false),
            (exact("[::1"), "[::1]", false),
            (prefix("[fd00:"), "[FD00::1]:80", true),
            (prefix("[fd00::1"), "[fd00::12]:80", true),
            (suffix("::1]"), "[fd00::1]:80", true),
            (suffix(":1]:80"), "[fd00::1]:80", true),
            (exact(""), "", true),
            (exact("ml.local"), "", false),
        ] {
            let request = fields(&[(":method", "POST"), (":authority", authority)]);
            assert_eq!(meets(Match { authority: Some(text.clone()), ..every_post() }, &request), holds, "{text:?} {authority}");
        }
    }

    #[test]
    fn the_first_value_of_a_header_counts() {
        let request = fields(&[(":method", "POST"), ("x-tenant", "acme"), ("x-tenant", "other"), ("x-empty", "")]);
        let text = HeaderValueMatch::Text;
        for (name, value, holds) in [
            ("x-tenant", text(exact("acme")), true),
            ("x-tenant", text(exact("Acme")), false),
            ("x-tenant", text(exact("other")), false),
            ("x-tenant", text(prefix("ac")), true),
            ("x-tenant", text(suffix("me")), true),
            ("x-none", text(prefix("")), false),
            ("x-empty", text(exact("")), true),
            ("x-empty", HeaderValueMatch::Present(true), true),
            ("x-empty", HeaderValueMatch::Present(false), false),
            ("x-none", HeaderValueMatch::Present(true), false),
            ("x-none", HeaderValueMatch::Present(false), true),
        ] {
            let header = HeaderMatch { name: Rc::from(name), value: value.clone() };
            assert_eq!(meets(Match { headers: vec![header], ..every_post() }, &request), holds, "{name} {value:?}");
        }
    }

    #[test]
    fn all_headers_must_match() {
        let present = |name: &str| HeaderMatch { name: Rc::from(name), value: HeaderValueMatch::Present(true) };
        let conditions = Match { headers: vec![present("a"), present("b")], ..every_post() };
        assert!(meets(conditions.clone(), &fields(&[(":method", "POST"), ("b", ""), ("a", "")])));
        assert!(!meets(conditions, &fields(&[(":method", "POST"), ("a", "")])));
    }

    #[test]
    fn values_need_not_be_utf_8() {
        let mut request = fields(&[(":method", "POST")]);
        request.push(("x-raw".to_owned(), b"\xff\xfeacme".to_vec()));
        let ends =
            |text| Match { headers: vec![HeaderMatch { name: Rc::from("x-raw"), value: HeaderValueMatch::Text(text) }], ..every_post() };
        assert!(meets(ends(suffix("acme")), &request));
        assert!(!meets(ends(exact("acme")), &request));
    }
}
