//! The rules of comparison once more, as naive recursion over `serde_json::Value`, to test the real one against.

use std::cmp::Ordering;

use crate::compare::judgement::Kind;
use crate::config::{Compare, GivenTolerance, Tolerance};
use crate::path::{PathPattern, Step};
use serde_json::Value;

/// The differences that count, and their paths.
pub fn differences(plan: &Compare, primary: &Value, shadow: &Value) -> Vec<(Kind, String)> {
    let mut oracle = Oracle { plan, path: vec![], found: vec![] };
    oracle.compare(primary, shadow);
    oracle.found
}

struct Oracle<'a> {
    plan: &'a Compare,
    path: Vec<Step>,
    found: Vec<(Kind, String)>,
}

impl Oracle<'_> {
    fn fits(&self, pattern: &PathPattern) -> bool {
        let fits = |(step, wanted): (&Step, &Step)| step == wanted || matches!((step, wanted), (Step::Index(_), Step::AnyIndex));
        pattern.steps().len() == self.path.len() && self.path.iter().zip(pattern.steps()).all(fits)
    }

    fn found(&mut self, kind: Kind) {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Index(index) => text += &format!("[{index}]"),
                Step::AnyIndex => unreachable!(),
                Step::Member(name) if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') => {
                    text += if text.is_empty() { "" } else { "." };
                    text += name;
                }
                Step::Member(name) => text += &format!("[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\"")),
            }
        }
        self.found.push((kind, if text.is_empty() { "$".to_owned() } else { text }));
    }

    /// Compares what may be absent.
    fn child(&mut self, step: Step, primary: Option<&Value>, shadow: Option<&Value>) {
        self.path.push(step);
        let ignored = self.plan.ignore.iter().any(|pattern| self.fits(pattern));
        match (primary, shadow) {
            _ if ignored => {}
            (Some(primary), Some(shadow)) => self.compare(primary, shadow),
            (Some(_), None) => self.found(Kind::Missing),
            (None, _) => self.found(Kind::Extra),
        }
        self.path.pop();
    }

    fn compare(&mut self, primary: &Value, shadow: &Value) {
        if self.plan.ignore.iter().any(|pattern| self.fits(pattern)) {
            return;
        }
        let (equal, kind) = match (primary, shadow) {
            (Value::Null, _) | (_, Value::Null) => (primary == shadow, Kind::Null),
            (Value::Bool(a), Value::Bool(b)) => (a == b, Kind::Boolean),
            (Value::String(a), Value::String(b)) => (a == b, Kind::Text),
            (Value::Number(_), Value::Number(_)) => (self.close(primary, shadow), Kind::Number),
            (Value::Array(a), Value::Array(b)) => return self.arrays(a, b),
            (Value::Object(a), Value::Object(b)) => {
                let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
                names.sort();
                names.dedup();
                return names.into_iter().for_each(|name| self.child(Step::Member(name.clone()), a.get(name), b.get(name)));
            }
            _ => (false, Kind::Type),
        };
        if !equal {
            self.found(kind);
        }
    }

    fn close(&self, a: &Value, b: &Value) -> bool {
        let given =
            self.plan.tolerances.iter().find(|(pattern, _)| self.fits(pattern)).map_or(self.plan.default, |&(_, tolerance)| tolerance);
        if let (Some(x), Some(y)) = (integer(a), integer(b))
            && (given == GivenTolerance::default() || x.abs() > 1 << 53 || y.abs() > 1 << 53)
        {
            return x == y;
        }
        let Tolerance { absolute, relative } = given.or(Tolerance::JSON);
        let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
        (a - b).abs() <= absolute || (a - b).abs() <= relative * a.abs().max(b.abs())
    }

    fn arrays(&mut self, a: &[Value], b: &[Value]) {
        let rule = self.plan.unordered.iter().find(|rule| self.fits(&rule.path));
        if a.len() != b.len() {
            return self.found(Kind::Length);
        }
        if let Some(by) = rule.and_then(|rule| rule.by.as_ref()) {
            return self.matched(a, b, by);
        }
        let (mut left, mut right): (Vec<_>, Vec<_>) = (a.iter().enumerate().collect(), b.iter().enumerate().collect());
        if rule.is_some() && a.iter().chain(b).all(|value| !value.is_array() && !value.is_object()) {
            left.sort_by(|x, y| order(x.1, y.1));
            right.sort_by(|x, y| order(x.1, y.1));
        }
        left.into_iter().zip(right).for_each(|((index, a), (_, b))| self.child(Step::Index(index), Some(a), Some(b)));
    }

    fn matched(&mut self, a: &[Value], b: &[Value], by: &str) {
        let key = |value: &Value| value.get(by).filter(|key| !key.is_array() && !key.is_object()).cloned();
        let mut keys: Vec<Value> = a.iter().chain(b).filter_map(key).collect();
        keys.sort_by(order);
        keys.dedup_by(|x, y| order(x, y).is_eq());
        // Those without a key come last.
        for wanted in keys.iter().map(Some).chain([None]) {
            let pick = |side: &[Value]| -> Vec<usize> {
                let is_wanted = |value: &Value| match (key(value), wanted) {
                    (Some(key), Some(wanted)) => order(&key, wanted).is_eq(),
                    (key, wanted) => key.is_none() && wanted.is_none(),
                };
                side.iter().enumerate().filter(|(_, value)| is_wanted(value)).map(|(index, _)| index).collect()
            };
            let (left, right) = (pick(a), pick(b));
            for rank in 0..left.len().max(right.len()) {
                let index = left.get(rank).or(right.get(rank)).unwrap();
                let (primary, shadow) = (left.get(rank).map(|&at| &a[at]), right.get(rank).map(|&at| &b[at]));
                self.child(Step::Index(*index), primary, shadow);
            }
        }
    }
}

fn integer(value: &Value) -> Option<i128> {
    value.as_i64().map(i128::from).or(value.as_u64().map(i128::from))
}

fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        _ => 3,
    };
    let numbers = || match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.as_f64().partial_cmp(&b.as_f64()).unwrap(),
    };
    rank(a).cmp(&rank(b)).then_with(|| {
        if a.is_number() && b.is_number() { numbers() } else { a.as_bool().cmp(&b.as_bool()).then(a.as_str().cmp(&b.as_str())) }
    })
}
