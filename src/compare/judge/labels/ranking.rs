//! The labels of one row, the best first.
//!
//! Labels that differ in any byte differ. Bytes that are no UTF-8 are written as `\xNN`, and half of a surrogate pair as `\uNNNN`, with
//! each backslash beside it doubled. Such a label never equals one that is all text, even if both read the same.

use std::rc::Rc;

use crate::compare::part::element::Element;
use crate::fault::Fault;
use crate::json::text;
use crate::json::value::{Tag, Value};

/// Bytes of the longest string that is a label: labels are held while a row is compared, and a longer text is an essay.
const MAX_TEXT: usize = 1024;

const NO_LABEL: Fault = "a row has no label: neither a string, a boolean, a whole number nor a vector of numbers or strings";

const NAN: Fault = "one of the scores of a row is NaN: no label can be told from them";

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// How it reads.
    pub text: String,
    /// Whether all of it is text, as it is in the answer.
    is_text: bool,
}

impl From<String> for Label {
    fn from(text: String) -> Self {
        Self { text, is_text: true }
    }
}

/// A row as far as it has been read.
#[derive(Debug, Default)]
pub struct Ranking {
    /// How many elements the row has.
    length: u64,
    /// How many of the best are kept.
    top: usize,
    best: Best,
}

/// The best so far.
#[derive(Debug, Default)]
enum Best {
    #[default]
    Unknown,
    /// Numbers of a vector with their indices, the largest first.
    Scores(Vec<(f64, u64)>),
    /// Labels in words.
    Words(Vec<Label>),
    /// A whole number that is all of the row: its digits.
    Whole(String),
}

impl Ranking {
    /// Of a row of so many elements.
    pub fn new(length: u64, top: usize) -> Self {
        Self { length, top, best: Best::Unknown }
    }

