//! What changes for experiments that are running: new files against those that are applied.

use std::collections::BTreeSet;

use gnomon::config::Config;
use gnomon::config::changes::changes;
use gnomon::config::raw::Node;

use super::found::Found;
use super::protobuf_json::{list, text};
use super::workloads::{Workload, known};
use super::world::World;

/// What was applied before.
#[derive(Debug, Default)]
pub struct Before<'a> {
    configs: Vec<&'a Config>,
    /// The ids of all experiments, also of configurations that this version refuses.
    experiments: BTreeSet<String>,
    /// With the experiments that each of them serves.
    workloads: Vec<(Workload<'a>, BTreeSet<String>)>,
}

impl<'a> Before<'a> {
    /// Of the old files: their documents, the configurations found in them, and those without problems.
    pub fn new<'f>(world: &World<'a>, found: impl Iterator<Item = &'f Found<'a>>, configs: Vec<&'a Config>) -> Self
    where
        'a: 'f,
    {
        let written = found.filter_map(|found| found.source.written());
        let workloads = world.resources().iter().filter_map(|resource| Workload::of(resource));
        Self {
            experiments: written.flat_map(|written| experiments(&written)).collect(),
            workloads: workloads.map(|workload| (workload, workload.serves(&configs, world))).collect(),
            configs,
        }
    }

    /// Returns a line for each change of `config` that mixes what was counted before with what is counted now.
    pub fn changes(&self, config: &Config) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.configs.iter().flat_map(|before| changes(before, config)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }
}

/// The experiments of the new files.
#[derive(Debug)]
pub struct Now<'a, 'w> {
    /// Their configurations without problems.
    pub configs: Vec<&'a Config>,
    /// Whether all of them are.
    pub all_good: bool,
    /// All that the files have.
    pub world: &'w World<'a>,
}

impl Now<'_, '_> {
    /// Returns a line if the pods of a workload name an experiment that no configuration has.
    pub fn stray(&self, workload: &Workload<'_>) -> Option<String> {
        let label = workload.label()?;
        let known = known(&self.configs);
        let list = known.iter().map(|known| &**known).collect::<Vec<_>>().join(", ");
        (self.all_good && !known.is_empty() && !known.contains(label)).then(|| {
            format!("the label experiment of its pods is {label}, but the configuration's experiment is {list}: write one id into both")
        })
    }

    /// Returns what is wrong with a workload, and what may be: a line for each image that is another one than before in an experiment that has
    /// stayed.
    pub fn judge(&self, workload: &Workload<'_>, before: &Before<'_>) -> (Vec<String>, Option<String>) {
        let namesake = before.workloads.iter().find(|(old, _)| old.is(workload));
        let (problems, warning) = namesake.map(|(old, _)| self.changed(workload, old, before)).unwrap_or_default();
        let arrived = || self.arrived(workload, namesake.map(|(_, served)| served), before);
        let warning = warning.or_else(|| problems.is_empty().then(arrived).flatten());
        (problems, warning)
    }

    /// Returns what `judge` does, by a workload that was there before.
    fn changed(&self, workload: &Workload<'_>, old: &Workload<'_>, before: &Before<'_>) -> (Vec<String>, Option<String>) {
        let stayed = self.stayed(workload, old, before);
        if stayed.is_empty() {
            return (Vec::new(), None);
        }
        let experiments = Vec::from_iter(stayed).join(", ");
        let (images, others) = (workload.images(), old.images());
        let gone: Vec<_> = others.iter().filter(|other| !images.iter().any(|image| image.is(other))).collect();
        let new = images.iter().filter(|image| !others.iter().any(|other| other.is(image)));
        let replaced = new.filter_map(|image| {
            let namesake = gone.iter().find(|other| other.of == image.of).or(gone.first())?;
            Some(format!(
                "{}: image from {} to {} under the same experiment {experiments}, whose verdict would be of both: give a new experiment",
                image.of, namesake.reference, image.reference
            ))
        });
        let problems: Vec<String> = replaced.collect();
        let warning = (problems.is_empty() && !workload.has_template_of(old)).then(|| {
            format!("its pod template has changed under the same experiment {experiments}: if the model answers otherwise now, give a new experiment")
        });
        (problems, warning)
    }

    /// Returns a line if a workload serves an experiment that has stayed and that it did not serve before, with an image that nobody had there: a
    /// Service has turned to other pods.
    fn arrived(&self, workload: &Workload<'_>, served: Option<&BTreeSet<String>>, before: &Before<'_>) -> Option<String> {
        let serves = workload.serves(&self.configs, self.world);
        let new = serves.iter().filter(|id| before.experiments.contains(*id) && served.is_none_or(|served| !served.contains(*id)));
        new.into_iter().find_map(|id| {
            let (others, images): (Vec<String>, Vec<_>) =
                before.workloads.iter().filter(|(_, served)| served.contains(id)).map(|(old, _)| (old.to_string(), old.images())).unzip();
            let image = workload.images().into_iter().find(|image| !images.iter().flatten().any(|other| other.is(image)))?;
            (!others.is_empty()).then(|| {
                format!(
                    "it serves the experiment {id}, which had other pods before ({}), with the image {}: if it is another model, give a new experiment",
                    others.join(", "),
                    image.reference
                )
            })
        })
    }

    /// Returns the experiments that a workload serves now and has served before: by the label of its pods, or else by the Services of clusters.
    fn stayed(&self, workload: &Workload<'_>, old: &Workload<'_>, before: &Before<'_>) -> BTreeSet<String> {
        let known = known(&self.configs);
        match workload.label().filter(|label| known.contains(*label)) {
            Some(label) => {
                let is_same = old.label().map_or_else(|| before.experiments.contains(label), |other| other == label);
                is_same.then(|| label.to_owned()).into_iter().collect()
            }
            None => workload.reached(&self.configs, self.world).intersection(&before.experiments).cloned().collect(),
        }
    }
}

/// Returns the ids in a configuration as it is written.
fn experiments(written: &Node) -> Vec<String> {
    let nodes = list(written, "routes").iter().chain([written]);
    nodes.filter_map(|node| text(node, "experiment")).map(str::to_owned).collect()
}
