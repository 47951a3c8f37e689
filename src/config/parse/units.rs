//! Reads single values: names, numbers, percentages, durations, sizes, words, paths.

use std::time::Duration;

use super::value::{Problems, Value};
use crate::config::Name;
use crate::config::raw::Node;
use crate::gate::Rate;
use crate::limits;
use crate::path::{PathPattern, Step};

/// Label values with a meaning of their own.
const RESERVED: [&str; 3] = ["none", "all", "other"];

/// Most bytes of a name.
const MAX_NAME: usize = 32;

/// Reads a name that may become a label value.
pub(super) fn name(value: &Value<'_>, problems: &mut Problems) -> Option<Name> {
    let text = value.text(problems)?;
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = text.as_bytes();
    let inside = bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-');
    if bytes.is_empty() {
        value.refuse("give a name that is not empty", problems)
    } else if bytes.len() > MAX_NAME || !inside || !edge(bytes.first()) || !edge(bytes.last()) {
        value.refuse("give a name of 1 to 32 lower-case letters, digits and hyphens, with no hyphen at either end", problems)
    } else if RESERVED.contains(&text) {
        value.refuse("none, all and other are reserved: choose another name", problems)
    } else {
        Some(text.into())
    }
}

/// Reads one of `words` and returns its meaning.
pub(super) fn word<T: Copy>(value: &Value<'_>, words: &[(&str, T)], problems: &mut Problems) -> Option<T> {
    match words.iter().find(|(word, _)| value.node.as_text() == Some(word)) {
        Some((_, meaning)) => Some(*meaning),
        None => value.refuse(one_of(&mut words.iter().map(|(word, _)| *word)), problems),
    }
}

/// Returns the hint to give one of `words`. One function for all lists of words, to keep the filter small.
#[cold]
#[inline(never)]
pub(super) fn one_of(words: &mut dyn Iterator<Item = &str>) -> String {
    let mut hint = String::new();
    for word in words {
        hint.push_str(if hint.is_empty() { "give one of " } else { ", " });
        hint.push_str(word);
    }
    hint
}

/// Reads a whole number from `least` up. `1.0` is a whole number too, because Istio's numbers are doubles.
pub(super) fn whole(value: &Value<'_>, least: u32, problems: &mut Problems) -> Option<u32> {
    match value.node {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        Node::Number(number) if number.fract() == 0.0 && (f64::from(least)..=f64::from(u32::MAX)).contains(number) => Some(*number as u32),
        _ => value.refuse_plain(&format!("give a whole number from {least} to {}", u32::MAX), problems),
    }
}

/// Reads a finite number that is not negative.
pub(super) fn tolerance(value: &Value<'_>, problems: &mut Problems) -> Option<f64> {
    match value.node {
        Node::Number(number) if number.is_finite() && *number >= 0.0 => Some(number.abs()),
        _ => value.refuse_plain("give a number that is not negative", problems),
    }
}

/// Reads a finite number.
pub(super) fn number(value: &Value<'_>, problems: &mut Problems) -> Option<f64> {
    match value.node {
        Node::Number(number) if number.is_finite() => Some(*number),
        _ => value.refuse_plain("give a number", problems),
    }
}

/// Reads a path into a JSON value.
pub(super) fn path(value: &Value<'_>, problems: &mut Problems) -> Option<PathPattern> {
    let text = value.text(problems)?;
    PathPattern::parse(text).map_or_else(|error| value.refuse(error, problems), Some)
}

/// Reads a path to one value of a JSON body.
pub(super) fn one_path(value: &Value<'_>, problems: &mut Problems) -> Option<PathPattern> {
    let path = path(value, problems)?;
    if path.steps().is_empty() {
        value.refuse("give the path of a member, such as model: the whole body is an object", problems)
    } else if path.steps().contains(&Step::AnyIndex) {
        value.refuse("only one value is looked at: give an index instead of [*]", problems)
    } else {
        Some(path)
    }
}

/// Reads a percentage and returns it in parts per million.
pub(super) fn percent(value: &Value<'_>, problems: &mut Problems) -> Option<u32> {
    const HINT: &str = "give a percentage from 0% to 100%, with at most four decimals and no blank, such as 2.5%, or a plain number";
    let ppm = match value.node {
        Node::Number(percent) if (0.0..=100.0).contains(percent) => match parts(*percent, 10_000.0) {
            None => return value.refuse("give at most four decimals: traffic is divided into a million parts", problems),
            ppm => ppm,
        },
        Node::Text(text) => ten_thousandths(text).and_then(|parts| u32::try_from(parts).ok()).filter(|ppm| *ppm <= 1_000_000),
        _ => None,
    };
    if ppm.is_some() {
        return ppm;
    }
    value.refuse(no_percentage(value, HINT), problems)
}

