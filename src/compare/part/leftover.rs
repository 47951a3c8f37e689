//! Members that an answer has where content stands, and that its protocol does not read.
//!
//! Nobody knows what they say. So they are held beside what is read: two answers that are equal in all else are only equal if these are.

use crate::compare::part::tensor::Range;
use crate::json::tape::{Document, first_child};
use crate::json::text::{read, reads};
use crate::json::value::{Tag, Value};
use crate::path::Step;

/// Most members left unread that are told apart in one answer (one for each of the most embeddings), and most members of an object in which
/// they are looked for. An answer with more equals no other.
const MAX_LEFTOVERS: usize = 4096;
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
    /// Whether there are more than are told apart.
    pub is_over: bool,
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
    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && !self.is_over
    }

    /// Takes in what the object at `object`, which is at `spot`, has beside the members that are `known`.
    pub fn members(&mut self, document: &Document, object: u32, spot: Spot<'_>, known: &[&str]) {
        let count = document.children(object);
        if document.value(object).tag != Tag::Object {
            return;
        }
        if count > MAX_MEMBERS {
            self.is_over = true;
            return;
        }
        let mut at = first_child(object);
        for _ in 0..count {
            let (name, value) = (document.value(at), document.after(at));
            at = document.after(value);
            if !is_known(name, known) {
                self.member(document, spot, name, value);
            }
        }
    }

    /// Takes in the member `name` with its value, unless that is empty.
    pub fn member(&mut self, document: &Document, spot: Spot<'_>, name: Value<'_>, value: u32) {
        if is_filled(document, value) {
            let name = Step::Member(read(name, usize::MAX).unwrap_or_default());
            self.push(spot, Some(name), Unknown::Node(value));
        }
    }

    /// Takes in what is at `spot`, or `step` below it.
    pub fn push(&mut self, spot: Spot<'_>, step: Option<Step>, value: Unknown) {
        self.hold(spot, step, value, false);
    }

    /// The same of what only tells what the model thought.
    pub fn thought(&mut self, spot: Spot<'_>, step: Option<Step>, value: Unknown) {
        self.hold(spot, step, value, true);
    }

    fn hold(&mut self, spot: Spot<'_>, step: Option<Step>, value: Unknown, is_thought: bool) {
        if self.all.len() >= MAX_LEFTOVERS {
            self.is_over = true;
            return;
        }
        let (item, part, mut path) = (spot.item, spot.part, spot.path.to_vec());
        path.extend(step);
        let siblings = spot.path.split(|step| *step == Step::AnyIndex).next().unwrap_or_default();
        // Members of one object come one after the other; between parts of a content stand those of other parts.
        let is_sibling = |before: &&Leftover| {
            before.item == item && before.path.starts_with(siblings) && (part.is_some() || before.path.len() == path.len())
        };
        let before = self.all.iter().rev().take_while(is_sibling);
        let nth = before.filter(|before| before.path == path).count() as u32;
        self.all.push(Leftover { item, path, nth, part, is_thought, value });
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
