//! Members of JSON bodies set, removed and renamed.

use proptest::prelude::*;
use serde_json::Value;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{changes, copy, shaped};
use crate::config::CopyRequest;
use crate::mirror::body::Shaped;

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
fn a_model_that_is_no_string_stays() {
    for body in ["{}", r#"{"model":1}"#, r#"{"model":null}"#, r#"{"model":{"model":"old"}}"#, r#"{"a":{"model":"old"}}"#] {
        assert_eq!(text(&changes(Some("new"), &[], &[]), body), body);
    }
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
        (r#"{"stream_options":{},"model":["old"]}"#, r#"{"model":["old"],"stream":false,"seed":7}"#),
    ] {
        assert_eq!(text(&changes(Some("new"), &[("stream", "false"), ("seed", "7")], &["stream_options"]), body), expected, "{body}");
    }
    let both = changes(Some("new"), &[("model", "1")], &["model"]);
    assert_eq!(text(&both, r#"{"model":"old","a":1}"#), r#"{"a":1,"model":1}"#, "what is removed and set is set");
}

#[test]
fn what_is_no_object_is_left_alone() {
    let all = changes(Some("new"), &[("a", "1")], &["b"]);
    for body in [
        "",
        " ",
        "null",
        r#""model""#,
        r#"[{"model":"old"}]"#,
        r#"{"model":"old""#,
        r#"{"model":"old"#,
        r#"{"model":"old"}}"#,
        r#"{"model":"old"} x"#,
        r#"{"model":"old",}"#,
        r#"{"model":"old" "a":1}"#,
        r#"{"a":,"model":"old"}"#,
        r#"{model:"old"}"#,
        "\0{\"model\":\"old\"}",
    ] {
        assert_eq!(text(&all, body), body);
    }
    assert_eq!(text(&all, "\u{feff}{\"model\":\"old\",\"a\":0}"), "\u{feff}{\"model\":\"new\",\"a\":1}", "behind a byte order mark");
    assert_eq!(copy(&all, b"{\"model\":\"\xff\"}"), b"{\"model\":\"\xff\"}");
}

#[test]
fn many_duplicates_are_left_alone() {
    let body = |count| format!("{{{}}}", vec![r#""model":"x""#; count].join(","));
    let model = changes(Some("new"), &[], &[]);
    assert_eq!(text(&model, &body(8)), body(8).replace('x', "new"));
    assert_eq!(text(&model, &body(9)), body(9));
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
        let copy = shaped(&changes, &[], body.as_bytes(), slice).bytes.unwrap_or_else(|| body.clone().into_bytes());

        // Kept members are unchanged and in the same order.
        let kept = members.iter().filter(|(name, ..)| !remove.contains(name)).map(|(name, value, blanks)| {
            let value = match (set.get(name), &model) {
                (Some(value), _) => value,
                (None, Some(model)) if name == "model" && value.is_string() => &Value::from(model.as_str()),
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
        if let (Some(model), Some(Value::String(old))) = (model, object.get_mut("model")) {
            *old = model;
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
            "model" if value.is_string() => (name, Value::from("new"), blanks),
            _ => (name, value, blanks),
        });
        let expected = written(&replaced.collect::<Vec<_>>(), &ends);
        let text = set.to_string();
        let set: &[(&str, &str)] = if members.iter().any(|(name, ..)| name == "a") { &[("a", &text)] } else { &[] };
        let body = written(&members, &ends);
        let copy = shaped(&changes(Some("new"), set, &["unheard of"]), &[], body.as_bytes(), usize::MAX);
        prop_assert_eq!(copy.bytes.unwrap_or_else(|| body.into_bytes()), expected.into_bytes());
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
                if let Some(Value::String(old)) = object.get_mut("model") {
                    *old = "new".to_owned();
                }
                object.insert("a".to_owned(), Value::from(2));
                prop_assert_eq!(serde_json::from_slice::<Value>(&shaped.bytes.unwrap()).unwrap(), value);
            }
            Err(_) => prop_assert_eq!(shaped, Shaped::default()),
        }
    }

    #[test]
    fn any_bytes_are_no_trap(body in prop::collection::vec(any::<u8>(), 0..60), slice in 1_usize..9) {
        shaped(&changes(Some("new"), &[("a", "2")], &["b"]), &[], &body, slice);
    }
}
