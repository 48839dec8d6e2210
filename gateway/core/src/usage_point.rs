//! The usage point: the premises' connection with its account, meter and switch (IEC 61968 UsagePoint).

use crate::account::Account;
use crate::correction::{Asked, Proposal};
use crate::debt::Debts;
use crate::guard::Guard;
use crate::lease;
use crate::meter_link::FeederPhase;
use crate::metering::{MeterFit, RegisterBreak};
use crate::point_change::{Message, NextTariff};
use crate::prepay::PrepayState;
use crate::question::Question;
use crate::supply::{Directive, Supply, SupplyOrder};
use crate::tariff::{Connection, Phases, SMALLEST_LOAD_W, Tariff};
use crate::{FeederId, Micro, UsagePointId, UtcSeconds, WattHours};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Energy a register showed that nobody could explain; an operator decides whether it is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// Journal number of the decision that set it aside.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// What the register did.
    pub cause: RegisterBreak,
    /// The energy in question.
    pub energy: WattHours,
}

/// The premises' connection. Journalled state: a fold of decisions, nothing measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// Its number.
    pub id: UsagePointId,
    /// What people call it: a flat number, a name.
    pub label: String,
    /// Single or three phase.
    pub phases: Phases,
    /// Largest power the connection can carry, in watts; a register advance beyond it is set aside.
    pub max_power_w: u32,
    /// Sanctioned load, in watts, by which per-kW charges are reckoned; 1 kW until one is set.
    #[serde(
        default = "smallest_load_w",
        skip_serializing_if = "is_smallest_load_w"
    )]
    pub sanctioned_load_w: u32,
    /// The account.
    pub account: Account,
    /// The meter in place, if any.
    pub meter: Option<MeterFit>,
    /// The switch.
    pub supply: Supply,
    /// Largest power the supplier allows, in watts, as a token or a person has set it; zero: that of its class holds.
    #[serde(default, skip_serializing_if = "is_unlimited")]
    pub load_limit_w: u32,
    /// Register advances in dispute.
    #[serde(default)]
    pub disputes: Vec<Dispute>,
    /// What is owed besides the credit.
    #[serde(default, skip_serializing_if = "Debts::is_empty")]
    pub debts: Debts,
    /// Corrections that wait for a second person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<Proposal>,
    /// Corrections that were asked for with a key, the last ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Questions of its resident, the open ones and the last answered ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// The feeder's phase it hangs on, as somebody set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeder_phase: Option<FeederPhase>,
    /// The tariff its account goes over to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_tariff: Option<NextTariff>,
    /// What its resident is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// The feeder it hangs on, as somebody set it; where there is one feeder meter nobody needs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feeder: Option<FeederId>,
    /// What guards its supply besides credit and orders.
    #[serde(default, skip_serializing_if = "Guard::is_empty")]
    pub guard: Guard,
    /// What the prepayment rules have made of its account.
    #[serde(default, skip_serializing_if = "PrepayState::is_empty")]
    pub prepay: PrepayState,
}

fn smallest_load_w() -> u32 {
    SMALLEST_LOAD_W
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_smallest_load_w(load_w: &u32) -> bool {
    *load_w == SMALLEST_LOAD_W
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
fn is_unlimited(watts: &u32) -> bool {
    *watts == 0
}

impl UsagePoint {
    /// What a tariff needs to know of it.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection {
            phases: self.phases,
            load_w: self.sanctioned_load_w,
        }
    }

    /// The largest register of the usage point its credit pays for.
    #[must_use]
    pub fn affordable(&self, tariff: &Tariff) -> WattHours {
        let below = self.prepay.below_zero();
        lease::affordable_register(&self.account, tariff, self.connection(), below)
    }

    /// Whether a register has reached what the credit pays for: the same as comparing it with
    /// [`Self::affordable`], without the search.
    #[must_use]
    pub fn is_used_up(&self, tariff: &Tariff, register: WattHours) -> bool {
        let below = self.prepay.below_zero();
        lease::is_used_up(&self.account, tariff, self.connection(), register, below)
    }

    /// Whether the credit itself, without anything lent, pays for nothing beyond a register.
    #[must_use]
    pub fn is_without_credit(&self, tariff: &Tariff, register: WattHours) -> bool {
        let below = self.prepay.provisional();
        lease::is_used_up(&self.account, tariff, self.connection(), register, below)
    }

    /// Credit left at a register value.
    #[must_use]
    pub fn available(&self, tariff: &Tariff, register: WattHours) -> Micro {
        self.account.available(tariff, self.connection(), register)
    }

    /// The usage point's register for its meter's raw value; the settled register if there is no meter or the
    /// value lies before the fit.
    #[must_use]
    pub fn register_for(&self, raw: Option<WattHours>) -> WattHours {
        let point = raw.and_then(|raw| self.meter.and_then(|fit| fit.to_point(raw)));
        point
            .unwrap_or(self.account.settled_to)
            .max(self.account.settled_to)
    }

    /// What the node is to do until told otherwise; `None` without a meter.
    #[must_use]
    pub fn directive(&self, tariff: &Tariff) -> Option<Directive> {
        let fit = self.meter?;
        let cutoff = fit.to_raw(self.supplied_until(tariff));
        let text = match self.supply.order {
            SupplyOrder::Off => "Switched off by supplier".into(),
            SupplyOrder::On | SupplyOrder::Auto => {
                let message = || self.message.as_ref().map(|message| message.text.clone());
                let low = || self.prepay.low_credit_text();
                let urgent = self.prepay.urgent_text();
                urgent.or_else(message).or_else(low).unwrap_or_default()
            }
        };
        // In shadow nothing is cut but what a person ordered off.
        let order = match self.supply.order {
            SupplyOrder::Auto if self.supply.shadow => SupplyOrder::On,
            order => order,
        };
        Some(Directive {
            order,
            cutoff,
            load_limit_w: if self.supply.shadow {
                0
            } else {
                self.load_limit_w
            },
            press_to_reconnect: false,
            text,
        })
    }
}
