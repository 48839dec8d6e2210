//! Keys: what a meter deciphers with, and how a vending key becomes one.
//!
//! Decided here: DKGA04, hex, check values. Not decided here: where keys are kept. No key prints itself and none can be
//! serialised; state that must tell keys apart keeps a [`KeyCheck`].
//!
//! Terms: *vending key*: the supply group's secret, 160 bits; *decoder key*: the meter's, derived from it; *EA07*, *EA11*:
//! encipherment algorithms of IEC 62055-41; EA07 needs a table file of the site ([`Ea07Tables`]).

use super::ea07::{self, Ea07Tables};
use super::misty1::Misty1;
use super::{BaseDate, MeterPan};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// What is authenticated to make a fingerprint; any text that key generation never uses does.
const CHECK_TEXT: &[u8] = b"token key check";

/// An encipherment algorithm.
#[derive(Clone, PartialEq, Eq)]
pub enum Algorithm {
    /// MISTY1, 128-bit keys.
    Ea11,
    /// The 64-bit substitution-permutation network, with the site's tables.
    Ea07(Arc<Ea07Tables>),
}

impl Algorithm {
    /// Bytes of a decoder key: 16 or 8.
    #[must_use]
    pub fn key_length(&self) -> usize {
        match self {
            Self::Ea11 => 16,
            Self::Ea07(_) => 8,
        }
    }

    fn letters(&self) -> &'static [u8; 2] {
        match self {
            Self::Ea11 => b"11",
            Self::Ea07(_) => b"07",
        }
    }
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// 0: the manufacturer's, before a meter belongs to a supply group.
    Initialisation,
    /// 1: the manufacturer's default supply group.
    Default,
    /// 2: one meter's alone.
    Unique,
    /// 3: shared by the meters of a supply group.
    Common,
}

impl KeyType {
    /// From its number, 0 to 3.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Initialisation),
            1 => Some(Self::Default),
            2 => Some(Self::Unique),
            3 => Some(Self::Common),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Initialisation => 0,
            Self::Default => 1,
            Self::Unique => 2,
            Self::Common => 3,
        }
    }
}

/// What a decoder key was made for; known to the meter, not secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTerms {
    /// Supply group code, 0 to 999,999.
    pub supply_group: u32,
    /// Tariff index, 0 to 99.
    pub tariff_index: u8,
    /// Key revision number, 1 to 9.
    pub revision: u8,
    /// Whose the key is.
    pub key_type: KeyType,
    /// What token identifiers are counted from.
    pub base_date: BaseDate,
}

impl KeyTerms {
    /// Whether every number is in its range.
    #[must_use]
    pub fn in_range(&self) -> bool {
        self.supply_group <= 999_999 && self.tariff_index <= 99 && (1..=9).contains(&self.revision)
    }
}

/// Why a text or some bytes are not a key, or a key cannot be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAKey {
    /// Something other than hexadecimal digits in pairs.
    NotHex,
    /// Too long or too short for what it is to be.
    WrongLength,
    /// A supply group above 999,999, a tariff index above 99, or a revision outside 1 to 9.
    TermsOutOfRange,
    /// Only default and unique keys are derived: initialisation keys are the manufacturer's, and the derivation of common
    /// keys under DKGA04 is not published.
    KeyTypeNotDerived,
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHex => "a key has hexadecimal digits only, two to a byte",
            Self::WrongLength => {
                "the key has the wrong length: a vending key has 20 bytes, a decoder key 16 for EA11 and 8 for EA07"
            }
            Self::TermsOutOfRange => {
                "supply group is at most 999999, tariff index at most 99, key revision 1 to 9"
            }
            Self::KeyTypeNotDerived => {
                "only keys of type 1 (default) and 2 (unique) are derived; enter another decoder key as it is"
            }
        })
    }
}

impl core::error::Error for NotAKey {}

