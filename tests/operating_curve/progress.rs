//! A bar on a terminal that says how far the runs are; silent elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::{AtomicUsize, Ordering};

const WIDTH: usize = 50;

pub struct Progress {
    steps: usize,
    done: AtomicUsize,
    shown: bool,
}

impl Progress {
    /// Of so many steps.
    pub fn new(steps: usize) -> Self {
        Self { steps, done: AtomicUsize::new(0), shown: stderr().is_terminal() }
    }

    /// One more is done. From any thread.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let percent = |done: usize| done * 100 / self.steps.max(1);
        if self.shown && percent(done) != percent(done - 1) {
            let filled = done * WIDTH / self.steps.max(1);
            let end = if done == self.steps { "\n" } else { "" };
            let mut terminal = stderr().lock();
            // A terminal that went away must not stop the runs.
            let _ = write!(terminal, "\r[{:.<WIDTH$}] {:3} %{end}", "#".repeat(filled), percent(done));
            let _ = terminal.flush();
        }
    }
}
