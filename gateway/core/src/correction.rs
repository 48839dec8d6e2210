//! Corrections: money set right by new postings, with a reason, and above a limit with a second person.
//!
//! Nothing that was posted is changed. A correction posts between the ledger account `corrections` and a usage point's credit; the reversal of a
//! mistaken vend posts back what the vend posted, instalments to debts and the agent's float with it.
//!
//! Decided here: what can be corrected, and what waits for a second person. Not decided here: who may ask ([`crate::decide`] only knows that
//! the second person is another one than the first, by [`crate::person::Who`]).
//!
//! Terms: a *proposal* is a correction above the limit; it moves nothing until another person approves it, and expires after the days
//! the site allows. Opening, raising or writing off a debt above the limit is proposed likewise.
//!
//! Invariants: a proposal is approved at most once, and never by the person who made it; a vend is reversed at most once.

use crate::agent::AgentId;
use crate::debt::{DebtChange, Take};
use crate::decision::{Decision, Record};
use crate::state::State;
use crate::usage_point::UsagePoint;
use crate::{Micro, UsagePointId, UtcSeconds};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Longest reason, bytes: two lines on a statement.
pub const LONGEST_REASON: usize = 200;
/// Proposals that may wait at a usage point.
pub const MOST_PROPOSALS: usize = 20;
/// Keys of corrections remembered at a usage point: a correction is tried again within minutes, and a usage point has a few a year.
pub const MOST_ASKED: usize = 50;

/// What a site states about corrections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionRules {
    /// Up to this amount one person is enough.
    pub alone_up_to: Micro,
    /// Days a proposal waits.
    pub expires_days: u16,
}

impl Default for CorrectionRules {
    /// 500.00 alone (MePDCL's smallest recharge); two weeks.
    fn default() -> Self {
        Self {
            alone_up_to: Micro(500_000_000),
            expires_days: 14,
        }
    }
}

/// What is to be set right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum CorrectionAct {
    /// Credit is added, or taken if the amount is negative.
    Credit {
        /// How much; not zero.
        amount: Micro,
        /// The receipt or record it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<u64>,
    },
    /// A vend was a mistake.
    Reverse {
        /// Its receipt number.
        receipt: u64,
    },
    /// A debt is opened, changed or written off.
    Debt(DebtChange),
}

/// A correction that waits for a second person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Journal number of the decision that proposed it.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// What.
    pub act: CorrectionAct,
    /// The amount that needs a second person.
    pub amount: Micro,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// A correction that was asked for with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The key.
    pub key: String,
    /// What was asked for.
    pub act: CorrectionAct,
    /// Number of the record that did it, or proposed it.
    pub made: u64,
    /// Whether it was proposed.
    #[serde(default)]
    pub proposed: bool,
}

/// What is decided about corrections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "correction", rename_all = "kebab-case")]
pub enum CorrectionDecision {
    /// One waits for a second person.
    Proposed {
        /// What.
        what: CorrectionAct,
        /// The amount that needs a second person.
        amount: Micro,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A second person agrees; what it does is the record after this one.
    Approved {
        /// The proposal's number.
        proposal: u64,
        /// Who.
        by: String,
    },
    /// A second person does not agree, or the first one takes it back.
    Refused {
        /// The proposal's number.
        proposal: u64,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// Nobody agreed in time.
    Expired {
        /// The proposal's number.
        proposal: u64,
    },
    /// What was just done or proposed was asked for with a key: the same again is not done again.
    Keyed(Asked),
    /// Credit was set right.
    Posted {
        /// How much; negative: taken.
        amount: Micro,
        /// The receipt or record it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<u64>,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// The second person, where one was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
    /// A vend was taken back.
    Reversed {
        /// Its receipt number.
        receipt: u64,
        /// Its idempotency key.
        key: String,
        /// How much it was.
        amount: Micro,
        /// What went to debts and comes back: negative amounts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        debts: Vec<Take>,
        /// The agent whose float gets it back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentId>,
        /// The commission that goes with it.
        #[serde(default)]
        commission: Micro,
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// The second person, where one was needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<String>,
    },
}

/// What people ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum CorrectionCommand {
    /// Set something right, or propose it if it is above the limit.
    Make {
        /// Idempotency key, unique at the usage point: the same key and content again is the same correction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        what: CorrectionAct,
        /// Why, up to [`LONGEST_REASON`] bytes.
        reason: String,
        /// Who.
        by: String,
    },
    /// Agree with a proposal of somebody else.
    Approve {
        /// Its number.
        proposal: u64,
        /// Who.
        by: String,
    },
    /// Do not agree, or take one's own proposal back.
    Refuse {
        /// Its number.
        proposal: u64,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
}

impl CorrectionCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::Make { by, .. } | Self::Approve { by, .. } | Self::Refuse { by, .. } => {
                *by = who.into();
            }
        }
        self
    }

    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::Make { by, .. } | Self::Approve { by, .. } | Self::Refuse { by, .. } => by,
        }
    }
}

impl CorrectionDecision {
    /// The key of the vend it takes back.
    #[must_use]
    pub fn vend(&self) -> Option<String> {
        match self {
            Self::Reversed { key, .. } => Some(key.clone()),
            _ => None,
        }
    }
}

impl State {
    /// Marks the vend that a correction takes back.
    pub(crate) fn apply_correction(&mut self, record: &Record) {
        if let Decision::Correction { what, .. } = &record.decision
            && let Some(vend) = what.vend().and_then(|key| self.vends.get_mut(&key))
        {
            vend.reversed = Some(record.number);
        }
    }
}

impl UsagePoint {
    /// Makes a decision about corrections true.
    pub(crate) fn correct(&mut self, record: &Record, what: &CorrectionDecision) {
        match what {
            CorrectionDecision::Proposed {
                what,
                amount,
                reason,
                by,
            } => self.proposals.push(Proposal {
                number: record.number,
                at: record.at,
                act: what.clone(),
                amount: *amount,
                reason: reason.clone(),
                by: by.clone(),
            }),
            CorrectionDecision::Approved { proposal, .. }
            | CorrectionDecision::Refused { proposal, .. }
            | CorrectionDecision::Expired { proposal } => {
                self.proposals.retain(|waits| waits.number != *proposal);
            }
            CorrectionDecision::Keyed(asked) => {
                let gone = (self.asked.len() + 1).saturating_sub(MOST_ASKED);
                self.asked.drain(..gone);
                self.asked.push(asked.clone());
            }
            CorrectionDecision::Posted { amount, .. } => self.account.balance += *amount,
            CorrectionDecision::Reversed { amount, debts, .. } => {
                let to_debts: Micro = debts.iter().map(|take| take.amount).sum();
                self.account.balance -= *amount + to_debts;
                self.debts.take(debts);
            }
        }
    }
}
