//! Tests of content codings, on bodies made by other encoders (`tests/data/encodings`).

use super::coding::{CHECKSUM, CORRUPT, GARBAGE, WINDOW};
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

/// Bodies that decode to [`ANSWER`], each with the value of `content-encoding`.
const ENCODED: [(&str, &[u8]); 17] = [
    ("gzip", data!("answer.gz")),
    ("x-gzip", data!("answer.gz")),
    ("gzip", data!("named.gz")),
    ("gzip", data!("header.gz")),
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

/// Decodes a body, with this budget for each step.
fn decode(codings: &str, body: &[u8], budget: usize) -> Result<Vec<u8>, Fault> {
    let mut decoder = decoder(codings);
    let mut decoded = Vec::new();
    loop {
        let mut left = budget;
        let ended = decoder.step(body, &mut left, &mut |piece| {
            assert!((1..=WRITTEN_AT_ONCE).contains(&piece.len()));
            decoded.extend_from_slice(piece);
            Ok(())
        });
        if ended?.is_ready() {
            return Ok(decoded);
        }
        assert_eq!(left, 0, "a step ends when its budget has, or the body");
    }
}

/// Whether a part of a body is itself a well-formed body, because it ends after a whole member or frame.
fn is_whole_part(result: &Result<Vec<u8>, Fault>) -> bool {
    let half = ANSWER.len() / 2;
    result.as_ref().is_ok_and(|decoded| *decoded == ANSWER[..half])
}

/// Returns offsets in a body: all at its beginning and end, and some between.
fn places(body: &[u8]) -> impl Iterator<Item = usize> {
    let length = body.len();
    (0..length).filter(move |at| *at < 48 || length - at < 24 || at % 211 == 0)
}

fn changed(body: &[u8], at: usize, flip: u8) -> Vec<u8> {
    let mut changed = body.to_vec();
    changed[at] ^= flip;
    changed
}

#[test]
fn what_others_encoded_is_decoded() {
    for (codings, body) in ENCODED {
        for budget in [usize::MAX, 4096, 7, 1] {
            assert_eq!(decode(codings, body, budget).as_deref(), Ok(ANSWER), "{codings}, {budget} at a time");
        }
    }
}

/// Decodes a body that comes in pieces.
fn feed(codings: &str, body: &[u8], size: usize) -> Result<Vec<u8>, Fault> {
    let (mut decoder, mut decoded) = (decoder(codings), Vec::new());
    for piece in body.chunks(size) {
        decoder.feed(piece, &mut usize::MAX.clone(), &mut |piece| {
            decoded.extend_from_slice(piece);
            Ok(())
        })?;
    }
    Ok(decoded)
}

#[test]
fn a_body_that_comes_in_pieces_is_decoded_as_it_comes() {
    for (codings, body) in ENCODED {
        for size in [1, 7, 1000, usize::MAX] {
            assert_eq!(feed(codings, body, size).as_deref(), Ok(ANSWER), "{codings}, {size} at a time");
        }
    }
    let half = feed("gzip", &data!("long.gz")[..data!("long.gz").len() / 2], 100).unwrap();
    assert!(half.len() > 10_000 && half.starts_with(&ANSWER[..1000]), "what has come is decoded at once");
    assert_eq!(feed("gzip", b"this is no gzip", 1), Err(CORRUPT));
    assert_eq!(feed("gzip", &[data!("answer.gz"), b"x"].concat(), 10), Err(GARBAGE));
}

#[test]
fn what_a_budget_is_not_enough_for_waits() {
    let whole = decode("gzip", data!("long.gz"), usize::MAX).unwrap();
    let (mut decoder, mut decoded) = (decoder("gzip"), Vec::new());
    let mut sink = |piece: &[u8]| {
        decoded.extend_from_slice(piece);
        Ok(())
    };
    decoder.feed(data!("long.gz"), &mut 1000, &mut sink).unwrap();
    decoder.feed(b"", &mut 1000, &mut sink).unwrap();
    decoder.rest(&mut usize::MAX.clone(), &mut sink).unwrap();
    assert!(decoded == whole);
    let mut decoder = self::decoder("gzip");
    assert_eq!(decoder.feed(data!("long.gz"), &mut 1000, &mut |_| Ok(())), Ok(()));
    assert_eq!(decoder.feed(&[0; MOST_WAITING], &mut 1000, &mut |_| Ok(())), Err("more has come than can be decoded at once"));
}

#[test]
fn what_zstd_holds_back_can_be_had() {
    let (body, whole) = (data!("long.zst"), decode("zstd", data!("long.zst"), usize::MAX).unwrap());
    let mut longest = 0;
    // Three of its four blocks are the last 49 bytes.
    for end in (0..body.len()).filter(|end| end % 1000 == 0 || body.len() - end < 60) {
        let (mut decoder, mut decoded) = (decoder("zstd"), Vec::new());
        let mut sink = |piece: &[u8]| {
            decoded.extend_from_slice(piece);
            Ok(())
        };
        decoder.feed(&body[..end], &mut usize::MAX.clone(), &mut sink).unwrap();
        decoder.rest(&mut usize::MAX.clone(), &mut sink).unwrap();
        assert!(whole.starts_with(&decoded) && decoded.len() >= longest, "{end}");
        longest = decoded.len();
    }
    assert!(longest > whole.len() / 2, "blocks that have come are there: {longest}");
}

#[test]
fn long_bodies_are_decoded() {
    let gzip = decode("gzip", data!("long.gz"), usize::MAX).unwrap();
    assert_eq!((gzip.len(), &gzip[..ANSWER.len()]), (447_047, ANSWER));
    for budget in [usize::MAX, 64 << 10, 1000] {
        assert!(decode("gzip", data!("long.gz"), budget).as_ref() == Ok(&gzip), "gzip, {budget}");
        assert!(decode("br", data!("long.br"), budget).as_ref() == Ok(&gzip), "br, {budget}");
        assert!(decode("zstd", data!("long.zst"), budget).as_ref() == Ok(&gzip), "zstd, {budget}");
    }
}

#[test]
fn codings_are_known_or_refused() {
    for nothing in [
        "",
        "identity",
        " Identity ,, identity\t",
        "none",
        "UTF-8",
        "utf8, identity",
        "iso-8859-1",
        "ISO8859-15",
        "latin-1",
        "8bit",
        "binary",
        "cp1252",
        "windows-1251",
        "gbk",
        "Shift_JIS",
        "euc-kr",
        "koi8-r",
        "charset=utf-8",
        "\"utf-8\"",
        "utf-16",
    ] {
        assert!(matches!(Decoder::new(nothing.as_bytes()), Ok(None)), "{nothing:?}");
    }
    for unknown in ["compress", "aws-chunked", "base64", "gzip, dcb", "gzip;q=1", "gzip gzip", "\"gzip\"", "zst\u{e9}"] {
        assert_eq!(Decoder::new(unknown.as_bytes()).err(), Some(UNKNOWN), "{unknown:?}");
    }
    assert!(matches!(Decoder::new(b"br,br,br,br"), Ok(Some(_))));
    assert_eq!(Decoder::new(b"br,br,br,br,br").err(), Some(TOO_MANY));
}

#[test]
fn a_truncated_body_is_no_body() {
    for (codings, body) in ENCODED {
        for end in places(body) {
            let result = decode(codings, &body[..end], usize::MAX);
            assert!(result == Err(TRUNCATED) || is_whole_part(&result), "{codings}, {end} of {} bytes: {result:?}", body.len());
        }
    }
}

#[test]
fn a_changed_body_is_never_another() {
    let checked = ENCODED.iter().filter(|(codings, body)| *codings != "br" && *body != data!("answer.deflate"));
    for (codings, body) in checked.filter(|(_, body)| *body != data!("streamed.zst") && *body != data!("window23.zst")) {
        for at in places(body) {
            for flip in [1, 0x80, 0xff] {
                let result = decode(codings, &changed(body, at, flip), usize::MAX);
                // Some bytes have no effect on the decoded body, such as the time in a gzip header.
                let unharmed = result.as_deref() == Ok(ANSWER);
                assert!(unharmed || result.is_err(), "{codings}, byte {at} xor {flip}");
            }
        }
    }
}

#[test]
fn checksums_are_checked() {
    let cases = [
        ("gzip", data!("answer.gz"), 8, CHECKSUM),
        ("gzip", data!("answer.gz"), 1, CHECKSUM),
        ("deflate", data!("answer.zlib"), 1, CORRUPT),
        ("zstd", data!("answer.zst"), 4, CHECKSUM),
    ];
    for (codings, body, from_end, fault) in cases {
        assert_eq!(decode(codings, &changed(body, body.len() - from_end, 1), usize::MAX), Err(fault), "{codings}, {from_end} from the end");
    }
    for (at, what) in [(12, "extra field"), (15, "name"), (20, "comment"), (28, "checksum")] {
        assert_eq!(decode("gzip", &changed(data!("header.gz"), at, 1), usize::MAX), Err(CHECKSUM), "a gzip header's {what}");
    }
    assert_eq!(decode("gzip", &changed(data!("answer.gz"), 3, 0x20), usize::MAX), Err(CORRUPT), "a reserved bit");
}

#[test]
fn nothing_may_follow_the_end() {
    for (codings, body) in ENCODED {
        for more in [1, 2, 16] {
            let body = [body, &vec![b'x'; more]].concat();
            for budget in [usize::MAX, 1] {
                let result = decode(codings, &body, budget);
                // Fewer than four bytes may be the beginning of a magic number.
                let short_of_a_frame = result == Err(TRUNCATED) && codings == "zstd" && more < 4;
                assert!(result == Err(GARBAGE) || short_of_a_frame, "{codings}, {more} bytes: {result:?}");
            }
        }
    }
    // The bytes follow the end of the inner coding.
    let inner = [data!("bomb.gz.br"), data!("answer.br")].concat();
    assert_eq!(decode("br", &inner, usize::MAX), Err(GARBAGE));
}

#[test]
fn an_empty_body_is_not_well_formed() {
    for codings in ["gzip", "deflate", "br", "zstd", "br, gzip"] {
        assert_eq!(decode(codings, b"", usize::MAX), Err(TRUNCATED), "{codings}");
    }
}

#[test]
fn empty_data_is_well_formed() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x03\0\0\0\0\0\0\0\0\0";
    let zlib = b"\x78\x9c\x03\0\0\0\0\x01";
    let zstd = b"\x28\xb5\x2f\xfd\x20\0\x01\0\0";
    let cases: [(&str, &[u8]); 5] = [("gzip", gzip), ("deflate", zlib), ("deflate", b"\x03\0"), ("br", b"\x3b"), ("zstd", zstd)];
    for (codings, body) in cases {
        assert_eq!(decode(codings, body, usize::MAX), Ok(vec![]), "{codings}");
        assert_eq!(decode(codings, body, 1), Ok(vec![]), "{codings}");
    }
}

