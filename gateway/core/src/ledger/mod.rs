//! Postings: the one way money moves.
//!
//! A posting takes an amount from one ledger account to another, so all postings together always sum to zero.
//! Decided here: the names of the accounts and the conservation rule. Not decided here: how much
//! ([`crate::account`], [`crate::decide`]).

pub(crate) mod postings;

use crate::agent::AgentId;
use crate::debt::DebtKind;
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
    /// What was taken off the credit of a usage point for hours without a reading, until readings return.
    Provisional(UsagePointId),
    /// Charges collected, by component.
    Revenue(Component),
    /// What a usage point owes of a kind, as a balance below zero.
    Debt(UsagePointId, DebtKind),
    /// What was claimed as owed, by kind: the counterpart of debts being opened or raised.
    Claims(DebtKind),
    /// What of debts was written off, by kind, as a balance below zero.
    WrittenOff(DebtKind),
    /// The counterpart of corrections of a credit.
    Corrections,
    /// What an agent may still sell.
    Float(AgentId),
    /// Commission of agents, as a balance below zero.
    Commission,
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payments => f.write_str("payments"),
            Self::Tokens => f.write_str("tokens"),
            Self::Credit(id) => write!(f, "credit:{}", id.0),
            Self::Provisional(id) => write!(f, "provisional:{}", id.0),
            Self::Revenue(component) => write!(f, "revenue:{}", component.name()),
            Self::Debt(id, kind) => write!(f, "debt:{}:{kind}", id.0),
            Self::Claims(kind) => write!(f, "claims:{kind}"),
            Self::WrittenOff(kind) => write!(f, "written-off:{kind}"),
            Self::Corrections => f.write_str("corrections"),
            Self::Float(agent) => write!(f, "float:{agent}"),
            Self::Commission => f.write_str("commission"),
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
            None if text == "corrections" => Ok(Self::Corrections),
            None if text == "commission" => Ok(Self::Commission),
            Some(("debt", rest)) => rest
                .split_once(':')
                .and_then(|(id, kind)| {
                    let id = UsagePointId(id.parse().ok()?);
                    Some(Self::Debt(id, kind.parse().ok()?))
                })
                .ok_or(NotALedgerAccount),
            Some(("claims", kind)) => kind
                .parse()
                .map(Self::Claims)
                .map_err(|_| NotALedgerAccount),
            Some(("written-off", kind)) => kind
                .parse()
                .map(Self::WrittenOff)
                .map_err(|_| NotALedgerAccount),
            Some(("float", agent)) => agent
                .parse()
                .map(|agent| Self::Float(AgentId(agent)))
                .map_err(|_| NotALedgerAccount),
            Some(("credit", id)) => usage_point(id).map(Self::Credit),
            Some(("provisional", id)) => usage_point(id).map(Self::Provisional),
            Some(("revenue", name)) => Component::by_name(name)
                .map(Self::Revenue)
                .ok_or(NotALedgerAccount),
            _ => Err(NotALedgerAccount),
        }
    }
}

fn usage_point(id: &str) -> Result<UsagePointId, NotALedgerAccount> {
    id.parse().map(UsagePointId).map_err(|_| NotALedgerAccount)
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
