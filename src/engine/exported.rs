//! Series of experiments that are over. The host exports a series for as long as a VM lives that has defined it, so they add up in a VM that
//! takes one configuration after the other.

use super::callback::Callback;
use super::effect::{Effect, Line};
use crate::stats::shared::{PREFIX, update};

/// How many series this VM has defined of one experiment: at least so many. Series of values from bodies may have come since.
#[derive(Debug)]
pub struct Exported {
    plugin: String,
    experiment: String,
    series: usize,
}

/// Takes down the `experiments` of a configuration of `plugin` (Envoy's name of it), each with the number of its series, and tells how many
/// series there are of earlier ones. One worker of a proxy tells for all, because all define the same series.
pub fn tell(all: &mut Vec<Exported>, plugin: &str, experiments: &[(String, usize)], callback: &mut Callback<'_>) {
    for (experiment, count) in experiments {
        match all.iter_mut().find(|known| known.plugin == plugin && known.experiment == *experiment) {
            Some(known) => known.series = known.series.max(*count),
            None => all.push(Exported { plugin: plugin.to_owned(), experiment: experiment.clone(), series: *count }),
        }
    }
    let (mut names, mut earlier, mut series) = (String::new(), 0_usize, 0_usize);
    let is_earlier =
        |known: &&Exported| known.plugin == plugin && !experiments.iter().any(|(experiment, _)| *experiment == known.experiment);
    for known in all.iter().filter(is_earlier) {
        names.push_str(&known.experiment);
        names.push('\n');
        earlier = earlier.saturating_add(1);
        series = series.saturating_add(known.series);
    }
    let mut is_new = false;
    if earlier > 0 {
        update(callback.statistics, &format!("{PREFIX}earlier/{plugin}"), |told| {
            is_new = told != names.as_bytes();
            is_new.then(|| names.clone().into_bytes())
        });
    }
    if is_new {
        callback.effects.push(Effect::Tell(Line::Warning(format!(
            "configuration of {plugin}: {series} or more series of {earlier} earlier experiment(s) are still exported. They go with the VMs \
             that have them: change vm_id, or the VM's configuration or environment, or restart the proxy (Istio starts new VMs at each change)"
        ))));
    }
}