fn from_hex(text: &str) -> Result<Vec<u8>, NotAKey> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.ok_or(NotAKey::NotHex)?;
    if !digits.len().is_multiple_of(2) {
        return Err(NotAKey::NotHex);
    }
    Ok(digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

/// A short fingerprint that tells keys apart without giving them away: 32 bits, so a key found by trying all that fit it
/// is one of billions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyCheck(pub u32);

impl fmt::Display for KeyCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A supply group's vending key, 160 bits.
#[derive(Clone)]
pub struct VendingKey([u8; 20]);

impl VendingKey {
    /// Derives a meter's key (DKGA04: HMAC-SHA-256 over the labelled terms, leftmost bits).
    ///
    /// # Errors
    /// [`NotAKey::TermsOutOfRange`], [`NotAKey::KeyTypeNotDerived`].
    pub fn derive(
        &self,
        algorithm: &Algorithm,
        terms: &KeyTerms,
        pan: &MeterPan,
    ) -> Result<DecoderKey, NotAKey> {
        if !terms.in_range() {
            return Err(NotAKey::TermsOutOfRange);
        }
        if !matches!(terms.key_type, KeyType::Default | KeyType::Unique) {
            return Err(NotAKey::KeyTypeNotDerived);
        }
        let length = algorithm.key_length();
        let mut data = alloc::vec![4];
        field(&mut data, b"04");
        field(&mut data, terms.base_date.letters());
        field(&mut data, algorithm.letters());
        field(&mut data, format!("{:02}", terms.tariff_index).as_bytes());
        data.extend_from_slice(&[0, 4]);
        field(&mut data, format!("{:06}", terms.supply_group).as_bytes());
        field(&mut data, &[b'0' + terms.key_type.number()]);
        field(&mut data, &[b'0' + terms.revision]);
        field(&mut data, pan.digits());
        let bits = u32::try_from(length * 8).unwrap_or(0);
        data.extend_from_slice(&bits.to_be_bytes());
        let mac = hmac(&self.0, &data);
        DecoderKey::new(algorithm, &mac[..length])
    }
}

impl FromStr for VendingKey {
    type Err = NotAKey;
    /// Reads 40 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bytes = from_hex(text)?;
        bytes.try_into().map(Self).map_err(|_| NotAKey::WrongLength)
    }
}

impl fmt::Debug for VendingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VendingKey(…)")
    }
}

/// What tokens for one meter are enciphered with.
#[derive(Clone, PartialEq, Eq)]
pub struct DecoderKey(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Ea11([u8; 16]),
    Ea07(u64, Arc<Ea07Tables>),
}

impl DecoderKey {
    /// From its bytes, most significant first.
    ///
    /// # Errors
    /// [`NotAKey::WrongLength`].
    pub fn new(algorithm: &Algorithm, bytes: &[u8]) -> Result<Self, NotAKey> {
        let wrong = |_| NotAKey::WrongLength;
        Ok(Self(match algorithm {
            Algorithm::Ea11 => Inner::Ea11(bytes.try_into().map_err(wrong)?),
            Algorithm::Ea07(tables) => {
                let bytes = bytes.try_into().map_err(wrong)?;
                Inner::Ea07(u64::from_be_bytes(bytes), tables.clone())
            }
        }))
    }

    /// From hexadecimal digits.
    ///
    /// # Errors
    /// [`NotAKey::NotHex`], [`NotAKey::WrongLength`].
    pub fn from_hex(algorithm: &Algorithm, text: &str) -> Result<Self, NotAKey> {
        Self::new(algorithm, &from_hex(text)?)
    }

    /// From 32-bit words, most significant first: four for EA11, two for EA07.
    pub(super) fn from_words(algorithm: &Algorithm, words: &[u32]) -> Result<Self, NotAKey> {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        Self::new(algorithm, &bytes)
    }

    /// Its 32-bit words, most significant first.
    pub(super) fn words(&self) -> Vec<u32> {
        let word = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        };
        match &self.0 {
            Inner::Ea11(bytes) => bytes.chunks_exact(4).map(word).collect(),
            Inner::Ea07(key, _) => key.to_be_bytes().chunks_exact(4).map(word).collect(),
        }
    }

    /// The algorithm it is for.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Inner::Ea11(_) => Algorithm::Ea11,
            Inner::Ea07(_, tables) => Algorithm::Ea07(tables.clone()),
        }
    }

    /// Its fingerprint.
    #[must_use]
    pub fn check(&self) -> KeyCheck {
        let mac = match &self.0 {
            Inner::Ea11(bytes) => hmac(bytes, CHECK_TEXT),
            Inner::Ea07(key, _) => hmac(&key.to_be_bytes(), CHECK_TEXT),
        };
        KeyCheck(u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]))
    }

    pub(super) fn encrypt(&self, block: u64) -> u64 {
        match &self.0 {
            Inner::Ea11(key) => Misty1::new(key).encrypt(block),
            Inner::Ea07(key, tables) => ea07::encrypt(*key, tables, block),
        }
    }

    pub(super) fn decrypt(&self, block: u64) -> u64 {
        match &self.0 {
            Inner::Ea11(key) => Misty1::new(key).decrypt(block),
            Inner::Ea07(key, tables) => ea07::decrypt(*key, tables, block),
        }
    }
}

impl fmt::Debug for DecoderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecoderKey(check {})", self.check())
    }
}

/// Appends a text with its length before it.
fn field(data: &mut Vec<u8>, text: &[u8]) {
    data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    data.extend_from_slice(text);
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length; the error of the trait's signature does not arise.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(data);
    mac.finalize().into_bytes().into()
}
