//! Which requests are copied to which shadow.
//!
//! [`headers`], [`environment`] and [`body`] make the copy. The engine decides all that depends on other requests: bounds on work in
//! flight, breakers and outcomes.

pub mod body;
pub mod environment;
pub mod headers;

use crate::config::{Key, Route, Shadow};
use crate::http::{Request, is_grpc};
use crate::split::{bucket, key};

/// The header that marks a copy; its value is the shadow's name.
pub const SHADOW_HEADER: &str = "x-gnomon-shadow";

/// Returns the bucket of `request` for sampling. All shadows of `route` use the same bucket, so a shadow with a larger percentage gets all
/// requests of a shadow with a smaller one. `random`, drawn evenly from all of `u64`, replaces the key if the request has none.
pub fn draw(route: &Route, request: &Request, random: u64) -> u32 {
    match key::value(route.sample_by.as_ref().unwrap_or(&Key::Request), request) {
        Some(id) => bucket::bucket(&[route.experiment.as_bytes(), route.name.as_bytes(), b"shadow", id]),
        None => bucket::random(random),
    }
}

/// Whether `shadow` gets a copy of a request that drew `draw` and that `variant` answers; `None`: that is not known yet.
pub fn sampled(shadow: &Shadow, draw: u32, variant: Option<usize>) -> bool {
    draw < shadow.ppm && variant.is_none_or(|variant| is_for(shadow, variant))
}

/// Whether `shadow` is for requests that `variant` answers.
pub fn is_for(shadow: &Shadow, variant: usize) -> bool {
    shadow.of.as_ref().is_none_or(|variants| variants.contains(&variant))
}

/// Returns the cluster for the copy of `request`. Copies of gRPC requests may have a cluster of their own.
pub fn cluster<'a>(shadow: &'a Shadow, request: &Request) -> &'a str {
    if request.header("content-type").is_some_and(is_grpc) { &shadow.cluster.grpc } else { &shadow.cluster.http }
}

/// Whether `request` is marked as a copy. Anyone can set the mark.
pub fn is_copy(request: &Request) -> bool {
    request.header(SHADOW_HEADER).is_some()
}

/// Whether `request` asks for a tunnel or another protocol. The bytes that follow are then no body that could be copied.
pub fn is_upgrade(request: &Request) -> bool {
    request.method() == b"CONNECT"
        || request.header(":protocol").is_some()
        || request.header("upgrade").is_some()
            && request.headers("connection").any(|value| tokens(value).any(|token| token.eq_ignore_ascii_case(b"upgrade")))
}

