//! The whole comparison, from two answers to a judgement: a table of the rules.

mod encoded;
mod open_inference;
mod openai;
mod openai_joined;
mod openai_streams;
mod openai_unread;
mod oracle;
mod pairs;
mod properties;
mod real_grpc;
mod real_kserve_v1;
mod real_open_inference;
mod real_openai;
mod real_rows;
mod row_properties;
mod tasks;

use std::rc::Rc;
use std::task::Poll;

use crate::capture::{Held, Ledger, Overflow};
use crate::compare::Comparison;
use crate::compare::answer::{Answer, Unread};
use crate::compare::judgement::{Judgement, Kind, Report};
use crate::compare::read::reader::Bounds;
use crate::compare::read::wire_format::{Endpoint, WireFormat};
use crate::compare::side::Side;
use crate::config::{Compare, GivenTolerance, Protocol, Unordered};
use crate::labels::Label;
use crate::path::{PathPattern, Step};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn path(text: &str) -> PathPattern {
    PathPattern::parse(text).unwrap()
}

fn within(absolute: f64, relative: f64) -> Compare {
    Compare { default: GivenTolerance { absolute: Some(absolute), relative: Some(relative) }, ..Compare::exact() }
}

fn ignoring(paths: &[&str]) -> Compare {
    Compare { ignore: paths.iter().map(|text| path(text)).collect(), ..Compare::exact() }
}

fn unordered(text: &str, by: Option<&str>) -> Compare {
    Compare { unordered: vec![Unordered { path: path(text), by: by.map(str::to_owned) }], ..Compare::exact() }
}

fn bounds() -> Bounds {
    Bounds { ledger: Ledger::new(usize::MAX), body: 1 << 20 }
}

fn answer(body: &[u8]) -> Answer {
    Answer {
        status: 200,
        content_type: b"application/json".to_vec(),
        content_encoding: Vec::new(),
        inference_header_length: Vec::new(),
        grpc_encoding: Vec::new(),
        body: Ok(Held::from(body.to_vec()).into()),
    }
}

/// What a step has come to that must be done.
fn done<T>(step: Poll<T>) -> T {
    match step {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("not done"),
    }
}

/// Steps until it is done.
fn until_done<T>(mut step: impl FnMut() -> Poll<T>) -> T {
    loop {
        if let Poll::Ready(done) = step() {
            return done;
        }
    }
}

fn judge_answers(protocol: Protocol, plan: &Compare, primary: Answer, shadow: Answer) -> Judgement {
    let wire_format = WireFormat::of(protocol, Endpoint::Other, &primary.content_type);
    done(Comparison::new(wire_format, Rc::new(plan.clone()), bounds(), primary, shadow).step(&mut usize::MAX.clone())).judgement
}

fn judge(primary: &[u8], shadow: &[u8], plan: &Compare) -> Judgement {
    judge_answers(Protocol::Json, plan, answer(primary), answer(shadow))
}

/// A judgement in one line: the verdict, and what belongs to it.
fn say(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Identical => "identical".to_owned(),
        Judgement::Equivalent => "equivalent".to_owned(),
        Judgement::Diverged(found) => format!("{} at {}", found.kind.label(), found.path),
        Judgement::Incomparable { side, reason } => format!("{side:?}: {reason}"),
        Judgement::LeftUnread { path, .. } => format!("unread {path}"),
    }
}

#[track_caller]
fn check(primary: &str, shadow: &str, plan: &Compare, expected: &str) {
    assert_eq!(say(&judge(primary.as_bytes(), shadow.as_bytes(), plan)), expected, "{primary} against {shadow}");
}

