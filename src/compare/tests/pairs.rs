//! Random pairs of JSON values, one a mutation of the other, with random plans.

use crate::config::{Compare, GivenTolerance, Task, Unordered};
use crate::path::PathPattern;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

/// How many cases, and no file for regressions: the tests also run where there are no files.
pub fn config() -> ProptestConfig {
    ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() }
}

/// Two answers and how to compare them.
#[derive(Debug)]
pub struct Case {
    pub plan: Compare,
    pub primary: Value,
    pub shadow: Value,
}

pub fn case() -> impl Strategy<Value = Case> {
    let edits = prop::collection::vec((any::<u16>(), edit()), 0..4);
    (plan(), value(), edits).prop_map(|(plan, primary, edits)| {
        let mut shadow = primary.clone();
        for (at, edit) in edits {
            let count = count(&shadow);
            apply(&mut shadow, &mut (usize::from(at) % count), &edit);
        }
        Case { plan, primary, shadow }
    })
}

/// Names and paths are few, so that plans often bear on values.
pub fn plan() -> impl Strategy<Value = Compare> {
    const PATHS: [&str; 12] = ["a", "b", "a.b", "a[*]", "[*]", "[1]", "a[0]", "b[*].a", "[\"\"]", "[*].id", "a[*][*]", "[\"é \\\"\\\\\"]"];
    const LISTS: [(&str, Option<&str>); 8] =
        [("a", None), ("$", None), ("b", Some("id")), ("$", Some("id")), ("a", Some("a")), ("[*]", None), ("a.b", Some("id")), ("b", None)];
    let parse = |text: &str| PathPattern::parse(text).unwrap();
    let tolerance = || {
        (select(vec![0.0, 0.01, 1.0]), select(vec![0.0, 0.001, 0.5]))
            .prop_map(|(absolute, relative)| GivenTolerance { absolute: Some(absolute), relative: Some(relative) })
    };
    let tolerances = subsequence(PATHS.to_vec(), 0..4).prop_shuffle();
    let ignore = subsequence(PATHS.to_vec(), 0..3);
    let unordered = subsequence(LISTS.to_vec(), 0..4).prop_shuffle();
    (tolerance(), prop::collection::vec(tolerance(), 4), tolerances, ignore, unordered).prop_map(
        move |(default, own, tolerances, ignore, unordered)| Compare {
            task: Task::Auto,
            default,
            tolerances: tolerances.into_iter().map(parse).zip(own).collect(),
            ignore: ignore.into_iter().map(parse).collect(),
            unordered: unordered.into_iter().map(|(path, by)| Unordered { path: parse(path), by: by.map(str::to_owned) }).collect(),
            reasoning: false,
        },
    )
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "id", "", "é \"\\", "c-1"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    let numbers = vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1.0),
        json!(1.001),
        json!(2),
        json!(2.5),
        json!(100),
        json!(100.05),
        json!(-3e300),
        json!(1e-9),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_994_u64),
        json!(u64::MAX),
        json!(i64::MIN),
    ];
    let texts = vec![json!(""), json!("a"), json!("ab"), json!("é\n"), json!("😀"), json!("\u{ff5e}")];
    let others = vec![Value::Null, json!(true), json!(false)];
    prop_oneof![4 => select(numbers), 2 => select(texts), 1 => select(others)]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..5).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Replace(Value),
    Nudge,
    Add(String, Value),
    Remove(u8),
    Reverse,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        scalar().prop_map(Edit::Replace),
        value().prop_map(Edit::Replace),
        Just(Edit::Nudge),
        (name(), value()).prop_map(|(name, value)| Edit::Add(name, value)),
        any::<u8>().prop_map(Edit::Remove),
        Just(Edit::Reverse),
        Just(Edit::Reverse),
    ]
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Applies an edit to the value that is `at` values further on in preorder.
fn apply(value: &mut Value, at: &mut usize, edit: &Edit) -> bool {
    if *at > 0 {
        *at -= 1;
        return match value {
            Value::Array(elements) => elements.iter_mut().any(|element| apply(element, at, edit)),
            Value::Object(members) => members.values_mut().any(|member| apply(member, at, edit)),
            _ => false,
        };
    }
    match (value, edit) {
        (value, Edit::Replace(other)) => *value = other.clone(),
        (Value::Number(number), Edit::Nudge) => {
            if let Some(nudged) = number.as_f64().and_then(|number| serde_json::Number::from_f64(number * 1.0005)) {
                *number = nudged;
            }
        }
        (Value::Array(elements), Edit::Add(_, new)) => elements.push(new.clone()),
        (Value::Object(members), Edit::Add(name, new)) => drop(members.insert(name.clone(), new.clone())),
        (Value::Array(elements), Edit::Remove(index)) if !elements.is_empty() => {
            drop(elements.remove(usize::from(*index) % elements.len()))
        }
        (Value::Object(members), Edit::Remove(index)) if !members.is_empty() => {
            let name = members.keys().nth(usize::from(*index) % members.len()).cloned().unwrap();
            members.remove(&name);
        }
        (Value::Array(elements), Edit::Reverse) => elements.reverse(),
        _ => {}
    }
    true
}

/// A small generator for choices that need no shrinking (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }
}

/// The same value in other words: members shuffled, some of them twice, blanks and escapes strewn in.
pub fn spell(value: &Value, dice: &mut Dice) -> String {
    let blank = ["", "", "", " ", "\n\t"][dice.roll(5)];
    let inner = match value {
        Value::Array(elements) => format!("[{}]", elements.iter().map(|element| spell(element, dice)).collect::<Vec<_>>().join(",")),
        Value::Object(members) => spell_object(members, dice),
        Value::String(text) => spell_text(text, dice),
        other => other.to_string(),
    };
    format!("{blank}{inner}{blank}")
}

fn spell_object(members: &Map<String, Value>, dice: &mut Dice) -> String {
    let mut parts: Vec<String> = vec![];
    for (name, value) in members {
        let member = format!("{}:{}", spell_text(name, dice), spell(value, dice));
        let at = dice.roll(parts.len() + 1);
        parts.insert(at, member);
        if dice.roll(4) == 0 {
            parts.insert(dice.roll(at + 1), format!("{}:[9]", spell_text(name, dice)));
        }
    }
    format!("{{{}}}", parts.join(","))
}

fn spell_text(text: &str, dice: &mut Dice) -> String {
    let mut spelt = String::from("\"");
    for character in text.chars() {
        if dice.roll(3) == 0 || matches!(character, '"' | '\\' | '\n') {
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| spelt += &format!("\\u{unit:04X}"));
        } else {
            spelt.push(character);
        }
    }
    spelt + "\""
}
