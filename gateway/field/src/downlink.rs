//! What waits to be sent to one node: a short queue in which the newest pushes the oldest out.
//!
//! Commands are level-triggered: each carries the whole desired state, so losing an older one is no
//! loss. Packet identifiers are given here and come back with the PUBACK.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The queue shared between the caller of `send` and the node's session.
pub(crate) struct DownQueue {
    limit: usize,
    subscribed: AtomicBool,
    waiting: Mutex<VecDeque<Vec<u8>>>,
    pub changed: Notify,
}

impl DownQueue {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            subscribed: AtomicBool::new(false),
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub fn set_subscribed(&self, subscribed: bool) {
        self.subscribed.store(subscribed, Ordering::Release);
    }

    pub fn is_subscribed(&self) -> bool {
        self.subscribed.load(Ordering::Acquire)
    }

    /// Queues a message; true if an older one had to go for it.
    pub fn push(&self, payload: Vec<u8>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let replaced = waiting.len() >= self.limit && waiting.pop_front().is_some();
        waiting.push_back(payload);
        drop(waiting);
        self.changed.notify_one();
        replaced
    }

    pub fn pop(&self) -> Option<Vec<u8>> {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}

/// Messages sent at QoS 1 and not yet acknowledged by the client.
pub(crate) struct Deliveries {
    last_pkid: u16,
    limit: usize,
    open: VecDeque<(u16, Instant)>,
}

impl Deliveries {
    pub fn new(limit: usize) -> Self {
        Self {
            last_pkid: 0,
            limit,
            open: VecDeque::new(),
        }
    }

    pub fn has_room(&self) -> bool {
        self.open.len() < self.limit
    }

    /// A packet identifier that no open delivery has; never 0.
    pub fn begin(&mut self, now: Instant) -> u16 {
        loop {
            self.last_pkid = self.last_pkid.checked_add(1).unwrap_or(1);
            if self.open.iter().all(|(pkid, _)| *pkid != self.last_pkid) {
                self.open.push_back((self.last_pkid, now));
                return self.last_pkid;
            }
        }
    }

    /// Takes in a PUBACK; one that nobody waits for is ignored.
    pub fn acknowledged(&mut self, pkid: u16) {
        self.open.retain(|(open, _)| *open != pkid);
    }

    /// Nothing could be heard until `now`, so nothing is late.
    pub fn restart_clocks(&mut self, now: Instant) {
        for (_, since) in &mut self.open {
            *since = now;
        }
    }

    /// Since when the oldest open delivery waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.open.front().map(|(_, since)| *since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_commands_survive() {
        let queue = DownQueue::new(2);
        let replaced: Vec<bool> = (1..=4).map(|n| queue.push(vec![n])).collect();
        assert_eq!(replaced, [false, false, true, true]);
        assert_eq!(
            [queue.pop(), queue.pop(), queue.pop()],
            [Some(vec![3]), Some(vec![4]), None]
        );
    }

    #[test]
    fn identifiers_skip_zero_and_open_deliveries() {
        let now = Instant::now();
        let mut deliveries = Deliveries::new(2);
        assert_eq!(deliveries.begin(now), 1);
        deliveries.last_pkid = u16::MAX;
        assert_eq!(
            deliveries.begin(now),
            2,
            "0 is no identifier and 1 is still open"
        );
        assert!(!deliveries.has_room());
        deliveries.acknowledged(9);
        deliveries.acknowledged(1);
        assert!(deliveries.has_room());
    }
}
