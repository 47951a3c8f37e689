//! Answers to `ModelInfer`: those of another encoder, and hand-made ones, legal and not.

mod properties;

use std::task::Poll;

use crate::capture::{Held, Ledger};
use crate::compare::answer::Answer;
use crate::compare::part::content::{Content, Parts};
use crate::compare::part::cursor::Cursor;
use crate::compare::part::element::Element;
use crate::compare::part::tensor;
use crate::compare::part::tensor::{Data, MAX_DIMENSIONS, MAX_NAME, Tensor};
use crate::compare::read::open_inference_grpc::ModelInferReader;
use crate::compare::read::reader::{Bounds, Reader};
use crate::fault::Fault;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MAX_OUTPUTS: usize = tensor::MAX_OUTPUTS as usize;

const TYPED: &[u8] = include_bytes!("../../../../tests/data/model_infer/typed.bin");
const RAW: &[u8] = include_bytes!("../../../../tests/data/model_infer/raw.bin");
const SPECIES: &[u8] = include_bytes!("../../../../tests/data/answers/triton/species-batch-grpc.baseline.body");
const SPECIES_GZIP: &[u8] = include_bytes!("../../../../tests/data/answers/triton/species-grpc-gzip.baseline.body");
const SPECIES_DEFLATE: &[u8] = include_bytes!("../../../../tests/data/answers/triton/species-grpc-deflate.baseline.body");
const BOMB: &[u8] = include_bytes!("../../../../tests/data/encodings/bomb.br");

/// A number on the wire.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field with a length: a string, bytes, a message, a packed run.
fn bytes(number: u64, value: &[u8]) -> Vec<u8> {
    [&varint(number << 3 | 2), &varint(value.len() as u64), value].concat()
}

/// A field that is a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// An output called `a`.
fn output(datatype: &str, shape: &[u64], contents: Option<&[u8]>) -> Vec<u8> {
    called("a", datatype, shape, contents)
}

fn called(name: &str, datatype: &str, shape: &[u64], contents: Option<&[u8]>) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|dimension| varint(*dimension)).collect();
    let contents = contents.map(|contents| bytes(5, contents)).unwrap_or_default();
    bytes(5, &[bytes(1, name.as_bytes()), bytes(2, datatype.as_bytes()), bytes(3, &shape), contents].concat())
}

fn raw(contents: &[u8]) -> Vec<u8> {
    bytes(6, contents)
}

