//! How often a password may be tried.
//!
//! Each source has a bucket of tries that fills up again slowly; a source that has used its tries waits, all others do not. There is no lock-out
//! of an account with a password, which would let anybody keep the operator out. A resident's PIN is short and has a bucket of its own
//! besides; who has logged in from a source before goes past that one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tries at once: a person's slips of the keyboard.
const TRIES: u32 = 5;
/// One more try after each so long: 1,440 a day and source, hopeless against a random word of six letters.
const REFILL: Duration = Duration::from_secs(60);
/// Tries at once at one resident's PIN, from wherever: more than one source has, so that a family's slips stay within the sources' own limits.
const NAME_TRIES: u32 = 20;
/// One more of those after each so long: 144 a day, so that in ten years of trying a PIN of six digits is found with a chance of one half.
const NAME_REFILL: Duration = Duration::from_secs(600);
/// Sources or names remembered; beyond it all new ones share one bucket, so a botnet cannot fill the memory.
const MOST_KEYS: usize = 1_024;
/// Places from which residents have logged in, remembered: a phone or two for each of a site's.
const MOST_TRUSTED: usize = 4_096;

#[derive(Clone, Copy)]
struct Bucket {
    used: u32,
    since: Duration,
}

impl Bucket {
    fn refill(&mut self, now: Duration, every: Duration) {
        let passed = now.saturating_sub(self.since).as_secs() / every.as_secs();
        let back = u32::try_from(passed).unwrap_or(u32::MAX).min(self.used);
        self.used -= back;
        self.since = if self.used == 0 {
            now
        } else {
            self.since + every * back
        };
    }
}

/// Buckets by key; `None` is the one that late-comers share.
struct Buckets<K> {
    tries: u32,
    every: Duration,
    by_key: Mutex<BTreeMap<Option<K>, Bucket>>,
}

impl<K: Ord + Clone> Buckets<K> {
    fn new(tries: u32, every: Duration) -> Self {
        let by_key = Mutex::default();
        Self {
            tries,
            every,
            by_key,
        }
    }

    fn take(&self, key: K, now: Duration) -> Result<(), Duration> {
        let mut buckets = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        for bucket in buckets.values_mut() {
            bucket.refill(now, self.every);
        }
        buckets.retain(|_, bucket| bucket.used > 0);
        let mut key = Some(key);
        if buckets.len() >= MOST_KEYS && !buckets.contains_key(&key) {
            key = None;
        }
        let fresh = Bucket {
            used: 0,
            since: now,
        };
        let bucket = buckets.entry(key).or_insert(fresh);
        if bucket.used >= self.tries {
            return Err((bucket.since + self.every).saturating_sub(now));
        }
        bucket.used += 1;
        Ok(())
    }

    fn forgive(&self, key: K) {
        let mut buckets = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.remove(&Some(key));
    }
}

/// Tries used by each source.
pub(crate) struct Limiter(Buckets<IpAddr>);

impl Default for Limiter {
    fn default() -> Self {
        Self(Buckets::new(TRIES, REFILL))
    }
}

impl Limiter {
    /// Takes a try.
    ///
    /// # Errors
    /// None is left; how long until the next one.
    pub(crate) fn take(&self, from: IpAddr, now: Duration) -> Result<(), Duration> {
        self.0.take(source(from), now)
    }

    /// Gives the tries back: the password was right.
    pub(crate) fn forgive(&self, from: IpAddr) {
        self.0.forgive(source(from));
    }
}

/// Tries used at each resident's PIN. A PIN is short, so many sources together must not find it; and whoever knows it and has logged in from a
/// source before is not kept out by others who try.
pub(crate) struct NameLimiter {
    buckets: Buckets<String>,
    trusted: Mutex<BTreeSet<(String, IpAddr)>>,
}

impl Default for NameLimiter {
    fn default() -> Self {
        Self {
            buckets: Buckets::new(NAME_TRIES, NAME_REFILL),
            trusted: Mutex::default(),
        }
    }
}

impl NameLimiter {
    /// Takes a try at a name.
    ///
    /// # Errors
    /// None is left; how long until the next one.
    pub(crate) fn take(&self, name: &str, from: IpAddr, now: Duration) -> Result<(), Duration> {
        let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if trusted.contains(&(name.to_owned(), source(from))) {
            return Ok(());
        }
        drop(trusted);
        self.buckets.take(name.to_owned(), now)
    }

    /// The PIN was right: this source is not limited by what others try.
    pub(crate) fn trust(&self, name: &str, from: IpAddr) {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        if trusted.len() < MOST_TRUSTED {
            trusted.insert((name.to_owned(), source(from)));
        }
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
        assert!(limiter.0.by_key.lock().unwrap().len() <= MOST_KEYS + 1);
        assert!(
            limiter
                .take("9.9.9.9".parse().unwrap(), Duration::ZERO)
                .is_err()
        );
    }

    #[test]
    fn a_pin_is_not_found_by_many_sources_and_its_owner_is_not_kept_out() {
        let limiter = NameLimiter::default();
        let home = "10.0.0.200".parse().unwrap();
        limiter.trust("UP-0001", home);
        let tries = (0..100_u8).filter(|i| {
            let from = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, *i));
            limiter.take("UP-0001", from, Duration::ZERO).is_ok()
        });
        assert_eq!(tries.count(), 20);
        assert!(limiter.take("UP-0001", home, Duration::ZERO).is_ok());
        let from = "10.0.1.1".parse().unwrap();
        assert!(limiter.take("UP-0002", from, Duration::ZERO).is_ok());
        let later = Duration::from_secs(600);
        assert!(limiter.take("UP-0001", from, later).is_ok());
        assert!(limiter.take("UP-0001", from, later).is_err());
    }
}
