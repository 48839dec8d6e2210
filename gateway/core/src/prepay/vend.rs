//! What a single vend may be, and what it was split into.
//!
//! These rules are for money paid here. A transfer token was paid for where it was sold, under the rules there: of these only the largest
//! balance applies to it, and no debt takes a part of it.

use super::MoneyRefusal;
use crate::Micro;
use crate::agent::AgentId;
use crate::debt::Take;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What a single vend may be besides the largest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VendRules {
    /// Smallest vend; zero: any.
    pub smallest: Micro,
    /// A vend is a multiple of this; zero: any amount.
    pub multiple: Micro,
}

impl VendRules {
    /// Whether a vend of an amount is allowed, with the rule that says no.
    ///
    /// # Errors
    /// The amount is above the largest, below the smallest, or no multiple.
    pub fn allow(&self, amount: Micro, largest: Micro) -> Result<(), MoneyRefusal> {
        if amount > largest {
            return Err(MoneyRefusal::VendAboveLargest { largest });
        }
        if amount < self.smallest {
            let smallest = self.smallest;
            return Err(MoneyRefusal::VendBelowSmallest { smallest });
        }
        let multiple = self.multiple;
        if multiple > Micro::ZERO && amount.0.checked_rem(multiple.0) != Some(0) {
            return Err(MoneyRefusal::VendNoMultiple { multiple });
        }
        Ok(())
    }
}

/// Where a vend's money came from besides the resident's hand, and what of it did not become credit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VendParts {
    /// What went to debts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub debts: Vec<Take>,
    /// The agent whose float it was drawn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentId>,
    /// The agent's commission.
    #[serde(default)]
    pub commission: Micro,
}

impl VendParts {
    /// Whether all of it became credit and no agent made it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What went to debts, all of them.
    #[must_use]
    pub fn to_debts(&self) -> Micro {
        self.debts.iter().map(|take| take.amount).sum()
    }
}
