//! Accounts and settlements (COSEM payment model, classes 111 to 113).
//!
//! Between settlements an account's live credit is a pure function of its last settlement and the register:
//! `available = balance − (cost(now) − charged)`. A *settlement* turns the open part into postings. Settling twice, or in
//! more steps, or never until the end of the period, charges the same total.
//!
//! Decided here: what a settlement contains, and how a billing period ends. Not decided here: when to settle
//! ([`crate::decide`]), what energy costs ([`crate::rating`]).
//!
//! Terms: *through day*: the last day whose fixed charge is in what was charged; *charged*: what this period's
//! settlements have taken so far, by component.

use crate::calendar::{BillingPeriod, Calendar, LocalDay};
use crate::rating::{self, Charges, Usage};
use crate::tariff::{Phases, Tariff};
use crate::{Micro, WattHours};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// The billing period an account is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPeriod {
    /// The calendar's period.
    #[serde(flatten)]
    pub period: BillingPeriod,
    /// First day the fixed charge is due for: the period's first, or the day the account was opened.
    pub due_from: LocalDay,
    /// Last day whose fixed charge has been charged; the day before `due_from` if none has.
    pub through: LocalDay,
    /// Energy settled in this period.
    pub energy: WattHours,
    /// What this period's settlements have charged.
    pub charged: Charges,
}

impl OpenPeriod {
    /// A period with nothing charged yet, due from a day inside it.
    #[must_use]
    pub fn starting(period: BillingPeriod, due_from: LocalDay) -> Self {
        let due_from = due_from.max(period.first);
        Self {
            period,
            due_from,
            through: LocalDay(due_from.0.saturating_sub(1)),
            energy: WattHours(0),
            charged: Charges::default(),
        }
    }

    fn days_due(&self, through: LocalDay) -> u16 {
        let days = i64::from(through.0) - i64::from(self.due_from.0) + 1;
        u16::try_from(days).unwrap_or(0)
    }
}

/// A prepaid account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The tariff it is charged by.
    pub tariff: String,
    /// Credit after the last settlement; negative is a debt.
    pub balance: Micro,
    /// The billing period in progress.
    pub period: OpenPeriod,
    /// The usage point's register at the last settlement.
    pub settled_to: WattHours,
}

/// The closing of an interval of register advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The usage point's register up to which energy is settled.
    pub settled_to: WattHours,
    /// The advance it settles.
    pub energy: WattHours,
    /// The day through which the fixed charge is settled.
    pub through: LocalDay,
    /// What it charges, by component.
    pub charges: Charges,
    /// The period that begins after it, if it closes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<BillingPeriod>,
}

impl Account {
    /// A new account with no credit, opened on a day.
    #[must_use]
    pub fn open(tariff: String, period: BillingPeriod, day: LocalDay, register: WattHours) -> Self {
        Self {
            tariff,
            balance: Micro::ZERO,
            period: OpenPeriod::starting(period, day),
            settled_to: register,
        }
    }

    /// What the period costs up to a register value and a day, by component.
    #[must_use]
    pub fn cost_at(
        &self,
        tariff: &Tariff,
        phases: Phases,
        register: WattHours,
        through: LocalDay,
    ) -> Charges {
        let pending = register.since(self.settled_to).unwrap_or_default();
        let usage = Usage {
            energy: self.period.energy.saturating_add(pending),
            days_due: self.period.days_due(through),
            period_days: self.period.period.days,
            phases,
        };
        rating::cost(tariff, &usage)
    }

    /// Charge for the advance since the last settlement, not yet posted.
    #[must_use]
    pub fn pending(&self, tariff: &Tariff, phases: Phases, register: WattHours) -> Micro {
        let cost = self.cost_at(tariff, phases, register, self.period.through);
        (cost - self.period.charged).total()
    }

    /// Credit left at a register value (COSEM `available_credit`).
    #[must_use]
    pub fn available(&self, tariff: &Tariff, phases: Phases, register: WattHours) -> Micro {
        self.balance - self.pending(tariff, phases, register)
    }

    /// The settlement that brings the account to a register value and a day; `None` if there is nothing to settle.
    ///
    /// When the day lies beyond the period, the settlement closes the period, with the energy known so far, and opens the next one;
    /// call again until it returns `None`. Days and registers before the last settlement settle nothing.
    #[must_use]
    pub fn settle(
        &self,
        tariff: &Tariff,
        phases: Phases,
        calendar: Calendar,
        register: WattHours,
        today: LocalDay,
    ) -> Option<Settlement> {
        let open = &self.period;
        let register = register.max(self.settled_to);
        let closes = today > open.period.last();
        let through = if closes {
            open.period.last()
        } else {
            today.max(open.through)
        };
        let charges = self.cost_at(tariff, phases, register, through) - open.charged;
        let energy = register.since(self.settled_to).unwrap_or_default();
        if !closes && energy.0 == 0 && through == open.through && charges.is_zero() {
            return None;
        }
        let opens = closes.then(|| calendar.period_of(open.period.first_of_next()));
        Some(Settlement {
            settled_to: register,
            energy,
            through,
            charges,
            opens,
        })
    }

    /// Carries out a settlement.
    pub fn apply(&mut self, settlement: &Settlement) {
        self.balance -= settlement.charges.total();
        self.settled_to = settlement.settled_to;
        match settlement.opens {
            Some(next) => self.period = OpenPeriod::starting(next, next.first),
            None => {
                self.period.energy = self.period.energy.saturating_add(settlement.energy);
                self.period.charged += settlement.charges;
                self.period.through = settlement.through;
            }
        }
    }
}