#[test]
fn large_windows_are_refused() {
    assert_eq!(decode("br", data!("window24.br"), usize::MAX), Err(WINDOW));
    assert_eq!(decode("zstd", data!("window24.zst"), usize::MAX), Err(WINDOW));
    assert_eq!(decode("br", &[0x11, 0x18, 0, 0], usize::MAX), Err(CORRUPT), "brotli's large-window extension");
    let single_segment = |length: u32| [&b"\x28\xb5\x2f\xfd\xa0"[..], &length.to_le_bytes(), &[0; 9]].concat();
    assert_eq!(decode("zstd", &single_segment((8 << 20) + 1), usize::MAX), Err(WINDOW));
    assert_ne!(decode("zstd", &single_segment(8 << 20), usize::MAX), Err(WINDOW));
}

#[test]
fn zstd_claims_are_checked() {
    let frame = |rest: &[u8]| decode("zstd", &[b"\x28\xb5\x2f\xfd", rest].concat(), usize::MAX);
    // A raw block of four bytes, in frames that say they have four, five, and two bytes.
    let block = |length| [0x20, length, 0x21, 0, 0, b'a', b'b', b'c', b'd'];
    assert_eq!(frame(&block(4)).as_deref(), Ok(&b"abcd"[..]));
    assert_eq!(frame(&block(5)), Err(CORRUPT), "fewer bytes than claimed");
    assert_eq!(frame(&block(2)), Err(CORRUPT), "more bytes than claimed");
    assert_eq!(frame(&[0x28, 4, 0x21, 0, 0, b'a', b'b', b'c', b'd']), Err(CORRUPT), "a reserved bit");
    assert_eq!(frame(&[0x21, 9, 4, 0x21, 0, 0, b'a', b'b', b'c', b'd']), Err(CORRUPT), "a dictionary");
    // Blocks of one byte repeated: 128 KiB, and one more.
    assert_eq!(frame(&[0, 0x58, 0x03, 0, 0x10, b'a']).map(|decoded| decoded.len()), Ok(128 << 10));
    assert_eq!(frame(&[0, 0x58, 0x0b, 0, 0x10, b'a']), Err(CORRUPT));
    assert_eq!(frame(&[0, 0x58, 0x07, 0, 0]), Err(CORRUPT), "a reserved kind of block");
    // Literals of one byte repeated, no sequences: 128 KiB, and one more.
    assert_eq!(frame(&[0, 0x58, 0x2d, 0, 0, 0x0d, 0x00, 0x20, b'a', 0]).map(|decoded| decoded.len()), Ok(128 << 10));
    assert_eq!(frame(&[0, 0x58, 0x2d, 0, 0, 0x1d, 0x00, 0x20, b'a', 0]), Err(CORRUPT));
}

