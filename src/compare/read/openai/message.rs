//! Reads one choice of a whole answer: what its message says, and what nobody reads of it.

use crate::compare::part::choice::{Choice, ToolKind};
use crate::compare::part::leftover::{Leftovers, Spot, Unknown, is_filled};
use crate::compare::read::openai::members::{
    MAX_TOOLS, Part, REASONING, THOUGHTS, Thought, elements, is_text, known, known_of_call, legacy_tool, member, part, parts, text, tool,
    whole,
};
use crate::fault::Fault;
use crate::json::tape::Document;
use crate::json::text::{codes, is_same};
use crate::path::Step;

/// Reads the choice at `node`, the `place`-th of its answer.
///
/// # Errors
/// What is wrong with it.
pub fn choice(document: &Document, node: u32, place: u32, leftovers: &mut Leftovers) -> Result<Choice, Fault> {
    let index = whole(document, node, "index")?.unwrap_or(u64::from(place));
    let finish = text(document, node, "finish_reason")?;
    let mut reader = MessageReader { document, choice: Choice { index, place, finish, ..Choice::default() }, leftovers };
    let plain = member(document, node, "text")?;
    let (message, delta) = (member(document, node, "message")?, member(document, node, "delta")?);
    match message.or(delta) {
        None if plain.is_none() => return Err("a choice has neither message nor text"),
        None => reader.content(node, &["text"])?,
        Some(message) => reader.message(message)?,
    }
    reader.beside(node, plain, if message.is_some() { delta } else { None });
    Ok(reader.choice)
}

/// A choice being read.
struct MessageReader<'a> {
    document: &'a Document,
    choice: Choice,
    leftovers: &'a mut Leftovers,
}

