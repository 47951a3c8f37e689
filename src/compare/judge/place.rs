//! Writes where a difference is, in the syntax of [`crate::path`].
//!
//! The steps follow each other from the root: a name of letters, digits, `_` and `-` as it is, after a `.` unless it comes first; any
//! other name as `["…"]`, with `\` before `"` and `\`; an index as `[3]`. So an element of a root array is `[3]`, and only the root
//! itself is `$`. [`crate::path::PathPattern::parse`] reads what is written here, unless it was cut.

use crate::compare::judge::rules::Here;
use crate::json::text;
use crate::json::value::{Tag, Value};
use crate::limits::MAX_EVIDENCE_VALUE;

/// Characters of a name that are shown, and bytes of a path after which no more steps are: names can be megabytes long. A cut path ends
/// in `…`.
const MAX_PATH: usize = 512;

/// Istio's own tag rules take these, with a `.` behind them, out of the name of any series. So names that end so are bracketed, too.
const TAKEN: [&str; 4] = ["cache", "component", "tag", "wasm_filter"];

/// Where a path was cut.
const CUT: char = '…';

/// A path that grows by steps.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// With indices.
    path: String,
    /// With `[*]` for each.
    pattern: String,
    /// Whether the place is in JSON that a text of the answer holds.
    is_inside: bool,
}

impl Place {
    /// The place that these steps lead to.
    pub fn of(steps: &[Here<'_>]) -> Self {
        let mut place = Self::default();
        steps.iter().for_each(|step| place.push(*step));
        place
    }

    /// Goes one step down.
    pub fn push(&mut self, here: Here<'_>) {
        push(&mut self.path, here, |index| format!("[{index}]"));
        if !self.is_inside {
            push(&mut self.pattern, here, |_| "[*]".to_owned());
        }
    }

    /// Goes into the JSON that the text here holds. The pattern ends at the text: there are only few labels, and a model that writes JSON
    /// may make up names.
    pub fn inside(self) -> Self {
        Self { is_inside: true, ..self }
    }

    /// The path, and the same with any index as `[*]`.
    pub fn finish(self) -> (String, String) {
        let finish = |text: String| if text.is_empty() { "$".to_owned() } else { text };
        (finish(self.path), finish(self.pattern))
    }
}

fn push(path: &mut String, here: Here<'_>, index: impl Fn(u32) -> String) {
    // A whole name ends in a letter, a digit, `_`, `-` or `]`.
    if path.ends_with(CUT) {
        return;
    }
    match here {
        _ if path.len() > MAX_PATH => path.push(CUT),
        Here::Name(name) => push_name(path, name),
        Here::Index(at) => path.push_str(&index(at)),
    }
}

fn push_name(path: &mut String, name: Value<'_>) {
    let mut at = 0;
    let next = || match name.tag {
        Tag::Escaped => text::next_code(name.text, &mut at),
        _ => text::next_plain(name.text, &mut at),
    };
    let codes = core::iter::from_fn(next).take(MAX_PATH);
    let read: String = codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    let is_cut = at < name.text.len();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let is_taken = TAKEN.iter().any(|end| read.ends_with(end));
    let is_word = !read.is_empty() && read.chars().all(is_plain) && !is_taken;
    if is_word {
        let dot = if path.is_empty() { "" } else { "." };
        path.extend([dot, &read]);
    } else {
        path.extend(["[\"", &read.replace('\\', "\\\\").replace('"', "\\\"")]);
    }
    match (is_cut, is_word) {
        (true, _) => path.push(CUT),
        (false, true) => {}
        (false, false) => path.push_str("\"]"),
    }
}

/// The beginning of a value, for evidence.
pub fn excerpt(source: &[u8]) -> String {
    // No character has more than four bytes.
    let beginning = source.get(..MAX_EVIDENCE_VALUE.saturating_mul(4)).unwrap_or(source);
    String::from_utf8_lossy(beginning).chars().take(MAX_EVIDENCE_VALUE).collect()
}
