//! `gates`: limits on rates of bad trials, and whether a variant or shadow has the measure.

use std::mem::discriminant;
use std::rc::Rc;
use std::time::Duration;

use super::value::{Object, Problems, Seen, Value};
use super::{event, units, variants};
use crate::config::raw::Node;
use crate::config::{Direction, Event, Failures, Gate, GateSubject, Measure, Role, Shadow, SliceBy, Slices, Task};
use crate::gate::{Rate, Terms};
use crate::limits::MAX_GATES;
use crate::subject::Requires;

const KEYS: [&str; 13] = [
    "name",
    "of",
    "measure",
    "limit",
    "threshold",
    "margin",
    "direction",
    "counts",
    "event",
    "each_slice",
    "alpha",
    "min_trials",
    "requires",
];

/// Keys that only some measures have, each with these measures.
const SETTINGS: [(&str, &str); 5] = [
    ("threshold", "slower_than or first_byte_slower_than"),
    ("margin", "slower_than_primary or costlier_than_primary"),
    ("direction", "flipped"),
    ("counts", "failed, or worse_than_baseline with event: failed"),
    ("event", "worse_than_baseline"),
];

/// The words for `measure`. The settings here are placeholders until they are read.
const MEASURES: [(&str, Measure); 10] = [
    ("diverged", Measure::Diverged),
    ("worse_than_control", Measure::WorseThanControl { control: 0 }),
    ("worse_than_baseline", Measure::WorseThanBaseline(Event::Refused)),
    ("failed", Measure::Failed(Failures::DEFAULT)),
    ("slower_than", Measure::SlowerThan(Duration::ZERO)),
    ("slower_than_primary", Measure::SlowerThanPrimary(Duration::ZERO)),
    ("costlier_than_primary", Measure::CostlierThanPrimary { percent: 0.0 }),
    ("coverage", Measure::Coverage),
    ("flipped", Measure::Flipped(Direction::Both)),
    ("first_byte_slower_than", Measure::FirstByteSlowerThan(Duration::ZERO)),
];

const DIRECTIONS: [(&str, Direction); 3] = [("up", Direction::Up), ("down", Direction::Down), ("both", Direction::Both)];

const REQUIRES: [(&str, Requires); 3] = [("pass", Requires::Pass), ("no-fail", Requires::NoFail), ("none", Requires::Nothing)];

/// Returns the word for `measure`, whatever its settings.
pub(in crate::config) fn measure_word(measure: Measure) -> &'static str {
    let is_it = |(_, other): &&(&str, Measure)| discriminant(other) == discriminant(&measure);
    MEASURES.iter().find(is_it).map_or("", |(word, _)| word)
}

/// Returns the word for `direction`.
pub(in crate::config) fn direction_word(direction: Direction) -> &'static str {
    DIRECTIONS.iter().find(|(_, other)| *other == direction).map_or("", |(word, _)| word)
}

/// The default `min_trials` of a gate with `coverage`, which a few requests at the start could fail for good.
const COVERAGE_MIN_TRIALS: u32 = 20;

/// The parts per million of 100 %. Limits are strictly between 0 and this.
const WHOLE: u32 = 1_000_000;

/// The other parts of the route. `variants` and `written_shadows` are `None` if the configuration has no such key. For `shadows`, `task` and
/// `slices` the outer `None` means that the part has problems.
pub(super) struct Surroundings<'a, 'r> {
    /// The value of `split` or `observe`, which may have problems.
    pub(super) variants: Option<Value<'a>>,
    /// The value of `shadows`, which may have problems.
    pub(super) written_shadows: Option<Value<'a>>,
    pub(super) shadows: Option<&'r [Rc<Shadow>]>,
    pub(super) answers: event::Answers,
    pub(super) task: Option<&'r Task>,
    pub(super) slices: Option<Option<&'r Slices>>,
}

impl Surroundings<'_, '_> {
    /// Returns the variant or shadow with this name, even if it has problems.
    pub(super) fn subject(&self, name: &str) -> Option<GateSubject> {
        let is = |other: &Option<&str>| *other == Some(name);
        let variant = self.variants().iter().position(is).map(GateSubject::Variant);
        variant.or_else(|| self.shadow_names().iter().position(is).map(GateSubject::Shadow))
    }

    fn variants(&self) -> Vec<Option<&str>> {
        self.variants.as_ref().map(variants::names).unwrap_or_default()
    }

