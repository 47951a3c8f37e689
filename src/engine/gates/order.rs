//! Events in the order of their requests.
//!
//! Evidence holds for trials in the order in which the split drew them. Answers come in another order: where the baseline takes longer, the
//! first events of an experiment are all the canary's, however good it is. So an event waits until all requests before it have been answered
//! at this worker.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt::{self, Debug, Formatter};

use crate::limits::{MAX_ORDERED, MAX_TIMEOUT};
use crate::timestamp::Timestamp;

/// The number of a request.
pub type Ticket = u64;

/// Requests of one route that are not answered yet, and the events of those that wait for them.
pub struct Order<T>(Cell<Slots<T>>);

struct Slots<T> {
    /// The number of the first slot.
    first: Ticket,
    slots: VecDeque<Slot<T>>,
}

/// One request.
struct Slot<T> {
    began: Timestamp,
    /// Its events; `None` until it is answered.
    events: Option<Vec<T>>,
}

impl<T> Order<T> {
    /// A request begins.
    pub fn begin(&self, now: Timestamp) -> Ticket {
        let mut all = self.0.take();
        let ticket = all.first.wrapping_add(all.slots.len() as u64);
        all.slots.push_back(Slot { began: now, events: None });
        self.0.set(all);
        ticket
    }

    /// A request is answered, with these events. Returns all events that wait no longer, in the order of their requests. Nothing waits for a
    /// request that takes too long, and its own events don't count.
    pub fn end(&self, ticket: Ticket, events: Vec<T>, now: Timestamp) -> Vec<T> {
        let mut all = self.0.take();
        let place = usize::try_from(ticket.wrapping_sub(all.first)).unwrap_or(usize::MAX);
        if let Some(slot) = all.slots.get_mut(place) {
            slot.events = Some(events);
        }
        let mut released = Vec::new();
        while let Some(slot) = all.slots.front_mut() {
            let is_given_up = now.since(slot.began) > MAX_TIMEOUT;
            let events = slot.events.take();
            if events.is_none() && !is_given_up && all.slots.len() <= MAX_ORDERED {
                break;
            }
            released.extend(events.into_iter().flatten());
            all.slots.pop_front();
            all.first = all.first.wrapping_add(1);
        }
        self.0.set(all);
        released
    }
}

impl<T> Default for Order<T> {
    fn default() -> Self {
        Self(Cell::default())
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { first: 0, slots: VecDeque::new() }
    }
}

impl<T> Debug for Order<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Order")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn an_event_waits_for_all_requests_before_it() {
        let order = Order::default();
        let [first, second, third] = [0; 3].map(|_| order.begin(at(0)));
        assert_eq!(order.end(second, vec!['b', 'B'], at(0)), []);
        assert_eq!(order.end(first, vec!['a'], at(0)), ['a', 'b', 'B']);
        let fourth = order.begin(at(1));
        assert_eq!(order.end(fourth, vec!['d'], at(1)), []);
        assert_eq!(order.end(third, vec![], at(1)), ['d']);
        assert_eq!(order.end(third, vec!['c'], at(1)), [], "answered twice");
    }

    #[test]
    fn nothing_waits_for_a_request_that_takes_too_long() {
        let order = Order::default();
        let [slow, fast] = [0; 2].map(|_| order.begin(at(0)));
        assert_eq!(order.end(fast, vec!['f'], at(300)), []);
        let next = order.begin(at(300));
        assert_eq!(order.end(next, vec!['n'], at(301)), ['f', 'n']);
        assert_eq!(order.end(slow, vec!['s'], at(301)), []);
    }

    #[test]
    fn no_more_requests_are_waited_for_than_there_is_room_for() {
        let order = Order::default();
        let tickets: Vec<Ticket> = (0..=MAX_ORDERED).map(|_| order.begin(at(0))).collect();
        assert_eq!(order.end(tickets[1], vec!['b'], at(0)), ['b'], "the first one is given up");
        assert_eq!(order.end(tickets[0], vec!['a'], at(0)), []);
    }

    proptest! {
        #[test]
        fn events_come_in_the_order_of_their_requests(ends in Just((0..30_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let order = Order::default();
            let tickets: Vec<Ticket> = ends.iter().map(|_| order.begin(at(0))).collect();
            let released: Vec<usize> = ends.iter().flat_map(|place| order.end(tickets[*place], vec![*place], at(0))).collect();
            prop_assert_eq!(released, (0..30).collect::<Vec<_>>());
        }
    }
}
