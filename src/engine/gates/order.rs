//! Events in the order of their requests.
//!
//! Evidence holds for trials in the order in which the split drew them. Answers come in another order: where the baseline takes longer, the
//! first events of an experiment are all the canary's, however good it is. So an event waits until all requests before it have been answered
//! at this worker.
//!
//! There is room for so many requests. Those that begin while it is full are left out, whoever will answer them: to give up one that waits
//! would always strike the variant that takes longer, and its events would be gone.

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
    /// A request begins. Returns `None` if there is no room for it: then its events don't count.
    pub fn begin(&self, now: Timestamp) -> Option<Ticket> {
        let mut all = self.0.take();
        if all.slots.len() >= MAX_ORDERED && all.slots.front().is_some_and(|first| first.is_given_up(now)) {
            all.take_first();
        }
        let ticket = all.first.wrapping_add(all.slots.len() as u64);
        let has_room = all.slots.len() < MAX_ORDERED;
        if has_room {
            all.slots.push_back(Slot { began: now, events: None });
        }
        self.0.set(all);
        has_room.then_some(ticket)
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
        while all.slots.front().is_some_and(|first| first.events.is_some() || first.is_given_up(now)) {
            released.extend(all.take_first());
        }
        self.0.set(all);
        released
    }
}

impl<T> Slots<T> {
    /// Takes the first request out, and returns its events.
    fn take_first(&mut self) -> Vec<T> {
        self.first = self.first.wrapping_add(1);
        self.slots.pop_front().and_then(|slot| slot.events).unwrap_or_default()
    }
}

impl<T> Slot<T> {
    /// Whether nothing waits for the request any longer.
    fn is_given_up(&self, now: Timestamp) -> bool {
        self.events.is_none() && now.since(self.began) > MAX_TIMEOUT
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
        let [first, second, third] = [0; 3].map(|_| order.begin(at(0)).unwrap());
        assert_eq!(order.end(second, vec!['b', 'B'], at(0)), []);
        assert_eq!(order.end(first, vec!['a'], at(0)), ['a', 'b', 'B']);
        let fourth = order.begin(at(1)).unwrap();
        assert_eq!(order.end(fourth, vec!['d'], at(1)), []);
        assert_eq!(order.end(third, vec![], at(1)), ['d']);
        assert_eq!(order.end(third, vec!['c'], at(1)), [], "answered twice");
    }

    #[test]
    fn nothing_waits_for_a_request_that_takes_too_long() {
        let order = Order::default();
        let [slow, fast] = [0; 2].map(|_| order.begin(at(0)).unwrap());
        assert_eq!(order.end(fast, vec!['f'], at(300)), []);
        let next = order.begin(at(300)).unwrap();
        assert_eq!(order.end(next, vec!['n'], at(301)), ['f', 'n']);
        assert_eq!(order.end(slow, vec!['s'], at(301)), []);
    }

    #[test]
    fn a_request_for_which_there_is_no_room_is_left_out_and_none_that_waits() {
        let order = Order::default();
        let tickets: Vec<Ticket> = (0..MAX_ORDERED).map(|_| order.begin(at(0)).unwrap()).collect();
        assert_eq!(order.begin(at(0)), None);
        assert_eq!(order.end(tickets[1], vec!['b'], at(0)), []);
        assert_eq!(order.begin(at(300)), None, "the first one is slow, and its event counts");
        assert_eq!(order.end(tickets[0], vec!['a'], at(300)), ['a', 'b']);
        assert!([0; 3].map(|_| order.begin(at(300))).iter().map(Option::is_some).eq([true, true, false]));
    }

    #[test]
    fn one_that_never_ends_is_in_nobodys_way_for_ever() {
        let order = Order::default();
        let tickets: Vec<Ticket> = (0..MAX_ORDERED).map(|_| order.begin(at(0)).unwrap()).collect();
        tickets[1..].iter().for_each(|ticket| assert_eq!(order.end(*ticket, vec!['b'], at(0)), []));
        let next = order.begin(at(301)).unwrap();
        assert_eq!(order.end(next, vec!['n'], at(301)).len(), MAX_ORDERED);
        assert_eq!(order.end(tickets[0], vec!['a'], at(301)), []);
    }

    proptest! {
        #[test]
        fn events_come_in_the_order_of_their_requests(ends in Just((0..30_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let order = Order::default();
            let tickets: Vec<Ticket> = ends.iter().map(|_| order.begin(at(0)).unwrap()).collect();
            let released: Vec<usize> = ends.iter().flat_map(|place| order.end(tickets[*place], vec![*place], at(0))).collect();
            prop_assert_eq!(released, (0..30).collect::<Vec<_>>());
        }

        /// Whether a request is left out is settled when it begins, by those before it alone. Of the others no event is lost, whoever is
        /// slow: what `answers` says of the canary and the baseline does not change which are counted, only when.
        #[test]
        fn no_event_of_a_request_that_had_room_is_lost(
            more in 0..200_usize,
            is_canary in prop::collection::vec(any::<bool>(), MAX_ORDERED + 200),
            canary_is_slow in any::<bool>(),
        ) {
            let order = Order::default();
            let tickets: Vec<Option<Ticket>> = (0..MAX_ORDERED + more).map(|_| order.begin(at(0))).collect();
            prop_assert!(tickets.iter().map(Option::is_some).eq((0..tickets.len()).map(|place| place < MAX_ORDERED)));
            let (tickets, is_canary) = (&tickets, &is_canary);
            let of = |canary| tickets.iter().flatten().enumerate().filter(move |(place, _)| is_canary[*place] == canary);
            let ends = of(!canary_is_slow).map(|end| (end, 0)).chain(of(canary_is_slow).map(|end| (end, 300)));
            let released: Vec<usize> = ends.flat_map(|((place, ticket), now)| order.end(*ticket, vec![place], at(now))).collect();
            prop_assert!(released.into_iter().eq(0..MAX_ORDERED));
        }
    }
}
