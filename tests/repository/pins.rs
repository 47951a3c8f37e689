//! What the filter relies on is banned or pinned in the files that say so.

use crate::files;

#[test]
fn clippy_bans_what_could_trap() {
    let configuration = files::read("clippy.toml");
    let string_getters = [
        "hostcalls::get_map",
        "hostcalls::get_map_value",
        "traits::HttpContext::get_http_request_headers",
        "traits::HttpContext::get_http_request_header",
        "traits::HttpContext::get_http_response_headers",
        "traits::HttpContext::get_http_response_header",
        "traits::Context::get_http_call_response_headers",
        "traits::Context::get_http_call_response_header",
        "traits::Context::get_property",
        "traits::Context::get_shared_data",
        "traits::RootContext::get_plugin_configuration",
    ];
    for getter in string_getters {
        assert!(configuration.contains(&format!("\"proxy_wasm::{getter}\"")), "{getter} is allowed");
    }
    let without_reason: Vec<&str> =
        configuration.lines().filter(|line| line.contains("path = ") && !line.contains("reason = \"")).collect();
    assert!(without_reason.is_empty(), "banned without a reason: {without_reason:?}");
}

/// Which context owns a callout is not the same in every version of the SDK, and the filter relies on it.
#[test]
fn the_sdk_is_pinned() {
    let pinned = files::read("Cargo.toml").lines().any(|line| line.starts_with("proxy-wasm = ") && line.contains("\"=0.2.5\""));
    assert!(pinned, "Cargo.toml must pin proxy-wasm to =0.2.5");
}
