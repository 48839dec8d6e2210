//! What the prepayment rules decide about one account, and what people ask of them.

use super::friendly::Held;
use super::stages::Stage;
use super::stale::{Hold, Provisional};
use super::{CreditStatus, Emergency, PrepayState};
use crate::ledger::{LedgerAccount, Posting};
use crate::metering::MeterFit;
use crate::refusal::Refusal;
use crate::tariff::TimeOfDay;
use crate::{Micro, UsagePointId, UtcSeconds, WattHours};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What has become true of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum PrepayDecision {
    /// The credit is used up and the supply stays on until friendly hours end.
    FriendlyHeld {
        /// When they end.
        until: UtcSeconds,
    },
    /// The supply is going to be cut at the end of friendly hours.
    FriendlyNotice {
        /// When.
        until: UtcSeconds,
        /// The same in the site's local time.
        cut_at: TimeOfDay,
    },
    /// Friendly hours keep nothing on any more: they are over, or there is credit.
    FriendlyOver,
    /// Emergency credit is offered.
    EmergencyOffered {
        /// How much; zero if it is days.
        limit: Micro,
    },
    /// Emergency credit is activated.
    EmergencyActivated {
        /// How far below zero the credit may go.
        limit: Micro,
        /// When its days are over, if it is days.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<UtcSeconds>,
        /// Who; `automatic` if nobody.
        by: String,
    },
    /// The credit is below zero, and emergency credit goes on from there.
    EmergencyInUse {
        /// When its days are over, if it is days.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<UtcSeconds>,
        /// Its days begin when the clock is known: it was not then.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        waits_for_clock: bool,
    },
    /// Emergency credit is used up.
    EmergencyExhausted,
    /// Emergency credit was repaid, or what was used of it came back.
    EmergencyRepaid {
        /// How much of the payment before.
        amount: Micro,
        /// How much is still owed; none: it can be offered again.
        left: Micro,
    },
    /// Emergency credit was taken back by somebody: no more of it can be used than was.
    EmergencyRevoked {
        /// What is owed of it; none: it is offered again only after the credit was above the threshold.
        owed: Micro,
        /// Who.
        by: String,
    },
    /// Emergency credit that was not used is no longer offered or activated: there is credit again.
    EmergencyWithdrawn,
    /// Low-credit stages are armed.
    StagesArmed {
        /// Which.
        stages: Vec<Stage>,
        /// What a recharge has brought the credit to, if one has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<Micro>,
    },
    /// The credit has fallen to a low-credit stage.
    StageCrossed {
        /// Which.
        stage: Stage,
        /// Credit left.
        left: Micro,
        /// The same for people, for example `3 days left: 120.50`.
        words: String,
    },
    /// A provisional charge for hours without a reading.
    ProvisionalCharged {
        /// Hours without a reading so far.
        hours: u32,
        /// Energy of the profile in them.
        energy: WattHours,
        /// What this charge adds.
        amount: Micro,
    },
    /// All provisional charges since the last reading are posted back.
    ProvisionalReversed {
        /// How much.
        amount: Micro,
    },
    /// No energy is charged from now on: the register went backwards.
    HoldPlaced {
        /// The usage point's register.
        register: WattHours,
    },
    /// Energy is charged again.
    HoldCleared {
        /// What was found out.
        note: String,
        /// Whether what the meter has counted since is charged.
        charged: bool,
        /// The meter's mapping after it, if it is let go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fit: Option<MeterFit>,
        /// Who.
        by: String,
    },
}

impl PrepayDecision {
    /// The movements of money it makes at a usage point.
    #[must_use]
    pub fn postings(&self, usage_point: UsagePointId) -> Vec<Posting> {
        let credit = LedgerAccount::Credit(usage_point);
        let provisional = LedgerAccount::Provisional(usage_point);
        let (from, to, amount) = match self {
            Self::ProvisionalCharged { amount, .. } => (credit, provisional, *amount),
            Self::ProvisionalReversed { amount } => (provisional, credit, *amount),
            _ => return Vec::new(),
        };
        alloc::vec![Posting { from, to, amount }]
    }
}

