//! Prometheus' text format, version 0.0.4, as Envoy writes it at `/stats/prometheus`: only Gnomon's series are read.
//!
//! The format is described in Prometheus' documentation, *Exposition formats*.

use std::collections::{BTreeMap, BTreeSet};

use crate::sample::Sample;
use crate::shown;

/// What the names of Gnomon's series begin with.
const PREFIX: &str = "gnomon_";

/// Returns Gnomon's samples in `text`, or what is wrong with it.
pub fn read(text: &[u8]) -> Result<Vec<Sample>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "this is no text in UTF-8: is it compressed?".to_owned())?;
    let mut samples = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with(PREFIX)) {
        let sample = sample(line);
        samples.push(sample.ok_or_else(|| format!("line {} is not Prometheus' text: {}", at.saturating_add(1), shown::name(line)))?);
    }
    if samples.is_empty() {
        return Err(what_it_is(text));
    }
    if !text.ends_with('\n') {
        return Err("the text ends in the middle of a line: it was cut off".to_owned());
    }
    // Without tags Envoy writes the labels into the names.
    if samples.iter().any(|sample| sample.labels.is_empty() && sample.name.contains("experiment_")) {
        return Err(
            "the series have no labels: this proxy lacks the statistics tags, which every example in envoy/ and istio/ has".to_owned()
        );
    }
    match twice(&samples) {
        Some(name) => Err(format!("{name} is there twice: give each proxy's text by its own --stats")),
        None => Ok(samples),
    }
}

/// Returns the name of a series that is there twice, as in the texts of two proxies in one.
fn twice(samples: &[Sample]) -> Option<&str> {
    let mut seen = BTreeSet::new();
    for sample in samples {
        // A label without a value is none.
        let labels: Vec<_> = sample.labels.iter().filter(|(_, value)| !value.is_empty()).collect();
        if !seen.insert((&sample.name, labels)) {
            return Some(&sample.name);
        }
    }
    None
}

/// Says what a text without Gnomon's series is.
fn what_it_is(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = first else {
        let is_empty = text.trim().is_empty();
        return if is_empty { "the text is empty" } else { "there is nothing but comments" }.to_owned();
    };
    match first.as_bytes() {
        [b'<', ..] => "this is HTML, not Envoy's /stats/prometheus".to_owned(),
        [b'{' | b'[', ..] => "this is JSON: take Envoy's /stats/prometheus".to_owned(),
        // `name: value`
        _ if first.split_once(": ").is_some_and(|(name, _)| name.contains('.') && !name.contains([' ', '{'])) => {
            "this is Envoy's plain /stats: take /stats/prometheus".to_owned()
        }
        _ if sample(first).is_some() => {
            "there are no series of Gnomon (gnomon_…): is the filter in this proxy, and does a filter of the URL leave them out?".to_owned()
        }
        _ => format!("this is not Prometheus' text: {}", shown::name(first)),
    }
}

/// Returns the sample of a line; `None` if it is none. A time behind the value is left out.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, rest) = line.split_at_checked(end)?;
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    let mut words = rest.split_ascii_whitespace();
    let value = words.next()?.parse().ok()?;
    let is_over = words.next().is_none_or(|time| time.parse::<i64>().is_ok()) && words.next().is_none();
    let is_name = name.starts_with(|c: char| !c.is_ascii_digit());
    (is_over && is_name && rest.starts_with([' ', '\t'])).then(|| Sample::new(name, &labels, value))
}

/// Returns the labels before a closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = behind.char_indices();
        rest = loop {
            match characters.next()? {
                (at, '"') => break behind.get(at.checked_add(1)?..)?,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        // A label twice has no meaning.
        if name.is_empty() || labels.insert(name.trim().to_owned(), value).is_some() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_are_read() {
        let text = "# TYPE gnomon_a counter\ngnomon_a{x=\"1\",y=\"a\\\"b\\\\c\\nd}\"} 12\nother 1\ngnomon_b{} 1.5 1700000000000\ngnomon_c +Inf\ngnomon_d +1\n";
        let samples = read(text.as_bytes()).unwrap();
        let values: Vec<_> = samples.iter().map(|sample| (&*sample.name, sample.label("y"), sample.value)).collect();
        assert_eq!(
            values,
            [("gnomon_a", "a\"b\\c\\nd}", 12.0), ("gnomon_b", "", 1.5), ("gnomon_c", "", f64::INFINITY), ("gnomon_d", "", 1.0)]
        );
        assert_eq!(samples[0].label("x"), "1");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_told(text in "(gnomon_[a-z]{0,3}[{]?|[a-z]=\"|[\\\\\"},\n ]|[0-9.]{1,3}|é){0,20}") {
            match read(text.as_bytes()) {
                Ok(samples) => prop_assert!(!samples.is_empty() && samples.iter().all(|sample| sample.name.starts_with(PREFIX))),
                Err(why) => prop_assert!(!why.is_empty()),
            }
        }

        #[test]
        fn what_is_written_is_read(value: u32, label in any::<String>()) {
            let written = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            // A line ends at a line feed; Envoy writes no carriage return.
            prop_assume!(!label.contains('\r'));
            let samples = read(format!("gnomon_a{{x=\"{written}\",y=\"\"}} {value}\n").as_bytes()).unwrap();
            prop_assert_eq!((samples[0].label("x"), samples[0].value), (&*shown::plain(&label), f64::from(value)));
        }
    }

    #[test]
    fn other_texts_are_told() {
        for (text, words) in [
            ("", "the text is empty"),
            ("\n \n", "the text is empty"),
            ("# HELP x\n", "nothing but comments"),
            ("<!doctype html><title>Log in</title>", "this is HTML"),
            ("{\"stats\": []}", "this is JSON"),
            ("cluster.a.upstream_rq: 3\nwasmcustom.gnomon_requests_totalexperiment=.=e;.;: 1\n", "Envoy's plain /stats"),
            ("envoy_x{a=\"b\"} 1\n", "no series of Gnomon"),
            ("error: unable to upgrade connection\n", "not Prometheus' text: error: unable"),
            ("gnomon_a{x=\"1\"} 12\ngnomon_b{x=\"1\"} 1", "cut off"),
            ("gnomon_a{x=\"1\"} 12\ngnomon_b{x=\"1\n", "line 2 is not"),
            ("gnomon_a{x=\"1\",x=\"2\"} 12\n", "line 1 is not"),
            ("gnomon_a\n", "line 1 is not"),
            ("gnomon_a 1 2 3\n", "line 1 is not"),
            ("gnomon_a one\n", "line 1 is not"),
            ("gnomon_a \u{1b}[2J\n", "line 1 is not Prometheus' text: gnomon_a \\u{1b}[2J"),
            ("gnomon_a{x=\"1\",y=\"2\"} 1\ngnomon_a{x=\"1\"} 1\ngnomon_a{y=\"2\",x=\"1\",z=\"\"} 1\n", "gnomon_a is there twice"),
            ("gnomon_a 1\ngnomon_a{} 1\n", "gnomon_a is there twice"),
            ("gnomon_requests_totalexperiment___e____route___r___ 5\n", "lacks the statistics tags"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        assert!(read(&[0x1f, 0x8b]).unwrap_err().contains("compressed"));
    }
}
