//! The one secret of a node, and what is derived from it.

use super::ascon;
use core::fmt;

/// 128-bit key of one node, for both directions. Chosen at random when the node is provisioned.
///
/// `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

/// Frame nonces begin with a kind (1 to 5), these with a letter: the domains never meet.
const PASSWORD_NONCE: &[u8; 16] = b"pg/1 mqtt passwd";
const CHALLENGE_DOMAIN: u8 = b'c';

impl Key {
    /// The MQTT password: 32 lower-case hexadecimal digits of a value derived from the key.
    ///
    /// Whoever reads it from a plaintext connection learns nothing about the key, so cannot make
    /// frames.
    #[must_use]
    pub fn mqtt_password(&self) -> [u8; 32] {
        hex(&ascon::seal(self, PASSWORD_NONCE, &[], &mut []))
    }

    /// A challenge that is fresh while `counter` is (56 bits), and mixes noise in case it is not.
    #[must_use]
    pub fn challenge(&self, counter: super::Counter, entropy: u64) -> u64 {
        let mut nonce = [CHALLENGE_DOMAIN; 16];
        nonce[1..8].copy_from_slice(&counter.to_bytes());
        nonce[8..].copy_from_slice(&entropy.to_be_bytes());
        let tag = ascon::seal(self, &nonce, &[], &mut []);
        let mut first = [0; 8];
        first.copy_from_slice(&tag[..8]);
        u64::from_be_bytes(first)
    }

    /// The key as 32 lower-case hexadecimal digits: for the label of the node and its configuration
    /// only.
    #[must_use]
    pub fn to_hex(&self) -> [u8; 32] {
        hex(&self.0)
    }

    /// Reads 32 hexadecimal digits of either case; `None` for anything else.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return None;
        }
        let mut key = [0; 16];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(key))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn hex(bytes: &[u8; 16]) -> [u8; 32] {
    let digit = |nibble: u8| {
        if nibble < 10 {
            b'0' + nibble
        } else {
            b'a' + nibble - 10
        }
    };
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = digit(byte >> 4);
        pair[1] = digit(byte & 15);
    }
    text
}
