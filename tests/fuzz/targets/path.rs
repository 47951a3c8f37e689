//! A path expression.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("path"), |data: &[u8]| gnomon_fuzz::path::check(data));
