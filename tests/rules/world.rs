//! What Prometheus scrapes, minute by minute, and what the rules are to make of it.

use std::collections::BTreeMap;
use std::fmt::Write;

use gnomon::gate::Counts;
use gnomon::gate::Terms;
use gnomon::gate::lives::Lives;
use gnomon::subject::{Gate, Requires, Slice, Subject};

/// One gate in one slice, as a proxy shows it.
#[derive(Clone, Debug)]
pub struct ShownGate {
    pub name: &'static str,
    pub subject: &'static str,
    pub slice: &'static str,
    pub terms: Terms,
    pub requires: Requires,
    pub counts: Counts,
    /// What the limits of its trials add up to, if they have their own.
    pub limit_sum: u64,
}

/// What a proxy shows at one scrape.
#[derive(Clone, Debug)]
pub struct Page {
    /// `gnomon_started_microseconds`
    pub started: u64,
    /// The labels of the target, such as `pod`.
    pub target: Vec<(&'static str, String)>,
    pub experiment: &'static str,
    pub gates: Vec<ShownGate>,
    /// `gnomon_configuration`
    pub configuration: u64,
    /// The label `config` of `gnomon_experiment_info`.
    pub config: &'static str,
    /// The variants that are misrouted, and those that a guardrail has cut off.
    pub misrouted: Vec<&'static str>,
    pub tripped: Vec<&'static str>,
    /// Any other series, by its name with labels, without those of the target.
    pub others: Vec<(String, f64)>,
    /// Metrics that this proxy does not show.
    pub hidden: Vec<&'static str>,
    /// Whether the experiment has left its configuration.
    pub is_over: bool,
}

/// The variants of the split of each page.
pub const VARIANTS: [&str; 2] = ["v1", "v2"];

/// The route of each page.
pub const ROUTE: &str = "r";

impl Page {
    /// A page of `pod` in the life that began at `started`, without gates.
    pub fn new(pod: &str, started: u64) -> Self {
        Self {
            started,
            target: vec![("job", "istio/gnomon".to_owned()), ("pod", pod.to_owned()), ("instance", format!("{pod}:15020"))],
            experiment: "e",
            gates: Vec::new(),
            configuration: 1,
            config: "0000aaaa",
            misrouted: Vec::new(),
            tripped: Vec::new(),
            others: Vec::new(),
            hidden: Vec::new(),
            is_over: false,
        }
    }

    /// This page with a gate of `v2` in slice `all`.
    pub fn gate(self, name: &'static str, terms: Terms, requires: Requires, counts: Counts) -> Self {
        self.slice(name, "all", terms, requires, counts)
    }

    /// This page with one slice of a gate of `v2`.
    pub fn slice(mut self, name: &'static str, slice: &'static str, terms: Terms, requires: Requires, counts: Counts) -> Self {
        self.gates.push(ShownGate { name, subject: "v2", slice, terms, requires, counts, limit_sum: 0 });
        self
    }

    /// This page with a gate of `v2` whose trials have limits of their own.
    pub fn against_baseline(self, name: &'static str, terms: Terms, counts: Counts, limit_sum: u64) -> Self {
        let mut page = self.gate(name, terms, Requires::NoFail, counts.with_limits(limit_sum));
        for gate in page.gates.iter_mut().filter(|gate| gate.name == name) {
            gate.limit_sum = limit_sum;
        }
        page
    }

    /// The label `cluster` of the target.
    fn cluster(&self) -> &str {
        self.target.iter().find(|(name, _)| *name == "cluster").map_or("", |(_, value)| value)
    }

