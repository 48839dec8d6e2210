//! The 20 digits and the 66 bits behind them.
//!
//! Decided here: which texts are token numbers, and where the two class bits sit among the 64 bits of the block.
//! Not decided here: what the block says ([`super::Block`]).

use super::Rejection;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The lower of the two places the class bits take in the block (IEC 62055-41, class-bit transposition).
const CLASS_AT: u32 = 27;
const TWO_BITS: u64 = 0b11;
/// Longest text looked at: 20 digits with a separator between any two.
const LONGEST_TEXT: usize = 64;

/// A transfer token's number: 66 bits, written as 20 decimal digits.
///
/// A token is a secret until it is used; this type prints itself in full, so print it only after use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenNumber(u128);

impl TokenNumber {
    /// The largest token number, 2^66 − 1.
    pub const MAX: Self = Self((1 << 66) - 1);

    /// The number itself; `None` if it has more than 66 bits.
    #[must_use]
    pub fn from_bits(bits: u128) -> Option<Self> {
        (bits <= Self::MAX.0).then_some(Self(bits))
    }

    /// The 66 bits.
    #[must_use]
    pub fn bits(self) -> u128 {
        self.0
    }

    /// Puts a class (0 to 3; higher bits are ignored) over an enciphered block.
    #[must_use]
    pub(super) fn join(class: u8, sealed: u64) -> Self {
        let class = u64::from(class) & TWO_BITS;
        let displaced = sealed >> CLASS_AT & TWO_BITS;
        let block = sealed & !(TWO_BITS << CLASS_AT) | class << CLASS_AT;
        Self(u128::from(displaced) << 64 | u128::from(block))
    }

    /// The class, readable without any key.
    #[must_use]
    pub fn class(self) -> u8 {
        self.split().0
    }

    /// The class and the enciphered block.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the upper bits are put back separately"
    )]
    pub(super) fn split(self) -> (u8, u64) {
        let block = self.0 as u64;
        let displaced = (self.0 >> 64) as u64 & TWO_BITS;
        let class = (block >> CLASS_AT & TWO_BITS) as u8;
        let sealed = block & !(TWO_BITS << CLASS_AT) | displaced << CLASS_AT;
        (class, sealed)
    }
}

impl FromStr for TokenNumber {
    type Err = Rejection;

    /// Reads 20 digits; spaces and hyphens between them are ignored, as receipts print them in groups.
    ///
    /// # Errors
    /// [`Rejection::NotTwentyDigits`], [`Rejection::NumberTooLarge`].
    fn from_str(text: &str) -> Result<Self, Rejection> {
        if text.len() > LONGEST_TEXT {
            return Err(Rejection::NotTwentyDigits);
        }
        let (mut number, mut digits) = (0_u128, 0);
        for letter in text.trim().chars().filter(|c| !matches!(c, ' ' | '-')) {
            let digit = letter.to_digit(10).ok_or(Rejection::NotTwentyDigits)?;
            number = number.saturating_mul(10).saturating_add(digit.into());
            digits += 1;
        }
        if digits != 20 {
            return Err(Rejection::NotTwentyDigits);
        }
        Self::from_bits(number).ok_or(Rejection::NumberTooLarge)
    }
}

impl TryFrom<String> for TokenNumber {
    type Error = Rejection;
    fn try_from(text: String) -> Result<Self, Rejection> {
        text.parse()
    }
}

impl From<TokenNumber> for String {
    fn from(number: TokenNumber) -> Self {
        number.to_string()
    }
}

impl fmt::Display for TokenNumber {
    /// All 20 digits without separators.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

impl fmt::Debug for TokenNumber {
    /// The last four digits only: an unused token in a log is money for whoever reads it first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenNumber(…{:04})", self.0 % 10_000)
    }
}
