//! Postings: the one way money moves.
//!
//! A posting takes an amount from one ledger account to another, so all postings together always sum to zero.
//! Decided here: the names of the accounts and the conservation rule. Not decided here: how much
//! ([`crate::account`], [`crate::decide`]).

use crate::rating::Component;
use crate::{Micro, UsagePointId};
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A ledger account. Shown and stored as a short word, for example `credit:7` or `revenue:energy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LedgerAccount {
    /// What the residents have paid in: the counterpart of every vend. Its balance is minus the money received.
    Payments,
    /// What transfer tokens have brought, paid for elsewhere: the counterpart of every credit token. Its balance is minus their worth.
    Tokens,
    /// The prepaid credit of one usage point (COSEM `available_credit` before the open settlement).
    Credit(UsagePointId),
    /// Charges collected, by component.
    Revenue(Component),
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payments => f.write_str("payments"),
            Self::Tokens => f.write_str("tokens"),
            Self::Credit(id) => write!(f, "credit:{}", id.0),
            Self::Revenue(component) => write!(f, "revenue:{}", component.name()),
        }
    }
}

/// The text names no ledger account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotALedgerAccount;

impl fmt::Display for NotALedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a ledger account")
    }
}

impl FromStr for LedgerAccount {
    type Err = NotALedgerAccount;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "payments" => Ok(Self::Payments),
            None if text == "tokens" => Ok(Self::Tokens),
            Some(("credit", id)) => id
                .parse()
                .map(|id| Self::Credit(UsagePointId(id)))
                .map_err(|_| NotALedgerAccount),
            Some(("revenue", name)) => Component::by_name(name)
                .map(Self::Revenue)
                .ok_or(NotALedgerAccount),
            _ => Err(NotALedgerAccount),
        }
    }
}

impl Serialize for LedgerAccount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for LedgerAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// One movement of money. The amount may be negative only for rebates inside a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Where the amount is taken from.
    pub from: LedgerAccount,
    /// Where it goes.
    pub to: LedgerAccount,
    /// How much, in micro-currency units.
    pub amount: Micro,
}
