//! The gRPC message in the body of a request or an answer: a head of five bytes, then the message
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
//!
//! Only bodies of unary calls are read, which have one message. A compressed message stays compressed.

use core::ops::Range;

use crate::fault::Fault;

/// The message of a unary call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whether the message is compressed with the coding that `grpc-encoding` names.
    pub compressed: bool,
    /// The bytes of the message in the body: all bytes after the head.
    pub message: Range<usize>,
}

/// Why a compressed message can't be read where `grpc-encoding` names no coding.
pub const NO_ENCODING: Fault = "a compressed gRPC message without grpc-encoding";

/// Bytes of the head of a message: one says whether the message is compressed, four are its length (big-endian).
pub const HEAD: usize = 5;

/// Returns the only message in `body`.
///
/// # Errors
/// If there is no message, if its head is malformed, if the message is cut off, or if something follows it.
pub fn unary(body: &[u8]) -> Result<Frame, Fault> {
    let Some((&[flag, a, b, c, d], message)) = body.split_first_chunk::<HEAD>() else {
        return Err(if body.is_empty() { "no gRPC message" } else { "a gRPC message is cut off" });
    };
    let compressed = match flag {
        0 => false,
        1 => true,
        _ => return Err("malformed head of a gRPC message"),
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    match message.len().cmp(&length) {
        core::cmp::Ordering::Less => Err("a gRPC message is cut off"),
        core::cmp::Ordering::Equal => Ok(Frame { compressed, message: HEAD..body.len() }),
        core::cmp::Ordering::Greater => Err("something follows the gRPC message"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_unary_body_is_one_message() {
        let whole = |compressed, end| Ok(Frame { compressed, message: 5..end });
        let cut = Err("a gRPC message is cut off");
        for (body, want) in [
            (&[0, 0, 0, 0, 0][..], whole(false, 5)),
            (&[0, 0, 0, 0, 2, 8, 9], whole(false, 7)),
            (&[1, 0, 0, 0, 1, 8], whole(true, 6)),
            (&[2, 0, 0, 0, 1, 8], Err("malformed head of a gRPC message")),
            (&[0, 0, 0, 0, 2, 8], cut.clone()),
            (&[0, 0xff, 0xff, 0xff, 0xff, 8], cut.clone()),
            (&[0, 0, 0, 1], cut.clone()),
            (&[0], cut),
            (&[0, 0, 0, 0, 1, 8, 9], Err("something follows the gRPC message")),
            (&[0, 0, 0, 0, 1, 8, 0, 0, 0, 0, 1, 8], Err("something follows the gRPC message")),
            (&[0, 1, 0, 0, 0, 8], Err("a gRPC message is cut off")),
            (&[], Err("no gRPC message")),
        ] {
            assert_eq!(unary(body), want, "{body:x?}");
        }
        let mut long = vec![0, 0, 1, 2, 3];
        long.resize(5 + 0x01_02_03, 7);
        assert_eq!(unary(&long), whole(false, long.len()));
    }
}
