//! Protobuf's wire format (<https://protobuf.dev/programming-guides/encoding>): reads the fields of a message one after the other.
//!
//! A field has a tag (number and wire type) and a value. The caller knows the meaning of the numbers. Nothing is copied or held, so a
//! message of any size can be read in slices. The crates that generate code can't do that.
//!
//! The reader is at least as strict as Google's: it refuses every message that one of Google's readers refuses. It also refuses groups,
//! which were out of use before any protocol read here was written, and numbers of more than 64 bits, whose upper bits Google's readers
//! drop.

use core::ops::Range;

use crate::fault::Fault;

const TRUNCATED: Fault = "malformed protobuf: it ends within a field";
const VARINT: Fault = "malformed protobuf: a number has more than 64 bits";
const TAG: Fault = "malformed protobuf: a bad tag";
const GROUP: Fault = "malformed protobuf: a group";

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field's number, from 1.
    pub number: u32,
    /// The field's value.
    pub value: Value,
}

/// The value of a field, by wire type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Wire type 0: a number.
    Varint(u64),
    /// Wire type 1: the offsets of eight bytes.
    Eight(Range<usize>),
    /// Wire type 2 (a string, bytes, a message or packed numbers): the offsets of its bytes.
    Bytes(Range<usize>),
    /// Wire type 5: the offsets of four bytes.
    Four(Range<usize>),
}

/// Reads the field that begins at `at`. Returns the field and the offset of its end.
///
/// All offsets are offsets in `message`. To read a message inside another, pass the outer one, cut off at the end of the inner one.
///
/// # Errors
/// If the field is malformed, or goes beyond the end of `message`.
#[inline]
pub fn field(message: &[u8], at: usize) -> Result<(Field, usize), Fault> {
    let (tag, start) = varint(message, at)?;
    let tag = u32::try_from(tag).map_err(|_| TAG)?;
    let number = tag >> 3;
    if number == 0 {
        return Err(TAG);
    }
    let (value, end) = match tag & 7 {
        0 => varint(message, start).map(|(number, end)| (Value::Varint(number), end))?,
        1 => run(message, start, 8).map(|run| (Value::Eight(run.clone()), run.end))?,
        2 => {
            let (length, start) = varint(message, start)?;
            run(message, start, length).map(|run| (Value::Bytes(run.clone()), run.end))?
        }
        5 => run(message, start, 4).map(|run| (Value::Four(run.clone()), run.end))?,
        3 | 4 => return Err(GROUP),
        _ => return Err(TAG),
    };
    Ok((Field { number, value }, end))
}

/// A position between two fields of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Offset of the next field.
    pub at: usize,
    /// Offset of the end of the message.
    pub end: usize,
}

impl Fields {
    /// Reads the next field of the message, which is in `body`; `None` after the last one.
    ///
    /// # Errors
    /// If the field is malformed, or goes beyond the end of the message.
    pub fn next(&mut self, body: &[u8]) -> Result<Option<Field>, Fault> {
        if self.at >= self.end {
            return Ok(None);
        }
        let (field, end) = field(body.get(..self.end).unwrap_or_default(), self.at)?;
        self.at = end;
        Ok(Some(field))
    }
}

/// Returns the offsets of `length` bytes from `start`.
fn run(message: &[u8], start: usize, length: u64) -> Result<Range<usize>, Fault> {
    let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
    end.filter(|end| *end <= message.len()).map(|end| start..end).ok_or(TRUNCATED)
}

/// Most bytes of a varint: 64 bits, seven in each byte.
const LONGEST: usize = 10;

/// Reads the varint that begins at `at`. Returns its value and the offset of its end.
///
/// # Errors
/// If the value does not fit 64 bits, or the varint goes beyond the end of `message`.
#[inline]
pub fn varint(message: &[u8], at: usize) -> Result<(u64, usize), Fault> {
    match message.get(at) {
        Some(&byte) if byte < 0x80 => Ok((u64::from(byte), at.saturating_add(1))),
        Some(_) => long_varint(message.get(at..).unwrap_or_default()).map(|(number, length)| (number, at.saturating_add(length))),
        None => Err(TRUNCATED),
    }
}

