//! Shared data and shared queues: one set for the whole proxy, as in proxy-wasm-cpp-host (all VMs here have the same `vm_id`).

use std::collections::{BTreeMap, VecDeque};

use proxy_wasm::types::Status;

/// Keys with values and their compare-and-swap numbers.
#[derive(Debug, Default)]
pub struct SharedData {
    entries: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    last_cas: u32,
}

impl SharedData {
    pub fn get(&self, key: &[u8]) -> Result<(Vec<u8>, u32), Status> {
        self.entries.get(key).cloned().ok_or(Status::NotFound)
    }

    /// A new key takes any `cas`, 0 overwrites whatever is there.
    pub fn set(&mut self, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        if self.entries.get(key).is_some_and(|(_, current)| cas != 0 && cas != *current) {
            return Err(Status::CasMismatch);
        }
        self.last_cas += 1;
        self.entries.insert(key.to_vec(), (value.to_vec(), self.last_cas));
        Ok(())
    }
}

/// Who is called when something is put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub vm: usize,
    pub root: u32,
}

#[derive(Debug)]
struct Queue {
    name: Vec<u8>,
    owner: Owner,
    items: VecDeque<Vec<u8>>,
}

/// All queues; a queue's token is its place plus one, since 0 means that there is none.
#[derive(Debug, Default)]
pub struct SharedQueues(Vec<Queue>);

impl SharedQueues {
    /// Registering a name again takes the queue from its owner and keeps what is in it.
    pub fn register(&mut self, name: &[u8], owner: Owner) -> u32 {
        match self.0.iter_mut().position(|queue| queue.name == name) {
            Some(place) => {
                self.0[place].owner = owner;
                place as u32 + 1
            }
            None => {
                self.0.push(Queue { name: name.to_vec(), owner, items: VecDeque::new() });
                self.0.len() as u32
            }
        }
    }

    pub fn resolve(&self, name: &[u8]) -> Result<u32, Status> {
        self.0.iter().position(|queue| queue.name == name).map(|place| place as u32 + 1).ok_or(Status::NotFound)
    }

    /// Adds an item and says whom to call.
    pub fn enqueue(&mut self, token: u32, item: &[u8]) -> Result<Owner, Status> {
        let queue = self.queue(token)?;
        queue.items.push_back(item.to_vec());
        Ok(queue.owner)
    }

    pub fn dequeue(&mut self, token: u32) -> Result<Vec<u8>, Status> {
        self.queue(token)?.items.pop_front().ok_or(Status::Empty)
    }

    fn queue(&mut self, token: u32) -> Result<&mut Queue, Status> {
        (token as usize).checked_sub(1).and_then(|place| self.0.get_mut(place)).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_cas_is_refused() {
        let mut data = SharedData::default();
        assert_eq!(data.get(b"k"), Err(Status::NotFound));
        data.set(b"k", b"1", 77).unwrap();
        let (_, cas) = data.get(b"k").unwrap();
        data.set(b"k", b"2", cas).unwrap();
        assert_eq!(data.set(b"k", b"3", cas), Err(Status::CasMismatch));
        data.set(b"k", b"4", 0).unwrap();
        assert_eq!(data.get(b"k").unwrap().0, b"4");
    }

    #[test]
    fn the_last_to_register_a_queue_owns_it() {
        let (old, new) = (Owner { vm: 0, root: 1 }, Owner { vm: 0, root: 2 });
        let mut queues = SharedQueues::default();
        let token = queues.register(b"q", old);
        assert_eq!(queues.enqueue(token, b"item"), Ok(old));
        assert_eq!(queues.register(b"q", new), token);
        assert_eq!(queues.enqueue(token, b"item"), Ok(new));
        assert_eq!(queues.resolve(b"q"), Ok(token));
        assert_eq!((queues.dequeue(token).is_ok(), queues.dequeue(token).is_ok()), (true, true));
        assert_eq!(queues.dequeue(token), Err(Status::Empty));
        assert_eq!(queues.dequeue(9), Err(Status::NotFound));
    }
}
