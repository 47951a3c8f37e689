//! Bounded buffers for bodies, and a ledger of all bytes that they hold.
//!
//! A body that would exceed a bound is given up at once and as a whole, because half a body can be neither sent nor compared. Bytes are on
//! the [`Ledger`] for exactly as long as they are held: dropping a body takes them off.

use std::cell::Cell;
use std::rc::Rc;

/// The number of captured bytes of a worker, shared by all that hold captured bytes.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Rc<Account>);

#[derive(Debug, Default)]
struct Account {
    used: Cell<usize>,
    limit: Cell<usize>,
}

impl Ledger {
    /// Returns an empty ledger with room for `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let ledger = Self::default();
        ledger.set_limit(limit);
        ledger
    }

    /// Changes the bound, in bytes. Bytes that are already held stay, even if they exceed the new bound.
    pub fn set_limit(&self, limit: usize) {
        self.0.limit.set(limit);
    }

    /// Returns the bound, in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit.get()
    }

    /// Returns the number of bytes held now.
    pub fn used(&self) -> usize {
        self.0.used.get()
    }

    /// Puts `bytes` on the ledger if they fit; returns whether they do.
    fn take(&self, bytes: usize) -> bool {
        let used = self.used().saturating_add(bytes);
        let fits = used <= self.0.limit.get();
        if fits {
            self.0.used.set(used);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.used.set(self.used().saturating_sub(bytes));
    }
}

/// Why a body was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The body is longer than one body may be.
    Body,
    /// All bodies together would exceed the ledger's bound, or the allocator has no memory left.
    Memory,
}

/// How much may be held of what is made of a body: a decoded body, a joined stream, a decompressed message.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// The account of what is held.
    pub ledger: Ledger,
    /// Most bytes of one body (`limits.body`).
    pub body: usize,
}

/// Bytes that are on a ledger.
#[derive(Debug, Default)]
pub struct Held {
    bytes: Vec<u8>,
    ledger: Ledger,
}

impl Held {
    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl From<Vec<u8>> for Held {
    /// Holds bytes that a comparison has made, on a ledger of their own. The bodies that are compared bound their number.
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, ledger: Ledger::default() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.give_back(self.bytes.len());
    }
}

impl PartialEq for Held {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Held {}

/// A complete body, with shared ownership.
pub type Body = Rc<Held>;

/// The part of a body that has arrived, or why the body was given up.
#[derive(Debug)]
pub struct Capture(Result<Held, Overflow>);

impl Capture {
    /// Returns an empty capture on `ledger`.
    pub fn new(ledger: &Ledger) -> Self {
        Self(Ok(Held { bytes: Vec::new(), ledger: ledger.clone() }))
    }

    /// Appends `chunk`.
    ///
    /// # Errors
    /// If the body is given up, now or earlier: it would be longer than `limit` bytes, or the ledger has no room.
    pub fn push(&mut self, chunk: &[u8], limit: usize) -> Result<(), Overflow> {
        let held = self.0.as_mut().map_err(|overflow| *overflow)?;
        append(held, chunk, limit).inspect_err(|overflow| self.0 = Err(*overflow))
    }

    /// Returns the bytes that have arrived; none once the body was given up.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_ref().map(Held::bytes).unwrap_or_default()
    }

    /// Captures a body that arrived as a whole.
    ///
    /// # Errors
    /// If it is longer than `limit` bytes, or `ledger` has no room.
    pub fn whole(bytes: Vec<u8>, limit: usize, ledger: &Ledger) -> Result<Body, Overflow> {
        if bytes.len() > limit {
            return Err(Overflow::Body);
        }
        if !ledger.take(bytes.len()) {
            return Err(Overflow::Memory);
        }
        Ok(Rc::new(Held { bytes, ledger: ledger.clone() }))
    }