    /// All series with their values.
    fn series(&self) -> Vec<(String, f64)> {
        let mut all: Vec<(String, f64)> = self.others.clone();
        let route = format!("experiment=\"{}\",route=\"{ROUTE}\"", self.experiment);
        all.push(("gnomon_started_microseconds{}".to_owned(), self.started as f64));
        all.push(("gnomon_build_info{what=\"0.1.0\"}".to_owned(), 1.0));
        all.push(("gnomon_configuration{plugin=\"p\"}".to_owned(), self.configuration as f64));
        all.push((
            format!("gnomon_experiment_info{{{route},config=\"{}\",owner=\"team\"}}", self.config),
            f64::from(u8::from(!self.is_over)),
        ));
        for variant in VARIANTS {
            let is = |of: &[&str]| f64::from(u8::from(of.contains(&variant)));
            all.push((format!("gnomon_split_ppm{{{route},variant=\"{variant}\"}}"), 500_000.0));
            all.push((format!("gnomon_split_misrouted{{{route},variant=\"{variant}\"}}"), is(&self.misrouted)));
            all.push((format!("gnomon_guardrail_tripped{{{route},variant=\"{variant}\"}}"), is(&self.tripped)));
        }
        for gate in &self.gates {
            let labels = format!("{route},gate=\"{}\",subject=\"{}\",slice=\"{}\"", gate.name, gate.subject, gate.slice);
            let values = [
                ("trials_total", gate.counts.trials() as f64),
                ("bad_total", gate.counts.bad() as f64),
                ("limit_sum_ppm_total", gate.limit_sum as f64),
                ("limit_ppm", gate.terms.limit.ppm().into()),
                ("alpha_ppm", gate.terms.alpha.ppm().into()),
                ("min_trials", gate.terms.min_trials as f64),
                ("requires", f64::from(gate.requires as u8)),
            ];
            all.extend(values.map(|(name, value)| (format!("gnomon_gate_{name}{{{labels}}}"), value)));
        }
        all
    }
}

/// What Prometheus has scraped: the pages of each minute. A target that shows nothing in a minute is gone then.
#[derive(Debug)]
pub struct World {
    pub minutes: Vec<Vec<Page>>,
    /// How many minutes lie between two scrapes.
    pub step: usize,
    /// Minutes in which Prometheus was down: nothing is scraped, and nothing tells that a series ended.
    pub unseen: Option<std::ops::Range<usize>>,
}

impl Default for World {
    fn default() -> Self {
        Self { minutes: Vec::new(), step: 1, unseen: None }
    }
}

impl World {
    /// Adds a minute in which these pages are scraped.
    pub fn minute(&mut self, pages: Vec<Page>) {
        self.minutes.push(pages);
    }

    /// The samples of each series as promtool takes them, but for the metrics that `drop` names.
    pub fn input_series(&self, drop: &[&str]) -> String {
        let mut all: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        let is_down = |minute: usize| self.unseen.as_ref().is_some_and(|unseen| unseen.contains(&minute));
        for (minute, pages) in self.minutes.iter().enumerate().filter(|(minute, _)| !is_down(*minute)) {
            for page in pages {
                let target: String = page.target.iter().fold(String::new(), |labels, (name, value)| format!("{labels}{name}=\"{value}\","));
                for (series, value) in page.series() {
                    let (metric, labels) = series.split_once('{').expect("a series has braces");
                    if !drop.contains(&metric) && !page.hidden.contains(&metric) {
                        let samples = all.entry(format!("{metric}{{{target}{labels}")).or_default();
                        samples.resize(minute, None);
                        samples.push(Some(value));
                    }
                }
            }
        }
        let mut text = String::new();
        for (series, mut samples) in all {
            samples.resize(self.minutes.len(), None);
            let mut was = None;
            let values: Vec<String> = samples
                .iter()
                .enumerate()
                .map(|(minute, sample)| {
                    if is_down(minute) {
                        return "_".to_owned();
                    }
                    let shown = match (sample, was) {
                        (Some(value), _) => format!("{value}"),
                        (None, Some(_)) => "stale".to_owned(),
                        (None, None) => "_".to_owned(),
                    };
                    was = *sample;
                    shown
                })
                .collect();
            writeln!(text, "  - {{series: '{series}', values: '{}'}}", values.join(" ")).expect("text");
        }
        text
    }

