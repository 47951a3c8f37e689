//! Which keys have had an event. Requests of one key are not independent, and a split assigns keys: so only the first event of a key is a
//! trial of a gate that compares two variants.
//!
//! Keys are remembered as 65 536 bits, in pages, so that little has to be written at a time. Two keys may share a bit; the later one then
//! is no trial, whatever its variant. A page that is half full is cleared, because too many keys would share bits. A key may then be a trial
//! once more. The caller keeps the pages.

use xxhash_rust::xxh64::xxh64;

/// Bits of all pages.
const BITS: u64 = 65_536;

/// Bytes of a page.
const PAGE: usize = 256;

/// The seed of the hash. It is not that of splits (0), because keys of one variant would share bits more often than others.
const SEED: u64 = 1;

/// The bit of a key: its page, and its place in the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBit {
    /// The number of the page.
    pub page: usize,
    /// The place of its byte.
    byte: usize,
    /// The byte with this bit alone.
    mask: u8,
}

impl KeyBit {
    /// Returns the bit of a key: XXH64 with seed 1, modulo 65 536.
    pub fn of(key: &[u8]) -> Self {
        let bit = (xxh64(key, SEED) % BITS) as usize;
        Self { page: bit / 8 / PAGE, byte: bit / 8 % PAGE, mask: 1 << (bit % 8) }
    }

    /// Returns the page after the first event of a key, to be kept instead of `page`; `None` if the key has had one. A page that was never
    /// kept is empty.
    pub fn mark(self, page: &[u8]) -> Option<Vec<u8>> {
        let mut marked = page.to_vec();
        marked.resize(PAGE, 0);
        let byte = marked.get_mut(self.byte)?;
        if *byte & self.mask != 0 {
            return None;
        }
        *byte |= self.mask;
        let set: usize = marked.iter().map(|byte| byte.count_ones() as usize).sum();
        if set > PAGE * 8 / 2 { self.mark(&[]) } else { Some(marked) }
    }

    /// Returns the page after the first event of a key in a `window`, to be kept instead of `page`; `None` if the key has had one in it. A
    /// page of another window is empty. It begins with the number of its window, 64 bits, little-endian.
    pub fn mark_in(self, window: u64, page: &[u8]) -> Option<Vec<u8>> {
        let number = window.to_le_bytes();
        let marked = self.mark(page.strip_prefix(&number).unwrap_or_default())?;
        Some([&number[..], &marked].concat())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// Computed by Python's `xxhash` 4.1.0: `xxhash.xxh64(key, seed=1).intdigest() % 65536`.
    #[test]
    fn bits_are_those_of_another_implementation() {
        for (key, expected) in [(&b""[..], 48_715), (b"alice", 59_614), (b"user-42", 20_301), (b"\xff\0\xfe", 2_313)] {
            let KeyBit { page, byte, mask } = KeyBit::of(key);
            assert_eq!((page * PAGE + byte) * 8 + mask.trailing_zeros() as usize, expected, "{key:?}");
        }
    }

    fn key(bit: usize) -> KeyBit {
        KeyBit { page: 0, byte: bit / 8, mask: 1 << (bit % 8) }
    }

    #[test]
    fn the_first_event_of_a_key_is_marked_and_no_other() {
        let page = key(0).mark(&[]).unwrap();
        assert_eq!((page.len(), key(0).mark(&page)), (256, None));
        let page = key(2_047).mark(&page).unwrap();
        assert_eq!((key(0).mark(&page), key(2_047).mark(&page)), (None, None));
        assert_eq!((page[0], page[255]), (1, 128));
    }

    #[test]
    fn a_page_that_is_half_full_is_cleared() {
        let half = (0..1_024).fold(Vec::new(), |page, bit| key(bit).mark(&page).unwrap());
        assert_eq!(key(0).mark(&half), None);
        let cleared = key(1_024).mark(&half).unwrap();
        assert_eq!(cleared.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1, "but for the key at hand");
        assert_eq!(key(1_024).mark(&cleared), None);
        assert!(key(0).mark(&cleared).is_some());
    }

    #[test]
    fn each_window_has_first_events_of_its_own() {
        let page = key(7).mark_in(1, &[]).unwrap();
        assert_eq!((page.len(), key(7).mark_in(1, &page)), (264, None));
        let both = key(8).mark_in(1, &page).unwrap();
        assert_eq!((key(7).mark_in(1, &both), key(8).mark_in(1, &both)), (None, None));
        let next = key(7).mark_in(2, &both).unwrap();
        assert_eq!((key(7).mark_in(2, &next), key(8).mark_in(2, &next).is_some()), (None, true));
        assert!(key(7).mark_in(0, &[0; 7]).is_some(), "a page that is none");
    }

    #[test]
    fn a_page_of_another_length_is_one_all_the_same() {
        let key = key(9);
        for page in [&[][..], &[1], &[0; 255], &[0; 257], &[0; 1_000]] {
            let marked = key.mark(page).unwrap();
            assert_eq!((marked.len(), key.mark(&marked)), (256, None));
        }
    }
}
