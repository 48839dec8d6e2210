//! The operator's password: Argon2id.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use std::sync::Arc;
use tokio::sync::Semaphore;

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
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string())
        .map_err(|_| PasswordHashError::System)
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
