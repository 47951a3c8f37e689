//! A stream of server-sent events, cut anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("stream"), |data: &[u8]| gnomon_fuzz::stream::check(data));
