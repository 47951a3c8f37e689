//! A JSON text.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("json"), |data: &[u8]| gnomon_fuzz::json::check(data));
