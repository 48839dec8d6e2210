//! Key changes: a new decoder key cut into tokens, and put together again.
//!
//! Decided here: the fields of the parts (class 2, sub-classes 3, 4, 8, 9) and when a set is whole: two parts for EA07, four
//! for EA11, in any order. Not decided here: whether the new key is taken ([`super::Acceptance`]).

use super::{Algorithm, Block, DecoderKey, KeyTerms, KeyType};
use alloc::vec::Vec;
use core::fmt;

/// The class of key changes.
const CLASS: u8 = 2;

/// One part of a new key. `word` is 32 bits of it, most significant part first in the order of the standard: parts one,
/// three, four, two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyPart {
    /// Sub-class 3.
    First {
        /// Upper half of the key expiry number.
        expiry_high: u8,
        /// Key revision number.
        revision: u8,
        /// Whether the base date changes and the token memory is cleared.
        rollover: bool,
        /// Whose the key is.
        key_type: KeyType,
        /// First word of the key.
        word: u32,
    },
    /// Sub-class 4.
    Second {
        /// Lower half of the key expiry number.
        expiry_low: u8,
        /// Tariff index.
        tariff_index: u8,
        /// Last word of the key.
        word: u32,
    },
    /// Sub-class 8, EA11 only.
    Third {
        /// Lower 12 bits of the supply group code.
        supply_group_low: u16,
        /// Second word of the key.
        word: u32,
    },
    /// Sub-class 9, EA11 only.
    Fourth {
        /// Upper 12 bits of the supply group code.
        supply_group_high: u16,
        /// Third word of the key.
        word: u32,
    },
}

impl fmt::Debug for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPart({} …)", self.number())
    }
}

impl KeyPart {
    /// Which part it is, 1 to 4.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::First { .. } => 1,
            Self::Second { .. } => 2,
            Self::Third { .. } => 3,
            Self::Fourth { .. } => 4,
        }
    }

    /// `None` if the block is no key part, or its reserved bit is set.
    pub(super) fn read(block: &Block) -> Option<Self> {
        let word = block.bits(0, 32);
        let small = |from, count| u8::try_from(block.bits(from, count)).unwrap_or(0);
        let twelve = u16::try_from(block.bits(32, 12)).unwrap_or(0);
        match block.subclass() {
            3 if block.bits(34, 1) == 0 => Some(Self::First {
                expiry_high: small(40, 4),
                revision: small(36, 4),
                rollover: block.bits(35, 1) == 1,
                key_type: KeyType::from_number(small(32, 2))?,
                word,
            }),
            4 => Some(Self::Second {
                expiry_low: small(40, 4),
                tariff_index: small(32, 8),
                word,
            }),
            8 => Some(Self::Third {
                supply_group_low: twelve,
                word,
            }),
            9 => Some(Self::Fourth {
                supply_group_high: twelve,
                word,
            }),
            _ => None,
        }
    }

    pub(super) fn write(&self) -> Block {
        let (subclass, twelve, word): (u8, u16, u32) = match *self {
            Self::First {
                expiry_high,
                revision,
                rollover,
                key_type,
                word,
            } => {
                let low = u16::from(rollover) << 3 | u16::from(key_type.number());
                let twelve =
                    u16::from(expiry_high & 0xf) << 8 | u16::from(revision & 0xf) << 4 | low;
                (3, twelve, word)
            }
            Self::Second {
                expiry_low,
                tariff_index,
                word,
            } => {
                let twelve = u16::from(expiry_low & 0xf) << 8 | u16::from(tariff_index);
                (4, twelve, word)
            }
            Self::Third {
                supply_group_low,
                word,
            } => (8, supply_group_low & 0xfff, word),
            Self::Fourth {
                supply_group_high,
                word,
            } => (9, supply_group_high & 0xfff, word),
        };
        let content = u64::from(subclass) << 44 | u64::from(twelve) << 32;
        Block::new(CLASS, content | u64::from(word))
    }
}

