//! KServe V1: an answer is a JSON object with an array `predictions`. What a prediction is, is up to the model: a label, a score, a
//! vector, an object.
//!
//! Only `predictions` counts, whatever stands beside it: names and versions of models differ between versions, and explanations are not
//! the answer. A `model_version` is taken as a fact; KServe's own servers and TensorFlow Serving send none.

use core::task::Poll;

use crate::capture::Body;
use crate::compare::part::content::{Content, Facts, Parts};
use crate::compare::part::leftover::Leftovers;
use crate::compare::read::reader::Reader;
use crate::compare::read::version::version;
use crate::fault::Fault;
use crate::json::document::DocumentReader;
use crate::json::tape::Document;
use crate::json::value::Tag;

/// Reads an answer as KServe V1.
#[derive(Debug)]
pub struct KserveV1Reader(DocumentReader);

impl KserveV1Reader {
    /// Of a body.
    pub fn new(body: Body) -> Self {
        Self(DocumentReader::whole(body))
    }
}

impl Reader for KserveV1Reader {
    fn step(&mut self, budget: &mut usize) -> Poll<Result<Content, Fault>> {
        self.0.step(budget).map(|document| content(document?))
    }
}

fn content(document: Document) -> Result<Content, Fault> {
    let predictions = document.member(0, "predictions").ok_or("no predictions")?;
    if document.value(predictions).tag != Tag::Array {
        return Err("predictions is no array");
    }
    let facts = Facts { model_version: version(&document), ..Facts::default() };
    Ok(Content { document, parts: Parts::Predictions(predictions), facts, leftovers: Leftovers::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Held;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn read(body: &str, budget: usize) -> Result<Content, Fault> {
        let mut reader = KserveV1Reader::new(Held::from(body.as_bytes().to_vec()).into());
        loop {
            if let Poll::Ready(content) = reader.step(&mut budget.clone()) {
                return content;
            }
        }
    }

    #[test]
    fn predictions_must_be_an_array() {
        for (body, want) in [
            (r#"{"predictions":[1]}"#, Ok(None)),
            (r#"{"model_version":"3","predictions":[]}"#, Ok(Some("3"))),
            (r#"{"predictions":[{"a":[]}],"model_version":"\u0032.1"}"#, Ok(Some("2.1"))),
            (r#"{"model_version":3,"predictions":[]}"#, Ok(Some("3"))),
            (r#"{"model_version":"","predictions":[]}"#, Ok(Some(""))),
            (r#"{"model_version":[3],"predictions":[]}"#, Ok(None)),
            (r#"{"predictions":1,"predictions":[]}"#, Ok(None)),
            (r#"{"predictions":[],"predictions":1}"#, Err("predictions is no array")),
            (r#"{"predictions":{"0":1}}"#, Err("predictions is no array")),
            (r#"{"predictions":null}"#, Err("predictions is no array")),
            (r#"{"error":"model not found"}"#, Err("no predictions")),
            ("[]", Err("no predictions")),
            ("", Err("JSON ends early")),
            (r#"{"predictions":[1"#, Err("JSON ends early")),
        ] {
            for budget in [1, 7, usize::MAX] {
                let found = read(body, budget).map(|content| content.facts.model_version);
                assert_eq!(found.as_ref().map(Option::as_deref).map_err(|fault| *fault), want, "{body}");
            }
        }
    }

    #[test]
    fn a_version_may_not_be_endless() {
        let body = |length| format!(r#"{{"predictions":[],"model_version":"{}"}}"#, "1".repeat(length));
        assert_eq!(read(&body(256), 100).unwrap().facts.model_version.unwrap().len(), 256);
        assert_eq!(read(&body(257), 100).unwrap().facts.model_version, None);
        let number = body(257).replace('"', "").replace("predictions", "\"predictions\"").replace("model_version", "\"model_version\"");
        assert_eq!(read(&number, 100).unwrap().facts.model_version, None);
    }
}
