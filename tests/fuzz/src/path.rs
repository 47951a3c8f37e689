//! Parsing path expressions.

use gnomon::path::{PathPattern, Step};

/// The input is the text.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match PathPattern::parse(text) {
        Ok(path) => assert_eq!(PathPattern::parse(&written(&path)).as_ref(), Ok(&path)),
        Err(reason) => assert!(!reason.is_empty()),
    }
}

/// The path in its longest spelling.
fn written(path: &PathPattern) -> String {
    let steps = path.steps().iter().map(|step| match step {
        Step::Member(name) => format!("[{}]", serde_json::Value::from(name.as_str())),
        Step::Index(index) => format!("[{index}]"),
        Step::AnyIndex => "[*]".to_owned(),
    });
    std::iter::once("$".to_owned()).chain(steps).collect()
}
