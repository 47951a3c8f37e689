//! Warnings of `stats_config`, and of what else a filter of Envoy needs.

use crate::run::{assert_warned, edited, file, warnings};

const MINIMAL: &str = "envoy/minimal.yaml";
const KIND: &str = r"  - {tag_name: kind, regex: '(kind=\.=(.*?);\.;)'}";
const MATCHER: &str = "stats_config:\n  stats_matcher: ";

fn edited_file(name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    warnings([file("statistics", &format!("{name}.yaml"), &edited(MINIMAL, changes))])
}

#[test]
fn every_label_needs_its_tag() {
    let lacks = "stats_config.stats_tags does not extract kind, so";
    for (name, changes, expected) in [
        ("complete", &[][..], &[][..]),
        ("lacking", &[(KIND, "")], &[lacks]),
        ("misspelt", &[("(kind=", "(kinds=")], &[lacks]),
        ("unescaped", &[(r"(kind=\.=", "(kind=")], &[lacks]),
        ("renamed", &[("tag_name: kind", "tag_name: gnomon_kind")], &[lacks]),
        ("endless", &[(r"(kind=\.=(.*?);\.;)", r"(kind=\.=(.*?))")], &[lacks]),
        ("half an end", &[(r"(kind=\.=(.*?);\.;)", r"(kind=\.=(.*?);)")], &[lacks]),
        ("other words", &[(r"(kind=\.=(.*?);\.;)", r"^wasmcustom\..*(kind=[.]=([^;]*);[.];)")], &[]),
        ("none", &[("  stats_tags:", "  other:")], &["does not extract any of Gnomon's labels"]),
        ("absent", &[("\nstats_config:", "\nother:")], &["does not extract any of Gnomon's labels"]),
    ] {
        assert_warned(&edited_file(name, changes), expected, name);
    }
}

#[test]
fn a_matcher_must_let_all_series_through() {
    let patterns = |list: &str, patterns: &str| format!("{{{list}: {{patterns: [{patterns}]}}}}");
    let (includes, excludes) = (|text: &str| patterns("inclusion_list", text), |text: &str| patterns("exclusion_list", text));
    let hides = |list: &str| format!("stats_config.stats_matcher.{list} hides wasmcustom.gnomon_");
    let (hidden, excluded) = (hides("inclusion_list"), hides("exclusion_list"));
    let untold = "can't be told from its regular expressions";
    for (matcher, expected) in [
        ("{reject_all: true}".to_owned(), "reject_all hides all statistics"),
        ("{reject_all: false}".to_owned(), ""),
        (includes("{prefix: cluster.}"), &*hidden),
        (includes(""), &hidden),
        (includes("{prefix: cluster.}, {prefix: wasmcustom.gnomon_}"), ""),
        (includes("{prefix: wasm}"), ""),
        (includes("{contains: gnomon}"), ""),
        (includes("{contains: GNOMON, ignore_case: true}"), ""),
        (includes("{contains: GNOMON}"), &hidden),
        (includes("{exact: wasmcustom.gnomon_sampled_total}"), &hidden),
        (includes("{prefix: wasmcustom.gnomon_s}"), &hidden),
        (includes(r"{safe_regex: {regex: '.*gnomon.*'}}"), ""),
        (includes(r"{safe_regex: {regex: 'wasmcustom\.gnomon_.*|http.*'}}"), ""),
        (includes(r"{safe_regex: {regex: 'gnomon'}}"), &hidden),
        (includes(r"{safe_regex: {regex: '^wasmcustom.?gnomon_.+$'}}"), ""),
        (includes(r"{safe_regex: {regex: 'wasmcustom.?.?gnomo?_.*'}}"), &hidden),
        (includes(r"{safe_regex: {regex: 'http|.+'}}"), ""),
        (includes(r"{safe_regex: {regex: '(http|wasmcustom).*'}}"), untold),
        (includes(r"{safe_regex: {regex: '(http|wasmcustom).*'}}, {prefix: wasm}"), ""),
        (excludes("{prefix: wasmcustom}"), &excluded),
        (excludes("{prefix: cluster.}, {suffix: _rq}"), ""),
        (excludes(""), ""),
        (excludes("{contains: open_pairs}"), "exclusion_list hides wasmcustom.gnomon_open_pairs, and workers"),
        (excludes(r"{safe_regex: {regex: '.*_total.*'}}"), &excluded),
        (excludes(r"{safe_regex: {regex: '[a-z]+'}}"), untold),
    ] {
        let found = edited_file("matcher", &[("stats_config:", &format!("{MATCHER}{matcher}"))]);
        let expected: &[&str] = if expected.is_empty() { &[] } else { &[expected] };
        assert_warned(&found, expected, &matcher);
    }
}

#[test]
fn it_has_to_be_said_what_follows_a_crash() {
    const POLICY: &str = "failure_policy: FAIL_RELOAD";
    let missing = "without failure_policy every request of a worker would get 503 for good";
    for (policy, expected) in [
        ("other: x", &[missing][..]),
        ("failure_policy: UNSPECIFIED", &[missing]),
        ("failure_policy: 0", &[missing]),
        ("failurePolicy: FAIL_OPEN", &[]),
        ("failure_policy: 1", &[]),
        ("failure_policy: FAIL_CLOSED", &[]),
        ("fail_open: true", &[]),
        ("fail_open: false", &[missing]),
    ] {
        assert_warned(&edited_file("policy", &[(POLICY, policy)]), expected, policy);
    }
}

#[test]
fn a_filter_needs_a_name() {
    let name = "                name: gnomon ";
    for (own, expected) in [(name, &[][..]), ("                other: gnomon ", &["without config.name"])] {
        assert_warned(&edited_file("name", &[(name, own)]), expected, own);
    }
}

#[test]
fn what_is_pushed_must_not_reject() {
    let text = edited("envoy/dynamic-gnomon.yaml", &[(r#""on_invalid": "pass""#, r#""on_invalid": "reject""#)]);
    assert_warned(&warnings([file("pushed", "a.yaml", &text)]), &["with on_invalid: reject an Envoy that starts while"], "reject");
}

#[test]
fn a_filter_that_denies_stands_before() {
    let filter = |name: &str| {
        format!("- {{name: a, typed_config: {{\"@type\": type.googleapis.com/envoy.extensions.filters.http.{name}}}}}\n          ")
    };
    let (gnomon, router) = ("- name: gnomon\n", "- name: envoy.filters.http.router");
    for (name, behind, before) in [
        ("rbac.v3.RBAC", &["http_filters: rbac stands behind it and denies requests that are copied already"][..], &[][..]),
        ("ext_authz.v3.ExtAuthz", &["http_filters: ext_authz stands behind it"], &[]),
        ("rbac.v3.RBAC, rules: {action: DENY}", &["http_filters: rbac"], &[]),
        ("rbac.v3.RBAC, rules: {action: LOG}", &[], &[]),
        ("rbac.v3.RBAC, shadow_rules: {action: DENY}", &[], &[]),
        ("cors.v3.Cors", &[], &[]),
    ] {
        let at = |place: &str| edited_file("denier", &[(place, &format!("{}{place}", filter(name)))]);
        assert_warned(&at(router), behind, name);
        assert_warned(&at(gnomon), before, name);
    }
}