/// Reads the varint that `bytes` begin with. Returns its value and its length in bytes. The least significant seven bits come first; the
/// uppermost bit of a byte says whether another byte follows.
fn long_varint(bytes: &[u8]) -> Result<(u64, usize), Fault> {
    let mut number = 0;
    for ((shift, byte), length) in (0..u64::BITS).step_by(7).zip(bytes).zip(1..) {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits.wrapping_shl(shift);
        if shifted.wrapping_shr(shift) != bits {
            return Err(VARINT);
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok((number, length));
        }
    }
    Err(if bytes.len() < LONGEST { TRUNCATED } else { VARINT })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn numbers_have_seven_bits_a_byte() {
        for (bytes, want) in [
            (&[0][..], Ok((0, 1))),
            (&[1, 7], Ok((1, 1))),
            (&[0x7f], Ok((127, 1))),
            (&[0x96, 0x01], Ok((150, 2))),
            (&[0x80, 0x80, 0x00], Ok((0, 3))),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Ok((u64::MAX, 10))),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], Err(VARINT)),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], Err(VARINT)),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], Err(VARINT)),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80], Err(TRUNCATED)),
            (&[0x80], Err(TRUNCATED)),
            (&[], Err(TRUNCATED)),
        ] {
            assert_eq!(varint(bytes, 0), want, "{bytes:x?}");
        }
        assert_eq!(varint(&[9, 9, 0x96, 0x01], 2), Ok((150, 4)));
        assert_eq!(varint(&[9], usize::MAX), Err(TRUNCATED));
    }

    #[test]
    fn fields_of_each_wire_type() {
        let field_of = |bytes: &[u8]| field(bytes, 0).map(|(Field { number, value }, end)| (number, value, end));
        for (bytes, want) in [
            (&[0x08, 0x96, 0x01][..], Ok((1, Value::Varint(150), 3))),
            (&[0x11, 1, 2, 3, 4, 5, 6, 7, 8, 9], Ok((2, Value::Eight(1..9), 9))),
            (&[0x12, 0x03, b'a', b'b', b'c'], Ok((2, Value::Bytes(2..5), 5))),
            (&[0x12, 0x00], Ok((2, Value::Bytes(2..2), 2))),
            (&[0x25, 1, 2, 3, 4], Ok((4, Value::Four(1..5), 5))),
            (&[0xf8, 0xff, 0xff, 0xff, 0x0f, 0x01], Ok(((1 << 29) - 1, Value::Varint(1), 6))),
            (&[0xf8, 0xff, 0xff, 0xff, 0x1f, 0x01], Err(TAG)),
            (&[0x00, 0x01], Err(TAG)),
            (&[0x0e, 0x01], Err(TAG)),
            (&[0x0f, 0x01], Err(TAG)),
            (&[0x0b, 0x0c], Err(GROUP)),
            (&[0x0c], Err(GROUP)),
            (&[0x11, 1, 2, 3, 4, 5, 6, 7], Err(TRUNCATED)),
            (&[0x12, 0x03, b'a', b'b'], Err(TRUNCATED)),
            (&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], Err(TRUNCATED)),
            (&[0x12, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], Err(VARINT)),
            (&[0x25, 1, 2, 3], Err(TRUNCATED)),
            (&[0x08], Err(TRUNCATED)),
            (&[], Err(TRUNCATED)),
        ] {
            assert_eq!(field_of(bytes), want, "{bytes:x?}");
        }
    }

    #[test]
    fn a_message_within_another_ends_where_it_ends() {
        let body = [0x0a, 0x02, 0x08, 0x96, 0x01];
        let mut inner = Fields { at: 2, end: 4 };
        assert_eq!(inner.next(&body), Err(TRUNCATED));
        let mut inner = Fields { at: 2, end: 5 };
        assert_eq!(inner.next(&body), Ok(Some(Field { number: 1, value: Value::Varint(150) })));
        assert_eq!(inner.next(&body), Ok(None));
        assert_eq!(Fields { at: 3, end: 9 }.next(&body[..3]), Err(TRUNCATED));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_number_is_read_back(number in any::<u64>(), shift in 0..64_u32, before in 0..3_usize) {
            let number = number >> shift;
            let mut bytes = vec![0xff; before];
            let mut rest = number;
            while rest > 0x7f {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            let end = bytes.len();
            prop_assert_eq!(varint(&bytes, before), Ok((number, end)));
            prop_assert_eq!(varint(&bytes[..end - 1], before), Err(TRUNCATED));
        }

        #[test]
        fn whatever_the_bytes_fields_move_on_within_them(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut fields = Fields { at: 0, end: bytes.len() };
            let mut before = 0;
            while let Ok(Some(field)) = fields.next(&bytes) {
                prop_assert!(fields.at > before && fields.at <= bytes.len());
                if let Value::Bytes(place) | Value::Eight(place) | Value::Four(place) = field.value {
                    prop_assert!(place.start > before && place.end == fields.at);
                }
                before = fields.at;
            }
        }
    }
}
