//! What holds whatever bytes come: one module for each fuzz target.
//!
//! Each `check` takes any bytes and panics if something is wrong, so that libFuzzer keeps them. That nothing panics by itself is only the
//! least of it: work goes on in slices of any size, ends after a number of steps that the input's length bounds, comes to the same
//! whatever the slices, and leaves nothing on the ledger. Where another parser reads the same, it must agree.

pub mod comparison;
pub mod configuration;
pub mod copies;
pub mod encoding;
pub mod json;
pub mod path;
pub mod proxy;
pub mod seeds;
pub mod stream;

use std::rc::Rc;
use std::task::Poll;

use gnomon::capture::Ledger;
use gnomon::config::Route;

/// The first bytes of an input, which choose how the rest is used; zeros where there are none.
pub fn split_head<const N: usize>(data: &[u8]) -> ([u8; N], &[u8]) {
    match data.split_first_chunk() {
        Some((head, rest)) => (*head, rest),
        None => ([0; N], &[]),
    }
}

/// One of `choices`: the digit 0 means the first, so that seeds can be written as text.
pub fn pick<T>(choices: &[T], byte: u8) -> &T {
    &choices[usize::from(byte.wrapping_sub(b'0')) % choices.len()]
}

/// What stands before the first line break, and what behind it.
pub fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}

/// An account without a bound.
pub fn open_ledger() -> Ledger {
    let ledger = Ledger::default();
    ledger.set_limit(usize::MAX);
    ledger
}

/// The only route of a configuration that has these members beside its name.
///
/// # Panics
/// If that is no configuration.
pub fn route(members: &str) -> Rc<Route> {
    let text = format!(r#"{{"version": 1, "experiment": "e", "routes": [{{"name": "r", {members}}}]}}"#);
    let config = gnomon::config::parse::parse(text.as_bytes()).unwrap_or_else(|refused| panic!("{members}: {refused:?}"));
    config.routes[0].clone()
}

/// Steps until there is a result, each with `budget`; it and the work it took, in bytes touched.
///
/// # Panics
/// If a step gives up before its budget is used up, or all of them take more than `most`.
pub fn in_slices<T>(budget: usize, most: usize, mut step: impl FnMut(&mut usize) -> Poll<T>) -> (T, usize) {
    let mut work = 0_usize;
    loop {
        let mut left = budget;
        let result = step(&mut left);
        work = work.saturating_add(budget - left);
        if let Poll::Ready(result) = result {
            return (result, work);
        }
        assert_eq!(left, 0, "a step gave up early");
        assert!(work <= most, "more work than {most} bytes");
    }
}
