//! The doors of the server: which requests there are, and what each is answered.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use gnomon::gate::State;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::hook::Hook;
use super::metrics::Metrics;
use crate::decision::{Decision, word};
use crate::problem::{Kind, Problem};
use crate::shown::name;
use crate::source::{self, Source};
use crate::time;

/// The largest body in bytes. Flagger's has some hundred.
const BODY: usize = 64 << 10;

/// The longest time for a body to come.
const BODY_TIME: Duration = Duration::from_secs(5);

/// The longest time to decide. Flagger gives up after 10 s.
const DECIDE_TIME: Duration = Duration::from_secs(8);

/// How many may ask Prometheus at once; others wait for their turn.
const AT_ONCE: usize = 8;

/// A door that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// May it have more?
    Confirm,
    /// Must it be rolled back?
    Rollback,
    /// Is its id a new one, of which nothing has been decided?
    Fresh,
}

/// The doors, and what they have in common.
#[derive(Debug)]
pub struct Doors {
    source: Source,
    turns: Semaphore,
    metrics: RefCell<Metrics>,
}

/// An answer: a status and a line.
type Answer = (StatusCode, String);

impl Doors {
    /// Returns doors that ask `source`.
    pub fn new(source: Source) -> Self {
        Self { source, turns: Semaphore::new(AT_ONCE), metrics: RefCell::default() }
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let (door, allowed) = match path.as_str() {
            "/confirm" => (Some(Door::Confirm), "POST"),
            "/rollback" => (Some(Door::Rollback), "POST"),
            "/fresh" => (Some(Door::Fresh), "POST"),
            "/livez" | "/readyz" | "/metrics" => (None, "GET, HEAD"),
            _ => {
                return self.finish(
                    "other",
                    (StatusCode::NOT_FOUND, "there are /confirm, /rollback, /fresh, /livez, /readyz and /metrics".into()),
                );
            }
        };
        if !allowed.split(", ").any(|allowed| allowed == request.method().as_str()) {
            let mut response = self.finish(&path, (StatusCode::METHOD_NOT_ALLOWED, format!("{path} takes {allowed}, not this method")));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
        match door {
            Some(door) => self.decide(door, &path, request).await,
            None => self.tell(&path),
        }
    }

    /// Answers a door that decides nothing.
    ///
    /// The server is ready whether or not Prometheus is: with no replica ready a webhook would find no server, and learn less than from a 503
    /// with words.
    fn tell(&self, path: &str) -> Response<Full<Bytes>> {
        let answer = match path {
            "/metrics" => (StatusCode::OK, self.metrics.borrow().text()),
            "/readyz" => (StatusCode::OK, format!("ready; {}", self.metrics.borrow().last_asked())),
            _ => (StatusCode::OK, "alive".into()),
        };
        response(answer)
    }

    /// Answers a door that decides, and tells it in a line.
    async fn decide(&self, door: Door, path: &str, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match timeout(BODY_TIME, Limited::new(request.into_body(), BODY).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return self.finish(path, (StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {} KiB", BODY >> 10)));
            }
            Ok(Err(error)) => return self.finish(path, (StatusCode::BAD_REQUEST, format!("the body ended early: {error}"))),
            Err(_) => {
                return self.finish(path, (StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {} s", BODY_TIME.as_secs())));
            }
        };
        let hook = match Hook::read(&body) {
            Ok(hook) => hook,
            Err(why) => return self.finish(path, (StatusCode::BAD_REQUEST, why)),
        };
        let answer = match door {
            Door::Confirm => confirm(&self.ask(self.source.decide(&hook.selection, None)).await),
            Door::Rollback => rollback(&self.ask(self.source.decide(&hook.selection, None)).await),
            Door::Fresh => fresh(&hook, &self.ask(self.source.decided(&hook.selection)).await),
        };
        say(&format!("{path} experiment={:?} from={:?}: {} {}", hook.selection.experiment, hook.from, answer.0.as_u16(), answer.1));
        self.finish(path, answer)
    }

    /// Asks Prometheus, in bounded time.
    async fn ask<T>(&self, asking: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let began = Instant::now();
        let asked = timeout(DECIDE_TIME, async {
            let _turn = self.turns.acquire().await.map_err(|error| Problem::down(error.to_string()))?;
            asking.await
        });
        let late = || Problem::down(format!("Prometheus has not answered within {} s", DECIDE_TIME.as_secs()));
        let answer = asked.await.unwrap_or_else(|_| Err(late()));
        let is_reached = !answer.as_ref().is_err_and(|problem| problem.kind == Kind::Service);
        self.metrics.borrow_mut().asked(began.elapsed(), is_reached);
        answer
    }

    /// Counts an answer, and returns it.
    fn finish(&self, door: &str, answer: Answer) -> Response<Full<Bytes>> {
        self.metrics.borrow_mut().answered(door.trim_start_matches('/'), answer.0);
        response(answer)
    }
}

/// Returns the answer to whether it may have more.
fn confirm(decided: &Result<Decision, Problem>) -> Answer {
    match decided {
        Ok(decision) => (yes(decision.state == State::Pass), told(decision)),
        Err(problem) => unknown(problem),
    }
}

/// Returns the answer to whether it must be rolled back.
fn rollback(decided: &Result<Decision, Problem>) -> Answer {
    let decision = match decided {
        Ok(decision) => decision,
        Err(problem) => return unknown(problem),
    };
    let is_founded = decision.subjects.iter().any(|told| told.state == State::Fail && told.has_failed_by_rules);
    let mut text = told(decision);
    if decision.state == State::Fail && !is_founded {
        text += "; no rollback: gnomon:subject:state must be 2, with a gate in state 2 that is not `none`, or gnomon:subject_cut_off:max";
    }
    (yes(is_founded), text)
}

/// Returns the word of a decision, and why.
fn told(decision: &Decision) -> String {
    let told = decision
        .subjects
        .iter()
        .map(|told| format!("route {}, subject {} ({}): {}", told.route, told.subject, word(told.state), told.reasons.join("; ")));
    format!("{}: {}", word(decision.state), told.collect::<Vec<_>>().join(" | "))
}

/// Returns the status of a yes or a no.
fn yes(is_yes: bool) -> StatusCode {
    if is_yes { StatusCode::OK } else { StatusCode::CONFLICT }
}

/// Returns the answer to whether an experiment's id is a new one.
fn fresh(hook: &Hook, decided: &Result<Vec<String>, Problem>) -> Answer {
    let experiment = name(&hook.selection.experiment);
    match decided {
        Ok(decided) if decided.is_empty() => (StatusCode::OK, format!("fresh: nothing was decided of experiment {experiment} in 14 days")),
        Ok(decided) => {
            let decided = decided.join(" | ");
            (StatusCode::CONFLICT, format!("used: experiment {experiment} has been decided in the last 14 days: {decided}; give a new id"))
        }
        Err(problem) => unknown(problem),
    }
}

/// Returns the answer if there is no decision. Who asks about two clusters has to say which.
fn unknown(problem: &Problem) -> Answer {
    let status = match problem.kind {
        Kind::Usage => StatusCode::BAD_REQUEST,
        Kind::Input => StatusCode::CONFLICT,
        Kind::Service => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, format!("unknown: {problem}"))
}

fn response((status, text): Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(if text.ends_with('\n') { text } else { text + "\n" })));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

/// Writes one line with the time.
pub fn say(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Nothing is to be done about a log that nobody takes.
    let _ = writeln!(std::io::stdout(), "{} {line}", time::written(source::now()));
}
