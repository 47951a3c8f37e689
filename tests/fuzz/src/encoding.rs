//! Undoing content codings.

use std::task::Poll;

use gnomon::encoding::Decoder;
use gnomon::fault::Fault;

use crate::{in_slices, pick, split_head};

/// What the first byte of an input chooses from.
pub const CODINGS: [&str; 8] = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "br, gzip", "zstd, gzip", "zstd, deflate, br, gzip"];

/// Decoded bytes after which the sink has had enough.
const LIMIT: usize = 256 << 10;

/// More than the work on an input of so many bytes: each may describe a table, and each coding of a chain reads what the one before wrote.
fn most(length: usize) -> usize {
    (length + LIMIT + (64 << 10)) * 256
}

/// The second byte chooses the size of the slices; the rest is the body.
pub fn check(data: &[u8]) {
    let ([coding, slice], body) = split_head(data);
    let coding = pick(&CODINGS, coding);
    let whole = decoded(coding.as_bytes(), body, 1 << 20);
    let sliced = decoded(coding.as_bytes(), body, 1 + usize::from(slice) * 8);
    // Of two faults, each at another coding of a chain, either may be met first.
    let is_chain = coding.contains(',');
    assert!(sliced.1 == whole.1 || is_chain && sliced.1.is_err() && whole.1.is_err(), "{:?} and {:?}", sliced.1, whole.1);
    // A body that turns out to be malformed may have yielded more or less by then.
    if whole.1.is_ok() {
        assert!(sliced.0 == whole.0, "other slices, other bytes");
    }
}

fn decoded(coding: &[u8], body: &[u8], budget: usize) -> (Vec<u8>, Result<(), Fault>) {
    let mut decoder = Decoder::new(coding).unwrap().unwrap();
    let mut out = Vec::new();
    let (end, _) = in_slices(budget, most(body.len()), |left| {
        let mut sink = |piece: &[u8]| {
            assert!((1..=16 << 10).contains(&piece.len()), "a piece of {} bytes", piece.len());
            out.extend_from_slice(piece);
            if out.len() > LIMIT { Err("enough") } else { Ok(()) }
        };
        decoder.step(body, left, &mut sink)
    });
    assert_eq!(decoder.step(body, &mut 1, &mut |_| panic!("something comes after the end")), Poll::Ready(end), "it does not stay so");
    (out, end)
}
