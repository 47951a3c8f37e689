//! Another model in `ModelInfer` requests, against messages written with that model from the start.

use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::{changes, copied};

pub const CALL: [(&str, &str); 2] = [(":path", "/inference.GRPCInferenceService/ModelInfer"), ("content-type", "application/grpc+proto")];

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let rest = number >> 7;
        bytes.push((number & 0x7f) as u8 | if rest > 0 { 0x80 } else { 0 });
        if rest == 0 {
            return bytes;
        }
        number = rest;
    }
}

/// A field of wire type 2.
fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

pub fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

fn copy(headers: &[(&str, &str)], body: &[u8], model: &str) -> Result<Vec<u8>, String> {
    copied(&changes(Some(model), &[], &[]), headers, body)
}

/// `model_name`, `model_version`, `id`, and a tensor's bytes.
pub fn request(model: &str) -> Vec<u8> {
    frame(&[bytes(1, model.as_bytes()), bytes(2, b"3"), bytes(3, b"id"), bytes(7, &[0, 255, 10, 3])].concat())
}

#[test]
fn the_name_of_the_model_changes_and_the_length_with_it() {
    let long = "m".repeat(300);
    for (old, new) in [("simple", "other"), ("simple", &long), (&long, "s"), ("", "s"), ("simple", "modèle")] {
        assert_eq!(copy(&CALL, &request(old), new), Ok(request(new)), "{old} {new}");
    }
}

#[test]
fn only_model_infer_is_read() {
    let body = request("simple");
    for (path, content_type, changed) in [
        ("/inference.GRPCInferenceService/ModelInfer", "application/grpc", true),
        ("/inference.GRPCInferenceService/ModelInfer?a", "Application/GRPC;x", true),
        ("/inference.GRPCInferenceService/ModelStreamInfer", "application/grpc", false),
        ("/inference.GRPCInferenceService/ModelInfer", "application/json", false),
        ("/inference.GRPCInferenceService/ModelInfer", "application/grpc-web", false),
    ] {
        assert_eq!(copy(&[(":path", path), ("content-type", content_type)], &body, "x").is_ok(), changed, "{path} {content_type}");
    }
}

#[test]
fn members_are_no_fields() {
    for changes in [changes(None, &[("model", "1")], &[]), changes(None, &[], &["id"]), changes(Some("x"), &[], &["id"])] {
        assert_eq!(copied(&changes, &CALL, &request("simple")), Err("a gRPC message, not JSON".to_owned()));
    }
}

#[test]
fn what_is_not_one_whole_message_has_no_copy() {
    let message = bytes(1, b"simple");
    let mut unknown = frame(&message);
    unknown[0] = 2;
    for (body, why) in [
        (unknown, "malformed head of a gRPC message"),
        ([frame(&message), frame(&message)].concat(), "something follows the gRPC message"),
        ([frame(&message), vec![0]].concat(), "something follows the gRPC message"),
        (frame(&message)[..message.len() + 4].to_vec(), "a gRPC message is cut off"),
        (vec![0; 4], "a gRPC message is cut off"),
    ] {
        assert_eq!(copy(&CALL, &body, "x"), Err(why.to_owned()), "{body:?}");
    }
}

#[test]
fn a_message_without_a_name_gets_none() {
    for body in [vec![], frame(b""), frame(&bytes(2, b"no name"))] {
        assert_eq!(copy(&CALL, &body, "x"), Ok(body));
    }
}

#[test]
fn a_malformed_message_has_no_copy() {
    for rest in [
        &[0x08][..],                                                         // no value
        &[0x10, 0x80],                                                       // a number without end
        &[0x12, 5, 1],                                                       // fewer bytes than said
        &[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // 2^64 - 1 bytes
        &[0x11, 0, 0],                                                       // half a double
        &[0x15, 0, 0],                                                       // half a float
        &[0x13],                                                             // a group
        &[0x14],
        &[0x16],
        &[0x02, 0],                                                                // field 0
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],       // more than 64 bits
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // more than ten bytes
        &[0x82, 0x80, 0x80, 0x80, 0x10, 0],                                        // field 2^29
    ] {
        let body = frame(&[bytes(1, b"simple"), rest.to_vec()].concat());
        assert!(copy(&CALL, &body, "x").is_err_and(|why| why.starts_with("malformed protobuf")), "{rest:?}");
    }
}

#[test]
fn of_several_names_the_last_one_counts() {
    let message = |last: &[u8]| frame(&[bytes(1, b"first"), bytes(9, b""), bytes(1, last), vec![0x08, 5]].concat());
    assert_eq!(copy(&CALL, &message(b"second"), "new"), Ok(message(b"new")), "a field 1 that is no string is none");
}

#[test]
fn a_turn_reads_no_more_fields_than_its_budget_allows() {
    let body = frame(&[bytes(1, b"m"), [0x10, 1].repeat(100_000)].concat());
    let (body, fields) = (super::body(&body), crate::http::fields(&CALL));
    let mut shaping = super::shaping();
    let request = crate::http::Request::new(&fields);
    let mut turns = 1;
    while shaping.shape(&changes(Some("x"), &[], &[]), false, &request, &body, &mut 10_000).is_pending() {
        turns += 1;
    }
    assert!(turns > 70, "{turns} turns");
}

/// A field as it is written, of any number but that of the model's name, or of that number and another type.
fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![2..20_u64, 2..1_u64 << 29];
    prop_oneof![
        (any::<bool>(), number.clone(), any::<u64>())
            .prop_map(|(one, number, value)| { [varint(if one { 1 } else { number } << 3), varint(value)].concat() }),
        (number.clone(), any::<[u8; 8]>()).prop_map(|(number, value)| [varint(number << 3 | 1), value.to_vec()].concat()),
        (number.clone(), prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(number, value)| bytes(number, &value)),
        (number, any::<[u8; 4]>()).prop_map(|(number, value)| [varint(number << 3 | 5), value.to_vec()].concat()),
    ]
}

proptest! {
    #[test]
    fn the_copy_is_the_message_that_names_the_other_model(
        fields in (prop::collection::vec(any_field(), 0..5), prop::collection::vec(any_field(), 0..5)),
        old in any::<String>(),
        new in any::<String>(),
    ) {
        let message = |model: &str| frame(&[fields.0.concat(), bytes(1, model.as_bytes()), fields.1.concat()].concat());
        prop_assert_eq!(copy(&CALL, &message(&old), &new), Ok(message(&new)));
    }

    #[test]
    fn any_bytes_are_no_trap(message in prop::collection::vec(any::<u8>(), 0..60), framed: bool) {
        let body = if framed { frame(&message) } else { message };
        let _ = copy(&CALL, &body, "x");
    }
}
