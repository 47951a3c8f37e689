//! The text of a configuration.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("configuration"), |data: &[u8]| gnomon_fuzz::configuration::check(data));