#[test]
fn same_bytes_are_identical_and_other_bytes_may_be_equivalent() {
    check("{}", "{}", &Compare::exact(), "identical");
    check("", "", &Compare::exact(), "identical");
    check("not JSON", "not JSON", &Compare::exact(), "identical");
    check("{}", " {\n} ", &Compare::exact(), "equivalent");
    check(r#"{"a":1,"b":[true,null]}"#, r#"{"b":[true,null],"a":1}"#, &Compare::exact(), "equivalent");
    check("[1]", "[1.0]", &Compare::exact(), "equivalent");
    check("1e2", "100", &Compare::exact(), "equivalent");
}

#[test]
fn each_kind_has_its_place() {
    let plan = Compare::exact();
    check("1", "2", &plan, "number at $");
    check("[1]", "[2]", &plan, "number at [0]");
    check(r#"{"a":1}"#, r#"{"a":"1"}"#, &plan, "type at a");
    check(r#"{"a":{}}"#, r#"{"a":[]}"#, &plan, "type at a");
    check(r#"{"a":true}"#, r#"{"a":1}"#, &plan, "type at a");
    check(r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, &plan, "missing at a.b");
    check(r#"{"a":{}}"#, r#"{"a":{"b":1}}"#, &plan, "extra at a.b");
    check(r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, &plan, "length at a");
    check("[[1,2],[]]", "[[1,3],[0]]", &plan, "number at [0][1]");
    check(r#"["x"]"#, r#"["y"]"#, &plan, "text at [0]");
    check("[false]", "[true]", &plan, "boolean at [0]");
    check("[null]", "[0]", &plan, "null at [0]");
    check("[[]]", "[null]", &plan, "null at [0]");
    check("[null,1]", "[null,1.5]", &plan, "number at [1]");
    check(r#"{"outputs":[{"data":[0.1,0.2]}]}"#, r#"{"outputs":[{"data":[0.1,0.3]}]}"#, &plan, "number at outputs[0].data[1]");
}

#[test]
fn the_first_difference_is_the_first_in_sorted_order() {
    let plan = Compare::exact();
    check(r#"{"b":1,"a":1}"#, r#"{"a":2,"b":2}"#, &plan, "number at a");
    check(r#"{"c":1,"b":1}"#, r#"{"c":2,"a":2}"#, &plan, "extra at a");
    check(r#"{"c":1,"b":1}"#, r#"{"c":2,"d":2}"#, &plan, "missing at b");
    check(r#"{"a":[1],"b":1}"#, r#"{"a":[9,9],"b":2}"#, &plan, "length at a");
    check(r#"{"a":[{"z":1,"y":[1,2]}]}"#, r#"{"a":[{"y":[1,3],"z":2}]}"#, &plan, "number at a[0].y[1]");
    // By code point, not by UTF-16 code unit, and whatever the spelling.
    check(r#"{"\ud83d\ude00":1,"\uff5e":1}"#, r#"{"😀":2,"～":2}"#, &plan, "number at [\"～\"]");
    check(r#"{"\u0061":1,"B":1}"#, r#"{"a":2,"B":2}"#, &plan, "number at B");
}

#[test]
fn of_duplicate_names_the_last_wins() {
    check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#, &Compare::exact(), "equivalent");
    check(r#"{"a":1,"b":0,"a":2,"a":3}"#, r#"{"b":0,"a":4,"a":4,"\u0061":3}"#, &Compare::exact(), "equivalent");
    check(r#"{"a":2,"a":1}"#, r#"{"a":2}"#, &Compare::exact(), "number at a");
    check(r#"{"a":1,"b":1,"a":1,"b":2}"#, r#"{"a":1}"#, &Compare::exact(), "missing at b");
}

#[test]
fn numbers_are_equal_within_either_tolerance() {
    check("1.0", "1.05", &within(0.1, 0.0), "equivalent");
    check("1.0", "1.25", &within(0.25, 0.0), "equivalent");
    check("1.0", "1.25", &within(0.24, 0.0), "number at $");
    check("100", "101", &within(0.0, 0.01), "equivalent");
    check("101", "100", &within(0.0, 0.01), "equivalent");
    check("-100", "-101.5", &within(0.0, 0.01), "number at $");
    // Either of them, not their sum.
    check("1.0", "1.15", &within(0.1, 0.1), "number at $");
    check("0", "1e-9", &within(0.0, 0.5), "number at $");
    check("0", "1e-9", &within(1e-6, 0.0), "equivalent");
    check("-0", "0", &Compare::exact(), "equivalent");
    check("-0.0", "0", &Compare::exact(), "equivalent");
    check("1e-400", "0", &Compare::exact(), "equivalent");
}

#[test]
fn integers_beyond_doubles_are_exact() {
    let plan = within(1e9, 0.5);
    check("9007199254740993", "9007199254740992", &plan, "number at $");
    check("9007199254740992", "9007199254740993", &plan, "number at $");
    check("-9007199254740993", "-9007199254740992", &plan, "number at $");
    check("9007199254740993", "9007199254740993 ", &plan, "equivalent");
    check("9007199254740992", "9007199254740991", &plan, "equivalent");
    check("9007199254740993", "9007199254740993.0", &Compare::exact(), "equivalent");
    check("9007199254740993", "1", &plan, "number at $");
    let huge = "7".repeat(5000);
    check(&huge, &format!("{huge} "), &plan, "equivalent");
    check(&huge, &format!("{}8", &huge[1..]), &plan, "number at $");
    check(&huge, &format!("-{huge}"), &plan, "number at $");
}

#[test]
fn what_is_no_finite_double() {
    let plan = within(1e300, 1e300);
    check("[NaN]", "[ NaN]", &plan, "equivalent");
    check("[Infinity,-Infinity]", "[Infinity, -Infinity]", &plan, "equivalent");
    check("Infinity", "-Infinity", &plan, "number at $");
    check("Infinity", "1", &plan, "number at $");
    check("1", "-Infinity", &plan, "number at $");
    check("NaN", "0", &plan, "number at $");
    check("NaN", "Infinity", &plan, "number at $");
    check("NaN", "null", &plan, "null at $");
    check("NaN", "\"NaN\"", &plan, "type at $");
    // Too large for a double is infinite, as in the readers of Python and JavaScript.
    check("1e999", "Infinity", &Compare::exact(), "equivalent");
    check("1e999", "1e998", &Compare::exact(), "equivalent");
    check("1e999", "-1e999", &plan, "number at $");
    check("1e999", "1e308", &plan, "number at $");
    check("1.5e308", "-1.5e308", &within(0.0, 1.9), "number at $");
    check("1.5e308", "-1.5e308", &within(0.0, 2.0), "equivalent");
    check("1.5e308", "-1.5e308", &within(1.7e308, 0.0), "number at $");
}

#[test]
fn strings_are_compared_by_what_they_mean() {
    check(r#""a\/\u0062\n\ud83d\ude00""#, "\"a/b\\n😀\"", &Compare::exact(), "equivalent");
    check(r#""\u00e9""#, "\"é\"", &Compare::exact(), "equivalent");
    check(r#""\ud83d""#, r#""\uD83D""#, &Compare::exact(), "equivalent");
    check(r#""\ud83d""#, r#""\ufffd""#, &Compare::exact(), "text at $");
    check(r#""\ude00\ud83d""#, r#""\ud83d\ude00""#, &Compare::exact(), "text at $");
    check(r#""\ud83d\u0061""#, r#""\ud83da""#, &Compare::exact(), "equivalent");
    check(r#""a""#, r#""ab""#, &Compare::exact(), "text at $");
    check(r#""a\n""#, r#""a""#, &Compare::exact(), "text at $");
    check(r#""""#, r#" """#, &Compare::exact(), "equivalent");
}

#[test]
fn tolerances_hold_at_their_paths() {
    let mut plan = within(0.0, 0.0);
    let tolerance = |absolute| GivenTolerance { absolute: Some(absolute), relative: Some(0.0) };
    plan.tolerances = vec![
        (path("o[*].score"), tolerance(0.1)),
        (path("o[1].score"), tolerance(10.0)),
        (path("$"), tolerance(3.0)),
        (path("m[1]"), tolerance(1.0)),
        (path("[\"a b\"]"), tolerance(1.0)),
    ];
    check(r#"{"o":[{"score":1.0}]}"#, r#"{"o":[{"score":1.05}]}"#, &plan, "equivalent");
    check(r#"{"o":[{"score":1.0}]}"#, r#"{"o":[{"score":1.25}]}"#, &plan, "number at o[0].score");
    // The first that matches wins.
    check(r#"{"o":[{},{"score":1}]}"#, r#"{"o":[{},{"score":2}]}"#, &plan, "number at o[1].score");
    // Nothing above or below the path is meant.
    check(r#"{"o":[{"score":[1.0]}]}"#, r#"{"o":[{"score":[1.05]}]}"#, &plan, "number at o[0].score[0]");
    check("[1]", "[2]", &plan, "number at [0]");
    check("1", "4", &plan, "equivalent");
    check(r#"{"m":[0,0,0]}"#, r#"{"m":[0,1,0]}"#, &plan, "equivalent");
    check(r#"{"m":[0,0,0]}"#, r#"{"m":[0,1,1]}"#, &plan, "number at m[2]");
    check(r#"{"a b":1}"#, r#"{"\u0061 b":2}"#, &plan, "equivalent");
    // Integers beyond 2^53 stay exact.
    check("9007199254740993", "9007199254740994", &plan, "number at $");
}

#[test]
fn ignored_paths_do_not_count() {
    let plan = ignoring(&["id", "o[*].p", "o[1]", "l[*]", "[\"x y\"].z"]);
    check(r#"{"id":1,"a":1}"#, r#"{"id":{"b":2},"a":1}"#, &plan, "equivalent");
    check(r#"{"id":1}"#, "{}", &plan, "equivalent");
    check("{}", r#"{"id":1}"#, &plan, "equivalent");
    check(r#"{"o":[{"p":1,"q":1},1]}"#, r#"{"o":[{"p":2,"q":1},2]}"#, &plan, "equivalent");
    check(r#"{"o":[{"p":1,"q":1}]}"#, r#"{"o":[{"q":2}]}"#, &plan, "number at o[0].q");
    check(r#"{"o":[0,0,0]}"#, r#"{"o":[0,1,1]}"#, &plan, "number at o[2]");
    check(r#"{"a":{"id":1}}"#, r#"{"a":{"id":2}}"#, &plan, "number at a.id");
    // Elements do not count, the length of their array does.
    check(r#"{"l":[1,2]}"#, r#"{"l":["a",[]]}"#, &plan, "equivalent");
    check(r#"{"l":[1,2]}"#, r#"{"l":[1]}"#, &plan, "length at l");
    check(r#"{"x y":{"z":1}}"#, r#"{"x y":{"z":2}}"#, &plan, "equivalent");
    check("[1]", "{}", &ignoring(&["$"]), "equivalent");
    check("[1]", "{", &ignoring(&["$"]), "Shadow: JSON ends early");
}

#[test]
fn unordered_scalars_are_compared_sorted() {
    let plan = unordered("t", None);
    check(r#"{"t":[3,1,2]}"#, r#"{"t":[1,2,3]}"#, &plan, "equivalent");
    check(r#"{"t":["b","a",1,true,null,false]}"#, r#"{"t":[null,true,"\u0061",false,"b",1.0]}"#, &plan, "equivalent");
    check(r#"{"t":[3,1,2]}"#, r#"{"t":[1,2,2]}"#, &plan, "number at t[0]");
    check(r#"{"t":["a","b"]}"#, r#"{"t":["b",1]}"#, &plan, "type at t[0]");
    check(r#"{"t":[1,2]}"#, r#"{"t":[2,1,1]}"#, &plan, "length at t");
    check(r#"{"t":[1,9007199254740993,9007199254740992]}"#, r#"{"t":[9007199254740992,9007199254740993,1]}"#, &plan, "equivalent");
    check(r#"{"t":[NaN,1,-Infinity]}"#, r#"{"t":[-Infinity,NaN,1]}"#, &plan, "equivalent");
    // In order, where not all are scalars.
    check(r#"{"t":[1,[]]}"#, r#"{"t":[[],1]}"#, &plan, "type at t[0]");
    check(r#"{"t":[1,2]}"#, r#"{"t":[[],1]}"#, &plan, "type at t[0]");
    check(r#"{"u":[1,2]}"#, r#"{"u":[2,1]}"#, &plan, "number at u[0]");
    let mut tolerant = plan;
    tolerant.tolerances = vec![(path("t[*]"), GivenTolerance { absolute: Some(0.25), relative: Some(0.0) })];
    check(r#"{"t":[3,1,2]}"#, r#"{"t":[1.25,2,3.25]}"#, &tolerant, "equivalent");
}

#[test]
fn unordered_objects_are_matched_by_a_member() {
    let plan = unordered("r", Some("id"));
    check(r#"{"r":[{"id":1,"v":1},{"id":2,"v":2}]}"#, r#"{"r":[{"v":2,"id":2},{"id":1.0,"v":1}]}"#, &plan, "equivalent");
    check(r#"{"r":[{"id":1,"v":1},{"id":2,"v":2}]}"#, r#"{"r":[{"id":2,"v":3},{"id":1,"v":1}]}"#, &plan, "number at r[1].v");
    check(r#"{"r":[{"id":"b"},{"id":"a"}]}"#, r#"{"r":[{"id":"c"},{"id":"b"}]}"#, &plan, "missing at r[1]");
    check(r#"{"r":[{"id":"b"},{"id":"c"}]}"#, r#"{"r":[{"id":"b"},{"id":"a"}]}"#, &plan, "extra at r[1]");
    check(r#"{"r":[{"id":"b"}]}"#, r#"{"r":[{"id":"b"},{"id":"a"}]}"#, &plan, "length at r");
    // By order among those of one key, and among those without.
    check(r#"{"r":[{"id":1,"v":1},{"id":1,"v":2}]}"#, r#"{"r":[{"id":1,"v":2},{"id":1,"v":1}]}"#, &plan, "number at r[0].v");
    check(r#"{"r":[7,{"id":1},8,{"id":[]}]}"#, r#"{"r":[{"id":1},7,8,{"id":[]}]}"#, &plan, "equivalent");
    check(r#"{"r":[7,{"id":1},8]}"#, r#"{"r":[{"id":1},7,9]}"#, &plan, "number at r[2]");
    check(r#"{"r":[7,{"id":1},8]}"#, r#"{"r":[{"id":1},7,{"id":2}]}"#, &plan, "extra at r[2]");
    check(r#"{"r":[{"id":1},{"id":1}]}"#, r#"{"r":[{"id":1},{}]}"#, &plan, "missing at r[1]");
    // Those with the member come before those without; of a duplicate member the last counts.
    check(r#"{"r":[{},{"id":1}]}"#, r#"{"r":[7,8]}"#, &plan, "missing at r[1]");
    check(r#"{"r":[{"id":1,"id":2}]}"#, r#"{"r":[{"id":2}]}"#, &plan, "equivalent");
    check(r#"{"r":[{"id":1,"id":[]}]}"#, r#"{"r":[{"id":[]}]}"#, &plan, "equivalent");
    let mut ignoring = plan;
    ignoring.ignore = vec![path("r[*].v"), path("r[2]")];
    check(r#"{"r":[{"id":1,"v":1},{"id":2}]}"#, r#"{"r":[{"id":2,"v":3},{"id":1}]}"#, &ignoring, "equivalent");
    check(r#"{"r":[{"id":1},{"id":2}]}"#, r#"{"r":[{"id":2,"v":3},{"id":1},{"id":3}]}"#, &ignoring, "length at r");
}

#[test]
fn what_can_not_be_read_is_incomparable() {
    let plan = Compare::exact();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    check("", "{}", &plan, "Primary: JSON ends early");
    check("{}", "", &plan, "Shadow: JSON ends early");
    check("[", "{", &plan, "Primary: JSON ends early");
    check("{} x", "{}", &plan, "Primary: malformed JSON: something after the end");
    check("[01]", "[]", &plan, "Primary: malformed JSON: no comma between values");
    check("[1.]", "[]", &plan, "Primary: malformed JSON: bad number");
    check("[1}", "[]", &plan, "Primary: malformed JSON: brackets don't match");
    check("{\"a\" 1}", "[]", &plan, "Primary: malformed JSON: no colon after a name");
    check("{1:1}", "[]", &plan, "Primary: malformed JSON: no name where one belongs");
    check("[,]", "[]", &plan, "Primary: malformed JSON: no value where one belongs");
    check("\"\\x\"", "[]", &plan, "Primary: malformed JSON: a bad escape");
    check("\"\n\"", "[]", &plan, "Primary: malformed JSON: a control character in a string");
    check("[]", &format!("1.{}", "0".repeat(5000)), &plan, "Shadow: a number is too long");
    check(&deep(64), &format!("{} ", deep(64)), &plan, "equivalent");
    check(&deep(65), "[]", &plan, "Primary: JSON is nested too deep");
    check("[]", &"[".repeat(10_000), &plan, "Shadow: JSON is nested too deep");
    check("[]", &"{\"a\":".repeat(10_000), &plan, "Shadow: JSON is nested too deep");
    assert_eq!(say(&judge(b"\"\xff\"", b"[]", &plan)), "Primary: not UTF-8");
}

#[test]
fn heads_decide_before_bodies() {
    let plan = Compare::exact();
    let judge = |protocol, primary: &Answer, shadow: &Answer| say(&judge_answers(protocol, &plan, primary.clone(), shadow.clone()));
    let plain = answer(b"[1]");
    let other = Answer { status: 201, ..plain.clone() };
    let absent = Answer { body: Err(Unread::Overflow(Overflow::Body)), ..plain.clone() };
    let crowded = Answer { body: Err(Unread::Overflow(Overflow::Memory)), ..plain.clone() };
    assert_eq!(judge(Protocol::Auto, &plain, &crowded), "Shadow: no room for it in limits.memory");
    let encoded = Answer { content_encoding: b"compress".to_vec(), ..plain.clone() };
    let identity = Answer { content_encoding: b" Identity".to_vec(), ..plain.clone() };
    assert_eq!(judge(Protocol::Auto, &plain, &other), "status at $");
    assert_eq!(judge(Protocol::Auto, &absent, &other), "status at $");
    assert_eq!(judge(Protocol::Auto, &plain, &absent), "Shadow: longer than limits.body");
    assert_eq!(judge(Protocol::Auto, &absent, &absent), "Primary: longer than limits.body");
    let bytes = answer(b"no JSON");
    assert_eq!(judge(Protocol::Opaque, &bytes, &absent), "Shadow: longer than limits.body");
    assert_eq!(judge(Protocol::Auto, &encoded, &encoded), "Primary: unknown content coding");
    assert_eq!(judge(Protocol::Opaque, &plain, &encoded), "Shadow: unknown content coding");
    assert_eq!(judge(Protocol::Auto, &identity, &plain), "identical");
    let Judgement::Diverged(found) = judge_answers(Protocol::Auto, &plan, plain, other) else { panic!() };
    assert_eq!(found.values, ("200".to_owned(), "201".to_owned()));
}

#[test]
fn the_primary_content_type_decides_under_auto() {
    let judge = |protocol, content_type: &str| {
        let primary = Answer { content_type: content_type.as_bytes().to_vec(), ..answer(b"[1]") };
        let shadow = Answer { content_type: b"text/plain".to_vec(), ..answer(b"[ 1]") };
        say(&judge_answers(protocol, &Compare::exact(), primary, shadow))
    };
    for json in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/problem+json ;x=y"] {
        assert_eq!(judge(Protocol::Auto, json), "equivalent", "{json}");
    }
    for other in ["", "text/plain", "application/x-ndjson", "application/jsonl", "application/json-seq", "text/plain; application/json"] {
        assert_eq!(judge(Protocol::Auto, other), "text at $", "{other}");
    }
    assert_eq!(judge(Protocol::Opaque, "application/json"), "text at $");
    assert_eq!(judge(Protocol::Json, "text/plain"), "equivalent");
}

#[test]
fn a_divergence_says_what_and_where() {
    let diverged = |primary: &str, shadow: &str| match judge(primary.as_bytes(), shadow.as_bytes(), &Compare::exact()) {
        Judgement::Diverged(found) => found,
        other => panic!("{other:?}"),
    };
    let found = diverged(r#"{"o":[{"a b":[1]}]}"#, r#"{"o":[{"a b":[2]}]}"#);
    assert_eq!((found.kind, found.path.as_str(), found.pattern.as_str()), (Kind::Number, "o[0][\"a b\"][0]", "o[*][\"a b\"][*]"));
    assert_eq!((found.relative, found.values), (Some(0.5), ("1".to_owned(), "2".to_owned())));
    let found = diverged(r#"{"a":"x\n"}"#, r#"{"b":[1]}"#);
    assert_eq!((found.relative, found.values), (None, (r#""x\n""#.to_owned(), String::new())));
    let found = diverged("[1, 2]", "[ [3]]");
    assert_eq!(found.values, ("[1, 2]".to_owned(), "[ [3]]".to_owned()));
    let found = diverged(&format!("\"{}\"", "é".repeat(100)), "[]");
    assert_eq!(found.values.0, format!("\"{}", "é".repeat(63)));
    assert_eq!(diverged("NaN", "1").relative, None);
    assert_eq!(diverged("1e308", "-1e308").relative, Some(2.0));
}

#[test]
fn paths_can_be_read_back() {
    for (name, shown) in [
        ("plain_Name-1", "plain_Name-1"),
        ("", "[\"\"]"),
        ("the name", "[\"the name\"]"),
        ("my_tag", "[\"my_tag\"]"),
        (r#"q\"\\"#, r#"["q\"\\"]"#),
        (r"\u0061", "a"),
        ("é", "[\"é\"]"),
        ("a.b", "[\"a.b\"]"),
        ("$", "[\"$\"]"),
        ("[0]", "[\"[0]\"]"),
    ] {
        let body = |value| format!(r#"[{{"{name}":{{"x":{value}}}}}]"#).into_bytes();
        let Judgement::Diverged(found) = judge(&body(1), &body(2), &Compare::exact()) else { panic!() };
        let dot = if shown.starts_with('[') { "" } else { "." };
        assert_eq!(found.path, format!("[0]{dot}{shown}.x"));
        assert!(matches!(judge(&body(1), &body(2), &ignoring(&[&found.path])), Judgement::Equivalent), "{}", found.path);
        assert!(matches!(judge(&body(1), &body(2), &ignoring(&[&found.pattern])), Judgement::Equivalent), "{}", found.pattern);
    }
}

#[test]
fn long_names_are_cut() {
    for name in ["n".repeat(100_000), "é".repeat(100_000), "[]".repeat(100_000)] {
        let body = |value| format!(r#"{{"{name}":[{{"x":{value}}}]}}"#).into_bytes();
        let Judgement::Diverged(found) = judge(&body(1), &body(2), &Compare::exact()) else { panic!() };
        for text in [found.path, found.pattern] {
            assert!(text.len() < 2100 && text.ends_with('…') && text.matches('…').count() == 1, "{text}");
        }
    }
}
