//! Parsing configurations.

use std::collections::BTreeSet;

use gnomon::config::parse::parse;
use gnomon::config::raw::Node;
use gnomon::limits::{MAX_BODY, MAX_MEMORY, MAX_TIMEOUT};

/// The input is the text.
pub fn check(text: &[u8]) {
    let config = match parse(text) {
        Ok(config) => config,
        Err(refused) => {
            assert!(!refused.problems.is_empty(), "refused without a problem");
            for problem in &refused.problems {
                assert!(!problem.path.is_empty() && !problem.hint.is_empty(), "a problem that says nothing: {problem:?}");
            }
            return;
        }
    };
    assert!(config.limits.body <= config.limits.memory && config.limits.memory <= MAX_MEMORY && config.limits.body <= MAX_BODY);
    assert!(config.worst_case_memory() < usize::MAX);
    for route in &config.routes {
        assert!(!route.matches.is_empty() && route.matches.iter().all(|set| !set.methods.is_empty()));
        let shares = route.split.as_ref().map_or(&[][..], |split| &split.variants);
        assert!(shares.is_empty() || shares.iter().map(|variant| u64::from(variant.ppm)).sum::<u64>() == 1_000_000);
        let variants = route.variants();
        if let Some(observe) = &route.observe {
            assert!(route.split.is_none() && route.guardrail.is_none() && observe.variants.len() > 1);
            let places: BTreeSet<usize> = observe.clusters.iter().map(|(_, variant)| *variant).collect();
            assert!(places.into_iter().eq(0..variants.len()) && observe.clusters.len() == variants.len());
        }
        for shadow in &route.shadows {
            assert!(!shadow.timeout.is_zero() && shadow.timeout <= MAX_TIMEOUT && shadow.max_in_flight > 0 && shadow.ppm <= 1_000_000);
            assert!(shadow.of.iter().flatten().all(|variant| *variant < variants.len()));
        }
    }
    // Written out as the command line does, it says the same. Not all that is accepted can be written: an inexact number can't.
    if let Ok(written) = Node::from_json(text).and_then(|node| node.to_json()) {
        assert_eq!(parse(written.as_bytes()).as_ref(), Ok(&config));
    }
}
