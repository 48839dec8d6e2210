//! How long to wait before something is tried again.

use std::time::Duration;

/// First wait: a server that restarts is back after some seconds.
const FIRST: Duration = Duration::from_secs(2);
/// Longest wait: a line that comes back is used within the hour.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Doubling waits, each between half and all of its length, so that gateways that lost the same server do not come back together.
#[derive(Debug, Default)]
pub struct Backoff {
    failed: u32,
}

impl Backoff {
    /// It worked.
    pub fn reset(&mut self) {
        self.failed = 0;
    }

    /// How often it failed in a row.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// It failed: the wait before the next try. `random` is any byte.
    pub fn next(&mut self, random: u8) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failed.min(16));
        self.failed = self.failed.saturating_add(1);
        let whole = doubled.min(LONGEST);
        whole / 2 + whole / 2 * u32::from(random) / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_vary() {
        let mut backoff = Backoff::default();
        let longest = |backoff: &mut Backoff| backoff.next(255);
        assert_eq!(longest(&mut backoff), Duration::from_secs(2));
        assert_eq!(longest(&mut backoff), Duration::from_secs(4));
        assert_eq!(backoff.next(0), Duration::from_secs(4));
        for _ in 0..40 {
            assert!(backoff.next(255) <= LONGEST);
        }
        assert_eq!(backoff.next(255), LONGEST);
        assert_eq!(backoff.next(0), LONGEST / 2);
        backoff.reset();
        assert_eq!((backoff.failed(), longest(&mut backoff)), (0, FIRST));
    }
}
