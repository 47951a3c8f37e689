//! Messages made at random, real ones that are changed, and such as are compressed.

use crate::compare::read::open_inference_grpc::tests::*;
use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// What was read, in words.
fn say(read: Result<Content, Fault>) -> String {
    match read {
        Err(fault) => fault.to_owned(),
        Ok(content) => {
            let all: Vec<_> = tensors(&content).iter().map(|tensor| elements(tensor, &content)).collect();
            format!("{:?} {:?} {all:?}", content.parts, content.facts)
        }
    }
}

/// Bytes that are nearly a message: fields that are known, at any depth, and what is not.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        (1..10_u64, any::<u64>()).prop_map(|(field, value)| number(field, value)),
        (1..10_u64, prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(field, value)| bytes(field, &value)),
        (1..10_u64, any::<[u8; 4]>()).prop_map(|(field, value)| [varint(field << 3 | 5), value.to_vec()].concat()),
        (1..10_u64, any::<[u8; 8]>()).prop_map(|(field, value)| [varint(field << 3 | 1), value.to_vec()].concat()),
        prop::sample::select(VALUES.to_vec()).prop_map(|(datatype, _)| bytes(2, datatype.as_bytes())),
        (0..3_u64).prop_map(|dimension| number(3, dimension)),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| {
        (5..7_u64, prop::collection::vec(inner, 0..6)).prop_map(|(field, fields)| bytes(field, &fields.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_bytes_slices_do_not_matter(message in prop::collection::vec(messages(), 0..6), slice in 1..200_usize) {
        let body = frame(&message.concat());
        prop_assert_eq!(say(read_slices(&body, "", bounds(), slice)), say(read(&body)));
    }

    #[test]
    fn whatever_is_changed_slices_do_not_matter(
        raw in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        slice in 1..200_usize,
    ) {
        let mut body = if raw { RAW } else { TYPED }.to_vec();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        prop_assert_eq!(say(read_slices(&body, "", bounds(), slice)), say(read(&body)));
    }

    #[test]
    fn whatever_is_compressed_never_traps(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        slice in 1..200_usize,
    ) {
        let mut body = SPECIES_GZIP.to_vec();
        for (at, byte) in edits {
            let at = at.index(body.len());
            body[at] = byte;
        }
        prop_assert_eq!(say(read_slices(&body, "gzip", bounds(), slice)), say(read_slices(&body, "gzip", bounds(), usize::MAX)));
    }

    #[test]
    fn numbers_are_what_they_were_in_any_packing(
        values in prop::collection::vec(any::<i64>(), 0..40),
        packed in prop::collection::vec(1..5_usize, 1..10),
        narrow in any::<bool>(),
    ) {
        let (datatype, field) = if narrow { ("INT32", 2) } else { ("INT64", 3) };
        let values: Vec<i64> = values.into_iter().map(|value| if narrow { i64::from(value as i32) } else { value }).collect();
        let mut contents = Vec::new();
        let (mut rest, mut sizes) = (values.as_slice(), packed.iter().cycle());
        while !rest.is_empty() {
            let (run, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            contents.push(match run {
                [one] => number(field, *one as u64),
                run => bytes(field, &run.iter().flat_map(|value| varint(*value as u64)).collect::<Vec<u8>>()),
            });
            rest = after;
        }
        let want: Vec<String> = values.iter().map(i64::to_string).collect();
        prop_assert_eq!(typed(datatype, &[values.len() as u64], &contents), Ok(want.join(" ")));
    }
}