#[test]
fn a_bomb_costs_bounded_steps_and_pieces() {
    const LIMIT: usize = 16 << 20;
    const BUDGET: usize = 64 << 10;
    let bombs = [
        ("gzip, gzip", data!("bomb.gz.gz")),
        ("gzip, br", data!("bomb.gz.br")),
        ("br", data!("bomb.br")),
        ("zstd, gzip", data!("bomb.zst.gz")),
    ];
    for (codings, body) in bombs {
        let mut decoder = decoder(codings);
        let (mut taken, mut steps, mut fault) = (0, 0, None);
        while fault.is_none() {
            let (mut left, before) = (BUDGET, taken);
            let mut sink = |piece: &[u8]| {
                taken += piece.len();
                if taken > LIMIT { Err("too long") } else { Ok(()) }
            };
            fault = match decoder.step(body, &mut left, &mut sink) {
                Poll::Ready(end) => end.err(),
                Poll::Pending => None,
            };
            assert!(taken - before <= BUDGET + WRITTEN_AT_ONCE, "{codings}: {} bytes in one step", taken - before);
            let waiting: usize = decoder.links.iter().map(|link| link.waiting.capacity()).sum();
            assert!(waiting <= 2 * (READ_AT_ONCE + WRITTEN_AT_ONCE), "{codings}: {waiting} bytes between the codings");
            steps += 1;
        }
        assert_eq!(fault, Some("too long"), "{codings}");
        assert!(taken <= LIMIT + WRITTEN_AT_ONCE, "{codings}");
        assert!((LIMIT / BUDGET..4 * LIMIT / BUDGET).contains(&steps), "{codings}: {steps} steps");
    }
}

