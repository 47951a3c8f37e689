//! Members of JSON bodies set, removed and renamed.

use std::task::Poll;

use proptest::prelude::*;
use serde_json::Value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{body, changes, copied, copy, reason, shaped, shaping};
use crate::config::CopyRequest;
use crate::http::Request;

fn text(changes: &CopyRequest, body: &str) -> String {
    String::from_utf8(copy(changes, body.as_bytes())).unwrap()
}

#[test]
fn only_the_value_of_the_top_level_model_changes() {
    for (body, expected) in [
        (r#"{"model":"old"}"#, r#"{"model":"new"}"#),
        (" {\t\"a\" : 1 ,\r\n\"model\" : \"old\" , \"b\":[ ] } \n", " {\t\"a\" : 1 ,\r\n\"model\" : \"new\" , \"b\":[ ] } \n"),
        (r#"{"model":"","model":"x"}"#, r#"{"model":"new","model":"new"}"#),
        (r#"{"model":"a\"b\\","b":"\"}"}"#, r#"{"model":"new","b":"\"}"}"#),
        (r#"{"\u006dod\u0065L":1,"\u006Dod\u0065l":"old"}"#, r#"{"\u006dod\u0065L":1,"\u006Dod\u0065l":"new"}"#),
        (
            r#"{"a":{"model":"x"},"b":[{"model":"y"}],"c":"model","model":"old"}"#,
            r#"{"a":{"model":"x"},"b":[{"model":"y"}],"c":"model","model":"new"}"#,
        ),
        (r#"{"a":"},\"model\":\"x","model":"old","b":["]",{"}":"{"}]}"#, r#"{"a":"},\"model\":\"x","model":"new","b":["]",{"}":"{"}]}"#),
        (
            r#"{"models":"x","mode":"y","Model":"z","mo\ndel":"q","model":"old"}"#,
            r#"{"models":"x","mode":"y","Model":"z","mo\ndel":"q","model":"new"}"#,
        ),
        (r#"{"a":-1.5E+3,"b":NaN,"c":-Infinity,"model":"old"}"#, r#"{"a":-1.5E+3,"b":NaN,"c":-Infinity,"model":"new"}"#),
    ] {
        assert_eq!(text(&changes(Some("new"), &[], &[]), body), expected);
    }
    assert_eq!(text(&changes(Some("a\"\\\n\u{1f}é"), &[], &[]), r#"{"model":""}"#), r#"{"model":"a\"\\\n\u001fé"}"#);
}

#[test]
fn a_model_that_is_no_text_is_replaced() {
    for body in [r#"{"model":1}"#, r#"{"model":null}"#, r#"{"model":{"model":"old"}}"#, r#"{"model":["old"]}"#] {
        assert_eq!(text(&changes(Some("new"), &[], &[]), body), r#"{"model":"new"}"#, "{body}");
    }
}

#[test]
fn a_missing_model_is_added_where_each_request_names_one() {
    let adding = |text: &str, changes: &CopyRequest| {
        let mut shaping = shaping();
        let shaped = shaping.shape(changes, true, &Request::new(&[]), &body(text.as_bytes()), &mut usize::MAX.clone());
        shaped.map(|shaped| String::from_utf8(shaped.map_err(reason).unwrap().body.bytes().to_vec()).unwrap())
    };
    for (before, added, otherwise) in [
        ("{}", r#"{"model":"new"}"#, "{}"),
        (r#"{"a":1}"#, r#"{"a":1,"model":"new"}"#, r#"{"a":1}"#),
        (r#"{"a":{"model":"old"}}"#, r#"{"a":{"model":"old"},"model":"new"}"#, r#"{"a":{"model":"old"}}"#),
        (r#"{"Model":"old"}"#, r#"{"Model":"old","model":"new"}"#, r#"{"Model":"old"}"#),
        (r#"{"\u006dodel":"old"}"#, r#"{"\u006dodel":"new"}"#, r#"{"\u006dodel":"new"}"#),
        (r#"{"model":"a","model":null}"#, r#"{"model":"new","model":"new"}"#, r#"{"model":"new","model":"new"}"#),
        ("", "", ""),
    ] {
        let model = changes(Some("new"), &[], &[]);
        assert_eq!(adding(before, &model), Poll::Ready(added.to_owned()), "{before}");
        assert_eq!(text(&model, before), otherwise, "strict servers refuse a member that they don't know");
    }
    let more = changes(Some("new"), &[("seed", "7")], &["a"]);
    assert_eq!(adding(r#"{"a":1}"#, &more), Poll::Ready(r#"{"model":"new","seed":7}"#.to_owned()));
    assert_eq!(adding(r#"{"a":1}"#, &changes(None, &[("seed", "7")], &[])), Poll::Ready(r#"{"a":1,"seed":7}"#.to_owned()));
}

#[test]
fn members_go_with_their_comma() {
    for (body, expected) in [
        (r#"{"x":1,"b":2,"c":3}"#, r#"{"b":2,"c":3}"#),
        (r#"{"b":2,"x":1,"c":3}"#, r#"{"b":2,"c":3}"#),
        (r#"{"b":2,"c":3,"x":1}"#, r#"{"b":2,"c":3}"#),
        (r#"{"x":1}"#, "{}"),
        (r#"{"x":1,"y":[2],"x":3}"#, "{}"),
        (r#"{"x":1,"y":2,"b":3}"#, r#"{"b":3}"#),
        (r#"{"b":3,"x":1,"y":2}"#, r#"{"b":3}"#),
        (r#"{"x":1,"b":3,"y":{"x":1},"c":4,"x":","}"#, r#"{"b":3,"c":4}"#),
        (r#"{"x":1,"b":{"x":1},"\u0078":2}"#, r#"{"b":{"x":1}}"#),
        ("{ \"x\" : 1 , \"b\" : 2 }", "{ \"b\" : 2 }"),
        ("{ \"b\" : 2 , \"x\" : 1 }", "{ \"b\" : 2 }"),
        ("{ \"x\" : 1 , \"y\" : 1\n}", "{ \n}"),
        ("{}", "{}"),
    ] {
        assert_eq!(text(&changes(None, &[], &["x", "y"]), body), expected, "{body}");
    }
}

#[test]
fn members_are_set_where_they_stand_or_at_the_end() {
    for (body, expected) in [
        ("{}", r#"{"x":[1],"y":false}"#),
        (" { } ", " {\"x\":[1],\"y\":false } "),
        (r#"{"a":1}"#, r#"{"a":1,"x":[1],"y":false}"#),
        ("{ \"a\" : 1 } ", "{ \"a\" : 1,\"x\":[1],\"y\":false } "),
        (r#"{"x":{"x":2},"a":1}"#, r#"{"x":[1],"a":1,"y":false}"#),
        (r#"{"x":"1","a":1,"x":2.5,"y":true}"#, r#"{"x":[1],"a":1,"x":[1],"y":false}"#),
        (r#"{"\u0078":null,"y":true}"#, r#"{"\u0078":[1],"y":false}"#),
    ] {
        assert_eq!(text(&changes(None, &[("x", "[1]"), ("y", "false")], &[]), body), expected, "{body}");
    }
    assert_eq!(text(&changes(None, &[("a\"é\n", "1")], &[]), "{}"), r#"{"a\"é\n":1}"#);
}

#[test]
fn remove_then_rewrite_then_set() {
    for (body, expected) in [
        (r#"{"stream":true,"stream_options":{},"model":"old"}"#, r#"{"stream":false,"model":"new","seed":7}"#),
        (r#"{"stream_options":{}}"#, r#"{"stream":false,"seed":7}"#),
        (r#"{"model":"old","stream_options":{}}"#, r#"{"model":"new","stream":false,"seed":7}"#),
        (r#"{"stream_options":{},"model":["old"]}"#, r#"{"model":"new","stream":false,"seed":7}"#),
    ] {
        assert_eq!(text(&changes(Some("new"), &[("stream", "false"), ("seed", "7")], &["stream_options"]), body), expected, "{body}");
    }
    let both = changes(Some("new"), &[("model", "1")], &["model"]);
    assert_eq!(text(&both, r#"{"model":"old","a":1}"#), r#"{"a":1,"model":1}"#, "what is removed and set is set");
}

#[test]
fn what_is_no_object_has_no_copy() {
    let no_object = "JSON that is no object and has no members";
    for (body, why) in [
        (&b" "[..], "JSON ends early at byte 1"),
        (b"null", no_object),
        (br#""model""#, no_object),
        (br#"[{"model":"old"}]"#, no_object),
        (br#"{"model":"old""#, "JSON ends early at byte 14"),
        (br#"{"model":"old"#, "JSON ends early at byte 13"),
        (br#"{"model":"old"}}"#, "malformed JSON: something after the end at byte 15"),
        (br#"{"model":"old"} x"#, "malformed JSON: something after the end at byte 16"),
        (b"{\"model\":\"old\"}\0", "malformed JSON: something after the end (a NUL) at byte 15"),
        (br#"{"model":"old",}"#, "malformed JSON: no name where one belongs at byte 15"),
        (br#"{"model":"old" "a":1}"#, "malformed JSON: no comma between values at byte 15"),
        (br#"{"a":,"model":"old"}"#, "malformed JSON: no value where one belongs at byte 5"),
        (br#"{model:"old"}"#, "malformed JSON: no name where one belongs at byte 1"),
        (b"{\"model\":\"o\nd\"}", "malformed JSON: a control character in a string at byte 11"),
        (b"{\"model\":\"\xe9\"}", "not UTF-8 at byte 10"),
        (b"model=old", "malformed JSON: no value where one belongs at byte 0"),
        (b"\0{\"model\":\"old\"}", "malformed JSON: no value where one belongs (a NUL) at byte 0"),
        (b"{\0}\0", "UTF-16 text, not JSON"),
        (b"\0{\0}", "UTF-16 text, not JSON"),
        (b"\xff\xfe{\0}\0", "UTF-16 text, not JSON"),
        (b"\xfe\xff\0{\0}", "UTF-16 text, not JSON"),
        (b"{\0\0\0}\0\0\0", "UTF-32 text, not JSON"),
        (b"\0\0\0{\0\0\0}", "UTF-32 text, not JSON"),
        (b"\xff\xfe\0\0{\0\0\0}\0\0\0", "UTF-32 text, not JSON"),
        (b"\x1f\x8b\x08\0", "gzip data without content-encoding, not JSON"),
        (b"\x28\xb5\x2f\xfd\x04", "zstd data without content-encoding, not JSON"),
        ("[".repeat(65).as_bytes(), "JSON is nested deeper than 64 levels at byte 64"),
    ] {
        for changes in [changes(Some("new"), &[], &[]), changes(None, &[("a", "1")], &[]), changes(None, &[], &["b"])] {
            assert_eq!(copied(&changes, &[], body), Err(why.to_owned()), "{}", String::from_utf8_lossy(body));
            assert_eq!(copied(&changes, &[], b""), Ok(vec![]), "a request without a body");
        }
    }
}

#[test]
fn a_type_explains_a_body_and_never_decides() {
    let model = changes(Some("new"), &[], &[]);
    for (content_type, why) in [
        ("Multipart/Form-Data; boundary=x", "multipart/form-data, not JSON"),
        ("multipart/mixed", "a multipart body, not JSON"),
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded, not JSON"),
        ("application/grpc+proto", "a gRPC message, not JSON"),
        ("application/grpc-web", "a gRPC message, not JSON"),
        ("text/plain", "malformed JSON: no value where one belongs at byte 0"),
        ("application/json; charset=utf-16", "malformed JSON: no value where one belongs at byte 0"),
    ] {
        let headers = [("content-type", content_type)];
        assert_eq!(copied(&model, &headers, b"x=1"), Err(why.to_owned()), "{content_type}");
        assert_eq!(copied(&model, &headers, br#"{"model":"old"}"#).unwrap(), br#"{"model":"new"}"#, "{content_type}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_stays() {
    let all = changes(Some("new"), &[("a", "1")], &["b"]);
    assert_eq!(text(&all, "\u{feff} {\"b\":0,\"model\":\"old\"}"), "\u{feff} {\"model\":\"new\",\"a\":1}");
    assert_eq!(copied(&all, &[], "\u{feff}\u{feff}{}".as_bytes()), Err("malformed JSON: no value where one belongs at byte 3".to_owned()));
    assert_eq!(copied(&all, &[], "\u{feff}".as_bytes()), Err("JSON ends early at byte 3".to_owned()));
}

#[test]
fn many_duplicates_have_no_copy() {
    let body = |count| format!("{{{}}}", vec![r#""model":"x""#; count].join(","));
    let model = changes(Some("new"), &[], &[]);
    assert_eq!(text(&model, &body(8)), body(8).replace('x', "new"));
    assert_eq!(copied(&model, &[], body(9).as_bytes()), Err("more than eight members of one name".to_owned()));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        r#"[\\"{}\[\],:model]{0,8}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("model".to_owned()), 6 => "[abcd]", 1 => r#"[\\"model]{0,6}"#, 1 => any::<String>()]
}

/// White space of JSON.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

type Member = (String, Value, [String; 4]);

/// Returns the text of an object with these members in this order, with duplicates and white space.
fn written(members: &[Member], ends: &str) -> String {
    let member = |(name, value, [a, b, c, d]): &Member| format!("{a}{}{b}:{c}{value}{d}", Value::from(name.as_str()));
    format!("{{{ends}{}}}{ends}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

proptest! {
    #[test]
    fn the_copy_is_the_same_value_but_for_the_changes(
        members in prop::collection::vec((any_name(), any_json(), [blank(), blank(), blank(), blank()]), 0..8),
        ends in blank(),
        model in prop::option::of(any::<String>()),
        set in prop::collection::btree_map("[abx]", any_json(), 0..3),
        remove in prop::collection::btree_set("[cdy]", 0..3),
        slice in 1_usize..40,
    ) {
        let body = written(&members, &ends);
        let changes = CopyRequest {
            model: model.clone(),
            body_set: set.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            body_remove: remove.iter().cloned().collect(),
            ..CopyRequest::default()
        };
        let copy = shaped(&changes, &[], body.as_bytes(), slice).unwrap().body.bytes().to_vec();

        // Kept members are unchanged and in the same order.
        let kept = members.iter().filter(|(name, ..)| !remove.contains(name)).map(|(name, value, blanks)| {
            let value = match (set.get(name), &model) {
                (Some(value), _) => value,
                (None, Some(model)) if name == "model" => &Value::from(model.as_str()),
                _ => value,
            };
            (name.clone(), value.clone(), blanks.clone())
        });
        let absent = set.iter().filter(|(name, _)| !members.iter().any(|(member, ..)| member == *name));
        let expected: Vec<Member> = kept.chain(absent.map(|(name, value)| (name.clone(), value.clone(), Default::default()))).collect();
        let squeezed = |text: &str| text.chars().filter(|c| !" \t\r\n".contains(*c)).collect::<String>();
        let copy = String::from_utf8(copy).unwrap();
        prop_assert_eq!(squeezed(&copy), squeezed(&written(&expected, &ends)));

        // Another parser reads the copy as its own value of the body after the same changes.
        let mut value: Value = serde_json::from_str(&body).unwrap();
        let object = value.as_object_mut().unwrap();
        object.retain(|name, _| !remove.contains(name));
        if let (Some(model), Some(old)) = (model, object.get_mut("model")) {
            *old = Value::from(model);
        }
        for (name, value) in set {
            object.insert(name, value);
        }
        prop_assert_eq!(serde_json::from_str::<Value>(&copy).unwrap(), value);
    }

    #[test]
    fn what_is_replaced_disturbs_no_other_byte(
        members in prop::collection::vec((any_name(), any_json(), [blank(), blank(), blank(), blank()]), 0..8),
        ends in blank(),
        set in any_json(),
    ) {
        let replaced = members.iter().cloned().map(|(name, value, blanks)| match name.as_str() {
            "a" => (name, set.clone(), blanks),
            "model" => (name, Value::from("new"), blanks),
            _ => (name, value, blanks),
        });
        let expected = written(&replaced.collect::<Vec<_>>(), &ends);
        let text = set.to_string();
        let set: &[(&str, &str)] = if members.iter().any(|(name, ..)| name == "a") { &[("a", &text)] } else { &[] };
        let body = written(&members, &ends);
        let copy = shaped(&changes(Some("new"), set, &["unheard of"]), &[], body.as_bytes(), usize::MAX).unwrap();
        prop_assert_eq!(copy.body.bytes(), expected.as_bytes());
    }

    #[test]
    fn nearly_json_is_changed_only_where_another_parser_reads_it(
        body in r#"\{(("model"|"a"|"b"|"\\u006dodel") ?: ?("x"|1|\[\]|\{"model":"y"\}),?){0,3}\}"#,
    ) {
        let shaped = shaped(&changes(Some("new"), &[("a", "2")], &["b"]), &[], body.as_bytes(), 7);
        match serde_json::from_str::<Value>(&body) {
            Ok(mut value) => {
                let object = value.as_object_mut().unwrap();
                object.remove("b");
                if let Some(old) = object.get_mut("model") {
                    *old = Value::from("new");
                }
                object.insert("a".to_owned(), Value::from(2));
                prop_assert_eq!(serde_json::from_slice::<Value>(shaped.unwrap().body.bytes()).unwrap(), value);
            }
            Err(_) => prop_assert!(shaped.is_err()),
        }
    }

    #[test]
    fn any_bytes_are_no_trap(body in prop::collection::vec(any::<u8>(), 0..60), slice in 1_usize..9) {
        let _ = shaped(&changes(Some("new"), &[("a", "2")], &["b"]), &[], &body, slice);
    }
}