    fn shadow_names(&self) -> Vec<Option<&str>> {
        let items = self.written_shadows.as_ref().and_then(|shadows| shadows.items(&mut Vec::new()));
        items.into_iter().flatten().map(|item| item.child("name").and_then(|name| name.node.as_text())).collect()
    }

    /// Returns the hint to name one of the variants and shadows.
    #[inline(never)]
    fn one_of(&self) -> String {
        let mut names = self.variants();
        names.extend(self.shadow_names());
        let hint = units::one_of(&mut names.into_iter().flatten());
        if hint.is_empty() { "give the name of a variant or shadow".to_owned() } else { hint }
    }

    /// Returns the number of slices of a gate with `each_slice`.
    pub(super) fn slice_count(&self) -> u32 {
        let values = self.slices.flatten().map_or(0, |slices| slices.values.len());
        u32::try_from(values).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// `gates` of a route.
pub(super) fn gates(value: &Value<'_>, around: &Surroundings<'_, '_>, problems: &mut Problems) -> Option<Vec<Gate>> {
    let mut names = Seen::new();
    let gates = value.list(problems, |item, problems| {
        let object = item.object(&KEYS, problems)?;
        let name = object.required("name", problems, |value, problems| {
            let (text, name) = (value.text(problems)?, units::name(value, problems)?);
            if names.insert(text) { Some(name) } else { value.refuse("gates of a route need different names: choose another", problems) }
        });
        let of = object.required_as("of", &around.one_of(), problems, |value, problems| subject(value, around, problems));
        let measure = measure(&object, problems).and_then(|measure| of.and_then(|of| fit(measure, of, &object, around, problems)));
        let limit =
            object.required_as("limit", "give a percentage such as 1%", problems, |value, problems| limit(value, measure, problems));
        let alpha = object.or("alpha", Rate::ALPHA, problems, units::chance);
        let least = if measure == Some(Measure::Coverage) { COVERAGE_MIN_TRIALS } else { 0 };
        let min_trials = object.or("min_trials", least, problems, |value, problems| units::whole(value, 0, problems));
        let default = measure.map_or(Requires::Pass, Measure::requires);
        let requires = object.or("requires", default, problems, |value, problems| units::word(value, &REQUIRES, problems));
        let each_slice = object
            .or("each_slice", false, problems, Value::boolean)
            .and_then(|each_slice| if each_slice { sliced(&object, of, alpha, around, problems).map(|()| true) } else { Some(false) });
        let (measure, limit) = (measure?, limit?);
        let limit = if measure == Measure::Coverage { limit.complement() } else { limit };
        let terms = Terms { limit, alpha: alpha?, min_trials: min_trials?.into() };
        Some(Gate { name: name?, of: of?, measure, terms, requires: requires?, each_slice: each_slice? })
    });
    value.at_most(MAX_GATES, "gates", gates, problems)
}

fn subject(value: &Value<'_>, around: &Surroundings<'_, '_>, problems: &mut Problems) -> Option<GateSubject> {
    if let Some(subject) = around.subject(value.text(problems)?) {
        return Some(subject);
    }
    if around.variants.is_none() {
        let baseline = units::name(value, &mut Vec::new()).unwrap_or_else(|| "v1".into());
        let known = if around.shadow_names().is_empty() { "this route has none".to_owned() } else { around.one_of() };
        value.refuse(
            format!("no such shadow: {known}; for a gate of the answers to clients add split: {{baseline: {baseline}}} to the route"),
            problems,
        )
    } else {
        value.refuse(format!("no such variant or shadow: {}", around.one_of()), problems)
    }
}

/// Reads the limit of a gate. Coverage passes above its limit, all other measures below.
fn limit(value: &Value<'_>, measure: Option<Measure>, problems: &mut Problems) -> Option<Rate> {
    let hint = match (units::percent(value, problems)?, measure) {
        (0, Some(Measure::Coverage)) => "no coverage is below 0%, so this decides nothing: give a limit above 0%, such as 90%",
        (0, _) => "no number of trials shows that a rate is 0%: give a limit above 0%, such as 0.01%",
        (WHOLE, Some(Measure::Coverage)) => "no number of trials shows that coverage is 100%: give a limit below 100%, such as 99.99%",
        (WHOLE, _) => "no rate is above 100%, so this decides nothing: give a limit below 100%, such as 99.99%",
        (limit, _) => return Rate::new(limit),
    };
    value.refuse(hint, problems)
}

/// Reads the measure with its settings.
fn measure(object: &Object<'_>, problems: &mut Problems) -> Option<Measure> {
    const THRESHOLD: &str = "give a duration such as 250ms";
    let words = units::one_of(&mut MEASURES.iter().map(|(word, _)| *word));
    let named = object.required_as("measure", &words, problems, |value, problems| units::word(value, &MEASURES, problems))?;
    let threshold =
        |problems: &mut Problems| object.required_as("threshold", THRESHOLD, problems, |value, problems| units::span(value, 1, problems));
    let counts = |problems: &mut Problems| object.or("counts", Failures::DEFAULT, problems, event::failures);
    let (settings, measure) = match named {
        Measure::Failed(_) => (&["counts"][..], counts(problems).map(Measure::Failed)),
        Measure::WorseThanBaseline(_) => match object.required_as("event", event::EVENT_HINT, problems, event::event) {
            Some(Event::Failed(_)) => (&["event", "counts"][..], counts(problems).map(Event::Failed).map(Measure::WorseThanBaseline)),
            Some(event) => (&["event"][..], Some(Measure::WorseThanBaseline(event))),
            None => (&["event", "counts"][..], None),
        },
        Measure::SlowerThan(_) => (&["threshold"][..], threshold(problems).map(Measure::SlowerThan)),
        Measure::FirstByteSlowerThan(_) => (&["threshold"][..], threshold(problems).map(Measure::FirstByteSlowerThan)),
        Measure::SlowerThanPrimary(_) => {
            let margin =
                object.required_as("margin", "give a duration such as 20ms", problems, |value, problems| units::span(value, 0, problems));
            (&["margin"][..], margin.map(Measure::SlowerThanPrimary))
        }
        Measure::CostlierThanPrimary { .. } => {
            let percent = object.required_as("margin", "give a percentage such as 10%", problems, more_tokens);
            (&["margin"][..], percent.map(|percent| Measure::CostlierThanPrimary { percent }))
        }
        Measure::Flipped(default) => {
            let direction = object.or("direction", default, problems, |value, problems| units::word(value, &DIRECTIONS, problems));
            (&["direction"][..], direction.map(Measure::Flipped))
        }
        _ => (&[][..], Some(named)),
    };
    for (key, measures) in SETTINGS.into_iter().filter(|(key, _)| !settings.contains(key)) {
        let Some(value) = object.get(key) else { continue };
        value.refuse::<()>(
            match (key, named) {
                ("counts", Measure::WorseThanBaseline(_)) => {
                    "counts goes with event: failed: write that event, or leave counts out".to_owned()
                }
                _ => [key, " goes with measure ", measures, ": leave it out, or choose that"].concat(),
            },
            problems,
        );
    }
    measure
}

/// Reads a margin of tokens, in percent.
fn more_tokens(value: &Value<'_>, problems: &mut Problems) -> Option<f64> {
    let percent = match value.node {
        Node::Number(percent) => Some(*percent),
        Node::Text(text) => units::ten_thousandths(text).map(|parts| parts as f64 / 10_000.0),
        _ => None,
    };
    match percent {
        Some(percent) if percent.is_finite() && percent >= 0.0 => Some(percent.abs()),
        _ => value.refuse(units::no_percentage(value, "give the margin of tokens in percent, from 0% up, such as 10%"), problems),
    }
}

/// Returns the measure, or reports that the variant or shadow `of` does not have it.
fn fit(measure: Measure, of: GateSubject, object: &Object<'_>, around: &Surroundings<'_, '_>, problems: &mut Problems) -> Option<Measure> {
    const UNREAD: &str =
        "answers of this route have no tokens or streams: this measure needs protocol openai, or auto and a path of OpenAI's";
    let written = object.get("measure")?;
    match (measure, of) {
        (Measure::Failed(failures), _) => event::fit_failures(failures, of, object, around.answers, problems).map(|()| measure),
        (Measure::WorseThanBaseline(event), _) => event::fit(event, of, object, around.answers, problems).map(|()| measure),
        (Measure::SlowerThan(_), GateSubject::Variant(_)) => Some(measure),
        (Measure::FirstByteSlowerThan(_), GateSubject::Variant(_)) if around.answers.generates => Some(measure),
        (Measure::FirstByteSlowerThan(_), GateSubject::Variant(_)) => written.refuse(UNREAD, problems),
        (Measure::FirstByteSlowerThan(_), GateSubject::Shadow(_)) => written.refuse(
            "the answer to a copy comes whole, so its first byte is not seen: use slower_than, or this measure for a variant",
            problems,
        ),
        (_, GateSubject::Variant(_)) => written.refuse(
            "this measure is for shadows: variants have failed, worse_than_baseline, slower_than and first_byte_slower_than",
            problems,
        ),
        (Measure::CostlierThanPrimary { .. }, _) if !around.answers.generates => written.refuse(UNREAD, problems),
        (Measure::Flipped(direction), _) => flips(direction, around.task, object, problems).map(|()| measure),
        (_, GateSubject::Shadow(index)) => match around.shadows {
            Some(shadows) => fit_shadow(measure, index, shadows, object, problems),
            None => Some(measure),
        },
    }
}

/// Reports a task without flips, or without flips in this direction.
fn flips(direction: Direction, task: Option<&Task>, object: &Object<'_>, problems: &mut Problems) -> Option<()> {
    match task {
        None | Some(Task::Decision(_)) => Some(()),
        Some(Task::Labels(_)) if direction == Direction::Both => Some(()),
        Some(Task::Labels(_)) => object
            .get("direction")?
            .refuse("labels have no order: leave direction out, or use compare.task decision, whose names ascend", problems),
        Some(_) => object.get("measure")?.refuse("nothing can flip: this measure needs compare.task labels or decision", problems),
    }
}

/// Returns the measure, or reports that the shadow at `index` can't have it. None of `shadows` has problems.
fn fit_shadow(measure: Measure, index: usize, shadows: &[Rc<Shadow>], object: &Object<'_>, problems: &mut Problems) -> Option<Measure> {
    let shadow = shadows.get(index)?;
    match measure {
        Measure::SlowerThan(threshold) if threshold > shadow.timeout => object
            .get("threshold")?
            .refuse("the shadow's timeout is shorter, so no answer is ever seen to be so slow: raise timeout or lower threshold", problems),
        Measure::SlowerThanPrimary(margin) if margin >= shadow.timeout => object.get("margin")?.refuse(
            "the shadow's timeout is not longer, so no answer is ever seen to be so much slower: raise timeout or lower margin",
            problems,
        ),
        Measure::WorseThanControl { .. } => control(shadow, shadows, object, problems).map(|control| Measure::WorseThanControl { control }),
        _ => Some(measure),
    }
}

/// Returns the index of the control that `candidate` is compared with, or reports why there is none.
fn control(candidate: &Shadow, shadows: &[Rc<Shadow>], object: &Object<'_>, problems: &mut Problems) -> Option<usize> {
    if candidate.role == Role::Control {
        return object.get("of")?.refuse("this is the control itself: name a candidate", problems);
    }
    let mut controls = shadows.iter().enumerate().filter(|(_, shadow)| shadow.role == Role::Control);
    let hint = match (controls.next(), controls.next()) {
        (Some((index, control)), None) => {
            let shared = |variants: &Vec<usize>| variants.iter().any(|variant| candidate.of.as_ref().is_none_or(|of| of.contains(variant)));
            if control.ppm == 0 {
                "the control gets no copies: raise its percent"
            } else if !control.of.as_ref().is_none_or(shared) {
                "the control never gets a request that this shadow gets: give both a variant in of"
            } else {
                return Some(index);
            }
        }
        (None, _) => "this measure needs a control: a shadow with role: control that runs the baseline's version",
        (Some(_), Some(_)) => "this route has more than one control: keep one",
    };
    object.get("measure")?.refuse(hint, problems)
}

/// Reports why the slices of a gate can't be judged on their own.
fn sliced(
    object: &Object<'_>,
    of: Option<GateSubject>,
    alpha: Option<Rate>,
    around: &Surroundings<'_, '_>,
    problems: &mut Problems,
) -> Option<()> {
    let Some(slices) = around.slices else { return Some(()) };
    let each_slice = object.get("each_slice")?;
    match (slices, of) {
        (None, _) => each_slice.refuse("each_slice needs slices, and this route has none", problems),
        (Some(Slices { by: SliceBy::Body(_), .. }), Some(GateSubject::Variant(_))) => each_slice
            .refuse("slices by the body exist only for copied requests: for a gate of a variant, use slices by a header", problems),
        _ => match object.get("alpha") {
            Some(value) => divisible(&value, alpha?, around, problems),
            None => Some(()),
        },
    }
}

/// Reports an `alpha` that gives each slice less than a millionth.
pub(super) fn divisible(value: &Value<'_>, alpha: Rate, around: &Surroundings<'_, '_>, problems: &mut Problems) -> Option<()> {
    let slices = around.slice_count();
    if alpha.ppm() >= slices {
        return Some(());
    }
    let least = f64::from(slices) / f64::from(WHOLE);
    value.refuse(format!("{slices} slices share this alpha, and each needs at least a millionth: give at least {least}"), problems)
}
