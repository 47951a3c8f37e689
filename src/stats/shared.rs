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

/// A version that no write has: the host counts its writes from 1 on. It creates a key that is absent, and conflicts with whoever has
/// created it meanwhile. (Without a version two workers that find no key could overwrite each other.)
const NOT_YET_WRITTEN: Version = Version::MAX;

/// Adds `lines` to the list under `key` while the list has fewer than `most` lines. Returns the new list; an empty list if the update failed.
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

/// Replaces the list under `key` by `lines`. Returns the lines of the old list that are not among `lines`. Those of them for which `stays` is
/// true are kept, after `lines`. Also returns whether the update succeeded.
pub fn replace_lines(statistics: &mut dyn Statistics, key: &str, lines: &[String], stays: impl Fn(&str) -> bool) -> (Vec<String>, bool) {
    let now: HashSet<&str, FixedState> = lines.iter().map(String::as_str).collect();
    let mut gone: Vec<String> = Vec::new();
    let done = update(statistics, key, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        gone = text.lines().filter(|line| !now.contains(line)).map(str::to_owned).collect();
        let kept = gone.iter().filter(|line| stays(line));
        let list = lines.iter().chain(kept).map(String::as_str).collect::<Vec<_>>().join("\n");
        (list != text).then(|| list.into_bytes())
    });
    (gone, done)
}

/// Replaces the bytes under `key` by what `change` returns for them; `None` leaves them. If another worker writes in between, `change` is called
/// again with the new bytes. Returns whether the update succeeded; if not, an anomaly is counted.
pub fn update(statistics: &mut dyn Statistics, key: &str, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    for _ in 0..TRIES {
        let (bytes, version) = statistics.load(key).unwrap_or((Vec::new(), NOT_YET_WRITTEN));
        let Some(changed) = change(&bytes) else { return true };
        match statistics.store(key, &changed, Some(version)) {
            Stored::Done => return true,
            Stored::Conflict => {}
            Stored::Refused => break,
        }
    }
    statistics.anomaly(Anomaly::HostCall);
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tests::contended::Contended;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const KEY: &str = "gnomon/v1/list";

    fn texts(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    /// What others write before the first, the second and the third try.
    #[test]
    fn a_line_that_another_worker_adds_meanwhile_stays() {
        for times in 0..4 {
            let mut host = Contended::adding_lines(times);
            let list = add_lines(&mut host, KEY, ["ours"], 9);
            let mut expected: Vec<String> = (0..times).map(|number| format!("theirs-{number}")).collect();
            expected.push("ours".to_owned());
            assert_eq!((&list, &host.memory.list(KEY), host.anomalies()), (&expected, &expected, 0), "{times}");
        }
    }

    #[test]
    fn a_key_that_another_worker_creates_meanwhile_keeps_what_is_in_it() {
        let mut host = Contended::adding_lines(1);
        assert!(update(&mut host, KEY, |bytes| Some([bytes, b"\nours"].concat())));
        assert_eq!(host.memory.list(KEY), ["theirs-0", "ours"]);
    }

    #[test]
    fn a_list_never_gets_longer_than_it_may() {
        for (most, expected) in [(0, &[][..]), (1, &["ours"]), (2, &["ours", "more"]), (9, &["ours", "more", "last"])] {
            let mut host = Contended::default();
            assert_eq!(add_lines(&mut host, KEY, ["ours", "more", "ours", "last"], most), texts(expected), "{most}");
            assert_eq!(host.memory.list(KEY), texts(expected), "{most}");
        }
        // The last place goes to who writes first.
        let mut host = Contended::adding_lines(1);
        host.memory.append(KEY, "first");
        assert_eq!(add_lines(&mut host, KEY, ["ours"], 2), ["first", "theirs-0"]);
        assert_eq!(host.memory.list(KEY), ["first", "theirs-0"]);
    }

    #[test]
    fn what_is_known_is_not_written_again() {
        let mut host = Contended::default();
        host.memory.append(KEY, "ours");
        assert_eq!(add_lines(&mut host, KEY, ["ours"], 9), ["ours"]);
        assert_eq!(host.stores, 0);
    }

    #[test]
    fn a_write_that_others_always_forestall_is_given_up_and_counted() {
        let mut host = Contended::adding_lines(usize::MAX);
        assert_eq!(add_lines(&mut host, KEY, ["ours"], 99), texts(&[]), "nothing is known of it");
        let theirs = host.memory.list(KEY);
        assert_eq!((host.stores, theirs.len(), host.anomalies()), (TRIES, TRIES, 1));
        assert!(theirs.iter().all(|line| line.starts_with("theirs")), "{theirs:?}");
        host.calm();
        assert_eq!(add_lines(&mut host, KEY, ["ours"], 99).len(), TRIES + 1);
    }

    #[test]
    fn a_write_that_the_host_refuses_is_not_tried_again() {
        let mut host = Contended::refusing();
        assert_eq!(add_lines(&mut host, KEY, ["ours"], 9), texts(&[]));
        assert!(!update(&mut host, KEY, |_| Some(Vec::new())));
        assert_eq!((host.stores, host.anomalies(), host.memory.shared.len()), (2, 2, 0));
    }

    #[test]
    fn a_list_that_takes_the_place_of_another_keeps_what_has_to_stay() {
        let mut host = Contended::adding_lines(1);
        ["old", "both", "theirs-to-come"].into_iter().for_each(|line| host.memory.append(KEY, line));
        let (gone, _) = replace_lines(&mut host, KEY, &texts(&["both", "new"]), |line| line.starts_with("theirs"));
        assert_eq!(gone, ["old", "theirs-to-come", "theirs-0"], "also what another worker adds meanwhile");
        assert_eq!(host.memory.list(KEY), ["both", "new", "theirs-to-come", "theirs-0"]);
        let stores = host.stores;
        assert_eq!(replace_lines(&mut host, KEY, &texts(&["both", "new"]), |_| true), (texts(&["theirs-to-come", "theirs-0"]), true));
        assert_eq!(host.stores, stores, "what stands there is not written again");
    }
}
