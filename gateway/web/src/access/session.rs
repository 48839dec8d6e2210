//! Sessions: who has logged in and not been away too long.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A session ends when nobody has touched the page for this long. Live refreshing is not touching.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends this long after the login in any case: a shift.
pub(crate) const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once: a staff with several screens, and every resident on a phone; the longest unused one gives way.
const MOST: usize = 2_048;

type Digested = [u8; 32];

/// What a session remembers of the password it was opened by.
pub(crate) type Mark = [u8; 32];

/// A session.
#[derive(Clone)]
pub(crate) struct Session {
    /// Whose.
    pub name: String,
    /// By which password.
    pub mark: Mark,
    opened: Duration,
    touched: Duration,
}

impl Session {
    fn is_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.touched) >= IDLE || now.saturating_sub(self.opened) >= LONGEST
    }
}

/// The open sessions by the SHA-256 of their secret: who reads the memory of the process finds no secret to use.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<BTreeMap<Digested, Session>>);

impl Sessions {
    /// Opens a session and returns its secret: 64 hex digits.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn open(
        &self,
        (name, mark): (&str, Mark),
        now: Duration,
    ) -> Result<String, getrandom::Error> {
        let secret = random_hex::<32>()?;
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(now));
        if sessions.len() >= MOST {
            let unused = sessions.iter().min_by_key(|(_, session)| session.touched);
            if let Some(unused) = unused.map(|(digest, _)| *digest) {
                sessions.remove(&unused);
            }
        }
        let session = Session {
            name: name.to_owned(),
            mark,
            opened: now,
            touched: now,
        };
        sessions.insert(digest(&secret), session);
        Ok(secret)
    }

    /// The session, if it is open. `touch`: a person does something, so it stays open longer.
    pub(crate) fn get(&self, secret: &str, now: Duration, touch: bool) -> Option<Session> {
        let mut sessions = self.lock();
        let key = digest(secret);
        match sessions.get_mut(&key) {
            Some(session) if session.is_over(now) => {
                sessions.remove(&key);
                None
            }
            Some(session) => {
                if touch {
                    session.touched = now;
                }
                Some(session.clone())
            }
            None => None,
        }
    }

    /// Ends a session.
    pub(crate) fn close(&self, secret: &str) {
        self.lock().remove(&digest(secret));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Digested, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digest(secret: &str) -> Digested {
    Sha256::digest(secret.as_bytes()).into()
}

/// `BYTES` random bytes from the system, in hex.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASHA: (&str, Mark) = ("asha", [7; 32]);

    #[track_caller]
    fn check(steps: &[(u64, bool)], then_s: u64, open: bool) {
        let sessions = Sessions::default();
        let secret = sessions.open(ASHA, Duration::ZERO).unwrap();
        for (at_s, touch) in steps {
            sessions.get(&secret, Duration::from_secs(*at_s), *touch);
        }
        assert_eq!(
            sessions
                .get(&secret, Duration::from_secs(then_s), true)
                .is_some(),
            open
        );
    }

    #[test]
    fn sessions_end_when_idle_or_old() {
        check(&[], 1_799, true);
        check(&[], 1_800, false);
        check(&[(1_000, true)], 2_799, true);
        check(&[(1_000, false)], 1_800, false);
        let busy: Vec<_> = (1..30).map(|i| (i * 1_500, true)).collect();
        check(&busy[..28], 43_199, true);
        check(&busy, 43_200, false);
    }

    #[test]
    fn the_table_is_bounded_and_drops_the_longest_unused() {
        let sessions = Sessions::default();
        let secrets: Vec<_> = (0..=MOST as u64)
            .map(|s| sessions.open(ASHA, Duration::from_secs(s)).unwrap())
            .collect();
        let now = Duration::from_secs(1_700);
        let last = secrets.len() - 1;
        assert!(sessions.get(&secrets[0], now, false).is_none());
        assert!(sessions.get(&secrets[last], now, false).is_some());
        sessions.close(&secrets[last]);
        assert!(sessions.get(&secrets[last], now, false).is_none());
    }
}
