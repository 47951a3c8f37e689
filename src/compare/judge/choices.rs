//! Compares generated answers: how each choice ended, whether it refuses, which tools it calls, what it says.
//!
//! Choices are matched by their index. Of each, one aspect after the other is compared; the first that differs decides. Ids, times, models,
//! fingerprints, tokens and their probabilities never count; what the model thought does if the operator says so. Paths of the operator
//! lead on into JSON that a text holds.

use core::cmp::Ordering;
use core::task::{Poll, ready};
use std::rc::Rc;

use crate::compare::judge::document::embedded::{JsonMatch, Meaning};
use crate::compare::judge::document::walk::{Inside, Walk};
use crate::compare::judge::place::{Place, excerpt};
use crate::compare::judge::rules::{Effect, Here, Rules};
use crate::compare::judge::task::Judge;
use crate::compare::judge::text_match::TextMatch;
use crate::compare::judgement::{Differences, Divergence, Judgement, Kind};
use crate::compare::part::choice::{Choice, Tool, ToolKind};
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::text::Text;
use crate::compare::side::Sides;
use crate::config::{Compare, Texts};
use crate::fault::Fault;
use crate::json::tape::Document;
use crate::json::text::read;
use crate::limits::MAX_LABEL;

/// What it costs to begin with one aspect.
const ASPECT: usize = 64;

/// What of a choice counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// All but wording: an answer that is JSON has to stay the same JSON.
    Structure,
    /// The text alone.
    Text(Texts),
}

/// Compares choices.
#[derive(Debug)]
pub struct ChoicesJudge {
    rules: Rules,
    /// What they say of the whole answer.
    root: Effect,
    scope: Scope,
    /// The next choice of each side, and the next aspect of these two.
    primary: usize,
    shadow: usize,
    aspect: usize,
    work: Option<Work>,
    differences: Differences,
    /// The path of the first texts that neither side has, though it says something else.
    unsaid: Option<String>,
}

/// The comparison of one aspect under way.
#[derive(Debug)]
enum Work {
    Text(TextMatch),
    Json(Box<JsonMatch>),
}

/// One aspect of two choices.
struct Aspect {
    kind: Kind,
    path: Vec<Here<'static>>,
    /// The strings that make it up.
    primary: Vec<u32>,
    shadow: Vec<u32>,
    test: Test,
    /// The tool that is called, if this is about its arguments.
    tool: Option<(Tool, Tool)>,
}

/// When an aspect of two choices is the same.
#[derive(Clone, Copy)]
enum Test {
    /// The same texts, or what they mean as JSON.
    Text { normalize: bool, meaning: Option<Meaning> },
    /// Known at once: whether they are.
    Known(bool),
}

impl Test {
    /// The same texts to the letter.
    const EXACT: Self = Test::Text { normalize: false, meaning: None };

    fn means(meaning: Meaning) -> Self {
        Test::Text { normalize: false, meaning: Some(meaning) }
    }
}

impl ChoicesJudge {
    /// As `plan` says, of what is in `scope`.
    pub fn new(plan: Rc<Compare>, scope: Scope) -> Self {
        let (rules, root) = Rules::new(plan);
        let differences = Differences::default();
        Self { rules, root, scope, primary: 0, shadow: 0, aspect: 0, work: None, differences, unsaid: None }
    }

