//! Compares generated answers: how each choice ended, whether it refuses, which tools it calls, what it says.
//!
//! Choices are matched by their index. Of each, one aspect after the other is compared; the first that differs decides. Ids, times, models,
//! fingerprints, tokens and their probabilities never count; what the model thought does if the operator says so.

pub(super) mod embedded;

use core::cmp::Ordering;
use core::task::{Poll, ready};
use std::rc::Rc;

use crate::compare::judge::choices::embedded::{StructureMatch, ValueMatch};
use crate::compare::judge::place::{Place, excerpt};
use crate::compare::judge::rules::{Here, Rules};
use crate::compare::judge::task::Judge;
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Divergence, Judgement, Kind};
use crate::compare::part::choice::{Choice, Tool, ToolKind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::Compare;
use crate::fault::Fault;
use crate::json::tape::Document;

/// What it costs to begin with one aspect.
const ASPECT: usize = 64;

/// What of a choice counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// All but wording: an answer that is JSON has to stay JSON.
    Structure,
    /// The text alone, with white space normalised or not.
    Text {
        /// Whether runs of white space count as one space, and those at the ends as nothing.
        normalize: bool,
    },
}

/// Compares choices.
#[derive(Debug)]
pub struct ChoicesJudge {
    rules: Rules,
    /// Whether the operator ignores the whole answer.
    is_ignored: bool,
    scope: Scope,
    /// The next choice of each side, and the next aspect of these two.
    primary: usize,
    shadow: usize,
    aspect: usize,
    work: Option<Work>,
}

/// The comparison of one aspect under way.
#[derive(Debug)]
enum Work {
    Text(TextMatch),
    Value(ValueMatch),
    Structure(StructureMatch),
}

/// One aspect of two choices.
struct Aspect {
    kind: Kind,
    path: Vec<Here<'static>>,
    /// The strings that make it up.
    primary: Vec<u32>,
    shadow: Vec<u32>,
    test: Test,
}

/// When an aspect of two choices is the same.
enum Test {
    /// The same texts.
    Text { normalize: bool },
    /// The same JSON values, or the same texts; nothing is the same as no members.
    Arguments,
    /// Both are JSON, or neither.
    Structure,
    /// Known at once: whether they are.
    Known(bool),
}

impl ChoicesJudge {
    /// As `plan` says, of what is in `scope`.
    pub fn new(plan: Rc<Compare>, scope: Scope) -> Self {
        let (rules, effect) = Rules::new(plan);
        Self { rules, is_ignored: effect.ignored, scope, primary: 0, shadow: 0, aspect: 0, work: None }
    }

