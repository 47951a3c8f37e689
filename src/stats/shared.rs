//! Shared data that is read, changed and written back while other workers do the same. Nothing can be deleted there.
//!
//! Istio gives every plugin the same (empty) `vm_id`, so all keys start with [`PREFIX`].

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::port::{Statistics, Stored, Version};
use crate::labels::Anomaly;

/// What the name of every key begins with.
pub const PREFIX: &str = "gnomon/v1/";

/// How often a write is tried against other workers' writes.
const TRIES: usize = 8;

/// Adds `lines` to the list under `key` as long as it has fewer than `most`, and returns the list as it is then; an empty one if it could
/// not be written.
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

/// Puts `lines` in place of the list under `key`; of the other lines that it had, those that `stays` is true of stand behind them. Returns
/// all of these other lines.
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

/// Puts what `change` makes of the bytes under `key` in their place; `None` leaves them. A write of another worker in between means another
/// try. Returns whether it came to an end; if not, that is counted as an anomaly.
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

/// The bytes under `key` and their version. An absent key is created first, because the host ignores the version of a write to one that is
/// absent: two workers could overwrite each other.
fn read(statistics: &mut dyn Statistics, key: &str) -> (Vec<u8>, Option<Version>) {
    let there = statistics.load(key).or_else(|| {
        statistics.store(key, b"", None);
        statistics.load(key)
    });
    there.map_or_else(Default::default, |(bytes, version)| (bytes, Some(version)))
}
