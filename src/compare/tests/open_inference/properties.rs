//! Tensors made at random, in every form that an answer can have.

use super::*;
use proptest::prelude::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A tensor of floating-point numbers, and how an answer writes it.
#[derive(Clone, Debug)]
struct Made {
    datatype: usize,
    values: Vec<f32>,
}

const FLOATS: [(&str, Tolerance); 3] = [
    ("FP32", Tolerance { absolute: 1e-6, relative: 1e-3 }),
    ("FP64", Tolerance { absolute: 1e-6, relative: 1e-3 }),
    ("BF16", Tolerance { absolute: 1e-2, relative: 2e-2 }),
];

/// Finite numbers that BF16 can hold, so that every form holds the same.
fn number() -> impl Strategy<Value = f32> {
    (any::<u16>(), -40_i32..40)
        .prop_map(|(fraction, exponent)| f32::from_bits(((127 + exponent) as u32) << 23 | u32::from(fraction & 0x7f) << 16))
}

fn tensors() -> impl Strategy<Value = Vec<Made>> {
    let values = prop::collection::vec(prop_oneof![Just(1.0_f32), number(), number().prop_map(|number| -number)], 0..6);
    prop::collection::vec((0_usize..3, values).prop_map(|(datatype, values)| Made { datatype, values }), 1..4)
}

/// Writes tensors, named by their index, in this order; the bits of `spelling` say which of them in binary form, and whether lists are
/// nested.
fn written(tensors: &[Made], order: &[usize], spelling: u8) -> Answer {
    let (mut parts, mut blobs) = (Vec::new(), Vec::new());
    for &index in order {
        let Made { datatype, values } = &tensors[index];
        let name = FLOATS[*datatype].0;
        let head = format!(r#""name":"t{index}","datatype":"{name}","shape":[{},1]"#, values.len());
        if spelling >> index & 1 == 1 {
            let from = blobs.len();
            for value in values {
                match name {
                    "FP32" => blobs.extend(value.to_le_bytes()),
                    "FP64" => blobs.extend(f64::from(*value).to_le_bytes()),
                    _ => blobs.extend(((value.to_bits() >> 16) as u16).to_le_bytes()),
                }
            }
            parts.push(format!(r#"{{{head},"parameters":{{"binary_data_size":{}}}}}"#, blobs.len() - from));
        } else {
            let number = |value: &f32| if spelling & 0x80 == 0 { format!("{value:e}") } else { format!("[{value:?}]") };
            parts.push(format!(r#"{{"data":[{}],{head}}}"#, values.iter().map(number).collect::<Vec<_>>().join(",")));
        }
    }
    binary(&outputs(&parts.join(",")), &blobs)
}

/// The first difference, straight from the rules.
fn expected(primary: &[Made], shadow: &[Made]) -> String {
    for index in 0..primary.len().max(shadow.len()) {
        let (Some(a), Some(b)) = (primary.get(index), shadow.get(index)) else {
            let kind = if index < primary.len() { "missing" } else { "extra" };
            return format!("{kind} at outputs[{index}]");
        };
        if a.datatype != b.datatype {
            return format!("datatype at outputs[{index}].datatype");
        }
        if a.values.len() != b.values.len() {
            return format!("shape at outputs[{index}].shape");
        }
        let tolerance = FLOATS[a.datatype].1;
        let differs = |(a, b): (&f32, &f32)| {
            let (a, b) = (f64::from(*a), f64::from(*b));
            (a - b).abs() > tolerance.absolute && (a - b).abs() > tolerance.relative * a.abs().max(b.abs())
        };
        if let Some(at) = a.values.iter().zip(&b.values).position(differs) {
            return format!("number at outputs[{index}].data[{at}]");
        }
    }
    "equivalent".to_owned()
}

/// Another answer to the same request: some numbers and other things changed.
fn changed(tensors: &[Made], changes: &[(usize, usize, f32)]) -> Vec<Made> {
    let mut shadow = tensors.to_vec();
    for &(which, at, value) in changes {
        match (which % 8, shadow.get_mut(at % tensors.len())) {
            (0, _) => shadow.truncate(at % 4 + 1),
            (1, _) => shadow.push(Made { datatype: 0, values: vec![value] }),
            (2, Some(tensor)) => tensor.values.push(value),
            (3, Some(tensor)) => tensor.datatype = (tensor.datatype + 1) % 3,
            (_, Some(tensor)) => tensor.values.iter_mut().skip(at / 4 % 6).take(1).for_each(|number| *number = value),
            _ => {}
        }
    }
    shadow
}

proptest! {
    #![proptest_config(pairs::config())]

    #[test]
    fn the_form_of_an_answer_and_slices_change_nothing(
        primary in tensors(),
        changes in prop::collection::vec((0_usize..30, any::<usize>(), number()), 0..3),
        forms: (u8, u8),
        budget in 1_usize..100,
        turn: bool,
    ) {
        let shadow = changed(&primary, &changes);
        let mut order: Vec<usize> = (0..shadow.len()).collect();
        let in_order: Vec<usize> = (0..primary.len()).collect();
        let want = expected(&primary, &shadow);
        if turn && !want.starts_with("extra") {
            order.reverse();
        }
        let (left, right) = (written(&primary, &in_order, forms.0), written(&shadow, &order, forms.1));
        let whole = compare(&left, &right, &plan(), usize::MAX);
        let found = say(&whole).replace("identical", "equivalent");
        prop_assert_eq!(&found, &want, "{:?} against {:?}", left, right);
        prop_assert_eq!(compare(&left, &right, &plan(), budget), whole);
    }

    #[test]
    fn any_bytes_are_judged(json in "[\\[\\]{}\",:0-9a-z]{0,20}", header in "[0-9x]{0,3}", blobs: Vec<u8>, at: usize, byte: u8) {
        let good = written(&[Made { datatype: 0, values: vec![1.0, 2.0] }, Made { datatype: 2, values: vec![3.0] }], &[0, 1], 3);
        let mut body = good.body.as_ref().unwrap().bytes().to_vec();
        let at = at % body.len();
        body[at] = byte;
        let bent = Answer { inference_header_length: good.inference_header_length.clone(), ..answer(&body) };
        let made = mixed(&json, &header, &blobs);
        for (primary, shadow) in [(&good, &bent), (&bent, &good), (&good, &made), (&made, &bent)] {
            let whole = compare(primary, shadow, &plan(), usize::MAX);
            prop_assert_eq!(compare(primary, shadow, &plan(), 3), whole);
        }
    }
}
