//! What all workers and updates of a proxy know together, in the host's shared data.
//!
//! Istio gives every plugin the same (empty) `vm_id`, so all keys start with `gnomon/v1/`. Nothing can be deleted there.

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::{expect, metrics};
use crate::gate::Reading;
use crate::gate::window::WindowStart;
use crate::labels::Anomaly;

/// How often a write is tried against other workers' writes.
const TRIES: usize = 8;

/// Adds `lines` to the list under `key` as long as it has fewer than `most`, and returns the list as it is then.
pub fn add_lines<'a>(key: &str, lines: impl IntoIterator<Item = &'a str> + Clone, most: usize) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let done = update(key, |bytes| {
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

/// Puts `lines` in place of the list under `key`, behind them what it had beside them and `lasts`. Returns all that it had beside them.
pub fn replace_lines(key: &str, lines: &[String], lasts: impl Fn(&str) -> bool) -> Vec<String> {
    let now: HashSet<&str, FixedState> = lines.iter().map(String::as_str).collect();
    let mut gone: Vec<String> = Vec::new();
    update(key, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        gone = text.lines().filter(|line| !now.contains(line)).map(str::to_owned).collect();
        let kept = gone.iter().filter(|line| lasts(line));
        let list = lines.iter().chain(kept).map(String::as_str).collect::<Vec<_>>().join("\n");
        (list != text).then(|| list.into_bytes())
    });
    gone
}

/// The snapshot that a window begins with, under `key` for all workers: the one that is there, unless it is of another window than `mine`,
/// or of counters that were reset since.
pub fn window(key: &str, mine: WindowStart, reading: Reading) -> WindowStart {
    let mut begun = mine;
    update(&format!("gnomon/v1/window/{key}"), |bytes| {
        match WindowStart::read(bytes).filter(|there| there.until(&mine, reading).is_some()) {
            Some(there) => {
                begun = there;
                None
            }
            None => {
                begun = mine;
                Some(mine.written().to_vec())
            }
        }
    });
    begun
}

/// Puts what `change` makes of the bytes under `key` in their place, unless that is nothing. Another worker's write in between means again.
/// Whether it came to an end.
fn update(key: &str, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> bool {
    for _ in 0..TRIES {
        let (bytes, version) = read(key);
        let Some(changed) = change(&bytes) else { return true };
        match hostcalls::set_shared_data(key, Some(&changed), version) {
            Ok(()) => return true,
            Err(Status::CasMismatch) => {}
            Err(_) => break,
        }
    }
    metrics::anomaly(Anomaly::HostCall);
    false
}

/// The bytes under `key` and their version. An absent key is created first: the host ignores the version of a write to one that is
/// absent, so two workers could overwrite each other.
fn read(key: &str) -> (Vec<u8>, Option<u32>) {
    match hostcalls::get_shared_data(key) {
        Ok((bytes, Some(version))) => (bytes.unwrap_or_default(), Some(version)),
        _ => {
            let created = hostcalls::set_shared_data(key, Some(b""), None);
            let version = created.and_then(|()| hostcalls::get_shared_data(key)).ok().and_then(|(_, version)| version);
            (Vec::new(), version)
        }
    }
}

/// Keeps the text of a configuration that was accepted.
pub fn remember_configuration(plugin: &str, text: &[u8]) {
    expect(hostcalls::set_shared_data(&configuration_key(plugin), Some(text), None));
}

/// The text of the last configuration that this proxy accepted for `plugin`.
pub fn last_configuration(plugin: &str) -> Option<Vec<u8>> {
    hostcalls::get_shared_data(&configuration_key(plugin)).ok().and_then(|(text, _)| text)
}

fn configuration_key(plugin: &str) -> String {
    format!("gnomon/v1/configuration/{plugin}")
}
