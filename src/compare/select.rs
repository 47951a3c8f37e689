//! Who reads an answer, and who compares two of them: the table of protocols and the table of tasks.

use std::rc::Rc;

use super::Answer;
use super::content::{Bounds, Content, Fault, Judge, Parts, Reader};
use super::decision::DecisionJudge;
use super::embedding::EmbeddingJudge;
use super::form::WireFormat;
use super::json::{DocumentReader, JsonJudge, JsonReader};
use super::kserve_v1::KserveV1Reader;
use super::labels::LabelsJudge;
use super::open_inference::OpenInferenceReader;
use super::open_inference_grpc::ModelInferReader;
use super::openai::OpenAiReader;
use super::openai::choices::{ChoicesJudge, Scope};
use super::tensors::TensorsJudge;
use crate::capture::Body;
use crate::config::{Compare, Task};
use crate::path::{PathPattern, Step};

/// Whether a task counts what became of what, also of answers that are the same bytes.
pub fn names_answers(task: &Task) -> bool {
    matches!(task, Task::Labels(_) | Task::Decision(_))
}

/// What reads the body of `answer` in `form`.
pub fn reader(form: WireFormat, answer: &Answer, body: Body, bounds: &Bounds) -> Box<dyn Reader> {
    match form {
        WireFormat::OpenAi => Box::new(OpenAiReader::new(body)),
        WireFormat::OpenInference => Box::new(OpenInferenceReader::new(body, &answer.inference_header_length)),
        WireFormat::OpenInferenceGrpc => Box::new(ModelInferReader::new(answer, body, bounds.clone())),
        WireFormat::KserveV1 => Box::new(KserveV1Reader::new(body)),
        _ => Box::new(JsonReader(DocumentReader::whole(body))),
    }
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
        (Task::Decision(decision), _) => Box::new(DecisionJudge::new(decision.clone(), parts, plan)),
        (Task::Embedding { path, cosine }, _) => Box::new(EmbeddingJudge::new(path.as_ref(), *cosine, parts, plan)),
        (Task::Auto, Parts::Embeddings(_)) => Box::new(EmbeddingJudge::new(None, Task::COSINE, parts, plan)),
        (_, Parts::Embeddings(_)) => return Err(ONLY_VECTORS),
        (Task::Labels(labels), _) => Box::new(LabelsJudge::new(labels.clone(), parts, plan)),
        (_, Parts::Tensors(_)) => Box::new(TensorsJudge::new(plan.clone())),
        (Task::Auto, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::All)),
        (&Task::Text { path: None, normalize }, Parts::Choices(_)) => Box::new(ChoicesJudge::new(plan.clone(), Scope::Text { normalize })),
        (Task::Scores { path: None } | Task::Regression { path: None }, Parts::Choices(_)) => return Err(NO_NUMBERS),
        (_, Parts::Predictions(_)) => {
            let predictions = PathPattern::new(vec![Step::Member("predictions".to_owned())]);
            Box::new(JsonJudge::new(plan.clone(), Some(predictions)))
        }
        (_, Parts::Json | Parts::Choices(_)) => Box::new(JsonJudge::new(plan.clone(), None)),
    })
}
