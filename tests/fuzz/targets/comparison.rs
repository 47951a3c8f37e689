//! Two answers of any form, compared as any task.
#![no_main]

libfuzzer_sys::fuzz_target!(init: gnomon_fuzz::seeds::write("comparison"), |data: &[u8]| gnomon_fuzz::comparison::check(data));
