//! The text of an answer: the strings it is made of, read one after the other, and compared in slices.

use crate::compare::json::tape::Document;
use crate::compare::json::text::next_code;

/// A text: strings that follow each other.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'a> {
    /// Where they are.
    pub document: &'a Document,
    /// Their nodes.
    pub strings: &'a [u32],
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Codes {
    string: usize,
    at: usize,
}

impl Codes {
    /// The next code point; `None` at the end. Takes what it reads off the budget.
    pub fn next(&mut self, wording: Wording<'_>, budget: &mut usize) -> Option<u32> {
        while let Some(&string) = wording.strings.get(self.string) {
            let from = self.at;
            if let Some(code) = next_code(wording.document.value(string).text, &mut self.at) {
                *budget = budget.saturating_sub(self.at.wrapping_sub(from));
                return Some(code);
            }
            self.string = self.string.wrapping_add(1);
            self.at = 0;
        }
        None
    }
}

/// A place in a text of which a run of white space is one space, and at the ends nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Normalized {
    codes: Codes,
    /// Whether there has been anything but white space, and whether white space has come since.
    has_begun: bool,
    has_blank: bool,
    /// What comes after a space.
    held: Option<u32>,
}

impl Normalized {
    /// The next code point, `None` at the end; `Err` if the budget was not enough.
    fn next(&mut self, wording: Wording<'_>, budget: &mut usize) -> Result<Option<u32>, ()> {
        if let Some(code) = self.held.take() {
            return Ok(Some(code));
        }
        while *budget > 0 {
            let Some(code) = self.codes.next(wording, budget) else { return Ok(None) };
            if char::from_u32(code).is_some_and(char::is_whitespace) {
                self.has_blank = true;
                continue;
            }
            let after_space = core::mem::take(&mut self.has_blank) && self.has_begun;
            self.has_begun = true;
            if after_space {
                self.held = Some(code);
            }
            return Ok(Some(if after_space { u32::from(b' ') } else { code }));
        }
        Err(())
    }
}

/// A comparison of two texts under way.
#[derive(Clone, Copy, Debug)]
pub struct TextMatch {
    normalize: bool,
    primary: Normalized,
    shadow: Normalized,
    /// What the primary has, while the shadow's is still looked for.
    held: Option<Option<u32>>,
}

impl TextMatch {
    /// Of texts of which all counts, or, if `normalize`, white space only as what parts words.
    pub fn new(normalize: bool) -> Self {
        Self { normalize, primary: Normalized::default(), shadow: Normalized::default(), held: None }
    }

    /// Compares on for about `budget` bytes; whether the texts are the same, `None` if the budget was not enough.
    pub fn step(&mut self, primary: Wording<'_>, shadow: Wording<'_>, budget: &mut usize) -> Option<bool> {
        while *budget > 0 {
            let (one, other) = if self.normalize {
                let one = self.held.map_or_else(|| self.primary.next(primary, budget), Ok).ok()?;
                self.held = Some(one);
                let other = self.shadow.next(shadow, budget).ok()?;
                self.held = None;
                (one, other)
            } else {
                (self.primary.codes.next(primary, budget), self.shadow.codes.next(shadow, budget))
            };
            match (one, other) {
                (None, None) => return Some(true),
                (one, other) if one != other => return Some(false),
                _ => {}
            }
        }
        None
    }
}
