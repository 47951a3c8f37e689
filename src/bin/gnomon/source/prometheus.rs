//! Prometheus' HTTP API: instant queries, all at one point in time.

use std::collections::BTreeMap;
use std::fmt::Write;

use hyper::{StatusCode, Uri};
use serde_json::Value;

use crate::client::{Answer, Client, place};
use crate::problem::Problem;
use crate::sample::Sample;
use crate::shown::{name, sentence};
use crate::time;

/// How many seconds two clocks may differ.
const CLOCKS: f64 = 120.0;

/// A Prometheus server, or what speaks its API.
#[derive(Debug)]
pub struct Prometheus {
    client: Client,
    url: Uri,
}

/// Queries at one point in time, and what was told with their answers.
#[derive(Debug)]
pub struct Queries<'a> {
    prometheus: &'a Prometheus,
    /// The point in time, in seconds since 1970.
    pub time: f64,
    /// All queries that were answered.
    pub asked: Vec<String>,
    /// What Prometheus warned of.
    warnings: Vec<String>,
    /// What is wrong with its clock, or with the own one: then the figures are not those of the time that was meant.
    pub clock: Option<String>,
}

impl Prometheus {
    /// Returns the server at `url`, to which `/api/v1/query` is appended.
    pub fn new(url: Uri, client: Client) -> Self {
        Self { client, url }
    }

    /// Returns its URL in words.
    pub fn place(&self) -> String {
        place(&self.url)
    }

    /// Begins queries at `time`, in seconds since 1970.
    pub fn at(&self, time: f64) -> Queries<'_> {
        Queries { prometheus: self, time, asked: Vec::new(), warnings: Vec::new(), clock: None }
    }
}

impl Queries<'_> {
    /// Asks one query, whose result must be a vector.
    pub async fn ask(&mut self, query: &str) -> Result<Vec<Sample>, Problem> {
        let base = self.prometheus.url.to_string();
        let url = format!("{}/api/v1/query?query={}&time={:.3}", base.trim_end_matches('/'), encoded(query), self.time);
        let url = url.parse().map_err(|error| Problem::usage(format!("--prometheus {base}: {error}")))?;
        let answer = self.prometheus.client.get(&url).await?;
        let (samples, warnings) = read(&answer, &place(&url))?;
        self.asked.push(query.to_owned());
        self.clock = self.clock.take().or_else(|| clock(&answer.date, super::now()));
        self.warnings.extend(warnings);
        Ok(samples)
    }

    /// Says of each warning what it makes of the answers.
    pub fn doubts(&self) -> impl Iterator<Item = String> {
        self.warnings.iter().map(|warning| format!("Prometheus warns, so its answer may be partial: {warning}"))
    }
}

/// Returns `text` with all that has a meaning in a URL percent-encoded (RFC 3986).
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            // Writing to a String can't fail.
            _ => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}

/// Returns the samples and warnings of an answer from `place`.
fn read(answer: &Answer, place: &str) -> Result<(Vec<Sample>, Vec<String>), Problem> {
    let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let text = |path: &str| json.as_ref().and_then(|json| json.pointer(path)?.as_str());
    let list = |path: &str| json.as_ref().and_then(|json| json.pointer(path)?.as_array());
    // Prometheus itself says `success` or `error`.
    let Some(status) = text("/status") else { return Err(no_prometheus(answer, place)) };
    if !answer.status.is_success() || status != "success" {
        let [kind, why] = ["/errorType", "/error"].map(|path| sentence(text(path).unwrap_or("?")));
        let text = format!("{place}: Prometheus answers {} {kind}: {why}", answer.status.as_u16());
        return Err(if may_pass(answer.status) { Problem::down(text) } else { Problem::service(text) });
    }
    let warnings = match json.as_ref().and_then(|json| json.get("warnings")) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(warnings)) => warnings.iter().map(|warning| sentence(warning.as_str().unwrap_or(&warning.to_string()))).collect(),
        Some(other) => vec![sentence(&other.to_string())],
    };
    let result = list("/data/result").filter(|_| text("/data/resultType") == Some("vector"));
    let samples: Option<Vec<Sample>> = result.and_then(|result| result.iter().map(sample).collect());
    let unreadable = || Problem::service(format!("{place}: this answer is no vector of Prometheus' query API"));
    Ok((samples.ok_or_else(unreadable)?, warnings))
}