/// Returns the hint for what is no percentage: `hint`, unless only its sign is missing.
#[cold]
#[inline(never)]
pub(super) fn no_percentage(value: &Value<'_>, hint: &str) -> String {
    let signed = [value.node.as_text().unwrap_or_default(), "%"].concat();
    match ten_thousandths(&signed) {
        Some(_) => ["leave the quotes out, or add the percent sign: \"", &signed, "\""].concat(),
        None => hint.to_owned(),
    }
}

/// Reads a text such as `2.5%`, with at most four decimals, and returns it in ten-thousandths of a percent.
pub(super) fn ten_thousandths(text: &str) -> Option<u64> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let reads = is_digits(whole) && is_digits(decimals) && decimals.len() <= 4;
    reads.then(|| format!("{whole}{decimals:0<4}").parse().ok()).flatten()
}

/// Reads a chance strictly between 0 and 1.
pub(super) fn chance(value: &Value<'_>, problems: &mut Problems) -> Option<Rate> {
    match value.node {
        Node::Number(chance) if *chance > 0.0 && *chance < 1.0 => match parts(*chance, 1_000_000.0).and_then(Rate::new) {
            None => value.refuse("give at most six decimals: it is exported in parts per million", problems),
            chance => chance,
        },
        _ => value.refuse_plain("give a number strictly between 0 and 1, such as 0.05", problems),
    }
}

/// Returns `number * scale`, which is at most a million, if it is a whole number.
fn parts(number: f64, scale: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to a million")]
    let parts = (number * scale).round() as u32;
    // Division is correctly rounded, so it gives exactly the double that a decimal with so many digits is read as.
    #[expect(clippy::float_cmp, reason = "exact by design")]
    let exact = f64::from(parts) / scale == number;
    exact.then_some(parts)
}

/// Reads a timeout: above zero and at most [`limits::MAX_TIMEOUT`].
pub(super) fn timeout(value: &Value<'_>, problems: &mut Problems) -> Option<Duration> {
    let duration = duration(value, "give a duration such as 500ms, 2s or 1m, at most 5m", problems)?;
    if duration.is_zero() {
        value.refuse("give a timeout above zero, at most 5m", problems)
    } else if duration > limits::MAX_TIMEOUT {
        value.refuse("give a timeout of at most 5m: a copy holds memory for as long as it waits", problems)
    } else {
        Some(duration)
    }
}

/// Reads a duration from `least` milliseconds up to [`limits::MAX_SPAN`].
pub(super) fn span(value: &Value<'_>, least: u64, problems: &mut Problems) -> Option<Duration> {
    let hint = format!("give a duration such as 250ms, 30s or 10m, from {least}ms to 1440m");
    let span = duration(value, &hint, problems)?;
    if (Duration::from_millis(least)..=limits::MAX_SPAN).contains(&span) { Some(span) } else { value.refuse(hint, problems) }
}

fn duration(value: &Value<'_>, hint: &str, problems: &mut Problems) -> Option<Duration> {
    const UNITS: [(&str, u64); 3] = [("ms", 1), ("s", 1_000), ("m", 60_000)];
    quantity(value, &UNITS, hint, problems).map(Duration::from_millis)
}

/// Reads a number of bytes: above zero and at most `most`, which `hint` names.
pub(super) fn size(value: &Value<'_>, most: usize, hint: &str, problems: &mut Problems) -> Option<usize> {
    const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("B", 1)];
    let bytes = quantity(value, &UNITS, &format!("give a size such as 512KiB or 16MiB, {hint}"), problems)?;
    match usize::try_from(bytes) {
        Ok(0) => value.refuse(format!("give a size above zero, {hint}"), problems),
        Ok(bytes) if bytes <= most => Some(bytes),
        _ => value.refuse(format!("give a smaller size, {hint}"), problems),
    }
}

/// Reads a whole number followed by one of `units`, and returns it in the smallest unit; `u64::MAX` if it is beyond 64 bits.
fn quantity(value: &Value<'_>, units: &[(&str, u64)], hint: &str, problems: &mut Problems) -> Option<u64> {
    let Node::Text(text) = value.node else {
        return value.refuse(hint, problems);
    };
    let found = units.iter().find_map(|(unit, factor)| {
        let digits = text.strip_suffix(unit)?;
        let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        whole.then(|| digits.parse().unwrap_or(u64::MAX).saturating_mul(*factor))
    });
    found.map_or_else(|| value.refuse(hint, problems), Some)
}