/// The body of a message that is not compressed.
fn frame(message: &[u8]) -> Vec<u8> {
    [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat()
}

/// An answer with `body`.
fn answer(body: &[u8], grpc_encoding: &str) -> Answer {
    Answer {
        status: 200,
        content_type: b"application/grpc".to_vec(),
        content_encoding: Vec::new(),
        inference_header_length: Vec::new(),
        grpc_encoding: grpc_encoding.as_bytes().to_vec(),
        body: Ok(Held::from(body.to_vec()).into()),
    }
}

/// Reads a body in slices of `slice`.
fn read_slices(body: &[u8], grpc_encoding: &str, bounds: Bounds, slice: usize) -> Result<Content, Fault> {
    let answer = answer(body, grpc_encoding);
    let body = answer.body.clone().unwrap();
    let mut reader = ModelInferReader::new(&answer, body, bounds);
    loop {
        let mut budget = slice;
        match reader.step(&mut budget) {
            Poll::Ready(content) => return content,
            Poll::Pending => assert_eq!(budget, 0, "a step that has not ended has spent its budget"),
        }
    }
}

fn bounds() -> Bounds {
    Bounds { ledger: Ledger::new(usize::MAX), body: 1 << 20 }
}

fn read(body: &[u8]) -> Result<Content, Fault> {
    read_slices(body, "", bounds(), usize::MAX)
}

fn tensors(content: &Content) -> &[Tensor] {
    match &content.parts {
        Parts::Tensors(tensors) => tensors,
        other => panic!("{other:?}"),
    }
}

/// A tensor's elements, as text.
fn elements(tensor: &Tensor, content: &Content) -> Vec<String> {
    let mut cursor = Cursor::new(tensor);
    let mut texts = Vec::new();
    while let Some(element) = cursor.next(&content.document) {
        texts.push(match element {
            Element::Float(number) => format!("{number:?}"),
            Element::Integer(number) => number.to_string(),
            Element::Bool(truth) => truth.to_string(),
            Element::Bytes(bytes) => bytes.escape_ascii().to_string(),
            Element::Json(value) | Element::Single(value) => panic!("{value:?}"),
        });
    }
    assert!(cursor.next(&content.document).is_none());
    texts
}

/// What a message with one output holds, or what is wrong with it.
fn only(message: &[u8]) -> Result<String, Fault> {
    let content = read(&frame(message))?;
    let [tensor] = tensors(&content) else { panic!("{content:?}") };
    Ok(elements(tensor, &content).join(" "))
}

/// What the only output holds whose typed contents are these.
fn typed(datatype: &str, shape: &[u64], contents: &[Vec<u8>]) -> Result<String, Fault> {
    only(&output(datatype, shape, Some(&contents.concat())))
}

const VALUES: [(&str, [&str; 3]); 12] = [
    ("BOOL", ["true", "false", "true"]),
    ("INT8", ["-128", "-1", "127"]),
    ("INT16", ["-32768", "0", "32767"]),
    ("INT32", ["-2147483648", "300", "2147483647"]),
    ("INT64", ["-9223372036854775808", "-1", "9223372036854775807"]),
    ("UINT8", ["0", "128", "255"]),
    ("UINT16", ["0", "300", "65535"]),
    ("UINT32", ["0", "70000", "4294967295"]),
    ("UINT64", ["0", "1", "18446744073709551615"]),
    ("FP32", ["-1.5", "0.25", "inf"]),
    ("FP64", ["1e300", "0.1", "-inf"]),
    ("BYTES", ["", "caf\\xc3\\xa9", "\\x00\\xff"]),
];

#[test]
fn typed_contents_of_every_datatype() {
    let content = read(TYPED).unwrap();
    assert_eq!(content.facts.model_version.as_deref(), Some("7"));
    assert_eq!(tensors(&content).len(), VALUES.len());
    for (place, (tensor, (datatype, values))) in tensors(&content).iter().zip(VALUES).enumerate() {
        assert_eq!((tensor.name.as_str(), tensor.shape.as_slice()), (format!("a {datatype}").as_str(), &[3, 1][..]));
        assert_eq!(tensor.place as usize, place);
        assert_eq!(elements(tensor, &content), values, "{datatype}");
        assert_eq!(matches!(tensor.data, Data::Binary(_)), datatype.starts_with("FP"), "one run of floats is read as raw");
    }
}

#[test]
fn packed_or_not_or_both_is_the_same() {
    let minus_one = u64::MAX;
    for (datatype, field, values) in [("INT32", 2, [5, minus_one, 300]), ("UINT64", 5, [5, minus_one, 300]), ("BOOL", 1, [0, 1, 2])] {
        let packed = |values: &[u64]| bytes(field, &values.iter().flat_map(|value| varint(*value)).collect::<Vec<u8>>());
        let single = |value: u64| number(field, value);
        let want = typed(datatype, &[3], &[packed(&values)]).unwrap();
        let [a, b, c] = values;
        let unknown = [number(99, 1), bytes(98, b"xyz"), packed(&[])].concat();
        for contents in [
            vec![single(a), single(b), single(c)],
            vec![packed(&[a, b]), single(c)],
            vec![single(a), packed(&[b, c])],
            vec![packed(&[a]), packed(&[b]), packed(&[c])],
            vec![packed(&[a]), unknown.clone(), packed(&[b, c]), unknown.clone()],
            vec![unknown.clone(), single(a), unknown.clone(), single(b), single(c)],
        ] {
            assert_eq!(typed(datatype, &[3], &contents).as_ref(), Ok(&want), "{datatype} {contents:x?}");
        }
    }
    assert_eq!(typed("BOOL", &[3], &[bytes(1, &[0, 1, 2])]), Ok("false true true".to_owned()));
    let (half, two) = (0.5_f32.to_le_bytes(), 2.0_f32.to_le_bytes());
    let single = |value: [u8; 4]| [varint(6 << 3 | 5), value.to_vec()].concat();
    for contents in [
        vec![bytes(6, &[half, two].concat())],
        vec![single(half), single(two)],
        vec![bytes(6, &half), single(two)],
        vec![single(half), bytes(6, &two)],
        vec![bytes(6, &half), number(6, 7), bytes(6, &two)],
    ] {
        assert_eq!(typed("FP32", &[2], &contents), Ok("0.5 2.0".to_owned()), "{contents:x?}");
    }
    let single = |value: f64| [varint(7 << 3 | 1), value.to_le_bytes().to_vec()].concat();
    assert_eq!(typed("FP64", &[2], &[single(0.5), single(2.0)]), Ok("0.5 2.0".to_owned()));
    assert_eq!(typed("FP64", &[2], &[single(0.5), bytes(7, &2.0_f64.to_le_bytes())]), Ok("0.5 2.0".to_owned()));
}

#[test]
fn typed_contents_that_are_not_as_shape_and_datatype_say() {
    const COUNT: Fault = "the shape does not multiply to the number of elements";
    const OTHER: Fault = "an output's contents are not of its datatype";
    const FITS: Fault = "an element does not fit its datatype";
    const CUT: Fault = "an output's data is cut off within an element";
    let ints = |values: &[u64]| bytes(2, &values.iter().flat_map(|value| varint(*value)).collect::<Vec<u8>>());
    for (datatype, shape, contents, want) in [
        ("INT32", &[3][..], vec![ints(&[1, 2])], Err(COUNT)),
        ("INT32", &[1], vec![ints(&[1, 2])], Err(COUNT)),
        ("INT32", &[2, 2], vec![ints(&[1, 2, 3, 4])], Ok("1 2 3 4")),
        ("INT32", &[], vec![ints(&[1])], Ok("1")),
        ("INT32", &[0], vec![], Ok("")),
        ("INT32", &[0, 5], vec![ints(&[])], Ok("")),
        ("INT32", &[0], vec![ints(&[1])], Err(COUNT)),
        ("INT32", &[1], vec![], Err(COUNT)),
        ("INT32", &[1], vec![number(2, 1 << 32 | 7)], Ok("7")),
        ("INT8", &[1], vec![ints(&[128])], Err(FITS)),
        ("INT8", &[1], vec![number(2, u64::MAX - 128)], Err(FITS)),
        ("INT16", &[1], vec![ints(&[32768])], Err(FITS)),
        ("UINT8", &[1], vec![number(4, 256)], Err(FITS)),
        ("UINT16", &[1], vec![number(4, 65536)], Err(FITS)),
        ("INT64", &[1], vec![ints(&[1])], Err(OTHER)),
        ("INT32", &[1], vec![ints(&[1]), bytes(6, &[0; 4])], Err(OTHER)),
        ("INT32", &[1], vec![bytes(2, &[0x80])], Err("malformed protobuf: it ends within a field")),
        ("INT32", &[1], vec![bytes(2, &[0xff; 11])], Err("malformed protobuf: a number has more than 64 bits")),
        ("FP32", &[1], vec![bytes(6, &[0; 8])], Err(COUNT)),
        ("FP32", &[1], vec![bytes(6, &[0; 5])], Err(COUNT)),
        ("FP32", &[2], vec![bytes(6, &[0; 4]), bytes(6, &[0; 5])], Err(CUT)),
        ("FP16", &[1], vec![bytes(6, &[0; 4])], Err("16-bit floats outside raw contents")),
        ("BF16", &[1], vec![], Err("16-bit floats outside raw contents")),
        ("FP16", &[0], vec![], Ok("")),
        ("BYTES", &[2], vec![bytes(8, b"ab"), bytes(8, b"")], Ok("ab ")),
        ("BYTES", &[2], vec![bytes(8, b"ab")], Err(COUNT)),
        ("BYTES", &[1], vec![number(8, 1)], Err(COUNT)),
        ("FP8", &[1], vec![bytes(6, &[0; 4])], Err("an unknown datatype")),
        ("", &[1], vec![bytes(6, &[0; 4])], Err("an unknown datatype")),
    ] {
        assert_eq!(typed(datatype, shape, &contents), want.map(str::to_owned), "{datatype} {shape:?} {contents:x?}");
    }
    let few = number(99, 1).repeat(64);
    let many = number(99, 1).repeat(65);
    assert_eq!(typed("INT32", &[1], &[few, ints(&[1])]), Ok("1".to_owned()));
    assert_eq!(typed("INT32", &[1], &[ints(&[1]), many]), Err("too many fields without elements in an output's contents"));
}

#[test]
fn raw_contents_that_are_not_as_shape_and_datatype_say() {
    const COUNT: Fault = "the shape does not multiply to the number of elements";
    const BEYOND: Fault = "a string goes beyond its tensor";
    let given = |datatype, shape: &[u64], contents: &[u8]| {
        let content = read(&frame(&[output(datatype, shape, None), raw(contents)].concat()))?;
        Ok::<_, Fault>(tensors(&content)[0].data)
    };
    for (datatype, shape, contents, want) in [
        ("FP32", &[2][..], &[0; 8][..], None),
        ("FP32", &[2], &[0; 7], Some(COUNT)),
        ("FP32", &[2], &[0; 12], Some(COUNT)),
        ("FP16", &[3, 2], &[0; 12], None),
        ("BF16", &[3, 2], &[0; 12], None),
        ("UINT64", &[], &[0; 8], None),
        ("BOOL", &[0], &[], None),
        ("FP64", &[1 << 31, 1 << 31, 1 << 31], &[], Some(COUNT)),
        ("FP64", &[1 << 31, 1 << 30], &[], Some(COUNT)),
        ("FP64", &[u32::MAX.into(); MAX_DIMENSIONS], &[0; 8], Some(COUNT)),
        ("FP64", &[1 << 32], &[0; 8], Some("a dimension is absurdly large")),
        ("FP64", &[i64::MAX as u64, 0], &[0; 8], Some("a dimension is absurdly large")),
        ("FP64", &[1 << 63], &[0; 8], Some("a dimension is negative")),
        ("FP64", &[u64::MAX], &[0; 8], Some("a dimension is negative")),
        ("BYTES", &[2], b"\x02\0\0\0ab\0\0\0\0", None),
        ("BYTES", &[1], b"\x02\0\0\0ab\0\0\0\0", Some(COUNT)),
        ("BYTES", &[3], b"\x02\0\0\0ab\0\0\0\0", Some(COUNT)),
        ("BYTES", &[1], b"\x02\0\0\0a", Some(BEYOND)),
        ("BYTES", &[1], b"\x01\0\0", Some(BEYOND)),
        ("BYTES", &[1], b"\xff\xff\xff\xffa", Some(BEYOND)),
        ("BYTES", &[1 << 31], b"\0\0\0\0", Some(COUNT)),
        ("BYTES", &[0], b"", None),
    ] {
        let found = given(datatype, shape, contents);
        match want {
            None => assert!(matches!(found, Ok(Data::Binary(place)) if place.end - place.start == contents.len()), "{datatype} {shape:?}"),
            Some(fault) => assert_eq!(found, Err(fault), "{datatype} {shape:?}"),
        }
    }
}

#[test]
fn raw_contents_are_of_all_outputs_or_none() {
    let four = [0; 4];
    let with_typed = |contents: &[u8]| [output("FP32", &[1], Some(contents)), raw(&four)].concat();
    let bare = output("FP32", &[1], None);
    let other = called("b", "FP32", &[1], None);
    let say = |message: &[u8]| read(&frame(message)).map(|content| tensors(&content).len());
    assert_eq!(say(&[raw(&four), bare.clone()].concat()), Ok(1));
    assert_eq!(say(&[bare.clone(), raw(&four), raw(&four), other.clone()].concat()), Ok(2));
    assert_eq!(say(&[bare.clone(), raw(&four), raw(&four), bare.clone()].concat()), Err("two outputs have the same name"));
    assert_eq!(say(&[bare.clone(), other, raw(&four)].concat()), Err("not as many raw contents as outputs"));
    assert_eq!(say(&[bare.clone(), raw(&four), raw(&four)].concat()), Err("not as many raw contents as outputs"));
    assert_eq!(say(&raw(&four)), Err("not as many raw contents as outputs"));
    assert_eq!(say(&with_typed(&bytes(6, &four))), Err("an output has both raw and typed contents"));
    assert_eq!(say(&with_typed(b"")), Ok(1), "as MLServer writes it");
    assert_eq!(say(b""), Ok(0));
}

#[test]
fn fields_come_in_any_order_and_number() {
    let inner = |fields: &[Vec<u8>]| bytes(5, &fields.concat());
    let data = || bytes(5, &bytes(2, &[7, 8]));
    let message = [
        number(9, 1),
        bytes(2, b"1"),
        inner(&[
            data(),
            number(3, 2),
            bytes(1, b"old"),
            number(1, 3),
            bytes(77, b"?"),
            bytes(2, b"FP32"),
            bytes(2, b"INT8"),
            bytes(1, b"new"),
        ]),
        bytes(2, b"2"),
        number(5, 1),
        number(2, 1),
    ]
    .concat();
    let content = read(&frame(&message)).unwrap();
    let [tensor] = tensors(&content) else { panic!() };
    assert_eq!((tensor.name.as_str(), tensor.shape.as_slice(), content.facts.model_version.as_deref()), ("new", &[2][..], Some("2")));
    assert_eq!(elements(tensor, &content), ["7", "8"]);
    assert_eq!(only(&inner(&[bytes(2, b"INT8"), number(3, 1), data(), data()])), Err("an output's contents come in pieces"));
    let empty = bytes(5, b"");
    assert_eq!(only(&inner(&[bytes(2, b"INT8"), number(3, 2), empty.clone(), data(), empty])), Ok("7 8".to_owned()));
    let shape = [number(3, 1), bytes(3, &[2, 1]), number(3, 1)].concat();
    assert_eq!(only(&inner(&[bytes(2, b"INT8"), shape, data()])), Ok("7 8".to_owned()));
    assert_eq!(read(&frame(&bytes(2, b""))).unwrap().facts.model_version, None);
}

#[test]
fn what_goes_over_a_bound() {
    let say = |message: &[u8]| read(&frame(message)).map(|content| tensors(&content).len());
    let empty = |count: usize| (0..count).flat_map(|index| called(&index.to_string(), "FP32", &[0], None)).collect::<Vec<u8>>();
    assert_eq!(say(&empty(MAX_OUTPUTS)), Ok(MAX_OUTPUTS));
    assert_eq!(say(&empty(MAX_OUTPUTS + 1)), Err("more outputs than are compared"));
    assert_eq!(say(&raw(b"").repeat(MAX_OUTPUTS + 1)), Err("more outputs than are compared"));
    assert_eq!(say(&output("FP32", &[0; MAX_DIMENSIONS], None)), Ok(1));
    assert_eq!(say(&output("FP32", &[0; MAX_DIMENSIONS + 1], None)), Err("an output has too many dimensions"));
    assert_eq!(say(&bytes(2, "v".repeat(MAX_NAME).as_bytes())), Ok(0));
    assert_eq!(say(&bytes(2, "v".repeat(MAX_NAME + 1).as_bytes())), Err("a name is too long"));
    assert_eq!(say(&bytes(2, b"\xff")), Err("a name is not UTF-8"));
    let named = |name: &[u8]| bytes(5, &[bytes(1, name), bytes(2, b"FP32"), number(3, 0)].concat());
    assert_eq!(say(&named("é".as_bytes())), Ok(1));
    assert_eq!(say(&named(b"\xc3")), Err("a name is not UTF-8"));
    assert_eq!(say(&named(&[b'n'; MAX_NAME + 1])), Err("a name is too long"));
}

#[test]
fn an_answer_is_one_message() {
    let empty = frame(b"");
    let fault = |body: &[u8], encoding| read_slices(body, encoding, bounds(), usize::MAX).map(|_| ()).unwrap_err();
    assert_eq!(fault(b"", ""), "no gRPC message");
    assert_eq!(fault(&empty.repeat(2), ""), "something follows the gRPC message");
    assert_eq!(fault(&[1, 0, 0, 0, 0], ""), "a compressed gRPC message without grpc-encoding");
    assert_eq!(fault(&[1, 0, 0, 0, 0], "identity"), "a compressed gRPC message without grpc-encoding");
    assert_eq!(fault(&[1, 0, 0, 0, 0], "snappy"), "unknown content coding");
    assert_eq!(fault(&[1, 0, 0, 0, 0], "gzip"), "the encoded body is truncated");
    assert_eq!(fault(&[[1, 0, 0, 0, 20].as_slice(), &[7; 20]].concat(), "gzip"), "the encoded body is corrupt");
    for end in 1..TYPED.len() {
        assert_eq!(fault(&TYPED[..end], ""), "a gRPC message is cut off", "{end}");
    }
    // A message that is not compressed may come in a stream that could be.
    assert!(read_slices(TYPED, "gzip", bounds(), usize::MAX).is_ok());
}

#[test]
fn a_message_cut_anywhere_is_a_shorter_one_or_none() {
    for whole in [TYPED, RAW] {
        let message = &whole[5..];
        let mut readable = 0;
        for end in 0..message.len() {
            if let Ok(content) = read(&frame(&message[..end])) {
                assert!(tensors(&content).len() < VALUES.len());
                readable += 1;
            }
        }
        // Between two of the fields that stand before the outputs, and with typed contents between two outputs.
        assert_eq!(readable, if whole == RAW { 5 } else { 5 + VALUES.len() - 1 });
    }
}

#[test]
fn compressed_messages_are_decoded() {
    let plain = read(SPECIES).unwrap();
    for (body, encoding) in [(SPECIES_GZIP, "gzip"), (SPECIES_DEFLATE, "deflate")] {
        assert_eq!(body[0], 1);
        let bounds = bounds();
        let content = read_slices(body, encoding, bounds.clone(), 7).unwrap();
        assert_eq!(bounds.ledger.used(), content.document.body.bytes().len());
        assert!(bounds.ledger.used() > 0);
        let say = |content: &Content| tensors(content).iter().map(|tensor| elements(tensor, content)).collect::<Vec<_>>();
        assert_eq!((say(&content), &content.facts), (say(&plain), &plain.facts));
        drop(content);
        assert_eq!(bounds.ledger.used(), 0);
        for (ledger, body_limit, want) in [(usize::MAX, 20, "longer than limits.body"), (20, 1 << 20, "no room for it in limits.memory")] {
            let bounds = Bounds { ledger: Ledger::new(ledger), body: body_limit };
            assert_eq!(read_slices(body, encoding, bounds.clone(), 64).map(|_| ()), Err(want));
            assert_eq!(bounds.ledger.used(), 0);
        }
        for end in 5..body.len() - 1 {
            let cut = [&[1], &((end - 5) as u32).to_be_bytes()[..], &body[5..end]].concat();
            assert!(read_slices(&cut, encoding, bounds.clone(), usize::MAX).is_err(), "{end}");
        }
    }
    let bomb = [&[1], &(BOMB.len() as u32).to_be_bytes()[..], BOMB].concat();
    assert_eq!(read_slices(&bomb, "br", bounds(), 1 << 16).map(|_| ()), Err("longer than limits.body"));
}

#[test]
fn what_is_left_unread_of_an_output_is_held() {
    use crate::compare::part::leftover::Unknown;
    use crate::path::Step;
    let member = |name: &str| Step::Member(name.to_owned());
    let with = |fields: &[u8]| {
        let plain = output("FP32", &[1], Some(&bytes(6, &1_f32.to_le_bytes())));
        let (_, inside) = plain.split_at(2);
        frame(&bytes(5, &[inside, fields].concat()))
    };
    let parameter = |key: &str, value: &[u8]| bytes(4, &[bytes(1, key.as_bytes()), bytes(2, value)].concat());
    for (fields, path, value) in [
        (parameter("a", b"\x08\x01"), vec![member("parameters"), member("a")], &b"\x08\x01"[..]),
        (bytes(4, &bytes(1, b"a")), vec![member("parameters"), member("a")], b""),
        (bytes(4, b""), vec![member("parameters"), member("")], b""),
        // As no writer writes it.
        (bytes(4, &bytes(2, b"x")), vec![member("parameters"), member("")], b"\x12\x01x"),
        (number(9, 7), vec![member("9")], b"\x48\x07"),
    ] {
        let body = with(&fields);
        let content = read(&body).unwrap();
        let held: Vec<_> = content.leftovers.all.iter().map(|leftover| (leftover.item, leftover.path.clone())).collect();
        assert_eq!(held, [(0, path)], "{fields:?}");
        let Unknown::Bytes(range) = content.leftovers.all[0].value else { panic!("{content:?}") };
        assert_eq!(range.of(content.document.body.bytes()), value, "{fields:?}");
    }
    assert!(read(&with(b"")).unwrap().leftovers.all.is_empty());
    let long = parameter(&"a".repeat(MAX_NAME + 1), b"");
    assert_eq!(read(&with(&long)).map(|_| ()), Err("a name is too long"));
}
