//! The layout of header maps between host and guest: count, the sizes of each name and value, then the texts, each ended by a zero.

use crate::network::Fields;

pub fn serialize(fields: &Fields) -> Vec<u8> {
    let mut out = (fields.len() as u32).to_le_bytes().to_vec();
    for (name, value) in fields {
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((value.len() as u32).to_le_bytes());
    }
    for (name, value) in fields {
        out.extend([name.as_bytes(), b"\0", value, b"\0"].concat());
    }
    out
}

/// Names are lowered, as Envoy does with those it is given.
pub fn deserialize(data: &[u8]) -> Fields {
    let word = |at: usize| data.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes) as usize;
    let count = word(0);
    let mut at = 4 + count * 8;
    let mut take = |size: usize| {
        let part = data[at..at + size].to_vec();
        at += size + 1;
        part
    };
    let pair = |n| (String::from_utf8_lossy(&take(word(4 + n * 8))).to_ascii_lowercase(), take(word(8 + n * 8)));
    (0..count).map(pair).collect()
}
