//! Asking again until something is decided.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use gnomon::gate::State;
use tokio::time::Instant;

use crate::decision::{Decision, Selection};
use crate::problem::Problem;
use crate::source::Source;
use crate::time;

/// Asks every `every` until it passes or fails, and once more when `longest` is over: that answer counts, decided or not.
///
/// A source that is down is waited for, and so is an experiment that is not there yet. What would stay as it is ends the waiting, unless
/// there has been an answer before. A problem is the result only if there has never been an answer.
pub async fn wait(source: &Source, selection: &Selection, longest: Duration, every: Duration) -> Result<Decision, Problem> {
    let began = Instant::now();
    let mut progress = Progress { is_shown: std::io::stderr().is_terminal(), length: 0 };
    let mut last: Option<Decision> = None;
    loop {
        let answer = source.decide(selection, None).await;
        progress.clear();
        let left = longest.saturating_sub(began.elapsed());
        let is_over = left.is_zero();
        let told = match (answer, &mut last) {
            (Ok(decision), _) if decision.state != State::Undecided || is_over => return Ok(decision),
            (Ok(decision), last) => {
                let told = decision.subjects.iter().flat_map(|told| &told.reasons).cloned().collect::<Vec<_>>().join("; ");
                *last = Some(decision);
                told
            }
            (Err(problem), None) if is_over || !problem.may_pass => return Err(problem),
            (Err(problem), None) => problem.to_string(),
            (Err(problem), Some(last)) => {
                last.notes.retain(|note| !note.starts_with(SINCE));
                last.notes.push(format!("{SINCE}{problem}"));
                problem.to_string()
            }
        };
        if let Some(last) = last.take_if(|_| is_over) {
            return Ok(last);
        }
        progress.show(&format!("undecided, waiting {} more: {told}", time::span(left)));
        tokio::time::sleep(every.min(left)).await;
    }
}

/// What a problem begins with that came after the last answer.
const SINCE: &str = "since then: ";

/// A line on the terminal that is written over and over.
struct Progress {
    is_shown: bool,
    /// How many characters it has now.
    length: usize,
}

/// The width of a terminal that can be relied on.
const WIDTH: usize = 79;

impl Progress {
    fn show(&mut self, text: &str) {
        if self.is_shown {
            self.clear();
            let line: String = text.chars().take(WIDTH).collect();
            self.length = line.chars().count();
            // Whether the terminal takes it does not matter.
            let _ = write!(std::io::stderr(), "{line}");
        }
    }

    fn clear(&mut self) {
        if self.length > 0 {
            let _ = write!(std::io::stderr(), "\r{:1$}\r", "", self.length);
            self.length = 0;
        }
    }
}
