//! The hash of splits and of sampling: XXH64, which can be recomputed elsewhere (Python's `xxhash`, ClickHouse's `xxHash64`, DuckDB, …).
//!
//! The hash spreads keys evenly, but it is no secret: someone who can choose a key can choose its bucket.

use xxhash_rust::xxh64::Xxh64;

use crate::limits::BUCKETS;

/// Returns XXH64 with seed 0 of `parts` joined by NUL, modulo a million.
pub fn bucket(parts: &[&[u8]]) -> u32 {
    let mut hasher = Xxh64::new(0);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            hasher.update(&[0]);
        }
        hasher.update(part);
    }
    random(hasher.digest())
}

/// Returns the bucket of a number drawn evenly from all of `u64`. (The modulo favours no bucket by more than 1 in 10^13.)
pub fn random(number: u64) -> u32 {
    (number % BUCKETS) as u32
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Computed by Python's `xxhash` 4.1.0 (the C library 0.8.4): `xxhash.xxh64(b"\0".join(parts), seed=0).intdigest() % 1000000`.
    /// The hash of no bytes is also among xxHash's own sanity checks.
    #[test]
    fn buckets_are_those_of_another_implementation() {
        let every_byte: Vec<u8> = (0..=255).collect();
        for (parts, expected) in [
            (&[b"".as_slice()][..], 0xef46_db37_51d8_e999_u64 % BUCKETS),
            (&[b"a"], 0xd24e_c4f1_a98c_6e5b % BUCKETS),
            (&[b"abc"], 0x44bc_2cf5_ad77_0999 % BUCKETS),
            (&[b"fraud", b"split", b"alice"], 416_409),
            (&[b"fraud", b"split", b"user-42"], 322_835),
            (&[b"fraud", b"split", b""], 245_697),
            (&[b"fraud", b"split", b"\xff\0\xfe"], 808_586),
            (&[b"fraud", b"split", &every_byte], 178_145),
            (&[&[b'x'; 31], &[b'y'; 33]], 405_511),
            (&[b"fraud-2026-11", b"fraud", b"shadow", b"4f1f3a6e-7a1b-9b6c-8d2e-0123456789ab"], 329_482),
        ] {
            assert_eq!(u64::from(bucket(parts)), expected, "{parts:?}");
        }
    }

    #[test]
    fn a_random_number_falls_into_its_remainder() {
        assert_eq!([0, 999_999, 1_000_000, u64::MAX].map(random), [0, 999_999, 0, 551_615]);
    }
}
