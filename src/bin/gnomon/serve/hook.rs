//! The body of a webhook, as Flagger sends it.

use serde_json::Value;

use crate::decision::Selection;
use crate::shown::name as shown;

/// The keys of `metadata` that are known.
const KEYS: [&str; 5] = ["cluster", "experiment", "gate", "route", "subject"];

/// What a webhook asks.
#[derive(Debug)]
pub struct Hook {
    /// What it asks about.
    pub selection: Selection,
    /// Who asks: the canary's namespace and name, and its phase.
    pub from: String,
}

impl Hook {
    /// Reads a body; or says what is wrong with it.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
        let metadata = json.get("metadata").filter(|metadata| !metadata.is_null());
        let metadata = metadata.ok_or("the body has no metadata: metadata.experiment must name the experiment")?;
        let metadata = metadata.as_object().ok_or("metadata is no object")?;
        // A key that is misspelled would ask about more than was meant.
        if let Some(key) = metadata.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("metadata.{} is not known; there are {}", shown(key), KEYS.join(", ")));
        }
        let text = |key: &str| match metadata.get(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(format!("metadata.{key} must be a text that is not empty, not {}", shown(&other.to_string()))),
        };
        let experiment = text("experiment")?.ok_or("metadata.experiment is missing: it must name the experiment")?;
        let selection =
            Selection { experiment, cluster: text("cluster")?, route: text("route")?, subject: text("subject")?, gate: text("gate")? };
        let of = |key: &str| shown(json.get(key).and_then(Value::as_str).unwrap_or("-"));
        Ok(Self { selection, from: format!("{}/{} in phase {}", of("namespace"), of("name"), of("phase")) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_of_flagger_is_read() {
        let body = br#"{"name": "fraud", "namespace": "ml", "phase": "Progressing", "checksum": "85d557f47b",
                        "metadata": {"experiment": "fraud-a", "subject": "v2"}}"#;
        let hook = Hook::read(body).unwrap();
        assert_eq!(hook.from, "ml/fraud in phase Progressing");
        assert_eq!((&*hook.selection.experiment, hook.selection.subject.as_deref(), hook.selection.route), ("fraud-a", Some("v2"), None));
        assert_eq!(Hook::read(br#"{"name": "a\nb", "metadata": {"experiment": "e"}}"#).unwrap().from, "-/a\\nb in phase -");
    }

    #[test]
    fn a_bad_body_is_told() {
        for (body, words) in [
            ("", "not JSON"),
            ("experiment=e", "not JSON"),
            ("[]", "no metadata"),
            ("null", "no metadata"),
            ("{}", "no metadata"),
            (r#"{"metadata": null}"#, "no metadata"),
            (r#"{"metadata": "e"}"#, "metadata is no object"),
            (r#"{"metadata": {}}"#, "metadata.experiment is missing"),
            (r#"{"metadata": {"experiment": ""}}"#, "metadata.experiment must be a text that is not empty, not \"\""),
            (r#"{"metadata": {"experiment": 7}}"#, "metadata.experiment must be a text that is not empty, not 7"),
            (r#"{"metadata": {"experiment": "e", "route": null}}"#, "metadata.route must be a text that is not empty, not null"),
            (r#"{"metadata": {"experiment": "e", "rout": "r"}}"#, "metadata.rout is not known"),
        ] {
            let error = Hook::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