#[test]
fn tables_cost_more_than_their_bytes() {
    // A thousand empty blocks of bare deflate, five bytes each.
    let blocks = [&[0, 0, 0, 0xff, 0xff].repeat(1000)[..], &[3, 0]].concat();
    let mut budget = blocks.len() * 16;
    assert_eq!(decoder("deflate").step(&blocks, &mut budget, &mut |_| Ok(())), Poll::Pending);
    assert_eq!(decode("deflate", &blocks, 4096), Ok(vec![]));
    // A thousand blocks of zstd, each with one decoded byte.
    let blocks = [&b"\x28\xb5\x2f\xfd\0\x58"[..], &[0x08, 0, 0, b'a'].repeat(1000), &[1, 0, 0]].concat();
    let mut budget = 1 << 20;
    assert_eq!(decoder("zstd").step(&blocks, &mut budget, &mut |_| Ok(())), Poll::Pending);
    assert_eq!(decode("zstd", &blocks, 4096), Ok(vec![b'a'; 1000]));
}

#[test]
fn a_budget_is_kept() {
    for (codings, body) in ENCODED {
        let mut decoder = decoder(codings);
        let mut none = 0;
        assert_eq!(decoder.step(body, &mut none, &mut |_| Err("called")), Poll::Pending, "{codings}: no budget, no work");
        assert_eq!(decoder.position, 0);
        let mut plenty = usize::MAX;
        assert_eq!(decoder.step(body, &mut plenty, &mut |_| Ok(())), Poll::Ready(Ok(())), "{codings}");
        let used = usize::MAX - plenty;
        assert!((body.len() + ANSWER.len()..4 << 20).contains(&used), "{codings}: {used}");
        assert_eq!(decoder.step(body, &mut none, &mut |_| Err("called")), Poll::Ready(Ok(())), "{codings}: the end is the end");
    }
    let mut budget = usize::MAX;
    assert_eq!(decoder("gzip").step(data!("answer.gz"), &mut budget, &mut |_| Ok(())), Poll::Ready(Ok(())));
    let used = usize::MAX - budget;
    let bytes = data!("answer.gz").len() + ANSWER.len();
    assert!((bytes..bytes + 4096).contains(&used), "an honest body costs its bytes: {used}, not {bytes}");
}

