//! An encoded body.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("encoding"), |data: &[u8]| gnomon_fuzz::encoding::check(data));