    /// Returns the complete body.
    ///
    /// # Errors
    /// Why the body was given up.
    pub fn into_body(self) -> Result<Body, Overflow> {
        self.0.map(Rc::new)
    }
}

fn append(held: &mut Held, chunk: &[u8], limit: usize) -> Result<(), Overflow> {
    let length = held.bytes.len().saturating_add(chunk.len());
    if length > limit {
        return Err(Overflow::Body);
    }
    // Capacity doubles as in any vector, but never exceeds the limit.
    if length > held.bytes.capacity() {
        let capacity = length.saturating_mul(2).min(limit);
        let more = capacity.saturating_sub(held.bytes.len());
        held.bytes.try_reserve_exact(more).map_err(|_| Overflow::Memory)?;
    }
    if !held.ledger.take(chunk.len()) {
        return Err(Overflow::Memory);
    }
    held.bytes.extend_from_slice(chunk);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_body_over_its_limit_is_given_up_whole() {
        let ledger = Ledger::new(100);
        let mut capture = Capture::new(&ledger);
        assert_eq!(capture.push(b"12345", 8), Ok(()));
        assert_eq!(capture.push(b"678", 8), Ok(()));
        assert_eq!(ledger.used(), 8);
        assert_eq!(capture.push(b"9", 8), Err(Overflow::Body));
        assert_eq!(ledger.used(), 0);
        assert_eq!(capture.push(b"", 8), Err(Overflow::Body), "once given up, always given up");
        assert_eq!(capture.into_body(), Err(Overflow::Body));
    }

    #[test]
    fn bodies_share_the_memory() {
        let ledger = Ledger::new(10);
        let (mut first, mut second) = (Capture::new(&ledger), Capture::new(&ledger));
        assert_eq!(first.push(b"123456", 8), Ok(()));
        assert_eq!(second.push(b"12345", 8), Err(Overflow::Memory));
        let first = first.into_body().unwrap();
        assert_eq!((first.bytes(), ledger.used()), (&b"123456"[..], 6));
        let shared = first.clone();
        drop(first);
        assert_eq!(ledger.used(), 6, "a shared body is held until its last owner is gone");
        assert_eq!(Capture::whole(b"12345".to_vec(), 8, &ledger), Err(Overflow::Memory));
        assert_eq!(Capture::whole(b"123456789".to_vec(), 8, &ledger), Err(Overflow::Body));
        let whole = Capture::whole(b"1234".to_vec(), 8, &ledger).unwrap();
        assert_eq!((whole.bytes(), ledger.used()), (&b"1234"[..], 10));
        drop((shared, whole));
        assert_eq!(ledger.used(), 0);
    }

    #[test]
    fn a_lower_limit_leaves_what_is_held() {
        let ledger = Ledger::new(10);
        let mut capture = Capture::new(&ledger);
        assert_eq!(capture.push(b"12345678", 8), Ok(()));
        ledger.set_limit(4);
        assert_eq!(ledger.used(), 8);
        assert_eq!(capture.push(b"9", 9), Err(Overflow::Memory));
    }

    proptest! {
        #[test]
        fn the_ledger_always_shows_what_is_held(chunks in proptest::collection::vec((0..3_usize, proptest::collection::vec(any::<u8>(), 0..40)), 0..60)) {
            let ledger = Ledger::new(200);
            let mut captures: Vec<Capture> = (0..3).map(|_| Capture::new(&ledger)).collect();
            for (which, chunk) in chunks {
                let _ = captures[which].push(&chunk, 100);
                let held: usize = captures.iter().filter_map(|capture| capture.0.as_ref().ok()).map(|held| held.bytes.len()).sum();
                prop_assert_eq!(ledger.used(), held);
                prop_assert!(held <= 200);
                prop_assert!(captures.iter().filter_map(|capture| capture.0.as_ref().ok()).all(|held| held.bytes.capacity() <= 100));
            }
            drop(captures);
            prop_assert_eq!(ledger.used(), 0);
        }
    }
}
