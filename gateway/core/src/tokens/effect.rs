//! What entering a token leads to: the words between a usage point's token state and whoever carries them out.
//!
//! Nothing is decided here ([`super::Acceptance`]).

use super::{DecoderKey, KeyCheck, KeyTerms, Rejection, Tid, TokenNumber};
use crate::UtcSeconds;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a token brings about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Credit of energy.
    Credit {
        /// When the token was issued.
        tid: Tid,
        /// How much, in 100 Wh; at most [`super::LARGEST_AMOUNT`].
        amount_100wh: u32,
    },
    /// A limit of power.
    PowerLimit {
        /// When the token was issued.
        tid: Tid,
        /// The limit, in watts.
        watts: u32,
    },
    /// A limit of the difference between phases.
    UnbalanceLimit {
        /// When the token was issued.
        tid: Tid,
        /// The limit, in watts.
        watts: u32,
    },
    /// All credit is cleared.
    ClearCredit {
        /// When the token was issued.
        tid: Tid,
    },
    /// The tamper condition is cleared.
    ClearTamper {
        /// When the token was issued.
        tid: Tid,
    },
    /// Something is to be displayed or tested; nothing changes.
    MeterTest {
        /// Which tests, a bit each.
        control: u64,
        /// Manufacturer, 0 for all.
        manufacturer: u16,
    },
    /// A part of a new key; nothing changes until the others come.
    KeyPartTaken {
        /// Which part, 1 to 4.
        part: u8,
        /// All tokens of the set so far, this one among them, sealed under the present key.
        tokens: Vec<TokenNumber>,
        /// Parts still missing.
        missing: u8,
    },
    /// The last part: the key is another one now. Credit is kept.
    KeyChanged {
        /// The set of tokens, sealed under the key before.
        tokens: Vec<TokenNumber>,
        /// What the new key is for.
        terms: KeyTerms,
        /// Its expiry number.
        expiry: u8,
        /// Whether the memory of used tokens is cleared.
        rollover: bool,
        /// Its fingerprint.
        check: KeyCheck,
    },
}

impl Effect {
    /// The identifier it uses up.
    #[must_use]
    pub fn tid(&self) -> Option<Tid> {
        match self {
            Self::Credit { tid, .. }
            | Self::PowerLimit { tid, .. }
            | Self::UnbalanceLimit { tid, .. }
            | Self::ClearCredit { tid }
            | Self::ClearTamper { tid } => Some(*tid),
            Self::MeterTest { .. } | Self::KeyPartTaken { .. } | Self::KeyChanged { .. } => None,
        }
    }
}

impl fmt::Display for Effect {
    /// What has happened, as a short sentence without its full stop.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credit { amount_100wh, .. } => {
                let (units, tenth) = (amount_100wh / 10, amount_100wh % 10);
                write!(f, "{units}.{tenth} units credited")
            }
            Self::PowerLimit { watts: 0, .. } => f.write_str("Power limit lifted"),
            Self::PowerLimit { watts, .. } => write!(f, "Power limit is {watts} W now"),
            Self::UnbalanceLimit { watts, .. } => {
                write!(f, "Limit between phases is {watts} W now")
            }
            Self::ClearCredit { .. } => f.write_str("Credit cleared"),
            Self::ClearTamper { .. } => f.write_str("Tamper alarm cleared"),
            Self::MeterTest { .. } => f.write_str("Meter test"),
            Self::KeyPartTaken { missing, .. } => {
                write!(f, "Part of a new key taken, {missing} still to come")
            }
            Self::KeyChanged { terms, .. } => write!(
                f,
                "Key changed: supply group {:06}, tariff index {:02}, revision {}",
                terms.supply_group, terms.tariff_index, terms.revision
            ),
        }
    }
}

/// A decision on an entered token. It holds no unused token of anybody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it was entered.
    pub at: UtcSeconds,
    /// What it brings about, or why it was not taken.
    pub outcome: Result<Effect, Rejection>,
}

/// The keys a token is tried with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keys<'a> {
    /// The usage point's provisioned key, as it was when [`Acceptance::new`] or [`Acceptance::reprovision`] was told of it.
    pub provisioned: Option<&'a DecoderKey>,
    /// Keys of other usage points, to tell a neighbour's token from a mistyped one.
    pub others: &'a [DecoderKey],
}