    /// What the rules are to say at each minute, if they are evaluated every `interval` minutes.
    pub fn expected(&self, interval: usize) -> Vec<Vec<Expected>> {
        let mut seen = Seen::default();
        let mut evaluated = 0..;
        self.minutes
            .iter()
            .map(|pages| {
                seen.see(pages);
                if evaluated.next().expect("endless") % interval == 0 { seen.evaluate(pages) } else { Vec::new() }
            })
            .collect()
    }
}

/// What the rules are to say of one subject.
#[derive(Clone, Debug)]
pub struct Expected {
    pub cluster: String,
    pub experiment: &'static str,
    pub subject: Subject,
}

type GateKey = (String, &'static str, &'static str, &'static str, &'static str);

/// What has been seen of each gate in each life, and which gates have failed.
#[derive(Debug, Default)]
struct Seen {
    lives: BTreeMap<GateKey, BTreeMap<u64, Counts>>,
    /// What was ever misrouted, by cluster and experiment.
    misrouted: BTreeMap<(String, &'static str), Vec<String>>,
    failed: BTreeMap<GateKey, ()>,
}

impl Seen {
    fn see(&mut self, pages: &[Page]) {
        for page in pages {
            let misrouted = self.misrouted.entry((page.cluster().to_owned(), page.experiment)).or_default();
            misrouted.extend(page.misrouted.iter().map(|variant| (*variant).to_owned()));
            for gate in &page.gates {
                let key = (page.cluster().to_owned(), page.experiment, gate.subject, gate.name, gate.slice);
                self.lives.entry(key).or_default().insert(page.started, gate.counts);
            }
        }
    }

    /// The subjects of the gates that are shown now.
    fn evaluate(&mut self, pages: &[Page]) -> Vec<Expected> {
        let mut subjects: BTreeMap<(String, &'static str, &'static str), Subject> = BTreeMap::new();
        for page in pages {
            for gate in &page.gates {
                let (cluster, experiment) = (page.cluster().to_owned(), page.experiment);
                let subject = subjects.entry((cluster.clone(), experiment, gate.subject)).or_default();
                gate.subject.clone_into(&mut subject.name);
                self.add(subject, (cluster, experiment, gate.subject, gate.name, gate.slice), gate);
            }
        }
        for ((cluster, experiment, name), subject) in &mut subjects {
            let proxies: BTreeMap<u64, &Page> = pages
                .iter()
                .filter(|page| page.cluster() == cluster && page.experiment == *experiment)
                .map(|page| (page.started, page))
                .collect();
            subject.proxies = proxies.len() as u64;
            subject.cut_off = proxies.values().filter(|page| page.tripped.contains(name)).count() as u64;
            subject.configurations = proxies.values().map(|page| page.configuration).filter(|value| *value != 1).collect();
            subject.misrouted = self.misrouted.get(&(cluster.clone(), *experiment)).cloned().unwrap_or_default();
            self.latch((cluster, experiment), subject);
        }
        subjects.into_iter().map(|((cluster, experiment, _), subject)| Expected { cluster, experiment, subject }).collect()
    }

    fn add(&self, subject: &mut Subject, key: GateKey, shown: &ShownGate) {
        let lives = Lives(self.lives.get(&key).into_iter().flat_map(BTreeMap::values).copied().collect());
        let slice = Slice { name: shown.slice.to_owned(), terms: Some(shown.terms), lives, failed_before: self.failed.contains_key(&key) };
        let index = subject.gates.iter().position(|gate| gate.name == shown.name).unwrap_or_else(|| {
            let over_all = (key.0, key.1, key.2, key.3, "all");
            let failed_before = self.failed.contains_key(&over_all);
            subject.gates.push(Gate { name: shown.name.to_owned(), requires: shown.requires, slices: Vec::new(), failed_before });
            subject.gates.len() - 1
        });
        let slices = &mut subject.gates[index].slices;
        if !slices.iter().any(|known| known.name == shown.slice) {
            slices.push(slice);
        }
    }

    /// Remembers what has failed.
    fn latch(&mut self, (cluster, experiment): (&str, &'static str), subject: &Subject) {
        let failed: Vec<GateKey> = self
            .lives
            .keys()
            .filter(|key| key.0 == cluster && key.1 == experiment && key.2 == subject.name)
            .filter(|key| {
                let gate = subject.gates.iter().find(|gate| gate.name == key.3);
                gate.is_some_and(|gate| {
                    gate.slices.iter().any(|slice| slice.name == key.4 && slice.state(false) == gnomon::gate::State::Fail)
                })
            })
            .cloned()
            .collect();
        self.failed.extend(failed.into_iter().map(|key| (key, ())));
        for gate in subject.gates.iter().filter(|gate| gate.state(false) == gnomon::gate::State::Fail) {
            if let Some(key) =
                self.lives.keys().find(|key| key.0 == cluster && key.1 == experiment && key.2 == subject.name && key.3 == gate.name)
            {
                self.failed.insert((key.0.clone(), key.1, key.2, key.3, "all"), ());
            }
        }
    }
}
