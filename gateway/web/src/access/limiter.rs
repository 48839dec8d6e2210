//! How often a password may be tried.
//!
//! Each source has a bucket of tries that fills up again slowly. There is no lock-out of the account, which would let
//! anybody keep the operator out; a source that has used its tries waits, all others do not.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tries at once: a person's slips of the keyboard.
const TRIES: u32 = 5;
/// One more try after each so long: 1,440 a day and source, hopeless against a random word of six letters.
const REFILL: Duration = Duration::from_secs(60);
/// Sources remembered; beyond it all new ones share one bucket, so a botnet cannot fill the memory.
const MOST_SOURCES: usize = 1_024;

#[derive(Clone, Copy)]
struct Bucket {
    used: u32,
    since: Duration,
}

impl Bucket {
    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since).as_secs() / REFILL.as_secs();
        let back = u32::try_from(passed).unwrap_or(u32::MAX).min(self.used);
        self.used -= back;
        self.since = if self.used == 0 {
            now
        } else {
            self.since + REFILL * back
        };
    }
}

/// Tries used by each source.
#[derive(Default)]
pub(crate) struct Limiter(Mutex<BTreeMap<IpAddr, Bucket>>);

impl Limiter {
    /// Takes a try.
    ///
    /// # Errors
    /// None is left; how long until the next one.
    pub(crate) fn take(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in buckets.values_mut() {
            bucket.refill(now);
        }
        buckets.retain(|_, bucket| bucket.used > 0);
        let mut source = source(from);
        if buckets.len() >= MOST_SOURCES && !buckets.contains_key(&source) {
            source = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        }
        let bucket = buckets.entry(source).or_insert(Bucket {
            used: 0,
            since: now,
        });
        if bucket.used >= TRIES {
            return Err((bucket.since + REFILL).saturating_sub(now));
        }
        bucket.used += 1;
        Ok(())
    }

    /// Gives the tries back: the password was right.
    pub(crate) fn forgive(&self, from: IpAddr) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.remove(&source(from));
    }
}

/// The part of an address that one person has: IPv6 clients own a whole /64.
fn source(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tries: &[(&str, u64)], allowed: &[bool]) {
        let limiter = Limiter::default();
        let took = |(from, at_s): &(&str, u64)| {
            limiter
                .take(from.parse().unwrap(), Duration::from_secs(*at_s))
                .is_ok()
        };
        assert_eq!(tries.iter().map(took).collect::<Vec<_>>(), allowed);
    }

    #[test]
    fn five_tries_then_one_a_minute() {
        let a = "10.0.0.1";
        check(
            &[
                (a, 0),
                (a, 0),
                (a, 0),
                (a, 0),
                (a, 0),
                (a, 59),
                (a, 60),
                (a, 61),
            ],
            &[true, true, true, true, true, false, true, false],
        );
    }

    #[test]
    fn sources_do_not_hinder_each_other_but_a_64_is_one() {
        let tries = [
            "fe80::1", "fe80::2", "fe80::3", "fe80::4", "fe80::5", "fe80::6", "fe90::1",
        ];
        check(
            &tries.map(|from| (from, 0)),
            &[true, true, true, true, true, false, true],
        );
    }

    #[test]
    fn the_table_is_bounded() {
        let limiter = Limiter::default();
        for i in 0..5_000_u32 {
            let _ = limiter.take(IpAddr::V4(i.into()), Duration::ZERO);
        }
        assert!(limiter.0.lock().unwrap().len() <= MOST_SOURCES + 1);
        assert!(
            limiter
                .take("9.9.9.9".parse().unwrap(), Duration::ZERO)
                .is_err()
        );
    }
}