/// Says how the clocks differ, by the `date` of an answer and the own clock. An answer without a date says nothing.
fn clock(date: &str, now: f64) -> Option<String> {
    if date.is_empty() {
        return None;
    }
    let Some(there) = time::http_date(date) else { return Some(format!("Prometheus' answer has a date that is none: {}", name(date))) };
    let off = now - there;
    (off.abs() > CLOCKS).then(|| {
        let how = if off > 0.0 { "behind" } else { "ahead of" };
        format!("Prometheus' clock is {:.0} s {how} this one: one of them is wrong", off.abs())
    })
}

/// Returns the sample of an element of a vector: `{"metric": {labels}, "value": [time, "text"]}`.
fn sample(element: &Value) -> Option<Sample> {
    let labels: BTreeMap<String, String> = element
        .get("metric")?
        .as_object()?
        .iter()
        .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect::<Option<_>>()?;
    let value = element.get("value")?.get(1)?.as_str()?.parse().ok()?;
    let mut sample = Sample::new("", &labels, value);
    sample.name = sample.labels.remove("__name__").unwrap_or_default();
    Some(sample)
}

/// Says what an answer is that is not Prometheus'.
fn no_prometheus(answer: &Answer, place: &str) -> Problem {
    let Answer { status, content_type, location, body, .. } = answer;
    let code = status.as_u16();
    let text = match code {
        300..=399 => {
            format!("redirects to {}: is that a login page? Give a token by --bearer-token-file", sentence(without_query(location)))
        }
        401 => "answers 401: it wants credentials, give --bearer-token-file or --header".to_owned(),
        403 => "answers 403: these credentials may not query it".to_owned(),
        404 => "answers 404: Prometheus has no API there; perhaps it is behind a path, which belongs into --prometheus".to_owned(),
        _ if body.trim_ascii_start().starts_with(b"<") => format!("answers {code} with HTML: this is a page, not Prometheus' API"),
        _ => format!("answers {code} with {} bytes of {}, which Prometheus' API does not", body.len(), shown(content_type)),
    };
    let text = format!("{place}: {text}");
    if may_pass(*status) { Problem::down(text) } else { Problem::service(text) }
}

/// Whether an error with this status may be over later: an overload, a restart, a proxy in front of it.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// (A query may hold a secret.)
fn without_query(location: &str) -> &str {
    location.split(['?', '#']).next().unwrap_or_default()
}

fn shown(content_type: &str) -> String {
    if content_type.is_empty() { "no type".into() } else { name(content_type) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared() {
        let date = "Mon, 30 Nov 2026 12:00:00 GMT";
        for (now, words) in [
            (1_796_040_000.0, None),
            (1_796_040_120.0, None),
            (1_796_039_880.0, None),
            (1_796_040_121.0, Some("Prometheus' clock is 121 s behind this one")),
            (1_796_039_000.0, Some("Prometheus' clock is 1000 s ahead of this one")),
        ] {
            assert_eq!(clock(date, now).map(|text| text.split(':').next().unwrap().to_owned()).as_deref(), words, "{now}");
        }
        assert_eq!(clock("", 0.0), None);
        assert!(clock("today\u{1b}", 0.0).unwrap().ends_with("a date that is none: today\\u{1b}"));
    }

    #[test]
    fn a_query_is_encoded() {
        assert_eq!(encoded("a{b=~\"c|d\"} == 1 + é"), "a%7Bb%3D~%22c%7Cd%22%7D%20%3D%3D%201%20%2B%20%C3%A9");
    }
}
