//! The block inside a token: class, 48 bits of content, checksum.
//!
//! Decided here: the checksum, and when a block counts as opened. Classes 0 and 2 are enciphered, class 1 never is, class
//! 3 is not in use and is treated as enciphered. Not decided here: what the content means ([`super::Message`]).

use super::{DecoderKey, TokenNumber};

/// Bits of content: sub-class and everything after it but the checksum.
const CONTENT_BITS: u32 = 48;
const CONTENT: u64 = (1 << CONTENT_BITS) - 1;
/// CRC-16 with polynomial 0x8005, least significant bit first.
const POLYNOMIAL: u16 = 0xa001;
/// The class that is sent in clear.
pub(super) const CLEAR_CLASS: u8 = 1;

/// An opened block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Block {
    class: u8,
    content: u64,
}

/// Why a token's block stays closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// The class is enciphered and no key was given.
    NeedsKey,
    /// The checksum is wrong: digits mistyped, or enciphered under another key.
    ChecksumWrong,
}

impl Block {
    /// From a class (0 to 3) and 48 bits of content; higher bits are dropped.
    #[must_use]
    pub(super) fn new(class: u8, content: u64) -> Self {
        Self {
            class: class & 3,
            content: content & CONTENT,
        }
    }

    /// The class, 0 to 3.
    #[must_use]
    pub fn class(&self) -> u8 {
        self.class
    }

    /// The sub-class, 0 to 15.
    #[must_use]
    pub fn subclass(&self) -> u8 {
        u8::try_from(self.content >> 44).unwrap_or(0)
    }

    /// The 48 bits from the sub-class on.
    #[must_use]
    pub fn content(&self) -> u64 {
        self.content
    }

    /// Bits `from..from + count` of the content, counted from its least significant one; at most 32.
    pub(super) fn bits(&self, from: u32, count: u32) -> u32 {
        let mask = (1_u64 << count) - 1;
        u32::try_from(self.content >> from & mask).unwrap_or(0)
    }

    /// Makes the token number. `None` if the class is enciphered and there is no key.
    #[must_use]
    pub fn seal(&self, key: Option<&DecoderKey>) -> Option<TokenNumber> {
        let plain = self.content << 16 | u64::from(self.checksum());
        let sealed = match (self.class, key) {
            (CLEAR_CLASS, _) => plain,
            (_, Some(key)) => key.encrypt(plain),
            (_, None) => return None,
        };
        Some(TokenNumber::join(self.class, sealed))
    }

    /// Opens a token number.
    ///
    /// # Errors
    /// [`NotOpened`]. A wrong key passes the checksum once in 65,536 tokens.
    pub fn open(number: TokenNumber, key: Option<&DecoderKey>) -> Result<Self, NotOpened> {
        let (class, sealed) = number.split();
        let plain = match (class, key) {
            (CLEAR_CLASS, _) => sealed,
            (_, Some(key)) => key.decrypt(sealed),
            (_, None) => return Err(NotOpened::NeedsKey),
        };
        let block = Self::new(class, plain >> 16);
        if plain & 0xffff == u64::from(block.checksum()) {
            Ok(block)
        } else {
            Err(NotOpened::ChecksumWrong)
        }
    }

    /// Over class and content as seven bytes, most significant first; the result's bytes change places.
    fn checksum(&self) -> u16 {
        let value = u64::from(self.class) << CONTENT_BITS | self.content;
        let mut crc = 0xffff_u16;
        for byte in &value.to_be_bytes()[1..] {
            crc ^= u16::from(*byte);
            for _ in 0..8 {
                let carry = crc & 1 == 1;
                crc >>= 1;
                if carry {
                    crc ^= POLYNOMIAL;
                }
            }
        }
        crc.swap_bytes()
    }
}
