//! What the guest does to statistics: a VM's ids of series, and who may see or come before an access.

use proxy_wasm::types::{MetricType, Status};

use crate::host::Proxy;
use crate::metrics::Metrics;

/// Of a gate: at no moment may anybody read more bad trials than trials.
const BAD: &str = "gnomon_gate_bad_total";
const TRIALS: &str = "gnomon_gate_trials_total";

/// The lowest bits of a metric's id are its type, as in Envoy.
const METRIC_TYPE_BITS: u32 = 2;
const METRIC_TYPE_MASK: u32 = 3;

/// What the guest does to a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Get,
    Record(u64),
    Increment(i64),
}

/// Is told all series, the name of one, and what the guest is about to do to it.
pub type Watch = Box<dyn FnMut(&mut Metrics, &str, Access) + Send>;

impl Proxy {
    pub fn define_metric(&mut self, vm: usize, kind: MetricType, name: &str) -> u32 {
        if let Err(breach) = self.metrics.define(kind, name) {
            self.violations.push(breach);
        }
        self.vms[vm].metrics.push((kind, name.to_owned()));
        (self.vms[vm].metrics.len() as u32) << METRIC_TYPE_BITS | kind as u32
    }

    /// The series behind an id; `None` if there is none, or if the id has the type of another.
    fn metric_name(&self, vm: usize, id: u32) -> Option<String> {
        let place = (id >> METRIC_TYPE_BITS).checked_sub(1)?;
        let (kind, name) = self.vms[vm].metrics.get(place as usize)?;
        (id & METRIC_TYPE_MASK == *kind as u32).then(|| name.clone())
    }

    /// An id of no series: by its type alone Envoy tells whether there might have been one.
    fn no_metric(id: u32) -> Status {
        let counts = [MetricType::Counter, MetricType::Gauge].map(|kind| kind as u32);
        if counts.contains(&(id & METRIC_TYPE_MASK)) { Status::NotFound } else { Status::BadArgument }
    }

    pub fn increment_metric(&mut self, vm: usize, id: u32, offset: i64) -> Result<(), Status> {
        let name = self.metric_name(vm, id).ok_or(Self::no_metric(id))?;
        self.accessed(&name, Access::Increment(offset));
        self.metrics.increment(&name, offset)?;
        if let Some(gate) = name.strip_prefix(BAD) {
            let trials = format!("{TRIALS}{gate}");
            if self.metrics.get(&name)? > self.metrics.get(&trials)? {
                self.violations.push(format!("{name} is ahead of the trials: a trial is counted as bad before it is counted"));
            }
        }
        Ok(())
    }

    fn accessed(&mut self, name: &str, access: Access) {
        if let Some(watch) = &mut self.watch {
            watch(&mut self.metrics, name, access);
        }
    }

    pub fn record_metric(&mut self, vm: usize, id: u32, value: u64) -> Result<(), Status> {
        let name = self.metric_name(vm, id).ok_or(Status::NotFound)?;
        self.accessed(&name, Access::Record(value));
        self.metrics.record(&name, value)
    }

    pub fn get_metric(&mut self, vm: usize, id: u32) -> Result<u64, Status> {
        let name = self.metric_name(vm, id).ok_or(Self::no_metric(id))?;
        self.accessed(&name, Access::Get);
        self.metrics.get(&name)
    }
}

#[cfg(test)]
mod tests {
    use crate::contexts::Vm;

    use super::*;

    #[test]
    fn ids_of_metrics_tell_their_type() {
        let mut proxy = Proxy::new(1);
        proxy.vms = vec![Vm::default(), Vm::default()];
        let labels = "experiment=.=e;.;route=.=r;.;";
        let counter = proxy.define_metric(0, MetricType::Counter, "gnomon_evidence_totaloutcome=.=logged;.;");
        let gauge = proxy.define_metric(0, MetricType::Gauge, "gnomon_captured_bytes");
        let histogram =
            proxy.define_metric(0, MetricType::Histogram, &format!("gnomon_response_duration_microseconds{labels}variant=.=v;.;"));
        proxy.increment_metric(0, counter, 3).unwrap();
        proxy.record_metric(0, gauge, 7).unwrap();
        assert_eq!([counter, gauge].map(|id| proxy.get_metric(0, id)), [Ok(3), Ok(7)]);
        assert_eq!(proxy.get_metric(0, histogram), Err(Status::BadArgument));
        let elsewhere = proxy.define_metric(1, MetricType::Gauge, "gnomon_captured_bytes");
        assert_eq!(proxy.get_metric(1, elsewhere), Ok(7), "one value for all workers");
        // Ids of nothing: of a counter, a gauge, a histogram, no type.
        let unknown = [0, 400, 401, 402, u32::MAX];
        let (none, bad) = (Err(Status::NotFound), Err(Status::BadArgument));
        assert_eq!(unknown.map(|id| proxy.get_metric(0, id)), [none, none, none, bad, bad]);
        let (none, bad) = (Err(Status::NotFound), Err(Status::BadArgument));
        assert_eq!(unknown.map(|id| proxy.increment_metric(0, id, 1)), [none, none, none, bad, bad]);
        assert!(unknown.iter().all(|id| proxy.record_metric(0, *id, 1) == Err(Status::NotFound)));
        assert_eq!(proxy.get_metric(0, gauge ^ 1), Err(Status::NotFound), "a gauge's id with a counter's type");
    }
}