#[test]
fn a_fault_is_final() {
    let mut decoder = decoder("gzip");
    let mut budget = usize::MAX;
    assert_eq!(decoder.step(data!("answer.gz"), &mut budget, &mut |_| Err("enough")), Poll::Ready(Err("enough")));
    assert_eq!(decoder.step(data!("answer.gz"), &mut budget, &mut |_| Ok(())), Poll::Ready(Err("enough")));
    assert!(decoder.links.is_empty(), "its state is given back");
}

const CODINGS: [&str; 6] = ["gzip", "deflate", "br", "zstd", "deflate, gzip", "zstd, br"];

/// Decodes a body; `None` if it is malformed or decodes to more than a megabyte. The fault is not returned, because with several codings
/// the budget decides which of two faults is found first.
fn decoded(codings: &str, body: &[u8], budget: usize) -> Option<Vec<u8>> {
    let mut decoder = decoder(codings);
    let mut bytes = Vec::new();
    let ended = |decoder: &mut Decoder, bytes: &mut Vec<u8>| {
        decoder.step(body, &mut budget.clone(), &mut |piece| {
            bytes.extend_from_slice(piece);
            if bytes.len() > 1 << 20 { Err("too long") } else { Ok(()) }
        })
    };
    loop {
        match ended(&mut decoder, &mut bytes) {
            Poll::Ready(end) => break end.ok()?,
            Poll::Pending => {}
        }
    }
    Some(bytes)
}

proptest! {
    #[test]
    fn any_bytes_end_in_a_result(which in 0..CODINGS.len(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let magic: &[u8] = match which {
            0 => b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
            3 => b"\x28\xb5\x2f\xfd",
            _ => b"",
        };
        for body in [bytes.clone(), [magic, &bytes].concat()] {
            let whole = decoded(CODINGS[which], &body, usize::MAX);
            prop_assert_eq!(decoded(CODINGS[which], &body, 7), whole.clone());
            prop_assert_eq!(decoded(CODINGS[which], &body, 500), whole);
        }
    }

    #[test]
    fn a_damaged_body_ends_in_the_same_result_whatever_the_budget(
        which in 0..ENCODED.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        early in any::<bool>(),
    ) {
        let (codings, body) = ENCODED[which];
        let mut body = body.to_vec();
        let reach = if early { 100 } else { body.len() };
        for (at, byte) in damage {
            body[at.index(reach)] = byte;
        }
        let whole = decoded(codings, &body, usize::MAX);
        prop_assert_eq!(decoded(codings, &body, 64), whole.clone());
        prop_assert_eq!(decoded(codings, &body, 5000), whole);
    }
}