/// Returns the elements of a comma-separated header value.
fn tokens(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::Duration;

    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::config::{Cluster, Compare, CopyRequest, Protocol, Role};
    use crate::http::fields;

    pub(super) fn shadow(ppm: u32, of: Option<Vec<usize>>, request: CopyRequest) -> Shadow {
        Shadow {
            name: "v2-copy".into(),
            role: Role::Candidate,
            cluster: Cluster { http: "v2".to_owned(), grpc: "v2".to_owned() },
            when: Vec::new(),
            expect_version: None,
            ppm,
            of,
            timeout: Duration::from_secs(2),
            max_in_flight: 1,
            request,
            warmup: None,
        }
    }

    fn route(sample_by: Option<Key>) -> Route {
        Route {
            name: "fraud".into(),
            owner: None,
            experiment: "fraud-2026-11".into(),
            matches: Rc::default(),
            protocol: Protocol::Auto,
            split: None,
            observe: None,
            sample_by,
            shadows: Vec::new(),
            compare: Compare::exact().into(),
            slices: None,
            gates: Vec::new(),
            guardrail: None,
        }
    }

    /// The expected draw is `xxhash.xxh64(b"fraud-2026-11\0fraud\0shadow\0" + id).intdigest() % 1000000` of Python's `xxhash`.
    #[test]
    fn the_draw_hashes_experiment_route_and_id() {
        let id = "4f1f3a6e-7a1b-9b6c-8d2e-0123456789ab";
        for (sample_by, headers, expected) in [
            (None, vec![("x-request-id", id)], 329_482),
            (Some(Key::Request), vec![("x-request-id", id)], 329_482),
            (Some(Key::Header(Rc::from("x-user"))), vec![("x-request-id", "r"), ("x-user", id)], 329_482),
            (Some(Key::Header(Rc::from("x-user"))), vec![("x-request-id", id)], 7),
            (None, vec![("x-request-id", "")], 7),
            (None, vec![], 7),
        ] {
            assert_eq!(draw(&route(sample_by.clone()), &Request::new(&fields(&headers)), 3_000_007), expected, "{sample_by:?} {headers:?}");
        }
    }

    #[test]
    fn a_shadow_gets_its_share_of_the_variants_it_is_for() {
        for (ppm, of, draw, variant, expected) in [
            (100_000, None, 99_999, 3, true),
            (100_000, None, 100_000, 0, false),
            (0, None, 0, 0, false),
            (1_000_000, None, 999_999, 0, true),
            (1_000_000, Some(vec![0, 2]), 0, 2, true),
            (1_000_000, Some(vec![0, 2]), 0, 1, false),
            (1_000_000, Some(vec![]), 0, 0, false),
        ] {
            let shadow = shadow(ppm, of, CopyRequest::default());
            assert_eq!(sampled(&shadow, draw, Some(variant)), expected, "{shadow:?} {draw} {variant}");
            assert_eq!(sampled(&shadow, draw, None), draw < ppm, "as long as it is not known who answers");
        }
    }

    #[test]
    fn grpc_goes_to_its_own_cluster() {
        let mut shadow = shadow(1, None, CopyRequest::default());
        shadow.cluster.grpc = "v2-grpc".to_owned();
        for (headers, expected) in [
            (vec![("content-type", "application/grpc")], "v2-grpc"),
            (vec![("content-type", "application/grpc+proto")], "v2-grpc"),
            (vec![("content-type", "application/grpc-web")], "v2"),
            (vec![("content-type", "application/json")], "v2"),
            (vec![], "v2"),
        ] {
            assert_eq!(cluster(&shadow, &Request::new(&fields(&headers))), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_copy_is_known_by_its_header_alone() {
        assert!(is_copy(&Request::new(&fields(&[("x-gnomon-shadow", "")]))));
        assert!(!is_copy(&Request::new(&fields(&[("x-gnomon-variant", "v1")]))));
    }

    #[test]
    fn upgrades_and_tunnels_are_told_from_requests_with_a_body() {
        for (headers, expected) in [
            (vec![(":method", "CONNECT")], true),
            (vec![(":method", "CONNECT"), (":protocol", "websocket")], true),
            (vec![(":method", "GET"), (":protocol", "websocket")], true),
            (vec![(":method", "GET"), ("connection", "Upgrade"), ("upgrade", "websocket")], true),
            (vec![(":method", "POST"), ("connection", "keep-alive, upgrade"), ("upgrade", "h2c")], true),
            (vec![("connection", "keep-alive"), ("connection", "UPGRADE"), ("upgrade", "x")], true),
            (vec![("connection", "upgrade")], false),
            (vec![("upgrade", "websocket")], false),
            (vec![("connection", "x-upgrade, upgrades"), ("upgrade", "websocket")], false),
            (vec![(":method", "POST")], false),
        ] {
            assert_eq!(is_upgrade(&Request::new(&fields(&headers))), expected, "{headers:?}");
        }
    }

    proptest! {
        #[test]
        fn a_smaller_percentage_is_nested_in_a_larger_one(
            id in prop::collection::vec(any::<u8>(), 0..40),
            random: u64,
            ppm in (0_u32..=1_000_000, 0_u32..=1_000_000),
        ) {
            let fields = [("x-request-id".to_owned(), id)];
            let draw = draw(&route(None), &Request::new(&fields), random);
            let gets = |ppm| sampled(&shadow(ppm, None, CopyRequest::default()), draw, Some(0));
            prop_assert!(!gets(ppm.0.min(ppm.1)) || gets(ppm.0.max(ppm.1)));
            prop_assert!(gets(1_000_000));
        }
    }
}
