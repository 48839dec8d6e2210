//! Prepayment rules: what a site, or a class of accounts, grants and asks for.
//!
//! Each noun has a module here with its rules (configuration) and its pure reckoning. Not decided here: when a rule is looked at
//! ([`crate::decide`]) and which class an account belongs to ([`crate::Rules::prepay_of`]).

pub mod allowance;
mod decision;
pub mod emergency;
pub mod friendly;
mod load_limit;
pub mod profile;
mod reconnect;
mod refusal;
pub mod stages;
pub mod stale;
mod vend;

pub(crate) use decision::usable_note;
pub use decision::{PrepayCommand, PrepayDecision};
pub use emergency::{CreditStatus, Emergency, EmergencyRules};
pub use friendly::Friendly;
pub use load_limit::LoadLimit;
pub use reconnect::Reconnect;
pub use refusal::MoneyRefusal;
pub use stages::Stage;
pub use stale::StaleRules;
pub use vend::{VendParts, VendRules};

use crate::correction::CorrectionRules;
use crate::debt::DebtRules;
use crate::rules::Rules;
use crate::supply::{Reason, SupplyOrder};
use crate::tariff::Tariff;
use crate::usage_point::UsagePoint;
use crate::{Micro, UtcSeconds};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use friendly::{Held, Window};
use profile::Profile;
use serde::{Deserialize, Serialize};
use stages::Stages;
use stale::{Hold, Provisional};

/// Rules of a site or of a class of accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrepayRules {
    /// Credit at or below which "low credit" is raised.
    pub low_credit: Micro,
    /// Largest single vend: a slip of the keyboard must not become a fortune.
    pub largest_vend: Micro,
    /// Largest balance an account may hold.
    pub largest_balance: Micro,
    /// When nobody is off because credit is used up.
    pub friendly: Friendly,
    /// What a single vend may be besides that.
    pub vend: VendRules,
    /// How debts are paid back.
    pub debt: DebtRules,
    /// What needs a second person.
    pub correction: CorrectionRules,
    /// Largest power, and what follows beyond it.
    pub load_limit: LoadLimit,
    /// How supplies come back.
    pub reconnect: Reconnect,
    /// What is lent until the next payment.
    pub emergency: EmergencyRules,
    /// At how little credit somebody is told, beside the alarm.
    pub stages: Vec<Stage>,
    /// What is done about missing readings.
    pub stale: StaleRules,
}

impl Default for PrepayRules {
    /// 50.00 low credit, 25,000.00 largest vend (MePDCL's three-phase limit), 1,000,000.00 largest balance; no friendly hours, no
    /// emergency credit, no stages, no provisional charges.
    fn default() -> Self {
        Self {
            low_credit: Micro(50_000_000),
            largest_vend: Micro(25_000_000_000),
            largest_balance: Micro(1_000_000_000_000),
            friendly: Friendly::default(),
            vend: VendRules::default(),
            debt: DebtRules::default(),
            correction: CorrectionRules::default(),
            load_limit: LoadLimit::default(),
            reconnect: Reconnect::default(),
            emergency: EmergencyRules::default(),
            stages: Vec::new(),
            stale: StaleRules::default(),
        }
    }
}

/// What the prepayment rules have made of one account. Journalled state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrepayState {
    /// The supply is on because of friendly hours alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly: Option<Held>,
    /// Emergency credit.
    #[serde(default)]
    pub emergency: Emergency,
    /// Low-credit stages.
    #[serde(default)]
    pub stages: Stages,
    /// What a usual day uses.
    #[serde(default)]
    pub profile: Profile,
    /// What was charged without readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<Provisional>,
    /// No energy is charged until an operator has looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

impl PrepayState {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Provisional charges that have not been posted back.
    #[must_use]
    pub fn provisional(&self) -> Micro {
        self.provisional.map_or(Micro::ZERO, |it| it.amount)
    }

    /// How far below zero the lease reaches: what is lent, and what was taken off the credit provisionally.
    #[must_use]
    pub fn below_zero(&self) -> Micro {
        self.emergency.lent() + self.provisional()
    }

    /// What a node's display says before anything else: a cut is near, or emergency credit has something to say. At most 32 characters.
    #[must_use]
    pub fn urgent_text(&self) -> Option<String> {
        if let Some(cut_at) = self.friendly.and_then(|held| held.noticed) {
            return Some(format!("Credit used up, cut at {cut_at}"));
        }
        self.emergency_text().map(Into::into)
    }

    /// What emergency credit has to say. At most 32 characters.
    #[must_use]
    pub fn emergency_text(&self) -> Option<&'static str> {
        let emergency = match self.emergency.status {
            CreditStatus::Selectable => "Press for emergency credit",
            CreditStatus::InUse => "Emergency credit in use",
            CreditStatus::Exhausted => "Emergency credit used up",
            CreditStatus::Enabled | CreditStatus::Selected => return None,
        };
        Some(emergency)
    }

    /// What a node's display says when there is nothing else: the low-credit stage crossed last. At most 32 characters.
    #[must_use]
    pub fn low_credit_text(&self) -> Option<String> {
        let state = self.stages.current()?;
        Some(format!("Low credit: {} left", state.stage.words()))
    }
}

/// The window in which a usage point's supply is not cut by its credit: friendly hours, or the days of its emergency credit, whichever
/// holds the moment, both as one where they touch; else the next friendly window. What a node is told.
#[must_use]
pub fn window(
    rules: &Rules,
    point: &UsagePoint,
    tariff: Option<&Tariff>,
    at: UtcSeconds,
) -> Option<Window> {
    let is_off = point.supply.reasons.has(Reason::CreditExhausted);
    let has_begun = point.account.settled_to.0 > 0 || !is_off;
    let friendly = rules.friendly_window(tariff, at).filter(|_| has_begun);
    let emergency = point.prepay.emergency;
    let active = emergency.is_active() && emergency.status != CreditStatus::Exhausted;
    let until = emergency.until.filter(|until| active && *until > at);
    let Some(until) = until else { return friendly };
    let since = emergency.since.unwrap_or(at);
    let now = friendly.filter(|window| window.holds(at));
    let after = rules.friendly_window(tariff, until);
    let after = after.filter(|window| window.from <= until);
    let ends = now.into_iter().chain(after).map(|window| window.until);
    Some(Window {
        from: now.map_or(since, |window| window.from.min(since)),
        until: ends.fold(until, UtcSeconds::max),
    })
}

/// Whether the button at a node brings something: emergency credit is offered.
#[must_use]
pub fn press_is_wanted(point: &UsagePoint) -> bool {
    point.prepay.emergency.status == CreditStatus::Selectable
        && point.supply.order == SupplyOrder::Auto
}
