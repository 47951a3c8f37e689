//! Headers of copies with values from environment variables of the VM, so that manifests need no secrets.
//!
//! The variables are read once, when a configuration is taken. Their values are shown nowhere.

use std::fmt;
use std::rc::Rc;

use crate::config::Shadow;

/// A value that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the value, for the header of a copy.
    pub fn value(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// How to pass a variable to the VM.
const HINT: &str = "pass it to the VM: in Istio by vmConfig.env with valueFrom: HOST, in Envoy by vm_config.environment_variables";

/// Returns the headers with values from the environment for the copies to `shadow` of the route `route`.
///
/// `variable` reads an environment variable; `None` if it is missing or not UTF-8. For each header without a legal value, `missing` gets a
/// line that says why.
pub fn headers(
    route: &str,
    shadow: &Shadow,
    variable: &dyn Fn(&str) -> Option<String>,
    missing: &mut Vec<String>,
) -> Vec<(Rc<str>, Secret)> {
    let mut headers = Vec::new();
    for (header, name) in &shadow.request.from_env {
        match variable(name).ok_or("is not there, or is not UTF-8").and_then(legal) {
            Ok(value) => headers.push((header.clone(), value)),
            Err(why) => missing.push(format!(
                "route {route}, shadow {}: copies go without the header {header}: the environment variable {name} {why}; {HINT}",
                shadow.name
            )),
        }
    }
    headers
}

/// Returns `value` if it is legal in a header, otherwise why it is not.
fn legal(value: String) -> Result<Secret, &'static str> {
    if value.is_empty() {
        Err("is empty")
    } else if value.chars().any(|c| c.is_control() && c != '\t') {
        Err("holds a line break or another control character, which no header may have")
    } else if value.trim_matches([' ', '\t']).len() != value.len() {
        Err("begins or ends with a blank, which no header may do")
    } else {
        Ok(Secret(value))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::super::tests::shadow;
    use super::*;
    use crate::config::CopyRequest;

    /// Returns the header's value and the lines in `missing` for a variable with this value.
    fn read(value: Option<&str>) -> (Option<String>, Vec<String>) {
        let from_env = vec![("authorization".into(), "SHADOW_AUTH".to_owned())];
        let mut missing = Vec::new();
        let variable = |name: &str| value.filter(|_| name == "SHADOW_AUTH").map(str::to_owned);
        let shadow = shadow(1, None, CopyRequest { from_env, ..CopyRequest::default() });
        let mut headers = headers("fraud", &shadow, &variable, &mut missing);
        assert!(headers.iter().all(|(name, _)| **name == *"authorization"));
        (headers.pop().map(|(_, secret)| secret.value().to_owned()), missing)
    }

    #[test]
    fn a_value_that_a_header_may_have_is_taken() {
        for value in ["Bearer abc", "a\tb", "é", "x"] {
            assert_eq!(read(Some(value)), (Some(value.to_owned()), vec![]), "{value:?}");
        }
    }

    #[test]
    fn an_illegal_value_is_reported_and_not_shown() {
        for (value, why) in [
            (None, "is not there, or is not UTF-8"),
            (Some(""), "is empty"),
            (Some("hunter2\n"), "control character"),
            (Some("hun\0ter2"), "control character"),
            (Some(" hunter2"), "blank"),
            (Some("hunter2\t"), "blank"),
        ] {
            let (header, lines) = read(value);
            assert_eq!((header, lines.len()), (None, 1), "{value:?}");
            for part in ["route fraud", "shadow v2-copy", "header authorization", "variable SHADOW_AUTH", why, "vmConfig.env"] {
                assert!(lines[0].contains(part), "{} lacks {part}", lines[0]);
            }
            assert!(!lines[0].contains("hun"), "{}", lines[0]);
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(format!("{:?}", Secret::from("hunter2".to_owned())), "Secret");
    }
}