impl MessageReader<'_> {
    /// What of a choice is in no message. A `text` beside one is the same once more, or the only one.
    fn beside(&mut self, node: u32, plain: Option<u32>, delta: Option<u32>) {
        let document = self.document;
        let plain = plain.filter(|_| self.choice.is_chat);
        match (plain, self.choice.content.as_slice()) {
            (Some(plain), []) if is_text(document, plain) => self.choice.content = vec![plain],
            (Some(plain), &[content]) if is_same(document.value(plain).text, document.value(content).text) => {}
            (Some(plain), _) => self.leftover(&[], "text", plain, false),
            (None, _) => {}
        }
        if let Some(delta) = delta {
            self.leftovers.members(document, delta, spot(self.choice.place, &[member_step("delta")]), &["role"]);
        }
        self.leftovers.members(document, node, spot(self.choice.place, &[]), &known::CHOICE);
    }

    fn message(&mut self, message: u32) -> Result<(), Fault> {
        let document = self.document;
        self.choice.is_chat = true;
        self.content(message, &["message", "content"])?;
        let refusal = text(document, message, "refusal")?;
        let parts = core::mem::take(&mut self.choice.refusal);
        self.choice.refusal = once(document, [refusal.into_iter().collect(), parts]);
        let mut thoughts = [core::mem::take(&mut self.choice.reasoning), Vec::new(), Vec::new()];
        for (name, thought) in REASONING.into_iter().zip(thoughts.iter_mut().skip(1)) {
            thought.extend(member(document, message, name)?.filter(|&node| is_text(document, node)));
        }
        let said = ["content"].into_iter().chain(REASONING).zip(&thoughts).find(|(_, thought)| !thought.is_empty());
        self.choice.reasoning_name = said.map(|(name, _)| name).unwrap_or_default();
        self.choice.reasoning = once(document, thoughts);
        self.choice.has_thought |= !self.choice.reasoning.is_empty();
        for name in REASONING.into_iter().chain(THOUGHTS) {
            let node = member(document, message, name)?;
            if let Some(node) = node.filter(|&node| !REASONING.contains(&name) || !is_text(document, node)) {
                self.leftover(&["message"], name, node, true);
            }
        }
        for (place, call) in elements(document, message, "tool_calls")?.enumerate() {
            if self.choice.tools.len() >= MAX_TOOLS {
                return Err("too many tool calls");
            }
            let (tool, inner) = tool(document, call)?;
            let path = [member_step("message"), member_step("tool_calls"), Step::Index(place)];
            self.leftovers.members(document, call, spot(self.choice.place, &path), &known_of_call(document, call, tool.kind));
            if let Some(inner) = inner {
                let (name, known) = if tool.kind == ToolKind::Custom { ("custom", known::CUSTOM) } else { ("function", known::FUNCTION) };
                let path = [path.as_slice(), &[member_step(name)]].concat();
                self.leftovers.members(document, inner, spot(self.choice.place, &path), &known);
            }
            self.choice.tools.push(tool);
        }
        if let Some((tool, call)) = legacy_tool(document, message)? {
            let path = [member_step("message"), member_step("function_call")];
            self.leftovers.members(document, call, spot(self.choice.place, &path), &known::FUNCTION);
            self.choice.tools.push(tool);
        }
        self.leftovers.members(document, message, spot(self.choice.place, &[member_step("message")]), &known::MESSAGE);
        Ok(())
    }

    /// The content at `path`, whose last name is its member of `object`.
    fn content(&mut self, object: u32, path: &[&str]) -> Result<(), Fault> {
        let document = self.document;
        let mut steps: Vec<Step> = path.iter().copied().map(member_step).collect();
        steps.push(Step::AnyIndex);
        for (place, node) in (0..).zip(parts(document, object, path.last().copied().unwrap_or_default())?) {
            let before = self.choice.content.len() as u32;
            let spot = Spot { item: self.choice.place, path: &steps, part: Some((place, before)) };
            match part(document, node)? {
                Part::Text(text) => {
                    self.choice.content.extend(text);
                    self.leftovers.members(document, node, spot, &known::TEXT);
                }
                Part::Refusal(refusal) => {
                    self.choice.refusal.extend(refusal);
                    self.leftovers.members(document, node, spot, &known::REFUSAL);
                }
                Part::Thought(thought) => self.thought(node, spot, thought),
                Part::Other => self.leftovers.push(spot, None, Unknown::Node(node)),
            }
        }
        Ok(())
    }

    /// The part of a content at `node`, which tells what the model thought.
    fn thought(&mut self, node: u32, spot: Spot<'_>, thought: Thought) {
        self.choice.has_thought = true;
        self.choice.reasoning_name = "content";
        self.choice.reasoning.extend(thought.texts);
        let before = self.leftovers.all.len();
        for (name, element) in thought.unread {
            self.leftovers.push(spot, Some(member_step(name)), Unknown::Node(element));
        }
        self.leftovers.members(self.document, node, spot, &known::THOUGHT);
        self.leftovers.all.iter_mut().skip(before).for_each(|leftover| leftover.is_thought = true);
    }

    fn leftover(&mut self, path: &[&str], name: &str, node: u32, is_thought: bool) {
        if !is_filled(self.document, node) {
            return;
        }
        let path: Vec<Step> = path.iter().copied().map(member_step).collect();
        let (spot, name) = (spot(self.choice.place, &path), Some(member_step(name)));
        if is_thought {
            self.choice.has_thought = true;
            self.leftovers.thought(spot, name, Unknown::Node(node));
        } else {
            self.leftovers.push(spot, name, Unknown::Node(node));
        }
    }
}

/// The strings of all these places, but not those of a place that says the same as one before it.
fn once<const PLACES: usize>(document: &Document, places: [Vec<u32>; PLACES]) -> Vec<u32> {
    let mut found: Vec<Vec<u32>> = Vec::new();
    for place in places {
        if !found.iter().any(|known| is_same_text(document, known, &place)) {
            found.push(place);
        }
    }
    found.concat()
}

/// Whether strings that follow each other say the same.
fn is_same_text(document: &Document, one: &[u32], other: &[u32]) -> bool {
    match (one, other) {
        (&[one], &[other]) => is_same(document.value(one).text, document.value(other).text),
        _ => {
            let [one, other] = [one, other].map(|strings| strings.iter().flat_map(|&string| codes(document.value(string).text)));
            one.eq(other)
        }
    }
}

fn spot(item: u32, path: &[Step]) -> Spot<'_> {
    Spot { item, path, part: None }
}

fn member_step(name: &str) -> Step {
    Step::Member(name.to_owned())
}
