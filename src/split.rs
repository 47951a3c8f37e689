//! Which variant answers a request, decided from its headers alone.
//!
//! A pin wins over the percentages. Otherwise the bucket of the key decides, so that the same key gets the same variant from every
//! worker and every proxy. Where the mesh chooses, [`observed`] tells who answered.

pub mod bucket;
pub mod key;
pub mod observed;

use crate::config::{Key, Pin, Split, Variant};
use crate::http::Request;
use crate::labels::labels;

labels! {
    /// Why a request goes to its variant.
    pub enum Reason {
        /// The percentages of the split.
        Weight => "weight",
        /// A pin matched.
        Pin => "pin",
        /// The request has no key, so the baseline answers.
        Keyless => "keyless",
        /// A guardrail has cut off the variant, so the baseline answers.
        Guardrail => "guardrail",
        /// The mesh has chosen, and the cluster that answered was seen.
        Observed => "observed",
        /// The route has no split.
        Unsplit => "unsplit",
    }
}

/// The variant that answers a request, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Index into [`Split::variants`]; 0 where there is no split.
    pub variant: usize,
    /// Why this variant was chosen.
    pub reason: Reason,
}

impl Decision {
    /// Returns this decision, or the baseline if the variant is `cut_off`.
    pub fn unless(self, cut_off: bool) -> Self {
        if cut_off { Self { variant: BASELINE, reason: Reason::Guardrail } } else { self }
    }
}

/// Index of the baseline in [`Split::variants`].
pub const BASELINE: usize = 0;

/// Chooses the variant. `random`, drawn evenly from all of `u64`, replaces the key if a split by request id finds no id.
pub fn decide(split: Option<&Split>, request: &Request, random: u64) -> Decision {
    let Some(split) = split else { return Decision { variant: BASELINE, reason: Reason::Unsplit } };
    if let Some(variant) = pinned(&split.pins, request) {
        return Decision { variant, reason: Reason::Pin };
    }
    let Some(key) = &split.key else { return Decision { variant: BASELINE, reason: Reason::Weight } };
    match bucket_of(key, &split.salt, request, random) {
        Some(bucket) => Decision { variant: variant_of_bucket(&split.variants, bucket), reason: Reason::Weight },
        None => Decision { variant: BASELINE, reason: Reason::Keyless },
    }
}

/// Returns the bucket of the key of a request under a `salt`; `None` if it has no key. `random` is as in [`decide`].
fn bucket_of(key: &Key, salt: &str, request: &Request, random: u64) -> Option<u32> {
    match (key::value(key, request), key) {
        (Some(value), _) => Some(bucket::bucket(&[salt.as_bytes(), b"split", value])),
        (None, Key::Request) => Some(bucket::random(random)),
        (None, _) => None,
    }
}

/// Returns the variant of the first pin that matches.
fn pinned(pins: &[Pin], request: &Request) -> Option<usize> {
    pins.iter().find(|pin| request.header(&pin.header).is_some_and(|value| pin.value.matches(value))).map(|pin| pin.variant)
}