/// A whole new key with its terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// The key.
    pub key: DecoderKey,
    /// Key revision number, 1 to 9.
    pub revision: u8,
    /// Whose it is.
    pub key_type: KeyType,
    /// Tariff index, 0 to 99.
    pub tariff_index: u8,
    /// Key expiry number; 255: never.
    pub expiry: u8,
    /// Whether the base date changes and the token memory is cleared.
    pub rollover: bool,
    /// Supply group code; only the parts of EA11 carry one.
    pub supply_group: Option<u32>,
}

impl NewKey {
    /// A new key for terms. The base date of the terms is not sent: only that it changes.
    #[must_use]
    pub fn new(key: DecoderKey, terms: &KeyTerms, expiry: u8, rollover: bool) -> Self {
        let named = key.algorithm() == Algorithm::Ea11;
        Self {
            key,
            revision: terms.revision,
            key_type: terms.key_type,
            tariff_index: terms.tariff_index,
            expiry,
            rollover,
            supply_group: named.then_some(terms.supply_group),
        }
    }

    /// The parts to send, each sealed under the key now in the meter.
    #[must_use]
    pub fn parts(&self) -> Vec<KeyPart> {
        let words = self.key.words();
        let word = |index: usize| words.get(index).copied().unwrap_or(0);
        let first = KeyPart::First {
            expiry_high: self.expiry >> 4,
            revision: self.revision,
            rollover: self.rollover,
            key_type: self.key_type,
            word: word(0),
        };
        let second = KeyPart::Second {
            expiry_low: self.expiry & 0xf,
            tariff_index: self.tariff_index,
            word: words.last().copied().unwrap_or(0),
        };
        let mut parts = alloc::vec![first, second];
        if self.key.algorithm() == Algorithm::Ea11 {
            let group = self.supply_group.unwrap_or(0);
            let twelve = |bits: u32| u16::try_from(bits & 0xfff).unwrap_or(0);
            parts.push(KeyPart::Third {
                supply_group_low: twelve(group),
                word: word(1),
            });
            parts.push(KeyPart::Fourth {
                supply_group_high: twelve(group >> 12),
                word: word(2),
            });
        }
        parts
    }

    /// Puts parts together, whatever their order; of two parts with the same number the later counts. `None` while parts
    /// are missing.
    #[must_use]
    pub fn assemble(algorithm: &Algorithm, parts: &[KeyPart]) -> Option<Self> {
        let part = |number| parts.iter().rfind(|part| part.number() == number).copied();
        let (first, second) = (part(1)?, part(2)?);
        let KeyPart::First {
            expiry_high,
            revision,
            rollover,
            key_type,
            word: word_0,
        } = first
        else {
            return None;
        };
        let KeyPart::Second {
            expiry_low,
            tariff_index,
            word: last,
        } = second
        else {
            return None;
        };
        let (words, supply_group) = match (algorithm, part(3), part(4)) {
            (Algorithm::Ea07(_), _, _) => (alloc::vec![word_0, last], None),
            (
                Algorithm::Ea11,
                Some(KeyPart::Third {
                    supply_group_low: low,
                    word: word_1,
                }),
                Some(KeyPart::Fourth {
                    supply_group_high: high,
                    word: word_2,
                }),
            ) => {
                let group = u32::from(high) << 12 | u32::from(low);
                (alloc::vec![word_0, word_1, word_2, last], Some(group))
            }
            (Algorithm::Ea11, _, _) => return None,
        };
        Some(Self {
            key: DecoderKey::from_words(algorithm, &words).ok()?,
            revision,
            key_type,
            tariff_index,
            expiry: expiry_high << 4 | expiry_low,
            rollover,
            supply_group,
        })
    }
}

/// How many parts a key of an algorithm has.
pub(super) fn parts_of(algorithm: &Algorithm) -> u8 {
    match algorithm {
        Algorithm::Ea11 => 4,
        Algorithm::Ea07(_) => 2,
    }
}
