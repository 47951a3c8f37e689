//! Members that an answer has where content stands, and that its protocol does not read.
//!
//! Nobody knows what they say. So they are held beside what is read: two answers that are equal in all else are only equal if these are.

use crate::compare::part::tensor::Range;
use crate::json::tape::{Document, first_child};
use crate::json::text::{read, reads};
use crate::json::value::{Tag, Value};
use crate::path::Step;

/// Most members left unread that are told apart in one answer, and most members of an object in which they are looked for. An answer with
/// more equals no other.
const MAX_LEFTOVERS: usize = 1024;
const MAX_MEMBERS: u32 = 256;

/// Members that differ from answer to answer whatever a model says, wherever they stand: ids, counts, probabilities, tokens, signatures, and
/// what servers tell of their own work. vLLM: `stop_reason`, `token_ids`, `prompt_token_ids`, `prompt_logprobs`, `routed_experts`; SGLang:
/// `matched_stop`, `hidden_states`; OpenRouter: `native_finish_reason`; Together: `seed`; Azure: `content_filter_results`,
/// `content_filter_offsets`; Moonshot: `usage` in a choice; Gemini: `extra_content`, which holds a signature.
const VOLATILE: [&str; 22] = [
    "logprobs",
    "id",
    "index",
    "object",
    "created",
    "usage",
    "timings",
    "system_fingerprint",
    "stop_reason",
    "matched_stop",
    "token_ids",
    "prompt_token_ids",
    "prompt_logprobs",
    "routed_experts",
    "hidden_states",
    "native_finish_reason",
    "seed",
    "content_filter_results",
    "content_filter_offsets",
    "extra_content",
    "signature",
    "thought_signature",
];

/// All that was left unread of an answer.
#[derive(Debug, Default)]
pub struct Leftovers {
    /// In the order of the answer.
    pub all: Vec<Leftover>,
}

/// A member that was left unread.
#[derive(Debug)]
pub struct Leftover {
    /// The place of the choice, output or embedding that it belongs to.
    pub item: u32,
    /// Where it is, below that item. [`Step::AnyIndex`] stands for a part of a content.
    pub path: Vec<Step>,
    /// Which of several with that path it is.
    pub nth: u32,
    /// If it is a part of a content, or in one: the place of that part, and how many of the texts of the content come before it.
    pub part: Option<(u32, u32)>,
    /// Whether it only tells what the model thought.
    pub is_thought: bool,
    /// What it is.
    pub value: Unknown,
}

/// A value that nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A value of the document.
    Node(u32),
    /// A field of a Protobuf message.
    Bytes(Range),
    /// There are more than are told apart.
    TooMany,
}

/// Where leftovers are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The place of the item.
    pub item: u32,
    /// The path below it.
    pub path: &'a [Step],
    /// See [`Leftover::part`].
    pub part: Option<(u32, u32)>,
}

impl Leftovers {
    /// Takes in what the object at `object`, which is at `spot`, has beside the members that are `known`.
    pub fn members(&mut self, document: &Document, object: u32, spot: Spot<'_>, known: &[&str]) {
        let count = document.children(object);
        if document.value(object).tag != Tag::Object {
            return;
        }
        if count > MAX_MEMBERS {
            return self.push(spot, None, Unknown::TooMany);
        }
        let mut at = first_child(object);
        for _ in 0..count {
            let (name, value) = (document.value(at), document.after(at));
            at = document.after(value);
            if !is_known(name, known) {
                self.member(document, spot, name, value, false);
            }
        }
    }

    /// Takes in the member `name` with its value, unless that is empty.
    pub fn member(&mut self, document: &Document, spot: Spot<'_>, name: Value<'_>, value: u32, is_thought: bool) {
        if is_filled(document, value) {
            let name = Step::Member(read(name, usize::MAX).unwrap_or_default());
            self.push(spot, Some(name), Unknown::Node(value));
            if let Some(leftover) = self.all.last_mut() {
                leftover.is_thought = is_thought;
            }
        }
    }

    /// Takes in what is at `spot`, or `step` below it.
    pub fn push(&mut self, spot: Spot<'_>, step: Option<Step>, value: Unknown) {
        let value = match self.all.len() {
            ..MAX_LEFTOVERS => value,
            MAX_LEFTOVERS => Unknown::TooMany,
            _ => return,
        };
        let (item, part, mut path) = (spot.item, spot.part, spot.path.to_vec());
        path.extend(step);
        let siblings = spot.path.split(|step| *step == Step::AnyIndex).next().unwrap_or_default();
        let before = self.all.iter().rev().take_while(|before| before.item == item && before.path.starts_with(siblings));
        let nth = before.filter(|before| before.path == path).count() as u32;
        self.all.push(Leftover { item, path, nth, part, is_thought: false, value });
    }
}

/// Whether a member of that name is one of those that are `known`, or one that differs always.
pub fn is_known(name: Value<'_>, known: &[&str]) -> bool {
    [known, &VOLATILE].iter().any(|known| known.iter().any(|known| reads(name, known)))
}

/// Whether a value says anything: it is neither `null` nor an empty text, array or object.
pub fn is_filled(document: &Document, node: u32) -> bool {
    let value = document.value(node);
    match value.tag {
        Tag::Null => false,
        Tag::Plain | Tag::Escaped => !value.text.is_empty(),
        Tag::Array | Tag::Object => document.children(node) > 0,
        Tag::False | Tag::True | Tag::Integer | Tag::Decimal => true,
    }
}
