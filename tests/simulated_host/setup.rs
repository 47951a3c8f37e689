//! The proxy that most scenarios begin with: one route, one shadow, upstreams that agree.

use std::time::Duration;

use serde_json::{Value, json};

use crate::network::{Answer, Reply};
use crate::world::{Place, World};

/// What a healthy model says.
pub const SCORE: &str = r#"{"model":"fraud","score":0.5,"note":"payload"}"#;

/// A request body of the size and shape of the real thing.
pub const QUESTION: &str = r#"{"model":"fraud","inputs":[1.0,2.0,3.0],"note":"payload"}"#;

/// Every POST is copied to the cluster `shadow`.
pub fn shadowed() -> Value {
    json!({
        "version": 1,
        "experiment": "exp",
        "routes": [{"name": "fraud", "shadows": [{"name": "copy", "cluster": "shadow", "percent": 100, "timeout": "2s"}]}],
    })
}

/// The same but for the timeout, so that it is a configuration of its own, as text.
pub fn another() -> String {
    shadowed().with(&format!("{SHADOW}/timeout"), "3s").to_string()
}

/// The route's variants `v1` and `v2` by the header `x-user-id`; copies are made of `v1`'s requests.
pub fn split(percent: f64) -> Value {
    let split = json!({"baseline": "v1", "canaries": [{"name": "v2", "percent": percent}], "key": {"header": "x-user-id"}});
    shadowed().with("/routes/0/split", split)
}

/// Changes to a configuration, for tests that need a little more than the usual.
pub trait With {
    /// Sets what is at a JSON pointer; the last member may be new.
    fn with(self, pointer: &str, value: impl Into<Value>) -> Value;
}

impl With for Value {
    fn with(mut self, pointer: &str, value: impl Into<Value>) -> Value {
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        let parent = self.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
        parent[member] = value.into();
        self
    }
}

/// The first shadow of the first route.
pub const SHADOW: &str = "/routes/0/shadows/0";

/// A proxy whose upstreams `primary`, `v1`, `v2` and `shadow` all give the same answer.
pub fn agreeing(seed: u64) -> World {
    let world = World::new(seed);
    for (cluster, after) in [("primary", 2), ("v1", 2), ("v2", 2), ("shadow", 4)] {
        world.serve(cluster, move |_| Reply::Whole(Answer::json(SCORE).after(Duration::from_millis(after))));
    }
    world
}

/// That proxy with a configuration in place.
pub fn start(configuration: &Value) -> (World, Place) {
    let mut world = agreeing(1);
    let place = world.load(&configuration.to_string()).expect("the configuration is accepted");
    assert_eq!(world.sum("gnomon_configuration", &[]), 1, "configuration refused: {:?}", world.proxy().log);
    (world, place)
}

/// A reply with this body after some milliseconds.
pub fn says(body: &str, milliseconds: u64) -> Reply {
    Reply::Whole(Answer::json(body).after(Duration::from_millis(milliseconds)))
}

/// A reply with this status after 3 ms.
pub fn status(status: u16) -> Reply {
    Reply::Whole(Answer::json("{}").status(status).after(Duration::from_millis(3)))
}
