//! What all workers and updates of a proxy know together, in the host's shared data.
//!
//! Istio gives every plugin the same (empty) `vm_id`, so all keys start with `gnomon/v1/`. Nothing can be deleted there.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use super::{expect, metrics};
use crate::outcome::Anomaly;

/// How often a write is tried against other workers' writes.
const TRIES: usize = 8;

/// Adds `lines` to the list under `key` as long as it has fewer than `most`, and returns the list as it is then.
pub fn add_lines<'a>(key: &str, lines: impl IntoIterator<Item = &'a str> + Clone, most: usize) -> Vec<String> {
    for _ in 0..TRIES {
        let (bytes, version) = read(key);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut list: Vec<String> = text.lines().map(str::to_owned).collect();
        let before = list.len();
        for line in lines.clone() {
            if list.len() < most && !list.iter().any(|known| known == line) {
                list.push(line.to_owned());
            }
        }
        if list.len() == before {
            return list;
        }
        match hostcalls::set_shared_data(key, Some(list.join("\n").as_bytes()), version) {
            Ok(()) => return list,
            Err(Status::CasMismatch) => {}
            Err(_) => break,
        }
    }
    metrics::anomaly(Anomaly::HostCall);
    Vec::new()
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
