//! Whoever compares two contents: one [`task::Judge`] for each task.
//!
//! * [`document`]: two documents, value by value; [`outputs`]: named tensors; [`choices`]: generated answers.
//! * [`leftovers`]: after each of them, what the protocol has left unread.
//! * [`labels`], [`decision`], [`embedding`]: what answers say row by row. [`rows`] finds the rows, [`row_judge`] goes through them, and a
//!   [`confusion_matrix`] counts what they say.
//! * What several of them use: [`rules`], which of the operator's paths hold; [`place`], where a difference is; [`same`], [`pass`] and
//!   [`text_match`], whether two elements, numbers or texts are equal.

pub mod choices;
pub mod confusion_matrix;
pub mod decision;
pub mod document;
pub mod embedding;
pub mod labels;
pub mod leftovers;
pub mod outputs;
pub mod pass;
pub mod place;
pub mod row_judge;
pub mod rows;
pub mod rules;
pub mod same;
pub mod task;
pub mod text_match;

use std::rc::Rc;

use crate::compare::judge::choices::{ChoicesJudge, Scope};
use crate::compare::judge::decision::DecisionTask;
use crate::compare::judge::document::DocumentJudge;
use crate::compare::judge::embedding::EmbeddingTask;
use crate::compare::judge::labels::LabelsTask;
use crate::compare::judge::outputs::OutputsJudge;
use crate::compare::judge::task::Judge;
use crate::compare::part::content::{Content, Parts};
use crate::config::{Compare, Task};
use crate::fault::Fault;
use crate::path::{PathPattern, Step};

/// Whether a task counts a confusion matrix, also of answers that are the same bytes.
pub fn names_answers(task: &Task) -> bool {
    matches!(task, Task::Labels(_) | Task::Decision(_))
}

const NO_STRUCTURE: Fault = "the task structure is for completions of protocol openai: choose another";
const ONLY_VECTORS: Fault = "embeddings have neither labels, scores nor texts: choose the task embedding";
const NO_NUMBERS: Fault = "a completion has times and counts, too: give compare.task a path that leads to its numbers";

/// What sets two contents against each other, of which the primary's is given.
///
/// # Errors
/// If answers like the primary's have nothing that the task looks at: what to do about it. (Most of such tasks are refused with the
/// configuration; under `auto`, or of an interface with several kinds of answers, it shows only now.)
pub fn judge(plan: &Rc<Compare>, primary: &Content) -> Result<Box<dyn Judge>, Fault> {
    let parts = &primary.parts;
    Ok(match (&plan.task, parts) {
        (Task::Structure, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::Structure)),
        (Task::Structure, _) => return Err(NO_STRUCTURE),
        (Task::Decision(decision), _) => Box::new(DecisionTask::judge(decision.clone(), parts, plan)),
        (Task::Embedding { path, cosine }, _) => Box::new(EmbeddingTask::judge(path.as_ref(), *cosine, parts, plan)),
        (Task::Auto, Parts::Embeddings(_)) => Box::new(EmbeddingTask::judge(None, Task::COSINE, parts, plan)),
        (_, Parts::Embeddings(_)) => return Err(ONLY_VECTORS),
        (Task::Labels(labels), _) => Box::new(LabelsTask::judge(labels.clone(), parts, plan)),
        (_, Parts::Tensors(_)) => Box::new(OutputsJudge::new(plan.clone())),
        (Task::Auto, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::All)),
        (&Task::Text { path: None, normalize }, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::Text { normalize })),
        (Task::Scores { path: None } | Task::Regression { path: None }, Parts::Choices(_)) => return Err(NO_NUMBERS),
        (_, Parts::Predictions(_)) => {
            let predictions = PathPattern::new(vec![Step::Member("predictions".to_owned())]);
            Box::new(DocumentJudge::new(plan.clone(), Some(predictions)))
        }
        (_, Parts::Json | Parts::Choices(_)) => Box::new(DocumentJudge::new(plan.clone(), None)),
    })
}