    /// Goes on with the choices at hand. Ready once it is known how the comparison ends.
    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        let (Parts::Choices(primary), Parts::Choices(shadow)) = (&pair.primary.parts, &pair.shadow.parts) else {
            return Poll::Ready(diverged(Kind::Type, &[], <(String, String)>::default()));
        };
        let (one, other) = match (primary.get(self.primary), shadow.get(self.shadow)) {
            (None, None) => return Poll::Ready(Judgement::Equivalent),
            (Some(one), Some(other)) => match one.index.cmp(&other.index) {
                Ordering::Less => (Some(one), None),
                Ordering::Equal => (Some(one), Some(other)),
                Ordering::Greater => (None, Some(other)),
            },
            lone => lone,
        };
        let found = match (one, other) {
            (Some(one), Some(other)) if self.is_unsaid(one, other) => return Poll::Ready(unsaid(one)),
            (Some(one), Some(other)) => match self.aspect(one, other) {
                Some(aspect) => return self.compare(pair, &aspect, budget),
                None => None,
            },
            (lone, None) => lone.map(|choice| (Kind::Missing, choice, (beginning(pair.primary, choice), String::new()))),
            (None, lone) => lone.map(|choice| (Kind::Extra, choice, (String::new(), beginning(pair.shadow, choice)))),
        };
        if let Some((kind, choice, values)) = found {
            let path = [Here::member("choices"), Here::Index(choice.place)];
            if !self.ignores(&path) {
                return Poll::Ready(diverged(kind, &path, values));
            }
        }
        self.primary = self.primary.wrapping_add(one.is_some().into());
        self.shadow = self.shadow.wrapping_add(other.is_some().into());
        self.aspect = 0;
        Poll::Pending
    }

    /// Compares one aspect, or goes on with it. Ready if it differs.
    fn compare(&mut self, pair: Sides<'_, Content>, aspect: &Aspect, budget: &mut usize) -> Poll<Judgement> {
        let (primary, shadow) = (text(&pair.primary.document, &aspect.primary), text(&pair.shadow.document, &aspect.shadow));
        if self.work.is_none() {
            *budget = budget.saturating_sub(ASPECT);
            self.work = match aspect.test {
                Test::Known(_) => None,
                _ if self.ignores(&aspect.path) => None,
                Test::Text { normalize } => Some(Work::Text(TextMatch::new(normalize))),
                Test::Arguments => Some(Work::Value(ValueMatch::new(Rc::new(Compare::exact())))),
                Test::Structure => Some(Work::Structure(StructureMatch::new(primary))),
            };
        }
        let same = match (&mut self.work, &aspect.test) {
            (None, Test::Known(false)) => self.ignores(&aspect.path),
            (None, _) => true,
            (Some(Work::Text(work)), _) => ready!(work.step(primary, shadow, budget)),
            (Some(Work::Value(work)), _) => ready!(work.step(or_nothing(primary), or_nothing(shadow), budget)),
            (Some(Work::Structure(work)), _) => ready!(work.step(primary, shadow, budget)),
        };
        self.work = None;
        self.aspect = self.aspect.wrapping_add(1);
        let values = || (source(&pair.primary.document, &aspect.primary), source(&pair.shadow.document, &aspect.shadow));
        if same { Poll::Pending } else { Poll::Ready(diverged(aspect.kind, &aspect.path, values())) }
    }

    /// The aspect at hand of two choices; `None` behind the last one.
    fn aspect(&self, primary: &Choice, shadow: &Choice) -> Option<Aspect> {
        let aspect = |kind, path, one, other, test| Some(Aspect { kind, path, primary: one, shadow: other, test });
        let known = |kind, path, same| aspect(kind, path, Vec::new(), Vec::new(), Test::Known(same));
        let content = |kind, test| aspect(kind, in_content(primary), primary.content.clone(), shadow.content.clone(), test);
        let in_choice = |step| vec![Here::member("choices"), Here::Index(primary.place), Here::member(step)];
        if self.aspect == 0 {
            let path = vec![Here::member("choices"), Here::Index(primary.place)];
            return known(Kind::Type, path, primary.is_chat == shadow.is_chat);
        }
        let reasoning = |normalize| {
            let (one, other) = (primary.reasoning.clone(), shadow.reasoning.clone());
            let name = if primary.reasoning.is_empty() { shadow.reasoning_name } else { primary.reasoning_name };
            aspect(Kind::Text, in_message(primary, name), one, other, Test::Text { normalize })
        };
        let reasons = self.rules.plan().reasoning;
        if let Scope::Text { normalize } = self.scope {
            return match self.aspect {
                1 => content(Kind::Text, Test::Text { normalize }),
                2 if reasons => reasoning(normalize),
                _ => None,
            };
        }
        // (Where the operator ignores tool calls, one side may have more of them than the other.)
        let tools = primary.tools.len().min(shadow.tools.len()).saturating_mul(ASPECTS_OF_TOOL);
        match self.aspect {
            1 => {
                let test = Test::Text { normalize: false };
                aspect(Kind::Finish, in_choice("finish_reason"), nodes(primary.finish), nodes(shadow.finish), test)
            }
            2 => {
                let same = primary.refusal.is_some() == shadow.refusal.is_some();
                aspect(Kind::Refusal, in_refusal(primary), nodes(primary.refusal), nodes(shadow.refusal), Test::Known(same))
            }
            3 => known(Kind::Tools, in_tools(primary), primary.tools.len() == shadow.tools.len()),
            number => match number.wrapping_sub(4) {
                number if number < tools => of_tool(primary, shadow, number),
                number => match (number.wrapping_sub(tools), self.scope) {
                    (0, Scope::Structure) => content(Kind::Type, Test::Structure),
                    (0, _) => content(Kind::Text, Test::Text { normalize: false }),
                    (1, Scope::All) => {
                        let test = Test::Text { normalize: false };
                        aspect(Kind::Text, in_refusal(primary), nodes(primary.refusal), nodes(shadow.refusal), test)
                    }
                    (2, Scope::All) if reasons => reasoning(false),
                    _ => None,
                },
            },
        }
    }

    /// Whether two choices have no text, where only that is compared, but have said something else that counts for the operator.
    fn is_unsaid(&mut self, primary: &Choice, shadow: &Choice) -> bool {
        let both = [primary, shadow];
        matches!(self.scope, Scope::Text { .. })
            && both.iter().all(|choice| choice.content.is_empty())
            && (both.iter().any(|choice| !choice.tools.is_empty()) && !self.ignores(&in_tools(primary))
                || both.iter().any(|choice| choice.refusal.is_some()) && !self.ignores(&in_refusal(primary)))
    }

    /// Whether the operator ignores `path`, or something above it.
    fn ignores(&mut self, path: &[Here<'_>]) -> bool {
        let mut ignored = false;
        for here in path {
            ignored |= self.rules.enter(*here).ignored;
        }
        for _ in path {
            self.rules.leave();
        }
        ignored
    }
}

