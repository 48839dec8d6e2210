//! Passwords and PINs: Argon2id. Bearer secrets of programs: SHA-256, for they are random and long.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use gateway_core::person::{Role, SecretHash};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Shortest PIN of a resident, in characters: a million of digits, of which a gateway lets a few be tried an hour.
const SHORTEST_PIN: usize = 6;
/// Shortest bearer secret, in characters: 128 random bits in hexadecimal digits.
const SHORTEST_BEARER: usize = 32;
/// Shortest password accepted for a new hash, in characters (OWASP ASVS 5.0 6.2.1).
const SHORTEST: usize = 8;
/// Longest, in bytes: far beyond any phrase, and bounds the work.
const LONGEST: usize = 256;
/// Checks waiting at once, the running one included. One runs at a time: each takes 19 MiB and a good part of a second on a Raspberry Pi.
const MOST_WAITING: usize = 8;

/// Why a password was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Fewer than 8 characters.
    #[error("the password is shorter than 8 characters; use a phrase of several words")]
    TooShort,
    /// A PIN of fewer than 6 characters.
    #[error("the PIN is shorter than 6 digits")]
    PinTooShort,
    /// A PIN or password that is tried first.
    #[error("this is what everybody tries first; choose another one")]
    TooEasy,
    /// More than 256 bytes.
    #[error("the password is longer than 256 bytes")]
    TooLong,
    /// The system has no random numbers or memory for the hash.
    #[error("the system gave no random numbers or memory for the hash; try again")]
    System,
}

/// Hashes a new password with Argon2id (19 MiB, 2 passes) into a PHC string, as [`super::Access::Password`] takes it.
///
/// # Errors
/// See [`PasswordHashError`].
pub fn hash_password(password: &str) -> Result<String, PasswordHashError> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordHashError::TooShort);
    }
    if password.len() > LONGEST {
        return Err(PasswordHashError::TooLong);
    }
    hash(password)
}

fn hash(password: &str) -> Result<String, PasswordHashError> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|_| PasswordHashError::System)
}

/// Hashes what a person of a role proves to be themselves with: a resident's PIN, a program's bearer secret, anybody else's password.
///
/// # Errors
/// See [`PasswordHashError`].
pub fn hash_for(role: Role, secret: &str) -> Result<SecretHash, PasswordHashError> {
    let hash = match role {
        Role::Program if secret.len() < SHORTEST_BEARER => return Err(PasswordHashError::TooShort),
        Role::Program => bearer_hash(secret),
        Role::Resident if secret.chars().count() < SHORTEST_PIN => {
            return Err(PasswordHashError::PinTooShort);
        }
        _ if is_easy(secret) => return Err(PasswordHashError::TooEasy),
        Role::Resident if secret.chars().count() < SHORTEST => hash(secret)?,
        _ => hash_password(secret)?,
    };
    SecretHash::new(hash).ok_or(PasswordHashError::System)
}

/// The kept form of a bearer secret.
pub(crate) fn bearer_hash(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// One character all along, or each the next one of the alphabet or of the digits, up or down.
fn is_easy(secret: &str) -> bool {
    let letters: Vec<u32> = secret.chars().map(u32::from).collect();
    let runs = |step: i64| {
        letters
            .windows(2)
            .all(|pair| i64::from(pair[1]) - i64::from(pair[0]) == step)
    };
    runs(0) || runs(1) || runs(-1) || secret.eq_ignore_ascii_case("password")
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    Wrong,
    /// Too many checks are waiting.
    Busy,
}

/// Checks passwords one at a time, off the asynchronous threads.
pub(crate) struct PasswordCheck {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for PasswordCheck {
    fn default() -> Self {
        Self {
            waiting: Arc::new(Semaphore::new(MOST_WAITING)),
            running: Arc::new(Semaphore::new(1)),
        }
    }
}

impl PasswordCheck {
    /// Whether the password belongs to the hash. An unusable hash fits no password.
    pub(crate) async fn check(&self, password: String, hash: String) -> Verdict {
        let Ok(_place) = self.waiting.try_acquire() else {
            return Verdict::Busy;
        };
        // The permit moves into the blocking task: a client that goes away does not make room for a second hash beside the first.
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else {
            return Verdict::Busy;
        };
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            fits(&password, &hash)
        });
        match task.await {
            Ok(true) => Verdict::Right,
            Ok(false) => Verdict::Wrong,
            Err(_) => Verdict::Busy,
        }
    }
}

fn fits(password: &str, hash: &str) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: Role, secret: &str, expected: Result<(), PasswordHashError>) {
        assert_eq!(hash_for(role, secret).map(|_| ()), expected, "{secret}");
    }

    #[test]
    fn secrets_are_long_enough_for_what_they_open() {
        use PasswordHashError::{PinTooShort, TooEasy, TooShort};
        check(Role::Resident, "59371", Err(PinTooShort));
        check(Role::Resident, "593712", Ok(()));
        for easy in ["111111", "123456", "987654", "abcdefgh", "Password"] {
            check(Role::Resident, easy, Err(TooEasy));
        }
        check(Role::Operator, "593712", Err(TooShort));
        check(Role::Operator, "five words make a phrase", Ok(()));
        check(Role::Program, "five words make a phrase", Err(TooShort));
        check(Role::Program, &"0f".repeat(32), Ok(()));
    }
}
