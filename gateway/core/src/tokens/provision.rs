//! What a site provisions: each usage point's key, and what a token's energy is worth.
//!
//! Decided here: when a provisioned key is a new one for a usage point. Not decided here: how keys are read from a file (the
//! daemon), what a credit moves in the ledger ([`crate::decide`]).
//!
//! Invariant: [`MeterKey`] and [`TokenRules`] hold keys and are never serialised; [`PointTokens`] is journalled state and holds none.

use super::Made;
use super::{Acceptance, DecoderKey, KeyCheck, KeyTerms, Keys, MeterPan, Rejection, TokenNumber};
use crate::{Micro, UsagePointId, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How the amount of a credit token becomes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenCredit {
    /// What the energy costs at the account's tariff, on top of what the billing period has used so far.
    #[default]
    EnergyAtTariff,
    /// A tenth of a unit is a tenth of a unit of the currency: a site that sells money through tokens of electricity.
    Money,
}

impl TokenCredit {
    /// An amount in tenths of a currency unit, in micro-units.
    #[must_use]
    pub fn tenths(amount: u32) -> Micro {
        Micro(i64::from(amount) * 100_000)
    }
}

/// A usage point's key, as the site's file of keys has it. Secret: `Debug` shows the meter only.
#[derive(Clone, PartialEq, Eq)]
pub struct MeterKey {
    /// The meter number tokens are bought for.
    pub meter: MeterPan,
    /// What the key is for.
    pub terms: KeyTerms,
    /// Its expiry number; 255: none.
    pub expiry: u8,
    /// The key.
    pub key: DecoderKey,
}

impl fmt::Debug for MeterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeterKey({})", self.meter)
    }
}

/// What a site has set for tokens. Configuration, not state; keys live here and nowhere else.
#[derive(Clone, Default)]
pub struct TokenRules {
    /// How a credit becomes money.
    pub credit: TokenCredit,
    /// The key of each usage point that takes tokens.
    pub keys: BTreeMap<UsagePointId, MeterKey>,
}

impl fmt::Debug for TokenRules {
    /// How many keys there are, none of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (credit, keys) = (self.credit, self.keys.len());
        write!(f, "TokenRules({credit:?}, {keys} keys)")
    }
}

impl TokenRules {
    /// Decides on a token with the key of its usage point; those of the others tell a neighbour's token from wrong digits.
    #[must_use]
    pub fn judge(&self, tokens: &PointTokens, token: TokenNumber, at: UtcSeconds) -> super::Entry {
        let here = tokens.usage_point;
        let others = self.keys.iter().filter(|(id, _)| **id != here);
        let others: Vec<DecoderKey> = others.map(|(_, other)| other.key.clone()).collect();
        let keys = Keys {
            provisioned: self.keys.get(&here).map(|meter| &meter.key),
            others: &others,
        };
        tokens.acceptance.enter(&keys, token, at)
    }
}

/// A usage point's token state: what it was provisioned with, and what has become of it since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointTokens {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// Fingerprint, terms and expiry number as last provisioned.
    pub provisioned: (KeyCheck, KeyTerms, u8),
    /// Tokens used, wrong entries, key changes.
    pub acceptance: Acceptance,
    /// Tokens made here, the last ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
}

impl PointTokens {
    /// The state after provisioning, of a usage point that had none or another key before. Used tokens stay used.
    ///
    /// # Errors
    /// Those of [`Acceptance::reprovision`].
    pub fn provision(
        known: Option<Self>,
        usage_point: UsagePointId,
        provisioned: (KeyCheck, KeyTerms, u8),
    ) -> Result<Self, Rejection> {
        let (check, terms, expiry) = provisioned;
        let (acceptance, made) = match known {
            None => (Acceptance::provisioned(check, terms, expiry), Vec::new()),
            Some(known) => {
                let mut acceptance = known.acceptance;
                acceptance.reprovision(check, terms, expiry)?;
                (acceptance, known.made)
            }
        };
        Ok(Self {
            usage_point,
            provisioned,
            acceptance,
            made,
        })
    }
}
