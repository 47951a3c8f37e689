//! A Prometheus that holds what a test gives it. It knows as much of PromQL as the queries of the command need; their syntax is tested on the
//! real one, end to end.

use crate::server::{Reply, Request};

/// A series with its value.
#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub labels: Vec<(String, String)>,
    /// As Prometheus writes it.
    pub value: String,
}

impl Series {
    /// A series whose labels are written `a=1 b=2`.
    pub fn new(name: &str, labels: &str, value: &str) -> Self {
        let labels = labels.split_whitespace().filter_map(|pair| pair.split_once('='));
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { name: name.into(), labels, value: value.into() }
    }

    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// All series of a Prometheus.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub series: Vec<Series>,
    /// How many seconds ago the rules were evaluated.
    pub age: f64,
    pub warnings: Vec<String>,
}

/// The labels of the subject of [`World::new`].
pub const SUBJECT: &str = "experiment=fraud-a route=fraud subject=v2";

impl World {
    /// One experiment whose subject has this state, with a gate that must pass and is in this state by these counts.
    pub fn new(state: u8, (gate, bad, trials): (u8, u64, u64)) -> Self {
        let mut world = Self::default();
        world.add("gnomon:rules:info", "version=1", "1");
        world.subject(SUBJECT, state);
        world.gate(&format!("{SUBJECT} gate=errors slice=all"), gate, 2, (bad, trials));
        world.add("gnomon_experiment_info", "experiment=fraud-a route=fraud config=1a2b3c4d owner=risk instance=a", "1");
        world.add("gnomon_build_info", "what=0.1.0 instance=a", "1");
        world.add("gnomon_configuration", "plugin=gnomon instance=a", "1");
        world
    }

    /// One whose subject passes.
    pub fn good() -> Self {
        Self::new(1, (1, 0, 1000))
    }

    pub fn add(&mut self, name: &str, labels: &str, value: &str) {
        self.series.push(Series::new(name, labels, value));
    }

    pub fn subject(&mut self, labels: &str, state: u8) {
        self.add("gnomon:subject:state", labels, &state.to_string());
    }

    /// A gate with a limit of 1 %.
    pub fn gate(&mut self, labels: &str, state: u8, requires: u8, (bad, trials): (u64, u64)) {
        for (name, value) in [
            ("gnomon:gate_bad:sum", bad.to_string()),
            ("gnomon:gate_trials:sum", trials.to_string()),
            ("gnomon:gate_limit:ratio", "0.01".into()),
            ("gnomon:gate_alpha:ratio", "0.05".into()),
            ("gnomon:gate_min_trials:max", "0".into()),
            ("gnomon:gate:state", state.to_string()),
            ("gnomon:gate_requires:max", requires.to_string()),
        ] {
            self.add(name, labels, &value);
        }
    }

    /// This world without the series of these names.
    pub fn without(mut self, name: &str) -> Self {
        self.series.retain(|series| series.name != name);
        self
    }

    /// This world with another value of the series of this name.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.series.iter_mut().filter(|series| series.name == name).for_each(|series| series.value = value.into());
        self
    }

    /// Answers a request as Prometheus does.
    pub fn answer(&self, request: &Request) -> Reply {
        assert!(request.target.starts_with("/api/v1/query?"), "{}", request.target);
        let query = request.parameter("query");
        let time: f64 = request.parameter("time").parse().unwrap();
        let between = |from: &str, to: &str| query.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(inside, _)| inside);
        let experiment = between("experiment=\"", "\"");
        let names: Vec<&str> = match between("__name__=~\"", "\"") {
            Some(names) => names.split('|').collect(),
            None => vec![query.rsplit_once('(').map_or(&*query, |(_, rest)| rest).split(['{', ')']).next().unwrap()],
        };
        let only_ones = query.ends_with("== 1") && !query.contains("and on");
        let chosen = self.series.iter().filter(|series| {
            let is_of = query.contains("and on") || experiment.is_none_or(|experiment| series.label("experiment") == experiment);
            names.contains(&&*series.name) && is_of && (!only_ones || series.value == "1")
        });
        let result: Vec<_> = chosen
            .map(|series| {
                let mut metric: serde_json::Map<_, _> =
                    series.labels.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
                metric.insert("__name__".into(), series.name.clone().into());
                let value = if query.starts_with("timestamp(") { (time - self.age).to_string() } else { series.value.clone() };
                serde_json::json!({"metric": metric, "value": [time, value]})
            })
            .collect();
        let data = serde_json::json!({"resultType": "vector", "result": result});
        Reply::json(serde_json::json!({"status": "success", "data": data, "warnings": self.warnings}).to_string())
    }
}
