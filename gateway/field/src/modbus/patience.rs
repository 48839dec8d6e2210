//! How long a meter may take, learned from how long it took.

use std::time::Duration;

/// Four times the slowest recent turnaround: an answer that comes later than that is lost.
const FACTOR: u32 = 4;
/// A USB adapter hands bytes over every 16 ms and a busy gateway is late by some more.
const LEAST: Duration = Duration::from_millis(40);

/// What is known of a meter's turnaround.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    slowest: Option<Duration>,
    most: Duration,
}

impl Patience {
    /// Nothing is known yet: it may take `most`.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self {
            slowest: None,
            most,
        }
    }

    /// The longest turnaround it is granted now.
    #[must_use]
    pub fn allowed(&self) -> Duration {
        match self.slowest {
            Some(slowest) => (slowest * FACTOR).clamp(LEAST.min(self.most), self.most),
            None => self.most,
        }
    }

    /// It answered after this turnaround. The memory of a slow answer fades within some twenty others.
    pub fn answered(&mut self, turnaround: Duration) {
        let faded = self.slowest.unwrap_or_default() * 15 / 16 + turnaround / 16;
        self.slowest = Some(turnaround.max(faded));
    }

    /// It did not answer: perhaps it was cut short, so it gets all the time next.
    pub fn missed(&mut self) {
        self.slowest = None;
    }

    /// The slowest recent turnaround.
    #[must_use]
    pub fn slowest(&self) -> Option<Duration> {
        self.slowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_four_times_the_slowest_recent_answer() {
        let ms = Duration::from_millis;
        let mut patience = Patience::new(ms(500));
        assert_eq!(patience.allowed(), ms(500));
        patience.answered(ms(30));
        assert_eq!(patience.allowed(), ms(120));
        patience.answered(ms(5));
        assert!(patience.allowed() > ms(100));
        for _ in 0..100 {
            patience.answered(ms(5));
        }
        assert_eq!(patience.allowed(), LEAST);
        patience.answered(ms(300));
        assert_eq!(patience.allowed(), ms(500));
        patience.missed();
        assert_eq!(patience.allowed(), ms(500));
    }
}
