//! FP32 numbers in base64, as OpenAI's official clients ask for embeddings: checked once in slices, then read one by one where they are.

use core::task::Poll;

use crate::fault::Fault;

/// How many elements `text` has, by its length and padding alone.
///
/// # Errors
/// If no whole number of elements is that long.
pub fn elements(text: &[u8]) -> Result<usize, Fault> {
    let characters = text.len().saturating_sub(padding(text));
    let bytes = characters.saturating_mul(3) / 4;
    if !text.len().is_multiple_of(4) || !bytes.is_multiple_of(4) {
        return Err("base64 of another length than that of FP32 numbers");
    }
    Ok(bytes / 4)
}

/// Checks that `text` is base64 (RFC 4648, padded) from `at` on, which is moved on by about `budget`. `Pending`: the budget was not enough;
/// call again.
///
/// # Errors
/// If it is not.
pub fn check(text: &[u8], at: &mut usize, budget: &mut usize) -> Poll<Result<(), Fault>> {
    let end = text.len().saturating_sub(padding(text));
    let limit = at.saturating_add(*budget).min(end);
    let window = text.get(*at..limit).unwrap_or_default();
    *budget = budget.saturating_sub(window.len());
    *at = limit;
    if window.iter().any(|&character| sextet(character) == INVALID) {
        return Poll::Ready(Err("malformed base64"));
    }
    if limit == end { Poll::Ready(Ok(())) } else { Poll::Pending }
}

/// The element `index` of a text that has been checked; `None` behind the last one.
#[inline]
pub fn element(text: &[u8], index: usize) -> Option<f32> {
    // An element begins 0, 2 or 4 bits into a character, so it always ends within six.
    let bit = index.checked_mul(32)?;
    let characters = text.get(bit / 6..)?.first_chunk::<6>()?;
    let bits = characters.iter().fold(0, |bits: u64, &character| (bits << 6) | u64::from(sextet(character) & 63));
    let word = (bits >> (4_usize.wrapping_sub(bit % 6))) as u32;
    (!characters.contains(&b'=')).then(|| f32::from_bits(word.swap_bytes()))
}

fn padding(text: &[u8]) -> usize {
    text.iter().rev().take(2).take_while(|&&character| character == b'=').count()
}

/// What no character stands for.
const INVALID: u8 = 64;

/// The six bits that a character stands for.
#[inline]
fn sextet(character: u8) -> u8 {
    SEXTETS.get(character as usize).copied().unwrap_or(INVALID)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[expect(clippy::indexing_slicing, reason = "runs when compiled")]
const SEXTETS: [u8; 256] = {
    let mut sextets = [INVALID; 256];
    let mut value = 0;
    while value < 64 {
        sextets[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    sextets
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// By the book: three bytes are four characters.
    fn encode(bytes: &[u8]) -> Vec<u8> {
        let quartet = |three: &[u8]| {
            let word = three.iter().chain([&0; 3]).take(3).fold(0_u32, |word, &byte| (word << 8) | u32::from(byte));
            let character = |at: usize| if at > three.len() { b'=' } else { ALPHABET[(word >> (18 - 6 * at)) as usize & 63] };
            [0, 1, 2, 3].map(character)
        };
        bytes.chunks(3).flat_map(quartet).collect()
    }

    fn read(text: &[u8], slice: usize) -> Result<Vec<f32>, Fault> {
        let count = elements(text)?;
        let mut at = 0;
        while check(text, &mut at, &mut slice.clone())?.is_pending() {}
        let found: Vec<f32> = (0..).map_while(|index| element(text, index)).collect();
        assert_eq!(found.len(), count);
        Ok(found)
    }

    proptest! {
        #[test]
        fn every_number_comes_back(numbers in proptest::collection::vec(any::<u32>(), 0..20), slice in 1_usize..50) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            let found: Vec<u32> = read(&encode(&bytes), slice).unwrap().into_iter().map(f32::to_bits).collect();
            prop_assert_eq!(found, numbers);
        }
    }

    #[test]
    fn what_is_no_base64_of_numbers() {
        const LENGTH: &str = "base64 of another length than that of FP32 numbers";
        const MALFORMED: &str = "malformed base64";
        // Python: base64.b64encode(struct.pack("<2f", 1.5, -2)).
        assert_eq!(read(b"AADAPwAAAMA=", 5), Ok(vec![1.5, -2.0]));
        for (text, fault) in [
            ("AADAPwAAAMA", LENGTH),
            ("AADAPwAAAM==", LENGTH),
            ("AADAPwAAAMAA", LENGTH),
            ("AADAPwA=", LENGTH),
            ("====", LENGTH),
            ("AADA===", LENGTH),
            ("AADAP===", MALFORMED),
            ("AA=APwAAAMA=", MALFORMED),
            ("AAD-PwAAAMA=", MALFORMED),
            ("AAD PwAAAMA=", MALFORMED),
            ("AA\\APwAAAMA=", MALFORMED),
            ("AA\u{fc}PwAAAMA=", MALFORMED),
        ] {
            assert_eq!(read(text.as_bytes(), 5), Err(fault), "{text}");
        }
    }
}