    /// Goes on with the choices at hand. Ready behind the last of them.
    fn turn(&mut self, pair: Sides<'_, Content>, budget: &mut usize) -> Poll<()> {
        let (Parts::Choices(primary), Parts::Choices(shadow)) = (&pair.primary.parts, &pair.shadow.parts) else {
            self.differences.add(|| diverged(Kind::Type, &[], <(String, String)>::default()));
            return Poll::Ready(());
        };
        let (one, other) = match (primary.get(self.primary), shadow.get(self.shadow)) {
            (None, None) => return Poll::Ready(()),
            (Some(one), Some(other)) => match one.index.cmp(&other.index) {
                Ordering::Less => (Some(one), None),
                Ordering::Equal => (Some(one), Some(other)),
                Ordering::Greater => (None, Some(other)),
            },
            lone => lone,
        };
        let found = match (one, other) {
            (Some(one), Some(other)) if self.is_unsaid(one, other) => {
                self.unsaid.get_or_insert_with(|| place_of(&in_content(one)).finish().0);
                None
            }
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
                self.differences.add(|| diverged(kind, &path, values));
            }
        }
        self.primary = self.primary.wrapping_add(one.is_some().into());
        self.shadow = self.shadow.wrapping_add(other.is_some().into());
        self.aspect = 0;
        Poll::Pending
    }

    /// Compares one aspect, or goes on with it. Always `Pending`: there may be more.
    fn compare(&mut self, pair: Sides<'_, Content>, aspect: &Aspect, budget: &mut usize) -> Poll<()> {
        let (primary, shadow) = (aspect.text(&pair.primary.document, &aspect.primary), aspect.text(&pair.shadow.document, &aspect.shadow));
        if self.work.is_none() {
            *budget = budget.saturating_sub(ASPECT);
            if self.ignores(&aspect.path) {
                self.aspect = self.aspect.wrapping_add(1);
                return Poll::Pending;
            }
            if let Test::Text { normalize, .. } = aspect.test {
                self.work = Some(Work::Text(TextMatch::new(normalize)));
            }
        }
        let same = match (&mut self.work, aspect.test) {
            (None, Test::Known(false)) => Err(aspect.kind),
            (None, _) => Ok(()),
            (Some(Work::Text(work)), test) => match (ready!(work.step(primary, shadow, budget)), test) {
                (true, _) => Ok(()),
                (false, Test::Text { meaning: Some(meaning), .. }) => {
                    self.work = Some(Work::Json(Box::new(self.json(pair, meaning, aspect))));
                    return Poll::Pending;
                }
                (false, _) => Err(aspect.kind),
            },
            (Some(Work::Json(work)), _) => ready!(work.step(primary, shadow, &mut self.differences, budget)),
        };
        self.work = None;
        self.aspect = self.aspect.wrapping_add(1);
        if let Err(kind) = same {
            let values = || (source(&pair.primary.document, &aspect.primary), source(&pair.shadow.document, &aspect.shadow));
            let tool = || tool_name(pair, aspect.tool);
            self.differences.add(|| Divergence { tool: tool(), ..diverged(kind, &aspect.path, values()) });
            if self.aspect == 1 {
                // Two forms of answers have nothing else in common.
                self.aspect = usize::MAX;
            }
        }
        Poll::Pending
    }

    /// The comparison of an aspect as JSON.
    fn json(&self, pair: Sides<'_, Content>, meaning: Meaning, aspect: &Aspect) -> JsonMatch {
        let (mut rules, kind) = match meaning {
            Meaning::Arguments => (self.rules.clone().exact(), Some(Kind::Tools)),
            Meaning::Text | Meaning::Structure => (self.rules.clone(), None),
        };
        let (mut place, mut effect) = (Place::default(), self.root);
        for here in &aspect.path {
            place.push(*here);
            effect = rules.enter(*here);
        }
        let inside = Inside { place: place.inside(), kind, tool: tool_name(pair, aspect.tool) };
        JsonMatch::new(meaning, Walk::inside(rules, effect, inside))
    }

    /// The aspect at hand of two choices; `None` behind the last one.
    fn aspect(&self, primary: &Choice, shadow: &Choice) -> Option<Aspect> {
        let aspect = |kind, path, one, other, test| Some(Aspect { kind, path, primary: one, shadow: other, test, tool: None });
        let known = |kind, path, same| aspect(kind, path, Vec::new(), Vec::new(), Test::Known(same));
        let content = |kind, test| aspect(kind, in_content(primary), primary.content.clone(), shadow.content.clone(), test);
        let in_choice = |step| vec![Here::member("choices"), Here::Index(primary.place), Here::member(step)];
        if self.aspect == 0 {
            let path = vec![Here::member("choices"), Here::Index(primary.place)];
            return known(Kind::Type, path, primary.is_chat == shadow.is_chat);
        }
        let reasoning = |normalize| {
            let name = if primary.reasoning.is_empty() { shadow.reasoning_name } else { primary.reasoning_name };
            let (one, other) = (primary.reasoning.clone(), shadow.reasoning.clone());
            aspect(Kind::Text, in_message(primary, name), one, other, Test::Text { normalize, meaning: None })
        };
        let reasons = self.rules.plan().reasoning;
        if let Scope::Text(Texts { normalize, json }) = self.scope {
            return match self.aspect {
                1 => content(Kind::Text, Test::Text { normalize, meaning: json.then_some(Meaning::Text) }),
                2 if reasons => reasoning(normalize),
                _ => None,
            };
        }
        // (Where the operator ignores tool calls, one side may have more of them than the other.)
        let tools = primary.tools.len().min(shadow.tools.len()).saturating_mul(ASPECTS_OF_TOOL);
        match self.aspect {
            1 => aspect(Kind::Finish, in_choice("finish_reason"), nodes(primary.finish), nodes(shadow.finish), Test::EXACT),
            2 => {
                let same = primary.refusal.is_empty() == shadow.refusal.is_empty();
                aspect(Kind::Refusal, in_refusal(primary), primary.refusal.clone(), shadow.refusal.clone(), Test::Known(same))
            }
            3 => known(Kind::Tools, in_tools(primary), primary.tools.len() == shadow.tools.len()),
            number => match number.wrapping_sub(4) {
                number if number < tools => of_tool(primary, shadow, number),
                number => match (number.wrapping_sub(tools), self.scope) {
                    (0, Scope::Structure) => content(Kind::Type, Test::means(Meaning::Structure)),
                    (0, _) => content(Kind::Text, Test::EXACT),
                    (1, Scope::All) => {
                        // (That only one refuses has been said.)
                        let test = if primary.refusal.is_empty() || shadow.refusal.is_empty() { Test::Known(true) } else { Test::EXACT };
                        aspect(Kind::Text, in_refusal(primary), primary.refusal.clone(), shadow.refusal.clone(), test)
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
        matches!(self.scope, Scope::Text(_))
            && both.iter().all(|choice| choice.content.is_empty())
            && (both.iter().any(|choice| !choice.tools.is_empty()) && !self.ignores(&in_tools(primary))
                || both.iter().any(|choice| !choice.refusal.is_empty()) && !self.ignores(&in_refusal(primary)))
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
        while *budget > 0 {
            if self.root.ignored || self.differences.is_full() || self.turn(pair, budget).is_ready() {
                return Poll::Ready(match (self.differences.take(), self.unsaid.take()) {
                    (Judgement::Equivalent, Some(path)) => Judgement::LeftUnread { path, reason: UNSAID },
                    (judgement, _) => judgement,
                });
            }
            *budget = budget.saturating_sub(1);
        }
        Poll::Pending
    }
}

const UNSAID: Fault = "neither answer has any text: choose task auto or structure to compare what else it says";

/// Aspects of one tool call: whether it is read at all, its name, its arguments.
const ASPECTS_OF_TOOL: usize = 3;

/// One of the aspects of the tool calls of two choices.
fn of_tool(primary: &Choice, shadow: &Choice, number: usize) -> Option<Aspect> {
    let place = number / ASPECTS_OF_TOOL;
    let (&one, &other) = (primary.tools.get(place)?, shadow.tools.get(place)?);
    // The interface streams custom tools as if they were functions.
    let is_custom = [one.kind, other.kind].contains(&ToolKind::Custom);
    let (part, nodes_of, test, tool): (_, fn(Tool) -> Option<u32>, _, _) = match number % ASPECTS_OF_TOOL {
        0 => ("type", |_| None, Test::Known((one.kind == ToolKind::Other) == (other.kind == ToolKind::Other)), None),
        1 => ("name", |tool| tool.name, Test::EXACT, None),
        _ if is_custom => ("arguments", |tool| tool.arguments, Test::EXACT, Some((one, other))),
        _ => ("arguments", |tool| tool.arguments, Test::means(Meaning::Arguments), Some((one, other))),
    };
    let (primary_nodes, shadow_nodes) = (nodes(nodes_of(one)), nodes(nodes_of(other)));
    Some(Aspect { kind: Kind::Tools, path: in_tool(primary, place, part), primary: primary_nodes, shadow: shadow_nodes, test, tool })
}

fn nodes(node: Option<u32>) -> Vec<u32> {
    node.into_iter().collect()
}

impl Aspect {
    /// The text of these strings, or the JSON of the one value that is none. Arguments that are blank or `null` are an object without
    /// members: how models and servers write it that there are none.
    fn text<'a>(&self, document: &'a Document, nodes: &'a [u32]) -> Text<'a> {
        const LONGEST: usize = 16;
        let text = match nodes {
            &[node] if document.value(node).tag.is_container() => Text::Bytes(document.source(node)),
            strings => Text::Strings(document, strings),
        };
        let is = |word: &[u8]| TextMatch::new(true).step(text, Text::Bytes(word), &mut usize::MAX.clone()) == Poll::Ready(true);
        let may_be_nothing = matches!(self.test, Test::Text { meaning: Some(Meaning::Arguments), .. }) && text.length() <= LONGEST;
        if may_be_nothing && (is(b"") || is(b"null")) { Text::Bytes(b"{}") } else { text }
    }
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

fn diverged(kind: Kind, path: &[Here<'_>], values: (String, String)) -> Divergence {
    Divergence::new(kind, place_of(path).finish(), values)
}

fn place_of(path: &[Here<'_>]) -> Place {
    let mut place = Place::default();
    path.iter().for_each(|here| place.push(*here));
    place
}

/// The name of a tool that both sides call. (It is no value of the answers alone: the client offers tools by their names.)
fn tool_name(pair: Sides<'_, Content>, tools: Option<(Tool, Tool)>) -> Option<String> {
    let (primary, shadow) = tools?;
    let name = |document: &Document, tool: Tool| read(document.value(tool.name?), MAX_LABEL.saturating_mul(4));
    name(&pair.primary.document, primary).filter(|found| name(&pair.shadow.document, shadow).as_ref() == Some(found))
}

/// The beginning of a text, for evidence.
fn source(document: &Document, strings: &[u32]) -> String {
    strings.first().map(|&string| excerpt(document.source(string))).unwrap_or_default()
}

/// The beginning of a choice without a partner, for evidence.
fn beginning(content: &Content, choice: &Choice) -> String {
    source(&content.document, &choice.content)
}