impl PrepayState {
    /// Makes a decision true, apart from the balance and the meter's mapping.
    pub fn apply(&mut self, number: u64, at: UtcSeconds, decision: &PrepayDecision) {
        match decision {
            PrepayDecision::FriendlyHeld { until } => {
                let (until, noticed) = (*until, None);
                self.friendly = Some(Held { until, noticed });
            }
            PrepayDecision::FriendlyNotice { until, cut_at } => {
                let (until, noticed) = (*until, Some(*cut_at));
                self.friendly = Some(Held { until, noticed });
            }
            PrepayDecision::FriendlyOver => self.friendly = None,
            PrepayDecision::StagesArmed { stages, base } => {
                self.stages.base = base.unwrap_or(self.stages.base);
                stages.iter().for_each(|stage| self.stages.arm(*stage));
            }
            PrepayDecision::StageCrossed { stage, left, .. } => self.stages.cross(*stage, *left),
            PrepayDecision::ProvisionalCharged {
                hours,
                energy,
                amount,
            } => {
                let before = self.provisional.unwrap_or_default();
                self.provisional = Some(Provisional {
                    hours: *hours,
                    energy: *energy,
                    amount: before.amount + *amount,
                });
            }
            PrepayDecision::ProvisionalReversed { .. } => self.provisional = None,
            PrepayDecision::HoldPlaced { register } => {
                let register = *register;
                self.hold = Some(Hold {
                    number,
                    at,
                    register,
                });
            }
            PrepayDecision::HoldCleared { .. } => self.hold = None,
            _ => self.apply_emergency(at, decision),
        }
    }

    fn apply_emergency(&mut self, at: UtcSeconds, decision: &PrepayDecision) {
        let emergency = &mut self.emergency;
        match decision {
            PrepayDecision::EmergencyOffered { limit } => {
                emergency.status = CreditStatus::Selectable;
                (emergency.granted, emergency.until) = (*limit, None);
            }
            PrepayDecision::EmergencyActivated { limit, until, .. } => {
                (emergency.status, emergency.since) = (CreditStatus::Selected, Some(at));
                (emergency.granted, emergency.until) = (*limit, *until);
            }
            PrepayDecision::EmergencyInUse {
                until,
                waits_for_clock,
            } => {
                emergency.status = CreditStatus::InUse;
                (emergency.until, emergency.waits_for_clock) = (*until, *waits_for_clock);
            }
            PrepayDecision::EmergencyRevoked { owed, .. } => {
                *emergency = Emergency {
                    status: match *owed {
                        Micro::ZERO => CreditStatus::Enabled,
                        _ => CreditStatus::Exhausted,
                    },
                    granted: *owed,
                    since: emergency.since,
                    revoked: true,
                    until: None,
                    waits_for_clock: false,
                };
            }
            PrepayDecision::EmergencyExhausted => emergency.status = CreditStatus::Exhausted,
            PrepayDecision::EmergencyRepaid {
                left: Micro::ZERO, ..
            }
            | PrepayDecision::EmergencyWithdrawn => *emergency = Emergency::default(),
            PrepayDecision::EmergencyRepaid { amount, .. } => {
                emergency.granted = (emergency.granted - *amount).max(Micro::ZERO);
            }
            _ => {}
        }
    }
}

/// What people ask of the prepayment rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum PrepayCommand {
    /// Activate emergency credit that is offered.
    ActivateEmergency {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who; `button` at the node.
        by: String,
    },
    /// Take back emergency credit that is offered or activated. What was used of it stays owed.
    WithdrawEmergency {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who.
        by: String,
    },
    /// Charge energy again after a register went backwards.
    ClearHold {
        /// The usage point.
        usage_point: UsagePointId,
        /// What was found out.
        note: String,
        /// Whether what the meter has counted since is charged.
        charge: bool,
        /// Who.
        by: String,
    },
}

impl PrepayCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::ActivateEmergency { by, .. }
            | Self::WithdrawEmergency { by, .. }
            | Self::ClearHold { by, .. } => *by = who.into(),
        }
        self
    }

    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::ActivateEmergency { by, .. }
            | Self::WithdrawEmergency { by, .. }
            | Self::ClearHold { by, .. } => by,
        }
    }
}

/// A note of an operator, as long as a case's.
pub(crate) fn usable_note(note: &str) -> Result<(), Refusal> {
    let bad = note.trim().is_empty()
        || note.len() > crate::case::LONGEST_NOTE
        || note.chars().any(char::is_control);
    if bad {
        Err(Refusal::NoteUnusable)
    } else {
        Ok(())
    }
}
