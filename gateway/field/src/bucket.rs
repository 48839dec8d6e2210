//! A token bucket in integers: "so many at once, then one per interval".
//!
//! Kept as the one instant at which the bucket is full again, so it needs no timer and cannot drift.

use std::time::{Duration, Instant};

/// `burst` events at once, afterwards one per `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Events that may come at once, at least 1.
    pub burst: u32,
    /// Time in which one more event is earned.
    pub interval: Duration,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    rate: Rate,
    full_at: Instant,
}

impl Bucket {
    pub fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, full_at: now }
    }

    /// Takes one token, or refuses and stays as it was.
    pub fn try_take(&mut self, now: Instant) -> bool {
        if self.is_empty(now) {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.rate.interval;
        true
    }

    /// Whether nothing could be taken at `now`.
    pub fn is_empty(&self, now: Instant) -> bool {
        let after = self.full_at.max(now) + self.rate.interval;
        after.saturating_duration_since(now) > self.rate.interval * self.rate.burst
    }

    /// Takes one token even from an empty bucket; the answer is when the debt is paid back.
    pub fn charge(&mut self, now: Instant) -> Option<Instant> {
        self.full_at = self.full_at.max(now) + self.rate.interval;
        let in_order = now + self.rate.interval * self.rate.burst;
        (self.full_at > in_order).then(|| now + self.full_at.duration_since(in_order))
    }

    /// Whether the bucket is full, so that forgetting it changes nothing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_per_interval() {
        let start = Instant::now();
        let rate = Rate {
            burst: 3,
            interval: Duration::from_secs(1),
        };
        let mut bucket = Bucket::new(rate, start);
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, passes) in [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            (999, false),
            (1000, true),
            (1001, false),
        ] {
            assert_eq!(bucket.try_take(at(ms)), passes, "at {ms} ms");
        }
        assert!(!bucket.is_full(at(1001)));
        assert!(bucket.is_full(at(9000)));
    }

    #[test]
    fn a_debt_is_paid_back_at_the_rate() {
        let start = Instant::now();
        let rate = Rate {
            burst: 2,
            interval: Duration::from_millis(50),
        };
        let mut bucket = Bucket::new(rate, start);
        assert_eq!(bucket.charge(start), None);
        assert_eq!(bucket.charge(start), None);
        assert_eq!(
            bucket.charge(start),
            Some(start + Duration::from_millis(50))
        );
        assert_eq!(
            bucket.charge(start),
            Some(start + Duration::from_millis(100))
        );
    }
}
