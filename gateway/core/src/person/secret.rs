//! Hashes on their way to where they are kept.

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Longest hash taken, in bytes: an Argon2id text is about a hundred.
const LONGEST: usize = 256;

/// The hash of a password, PIN or bearer secret. It passes through the core with its command and is in no decision; `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHash(String);

impl SecretHash {
    /// Takes a hash as text: Argon2id as a PHC string, or `sha256:` and 64 hexadecimal digits of a bearer secret.
    #[must_use]
    pub fn new(hash: String) -> Option<Self> {
        Self(hash).checked()
    }

    /// The same, if it can be a hash.
    #[must_use]
    pub fn checked(self) -> Option<Self> {
        let digest = self.0.strip_prefix("sha256:");
        let is_digest = digest.is_some_and(|digits| {
            digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        let is_phc = self.0.starts_with("$argon2id$");
        let plain = self.0.len() <= LONGEST && self.0.bytes().all(|b| b.is_ascii_graphic());
        (plain && (is_digest || is_phc)).then_some(self)
    }

    /// The text, for where it is kept and compared.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash")
    }
}
