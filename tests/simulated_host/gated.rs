//! Proxies with gates, and requests that are bad trials of these or not.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::access::Access;
use crate::metrics::Metrics;
use crate::network::{Answer, Reply};
use crate::setup::{QUESTION, SCORE, With, agreeing, split};
use crate::traffic::Request;
use crate::world::{Place, World};

/// The status that a request asks its model for.
const STATUS: &str = "x-wanted-status";

/// A gate on the errors of `v2`, at a limit of 1 %.
pub fn errors() -> Value {
    json!({"name": "errors", "of": "v2", "measure": "failed", "limit": 1})
}

/// Half of all users get `v2`, pins choose a variant, and `gates` judge. Nothing is copied.
pub fn canary(gates: Value) -> Value {
    let pins = ["v1", "v2", "v3"].map(|variant| json!({"header": "x-pin", "exact": variant, "variant": variant}));
    split(50.0).with("/routes/0/shadows", json!([])).with("/routes/0/split/pins", json!(pins[..2])).with("/routes/0/gates", gates)
}

/// That with a guardrail on all of `gates`, which must have names.
pub fn guarded(gates: Value) -> Value {
    let names: Vec<Value> = gates.as_array().expect("gates").iter().map(|gate| gate["name"].clone()).collect();
    canary(gates).with("/routes/0/guardrail", json!({"gates": names}))
}

/// A proxy with one worker, whose models answer as they are asked to.
pub fn start(configuration: &Value) -> (World, Place) {
    let mut world = agreeing(1);
    for cluster in ["primary", "v1", "v2", "v3"] {
        world.serve(cluster, |request| {
            let status = request.header(STATUS).and_then(|text| text.parse().ok());
            Reply::Whole(Answer::json(SCORE).status(status.unwrap_or(200)))
        });
    }
    let place = world.load(&configuration.to_string()).expect("the configuration is accepted");
    assert_eq!(world.sum("gnomon_configuration", &[]), 1, "configuration refused: {:?}", world.proxy().log);
    (world, place)
}

/// A request that is pinned to `v2`.
pub fn pinned(status: u16) -> Request {
    Request::post("r", QUESTION).header("x-pin", "v2").header(STATUS, status.to_string())
}

/// A request of a user, who is assigned to a variant by name.
pub fn of_user(user: &str, status: u16) -> Request {
    Request::post("r", QUESTION).header("x-user-id", user).header(STATUS, status.to_string())
}

impl World {
    /// A whole exchange; gives the variant whose cluster got the request.
    pub fn ask(&mut self, place: Place, request: Request) -> String {
        let exchange = self.exchange_without_rest(place, request);
        self.check_balance();
        self.exchanges[exchange].cluster.clone()
    }

    /// A whole exchange in which no time passes, so that nothing else happens.
    pub fn ask_at_once(&mut self, place: Place, request: Request) {
        let exchange = self.up_to_its_end(place, request);
        self.step(exchange);
    }

    /// An exchange of which nothing but its end is left.
    pub fn up_to_its_end(&mut self, place: Place, request: Request) -> usize {
        let exchange = self.open(place, request);
        while !self.exchanges[exchange].client.complete {
            self.step(exchange);
        }
        exchange
    }

    /// Pinned requests to `v2` that fail.
    pub fn fail(&mut self, place: Place, number: usize) {
        for _ in 0..number {
            self.ask(place, pinned(503));
        }
    }

    /// Pinned requests to `v2` that succeed.
    pub fn succeed(&mut self, place: Place, number: usize) {
        for _ in 0..number {
            self.ask(place, pinned(200));
        }
    }

    /// Lets yet another worker count trials of the gate `errors`, and the bad ones of them, without judging.
    pub fn count_elsewhere(&self, bad: u64, trials: u64) {
        self.proxy().metrics.count_elsewhere(&labels("errors", "v2", "all"), bad, trials);
    }
}

/// The labels of a gate as they are spelled in the names of its series.
pub fn labels(gate: &str, subject: &str, slice: &str) -> String {
    format!("experiment=.=exp;.;route=.=fraud;.;gate=.={gate};.;subject=.={subject};.;slice=.={slice};.;")
}

/// More accesses to shared state than a callback of the tests that try all of them has.
pub const MOST: usize = 60;

/// Lets another worker, which does not judge, `count` trials of the gate `errors`, whose labels it gets, before the access number `at` to a
/// series of the gate. Gives what is written to its state.
pub fn come_between(world: &World, at: usize, count: impl Fn(&mut Metrics, &str) + Send + 'static) -> Arc<Mutex<Vec<u64>>> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let (written_here, mut seen) = (written.clone(), 0);
    let gate = labels("errors", "v2", "all");
    let state = format!("gnomon_gate_state{gate}");
    world.proxy().watch = Some(Box::new(move |metrics, name, access| {
        if !name.ends_with(&gate) {
            return;
        }
        if seen == at {
            count(metrics, &gate);
        }
        seen += 1;
        if let (true, Access::Record(value)) = (name == state, access) {
            written_here.lock().expect("nobody panics").push(value);
        }
    }));
    written
}
