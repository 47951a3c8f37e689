//! The labels of the series, and a host that is shared with other workers.

pub mod contended;

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn in_order<L: Label>() {
    for (place, value) in L::ALL.iter().enumerate() {
        assert_eq!(value.index(), place, "{} is not where its index says", value.label());
    }
}

#[test]
fn labels_stand_in_the_order_of_their_enum() {
    in_order::<Outcome>();
    in_order::<Verdict>();
    in_order::<Class>();
    in_order::<ShadowClass>();
    in_order::<Anomaly>();
    in_order::<Line>();
    in_order::<End>();
    in_order::<Token>();
    in_order::<Kind>();
    in_order::<Reason>();
}
