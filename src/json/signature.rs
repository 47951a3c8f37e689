//! What a body is that was taken for JSON.

/// What the beginning of a body tells that is no JSON; `None`: nothing. A text in UTF-16 or UTF-32 without a mark is known by its first
/// character, because JSON begins in ASCII.
pub fn signature(bytes: &[u8]) -> Option<&'static str> {
    let ascii = |byte: u8| matches!(byte, b'{' | b'[' | b'"' | b' ' | b'\t' | b'\r' | b'\n');
    match *bytes {
        [0x1f, 0x8b, ..] => Some("gzip data without content-encoding"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd data without content-encoding"),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32 text"),
        [byte, 0, 0, 0, ..] | [0, 0, 0, byte, ..] if ascii(byte) => Some("UTF-32 text"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16 text"),
        [byte, 0, _, 0, ..] | [0, byte, 0, ..] if ascii(byte) => Some("UTF-16 text"),
        [b'<', ..] => Some("HTML or XML"),
        _ => None,
    }
}
