//! The order of words, and a host that is shared with other workers.

pub mod contended;

use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn kinds_stand_in_the_order_of_their_enum() {
    for (place, value) in Kind::ALL.iter().enumerate() {
        assert_eq!(value.index(), place, "{} is not where its index says", value.label());
    }
}
