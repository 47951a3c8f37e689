//! Updates of the host's shared data by compare-and-swap. Keys can't be deleted.
//!
//! In Istio all plugins have the same (empty) `vm_id` and so share their data. Therefore all keys begin with [`PREFIX`].

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::port::{Statistics, Stored, Version};
use crate::labels::Anomaly;

/// The beginning of every key.
pub const PREFIX: &str = "gnomon/v1/";

/// Most attempts at a compare-and-swap.
const TRIES: usize = 8;

/// Adds `lines` to the list under `key` while the list has fewer than `most` lines. Returns the new list; an empty list if the update
/// failed.
pub fn add_lines<'a>(
    statistics: &mut dyn Statistics,
    key: &str,
    lines: impl IntoIterator<Item = &'a str> + Clone,
    most: usize,
) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let done = update(statistics, key, |bytes| {
        list = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
        let before = list.len();
        for line in lines.clone() {
            if list.len() < most && !list.iter().any(|known| known == line) {
                list.push(line.to_owned());
            }
        }
        (list.len() > before).then(|| list.join("\n").into_bytes())
    });
    if done { list } else { Vec::new() }
}

/// Replaces the list under `key` by `lines`. Returns the lines of the old list that are not among `lines`. Those of them for which `stays`
/// is true are kept, after `lines`.
pub fn replace_lines(statistics: &mut dyn Statistics, key: &str, lines: &[String], stays: impl Fn(&str) -> bool) -> Vec<String> {
    let now: HashSet<&str, FixedState> = lines.iter().map(String::as_str).collect();
    let mut gone: Vec<String> = Vec::new();
    update(statistics, key, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        gone = text.lines().filter(|line| !now.contains(line)).map(str::to_owned).collect();
        let kept = gone.iter().filter(|line| stays(line));
        let list = lines.iter().chain(kept).map(String::as_str).collect::<Vec<_>>().join("\n");
        (list != text).then(|| list.into_bytes())
    });
    gone
}

/// Replaces the bytes under `key` by what `change` returns for them; `None` leaves them. If another worker writes in between, `change` is
/// called again with the new bytes. Returns whether the update succeeded; if not, an anomaly is counted.
pub fn update(statistics: &mut dyn Statistics, key: &str, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    for _ in 0..TRIES {
        let (bytes, version) = read(statistics, key);
        let Some(changed) = change(&bytes) else { return true };
        match statistics.store(key, &changed, version) {
            Stored::Done => return true,
            Stored::Conflict => {}
            Stored::Refused => break,
        }
    }
    statistics.anomaly(Anomaly::HostCall);
    false
}

/// Returns the bytes under `key` and their version. An absent key is created first: the host ignores the version of a write to an absent
/// key, so two workers could overwrite each other's data.
fn read(statistics: &mut dyn Statistics, key: &str) -> (Vec<u8>, Option<Version>) {
    let there = statistics.load(key).or_else(|| {
        statistics.store(key, b"", None);
        statistics.load(key)
    });
    there.map_or_else(Default::default, |(bytes, version)| (bytes, Some(version)))
}
