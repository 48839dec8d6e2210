//! Why money was not moved. Values that say the rule with its number.

use crate::Micro;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A named refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoneyRefusal {
    /// The vend is above the largest one.
    VendAboveLargest {
        /// The largest.
        largest: Micro,
    },
    /// The vend is below the smallest one.
    VendBelowSmallest {
        /// The smallest.
        smallest: Micro,
    },
    /// The vend is no multiple of what the site vends in.
    VendNoMultiple {
        /// What it must be a multiple of.
        multiple: Micro,
    },
    /// The agent's float does not pay for the vend.
    FloatUsedUp {
        /// What it still pays for.
        left: Micro,
    },
    /// The agent vends no more.
    AgentIsClosed,
    /// No agent has this name or number.
    NoSuchAgent,
    /// An agent of this name exists, or there are as many as a site has.
    AgentExists,
    /// The person is another agent's, or the agent has as many people as one has.
    PersonIsAgents,
    /// A person of an agent may not move its float or set money right.
    NotForAgents,
    /// The percentage is above 100.
    PercentTooLarge,
    /// No debt of this kind is owed.
    NoSuchDebt,
    /// A debt of this kind is owed already.
    DebtExists,
    /// Only a case that was closed as confirmed is charged.
    CaseNotConfirmed,
    /// A case was charged to these premises before.
    CaseAssessedBefore,
    /// A percentage above 100, or an amount below zero.
    TermsUnusable,
    /// More than is owed.
    MoreThanOwed,
    /// A change that changes nothing.
    NothingToDo,
    /// No reason, a too long one, or one with control characters.
    ReasonUnusable,
    /// No receipt or record of this number is the usage point's.
    NoSuchReceipt,
    /// The vend was reversed before.
    ReversedBefore,
    /// No proposal of this number waits.
    NoSuchProposal,
    /// The second person is the first one.
    SamePerson,
    /// As many proposals wait as may.
    TooManyProposals,
    /// The key was used for another correction, or another movement of a float.
    KeyUsedForOther,
    /// Above the limit both people need a login of their own.
    NeedsOwnLogin,
}

impl MoneyRefusal {
    /// Stable name for metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VendAboveLargest { .. } => "amount-too-large",
            Self::VendBelowSmallest { .. } => "vend-below-smallest",
            Self::VendNoMultiple { .. } => "vend-no-multiple",
            Self::FloatUsedUp { .. } => "float-used-up",
            Self::AgentIsClosed => "agent-is-closed",
            Self::NoSuchAgent => "no-such-agent",
            Self::AgentExists => "agent-exists",
            Self::PersonIsAgents => "person-is-agents",
            Self::NotForAgents => "not-for-agents",
            Self::PercentTooLarge => "percent-too-large",
            Self::NoSuchDebt => "no-such-debt",
            Self::DebtExists => "debt-exists",
            Self::CaseNotConfirmed => "case-not-confirmed",
            Self::CaseAssessedBefore => "case-assessed-before",
            Self::TermsUnusable => "terms-unusable",
            Self::MoreThanOwed => "more-than-owed",
            Self::NothingToDo => "nothing-to-do",
            Self::ReasonUnusable => "reason-unusable",
            Self::NoSuchReceipt => "no-such-receipt",
            Self::ReversedBefore => "reversed-before",
            Self::NoSuchProposal => "no-such-proposal",
            Self::SamePerson => "same-person",
            Self::TooManyProposals => "too-many-proposals",
            Self::KeyUsedForOther => "key-used-for-other",
            Self::NeedsOwnLogin => "needs-own-login",
        }
    }
}

impl fmt::Display for MoneyRefusal {
    /// What is wrong and what to do next, to stand after "failed to …:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VendAboveLargest { largest } => {
                return write!(f, "the amount is above the largest recharge, {largest}");
            }
            Self::VendBelowSmallest { smallest } => {
                return write!(f, "the amount is below the smallest recharge, {smallest}");
            }
            Self::VendNoMultiple { multiple } => {
                return write!(f, "recharges are multiples of {multiple}");
            }
            Self::FloatUsedUp { left } => {
                return write!(
                    f,
                    "the agent's float pays for {left} only; top it up with `agent float`"
                );
            }
            Self::AgentIsClosed => "the agent is closed; open it again with `agent change`",
            Self::NoSuchAgent => "no agent has this name or number; see `agent list`",
            Self::AgentExists => "an agent of this name exists, or there are 100; see `agent list`",
            Self::PersonIsAgents => {
                "the person is another agent's, or the agent has 20 people; see `agent list`"
            }
            Self::NotForAgents => {
                "somebody who vends for an agent may not do this; the supplier does"
            }
            Self::PercentTooLarge => "a percentage is from 0 to 100",
            Self::NoSuchDebt => "no debt of this kind is owed; see `debt list`",
            Self::CaseNotConfirmed => "only a case that was closed as confirmed can be charged",
            Self::CaseAssessedBefore => {
                "this case was charged to these premises before, or waits for a second person"
            }
            Self::DebtExists => {
                "a debt of this kind is owed already; use `debt change` to raise it"
            }
            Self::TermsUnusable => "a debt takes 0 to 100 % of a payment, and no amount below zero",
            Self::MoreThanOwed => "more than is owed; see `debt list`",
            Self::NothingToDo => "an amount of zero and no other terms change nothing",
            Self::ReasonUnusable => "say why, in 1 to 200 bytes without control characters",
            Self::NoSuchReceipt => {
                "no payment of this usage point has this receipt number; see its statement"
            }
            Self::ReversedBefore => "the payment was taken back before",
            Self::NoSuchProposal => "no correction of this number waits; see `correct list`",
            Self::SamePerson => {
                "a correction of this amount needs another person than the one who proposed it"
            }
            Self::KeyUsedForOther => {
                "this key was used for something else; nothing was done, use a new key for a new correction"
            }
            Self::NeedsOwnLogin => {
                "a correction of this amount takes two people, each under a login of their own that may correct accounts; \
                 log in on the page, or as the user of that name"
            }
            Self::TooManyProposals => {
                "20 corrections wait at this usage point; approve or refuse them first"
            }
        })
    }
}

impl core::error::Error for MoneyRefusal {}