/// Returns the variant that has `bucket`. Canaries have consecutive ranges of buckets from 0; the baseline has all others.
fn variant_of_bucket(variants: &[Variant], bucket: u32) -> usize {
    let mut end = 0_u32;
    for (index, canary) in variants.iter().enumerate().skip(1) {
        end = end.saturating_add(canary.ppm);
        if bucket < end {
            return index;
        }
    }
    BASELINE
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::Text;
    use crate::http::fields;

    const ALL: u32 = 1_000_000;

    fn split(key: Option<Key>, canaries: &[u32]) -> Split {
        let baseline = ALL - canaries.iter().sum::<u32>();
        let variant = |(index, ppm): (usize, u32)| Variant { name: format!("v{index}").into(), ppm, warmup: None };
        Split {
            variants: [baseline].into_iter().chain(canaries.iter().copied()).enumerate().map(variant).collect(),
            key,
            salt: "fraud".to_owned(),
            pins: Vec::new(),
            header: Rc::from("x-gnomon-variant"),
            expose: false,
            same_cluster: false,
        }
    }

    fn by_user() -> Option<Key> {
        Some(Key::Header(Rc::from("x-user")))
    }

    fn check(split: &Split, headers: &[(&str, &str)], random: u64, variant: usize, reason: Reason) {
        let decision = decide(Some(split), &Request::new(&fields(headers)), random);
        assert_eq!(decision, Decision { variant, reason }, "{headers:?} {random}");
    }

    #[test]
    fn without_a_split_nothing_is_rerouted() {
        assert_eq!(decide(None, &Request::new(&[]), 0), Decision { variant: 0, reason: Reason::Unsplit });
    }

    #[test]
    fn canaries_take_ranges_from_0_in_order() {
        // The buckets of alice, carol, user-5 and user-6 are 416409, 99010, 106048 and 122947 (Python's xxhash).
        let split = split(by_user(), &[99_011, 7_038]);
        check(&split, &[("x-user", "carol")], 0, 1, Reason::Weight);
        check(&split, &[("x-user", "user-5")], 0, 2, Reason::Weight);
        check(&split, &[("x-user", "user-6")], 0, 0, Reason::Weight);
        check(&split, &[("x-user", "alice")], 0, 0, Reason::Weight);
    }

    #[test]
    fn the_ends_of_the_ranges_are_exact() {
        let variants = split(by_user(), &[10, 20]).variants;
        for (bucket, variant) in [(0, 1), (9, 1), (10, 2), (29, 2), (30, 0), (999_999, 0)] {
            assert_eq!(variant_of_bucket(&variants, bucket), variant, "{bucket}");
        }
        assert_eq!(variant_of_bucket(&split(by_user(), &[0]).variants, 0), 0);
        assert_eq!(variant_of_bucket(&split(by_user(), &[ALL]).variants, 999_999), 1);
    }

    #[test]
    fn no_key_means_the_baseline() {
        let split = split(by_user(), &[ALL]);
        check(&split, &[], 0, 0, Reason::Keyless);
        check(&split, &[("x-user", "")], 0, 0, Reason::Keyless);
    }

    #[test]
    fn a_request_without_id_draws_at_random() {
        let split = split(Some(Key::Request), &[500_000]);
        check(&split, &[], 499_999, 1, Reason::Weight);
        check(&split, &[("x-request-id", "")], 7_500_000, 0, Reason::Weight);
        // Bucket 416409, whatever the draw.
        check(&split, &[("x-request-id", "alice")], 999_999, 1, Reason::Weight);
    }

    #[test]
    fn a_split_without_canaries_needs_no_key() {
        check(&split(None, &[]), &[], 0, 0, Reason::Weight);
    }

    #[test]
    fn the_first_pin_that_matches_wins_over_all() {
        let pin = |value, variant| Pin { header: Rc::from("x-pin"), value, variant };
        let mut split = split(by_user(), &[0, 0]);
        split.pins = vec![pin(Text::Exact("v1".to_owned()), 1), pin(Text::Prefix("v".to_owned()), 2), pin(Text::Suffix("1".to_owned()), 0)];
        check(&split, &[("x-pin", "v1"), ("x-user", "alice")], 0, 1, Reason::Pin);
        check(&split, &[("x-pin", "v2"), ("x-pin", "v1")], 0, 2, Reason::Pin);
        check(&split, &[("x-pin", "x1")], 0, 0, Reason::Pin);
        check(&split, &[("x-pin", "x"), ("x-user", "alice")], 0, 0, Reason::Weight);
        check(&split, &[("x-user", "v1")], 0, 0, Reason::Weight);
    }

    proptest! {
        #[test]
        fn raising_the_last_canary_moves_keys_only_from_the_baseline_to_it(
            key in prop::collection::vec(any::<u8>(), 1..40),
            first in 0..=ALL / 2,
            last in (0..=ALL / 2, 0..=ALL / 2),
        ) {
            let (low, high) = (last.0.min(last.1), last.0.max(last.1));
            let fields = [("x-user".to_owned(), key)];
            let variant = |last| decide(Some(&split(by_user(), &[first, last])), &Request::new(&fields), 0).variant;
            let (before, after) = (variant(low), variant(high));
            prop_assert!(before == after || (before, after) == (0, 2), "{} {}", before, after);
        }
    }
}
