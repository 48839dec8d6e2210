//! A word that counts once it was said long enough. What is asked for again and again has no edges, so this is not the debouncing of a pin.

use std::time::{Duration, Instant};

/// What is said, and what counts.
pub(super) struct Steady {
    still: Duration,
    settled: Option<bool>,
    other_since: Option<Instant>,
}

impl Steady {
    pub(super) fn new(still: Duration) -> Self {
        Self {
            still,
            settled: None,
            other_since: None,
        }
    }

    /// Nothing was said yet.
    pub(super) fn is_new(&self) -> bool {
        self.settled.is_none()
    }

    /// Whether this is what counts.
    pub(super) fn is_settled(&self, word: bool) -> bool {
        self.settled == Some(word)
    }

    /// It says this now. If that begins to count: since when it has been said. The first word counts at once.
    pub(super) fn says(&mut self, word: bool, now: Instant) -> Option<Instant> {
        if self.is_settled(word) {
            self.other_since = None;
            return None;
        }
        let since = *self.other_since.get_or_insert(now);
        if !self.is_new() && now.saturating_duration_since(since) < self.still {
            return None;
        }
        self.settled = Some(word);
        self.other_since = None;
        Some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_when_it_was_said_long_enough() {
        let begin = Instant::now();
        let mut steady = Steady::new(Duration::from_millis(40));
        for (at_ms, word, expected) in [
            (0, true, Some(0)),
            (20, false, None),
            (40, true, None),
            (60, false, None),
            (80, false, None),
            (100, false, Some(60)),
            (120, false, None),
            (140, true, None),
            (200, true, Some(140)),
        ] {
            let at = |ms| begin + Duration::from_millis(ms);
            assert_eq!(steady.says(word, at(at_ms)), expected.map(at), "{at_ms} ms");
        }
    }
}
