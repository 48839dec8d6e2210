//! Emergency credit (COSEM credit type 2, SMETS2 4.2 rule 3): a loan that carries an account over the time until its next payment.
//!
//! It is an amount, or days. Of an amount the credit may become negative by that much; the lease reaches to the last watt-hour of
//! it, gateway alive or dead. In days the supply stays on whatever is used until they are over, and nodes are told that as a
//! window ([`crate::prepay::window`]), like friendly hours. It is a loan inside the account: what is used of it is the credit below
//! zero, so no money moves when it is granted, used or repaid, and there is nothing to post. A payment raises the credit, and with
//! that repays it before anything can be used again.
//!
//! Terms (COSEM credit status): *enabled*: not offered; *selectable*: offered; *selected*: activated and not needed yet; *in use*: the
//! credit is below zero; *exhausted*: used up. *Granted*: how far below zero the credit may still go; each repayment takes as
//! much off it, so that a part payment lowers the debt and lends nothing anew.
//!
//! Invariants: what is granted never rises but by an activation; it is offered again only when all of it was repaid.

use crate::{Micro, UtcSeconds};
use serde::{Deserialize, Serialize};

/// What a site or class lends. Neither limit nor days: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EmergencyRules {
    /// How much.
    pub limit: Micro,
    /// For how many days instead, from the activation or, if that is later, from the end of the credit.
    pub days: u16,
    /// It is offered when the credit is at or below this, or used up.
    pub threshold: Micro,
    /// Whether it is activated without anybody asking: an amount when it is offered, days when the credit is used up.
    pub automatic: bool,
}

impl EmergencyRules {
    /// Whether anything is lent.
    #[must_use]
    pub fn lends(&self) -> bool {
        self.limit > Micro::ZERO || self.days > 0
    }

    /// When days that begin at a moment are over; nothing if an amount is lent.
    #[must_use]
    pub fn until(&self, from: UtcSeconds) -> Option<UtcSeconds> {
        let seconds = i64::from(self.days) * 86_400;
        (self.days > 0).then(|| UtcSeconds(from.0.saturating_add(seconds)))
    }
}

/// Where an account's emergency credit stands (COSEM credit status 0 to 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreditStatus {
    /// Not offered.
    #[default]
    Enabled,
    /// Offered; an activation is awaited.
    Selectable,
    /// Activated; there is still credit.
    Selected,
    /// The credit is below zero.
    InUse,
    /// Used up.
    Exhausted,
}

impl CreditStatus {
    /// Words for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Enabled => "not offered",
            Self::Selectable => "offered",
            Self::Selected => "activated, not needed yet",
            Self::InUse => "in use",
            Self::Exhausted => "used up",
        }
    }
}

/// An account's emergency credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Emergency {
    /// Where it stands.
    pub status: CreditStatus,
    /// How far below zero the credit may go; as offered, until it is activated.
    pub granted: Micro,
    /// When its days are over, if it is days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcSeconds>,
    /// When it was activated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<UtcSeconds>,
    /// Its days begin when the clock is known.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub waits_for_clock: bool,
    /// Somebody took it back: it is not offered until the credit has been above the threshold or what is owed was repaid.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub revoked: bool,
}

impl Emergency {
    /// Whether it has been activated and not been repaid.
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(
            self.status,
            CreditStatus::Enabled | CreditStatus::Selectable
        )
    }

    /// How far below zero the lease reaches.
    #[must_use]
    pub fn lent(&self) -> Micro {
        if self.is_active() {
            self.granted
        } else {
            Micro::ZERO
        }
    }
}

/// What of a payment repays emergency credit that is owed, and what is owed after it.
#[must_use]
pub fn repayment(owed: Micro, payment: Micro) -> (Micro, Micro) {
    let repaid = payment.min(owed).max(Micro::ZERO);
    (repaid, owed - repaid)
}
