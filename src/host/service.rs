//! The configuration at work that a root context shares with its streams.

use std::cell::Cell;
use std::rc::Rc;

use super::calls::Queue;
use crate::engine::plan::Plan;

/// What a root context shares with its streams.
#[derive(Clone)]
pub struct Service {
    /// Its configuration at work.
    pub plan: Rc<Plan>,
    /// The queue of the root context.
    pub queue: Option<Queue>,
    /// Whether the last request may have matched a route: the next one probably will, too.
    pub matching: Rc<Cell<bool>>,
}
