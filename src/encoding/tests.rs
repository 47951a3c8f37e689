//! Tests of content codings, on bodies made by other encoders (`tests/data/encodings`).

use super::*;
use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/encodings/", $name)).as_slice()
    };
}

const ANSWER: &[u8] = data!("answer.json");

/// Bodies that decode to [`ANSWER`], with what their header says.
const ENCODED: [(&str, &[u8]); 16] = [
    ("gzip", data!("answer.gz")),
    ("x-gzip", data!("answer.gz")),
    ("gzip", data!("named.gz")),
    ("gzip", data!("members.gz")),
    ("deflate", data!("answer.zlib")),
    ("deflate", data!("answer.deflate")),
    ("br", data!("answer.br")),
    ("zstd", data!("answer.zst")),
    ("zstd", data!("streamed.zst")),
    ("zstd", data!("frames.zst")),
    ("zstd", data!("window23.zst")),
    ("gzip, gzip", data!("answer.gz.gz")),
    ("br, gzip", data!("answer.br.gz")),
    ("BR ,, identity,\tGZip,", data!("answer.br.gz")),
    ("zstd, deflate, br, gzip", data!("answer.zst.deflate.br.gz")),
    ("zstd, identity, deflate,br,gzip", data!("answer.zst.deflate.br.gz")),
];

fn decoder(codings: &str) -> Decoder {
    Decoder::new(codings.as_bytes()).unwrap().unwrap()
}

/// Decodes with this budget for each step.
fn decode(codings: &str, body: &[u8], budget: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = decoder(codings);
    let mut decoded = Vec::new();
    loop {
        let mut left = budget;
        let ended = decoder.step(body, &mut left, &mut |piece| {
            assert!((1..=WRITTEN_AT_ONCE).contains(&piece.len()));
            decoded.extend_from_slice(piece);
            Ok(())
        })?;
        if ended {
            return Ok(decoded);
        }
        assert_eq!(left, 0, "a step ends when its budget has, or the body");
    }
}

#[test]
fn what_others_encoded_is_decoded() {
    for (codings, body) in ENCODED {
        for budget in [usize::MAX, 4096, 7, 1] {
            assert_eq!(decode(codings, body, budget).as_deref(), Ok(ANSWER), "{codings}, {budget} at a time");
        }
    }
}
