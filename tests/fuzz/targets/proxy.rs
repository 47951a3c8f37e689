//! Two workers of one proxy, and what happens to them in any order.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("proxy"), |data: &[u8]| gnomon_fuzz::proxy::check(data));
