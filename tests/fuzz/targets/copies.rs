//! A request's body: conditions on it, and what a copy has otherwise.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("copies"), |data: &[u8]| gnomon_fuzz::copies::check(data));