impl Judge for ChoicesJudge {
    fn step(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<Judgement> {
        if self.is_ignored {
            return Poll::Ready(Judgement::Equivalent);
        }
        while *budget > 0 {
            if let Poll::Ready(judgement) = self.turn(pair, budget) {
                return Poll::Ready(judgement);
            }
            *budget = budget.saturating_sub(1);
        }
        Poll::Pending
    }
}

/// Aspects of one tool call: whether it is read at all, its name (or type, if it is not), its arguments.
const ASPECTS_OF_TOOL: usize = 3;

/// One of the aspects of the tool calls of two choices.
fn of_tool(primary: &Choice, shadow: &Choice, number: usize) -> Option<Aspect> {
    let place = number / ASPECTS_OF_TOOL;
    let (one, other) = (primary.tools.get(place)?, shadow.tools.get(place)?);
    let exact = Test::Text { normalize: false };
    // The interface streams custom tools as if they were functions.
    let (part, one, other, test) = match number % ASPECTS_OF_TOOL {
        0 => ("type", None, None, Test::Known((one.kind == ToolKind::Other) == (other.kind == ToolKind::Other))),
        1 => ("name", one.name, other.name, exact),
        _ if [one.kind, other.kind].contains(&ToolKind::Custom) => ("arguments", one.arguments, other.arguments, exact),
        _ => ("arguments", one.arguments, other.arguments, Test::Arguments),
    };
    Some(Aspect { kind: Kind::Tools, path: in_tool(primary, place, part), primary: nodes(one), shadow: nodes(other), test })
}

fn nodes(node: Option<u32>) -> Vec<u32> {
    node.into_iter().collect()
}

fn unsaid(choice: &Choice) -> Judgement {
    const REASON: Fault = "neither answer has any text: choose task auto or structure to compare what else it says";
    let mut place = Place::default();
    in_content(choice).into_iter().for_each(|here| place.push(here));
    Judgement::LeftUnread { path: place.finish().0, reason: REASON }
}

/// The text of these strings, or the JSON of the one value that is none.
fn text<'a>(document: &'a Document, nodes: &'a [u32]) -> Text<'a> {
    match nodes {
        &[node] if document.value(node).tag.is_container() => Text::Bytes(document.source(node)),
        strings => Text::Strings(document, strings),
    }
}

/// The arguments of a function; no members if they are blank or `null`: how models and servers write it that there are none.
fn or_nothing(text: Text<'_>) -> Text<'_> {
    const LONGEST: usize = 16;
    let is = |word: &[u8]| TextMatch::new(true).step(text, Text::Bytes(word), &mut usize::MAX.clone()) == Poll::Ready(true);
    if text.length() <= LONGEST && (is(b"") || is(b"null")) { Text::Bytes(b"{}") } else { text }
}

/// The path to something in the message of a choice.
fn in_message(choice: &Choice, step: &'static str) -> Vec<Here<'static>> {
    vec![Here::member("choices"), Here::Index(choice.place), Here::member("message"), Here::member(step)]
}

fn in_content(choice: &Choice) -> Vec<Here<'static>> {
    if choice.is_chat {
        in_message(choice, "content")
    } else {
        vec![Here::member("choices"), Here::Index(choice.place), Here::member("text")]
    }
}

fn in_refusal(choice: &Choice) -> Vec<Here<'static>> {
    in_message(choice, "refusal")
}

fn in_tools(choice: &Choice) -> Vec<Here<'static>> {
    in_message(choice, "tool_calls")
}

/// The path to the name or the arguments of a tool call.
fn in_tool(choice: &Choice, place: usize, part: &'static str) -> Vec<Here<'static>> {
    let kind = choice.tools.get(place).map(|Tool { kind, .. }| *kind);
    let mut path = match kind {
        Some(ToolKind::Legacy) => return [in_message(choice, "function_call"), vec![Here::member(part)]].concat(),
        _ => in_tools(choice),
    };
    path.push(Here::Index(place as u32));
    path.extend(match (kind, part) {
        (_, "type") => return [path, vec![Here::member(part)]].concat(),
        (Some(ToolKind::Other), _) => return [path, vec![Here::member("type")]].concat(),
        (Some(ToolKind::Custom), "arguments") => [Here::member("custom"), Here::member("input")],
        (Some(ToolKind::Custom), _) => [Here::member("custom"), Here::member(part)],
        _ => [Here::member("function"), Here::member(part)],
    });
    path
}

fn diverged(kind: Kind, path: &[Here<'_>], values: (String, String)) -> Judgement {
    let mut place = Place::default();
    for here in path {
        place.push(*here);
    }
    let (path, pattern) = place.finish();
    Judgement::Diverged(Divergence { kind, path, pattern, relative: None, values })
}

/// The beginning of a text, for evidence.
fn source(document: &Document, strings: &[u32]) -> String {
    strings.first().map(|&string| excerpt(document.source(string))).unwrap_or_default()
}

/// The beginning of a choice without a partner, for evidence.
fn beginning(content: &Content, choice: &Choice) -> String {
    source(&content.document, &choice.content)
}