    /// Takes the next element, with its index. `of_output`: it is of an output of the Open Inference Protocol, where strings may be
    /// Triton's classifications.
    ///
    /// # Errors
    /// If a row with such an element has no label.
    pub fn add(&mut self, (index, element): (u64, Element<'_>), of_output: bool, budget: &mut usize) -> Result<(), Fault> {
        if self.length == 1 {
            *budget = budget.saturating_sub(cost(element));
            self.best = match word(element, of_output)? {
                Some(word) => Best::Words(vec![word]),
                None => Best::Whole(whole(element).ok_or(NO_LABEL)?),
            };
            return Ok(());
        }
        match (&mut self.best, element.number()) {
            (_, Some(number)) if number.is_nan() => return Err(NAN),
            (best @ Best::Unknown, Some(number)) => {
                *best = Best::Scores(Vec::new());
                self.insert(number, index, budget);
            }
            (Best::Scores(_), Some(number)) => self.insert(number, index, budget),
            (Best::Words(words), None) if words.len() >= self.top => {}
            (best @ (Best::Words(_) | Best::Unknown), None) => {
                *budget = budget.saturating_sub(cost(element));
                let word = word(element, of_output)?.ok_or(NO_LABEL)?;
                match best {
                    Best::Words(words) => words.push(word),
                    _ => *best = Best::Words(vec![word]),
                }
            }
            _ => return Err(NO_LABEL),
        }
        Ok(())
    }

    /// Keeps a number if it is one of the largest. Equal ones stay in the order of their indices.
    fn insert(&mut self, number: f64, index: u64, budget: &mut usize) {
        let Best::Scores(best) = &mut self.best else { return };
        let is_full = best.len() >= self.top;
        if is_full && best.last().is_some_and(|(least, _)| number <= *least) {
            return;
        }
        let at = best.partition_point(|(other, _)| *other >= number);
        // One byte for each number that moves: they move fast.
        *budget = budget.saturating_sub(best.len().saturating_sub(at));
        best.insert(at, (number, index));
        best.truncate(self.top);
    }

    /// Of a vector of numbers: how many there are.
    pub fn scores(&self) -> Option<u64> {
        matches!(self.best, Best::Scores(_)).then_some(self.length)
    }

    /// Takes the labels of the row, at least one. An index or a whole number goes by the name of its class, if that has one.
    ///
    /// # Errors
    /// If the row has no label: an empty vector.
    pub fn take_labels(&mut self, names: &[Rc<str>]) -> Result<Vec<Label>, Fault> {
        let name = |digits: String| {
            let name = digits.parse().ok().and_then(|index: usize| names.get(index));
            Label::from(name.map_or(digits, |name| name.to_string()))
        };
        let labels = match core::mem::take(&mut self.best) {
            Best::Unknown => Vec::new(),
            Best::Scores(best) => best.into_iter().map(|(_, index)| name(index.to_string())).collect(),
            Best::Whole(digits) => vec![name(digits)],
            Best::Words(words) => words,
        };
        if labels.is_empty() { Err(NO_LABEL) } else { Ok(labels) }
    }
}

/// What making a label of an element costs, in bytes touched, beside its text.
const LABEL: usize = 32;

/// What making a label of this element costs, in bytes touched. Of a text that is too long only the length is looked at.
fn cost(element: Element<'_>) -> usize {
    let text = match element {
        Element::Json(value) | Element::Single(value) => value.text.len(),
        Element::Bytes(bytes) => bytes.len(),
        Element::Float(_) | Element::Integer(_) | Element::Bool(_) => 0,
    };
    LABEL.saturating_add(text.min(MAX_TEXT))
}

/// A string or boolean as a label.
fn word(element: Element<'_>, of_output: bool) -> Result<Option<Label>, Fault> {
    let label = match element {
        Element::Json(value) => match value.tag {
            Tag::True | Tag::False => return Ok(Some((value.tag == Tag::True).to_string().into())),
            Tag::Plain | Tag::Escaped => of_string(value)?,
            _ => return Ok(None),
        },
        Element::Bool(truth) => return Ok(Some(truth.to_string().into())),
        Element::Bytes(bytes) => of_bytes(bytes)?,
        Element::Single(_) | Element::Float(_) | Element::Integer(_) => return Ok(None),
    };
    let class = if of_output { class(&label.text).map(str::to_owned) } else { None };
    Ok(Some(match class {
        Some(text) => Label { text, ..label },
        None => label,
    }))
}

const TOO_LONG: Fault = "a text is too long for a label";

/// The label of a string of a JSON text.
fn of_string(value: Value<'_>) -> Result<Label, Fault> {
    if value.text.len() > MAX_TEXT {
        return Err(TOO_LONG);
    }
    let codes = || {
        let mut at = 0;
        core::iter::from_fn(move || text::next_code(value.text, &mut at))
    };
    let text: Option<String> = codes().map(char::from_u32).collect();
    Ok(text.map_or_else(|| not_text(codes().map(|code| char::from_u32(code).ok_or_else(|| format!("\\u{code:04x}")))), Label::from))
}

/// The label of an element of `BYTES`.
fn of_bytes(bytes: &[u8]) -> Result<Label, Fault> {
    if bytes.len() > MAX_TEXT {
        return Err(TOO_LONG);
    }
    Ok(match core::str::from_utf8(bytes) {
        Ok(text) => text.to_owned().into(),
        Err(_) => not_text(bytes.utf8_chunks().flat_map(|chunk| {
            let escapes = chunk.invalid().iter().map(|byte| Err(format!("\\x{byte:02x}")));
            chunk.valid().chars().map(Ok).chain(escapes)
        })),
    })
}

/// The label of characters, and what is written for what is none.
fn not_text(pieces: impl Iterator<Item = Result<char, String>>) -> Label {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Ok('\\') => text.push_str("\\\\"),
            Ok(character) => text.push(character),
            Err(escape) => text.push_str(&escape),
        }
    }
    Label { text, is_text: false }
}

/// The class in a text as Triton's classification extension writes it, `0.974494:0:setosa` or, without labels, `0.974494:0`.
fn class(text: &str) -> Option<&str> {
    let (score, class) = text.split_once(':')?;
    let is_score = score.contains('.') && score.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let (index, name) = class.split_once(':').map_or((class, None), |(index, name)| (index, Some(name)));
    let is_index = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
    (is_score && is_index).then_some(name.unwrap_or(index))
}

/// A whole number as a label: its digits.
fn whole(element: Element<'_>) -> Option<String> {
    match element {
        Element::Integer(number) => Some(number.to_string()),
        Element::Json(value) if value.tag == Tag::Integer && value.text != b"-0" => {
            (value.text.len() <= MAX_TEXT).then(|| String::from_utf8_lossy(value.text).into_owned())
        }
        // Adding zero makes a zero of a negative zero.
        _ => element.number().filter(|number| number.is_finite() && number.fract() == 0.0).map(|number| format!("{:.0}", number + 0.0)),
    }
}
