//! Accounts and settlements (COSEM payment model, classes 111 to 113).
//!
//! Between settlements an account's live credit is a pure function of its last settlement and the register:
//! `available = balance − (cost(now) − charged)`. A *settlement* turns the open part into postings. Settling twice, or in
//! more steps, or never until the end of the period, charges the same total.
//!
//! Decided here: what a settlement contains, how a billing period ends, and what is left of one in which another tariff
//! version took over. Not decided here: when to settle ([`crate::decide`]), what energy costs ([`crate::rating`]).
//!
//! Terms: *through day*: the last day whose fixed charge is in what was charged; *charged*: what this period's
//! settlements have taken so far, by component; *part*: what is left of a period after a cut; *band*: a time of day
//! ([`crate::tariff::bands`]); the advance since the last settlement belongs to the account's band.

mod period;

pub use period::{Change, Earlier, OpenPeriod, Part};

use crate::calendar::{BillingPeriod, Calendar, LocalDay};
use crate::rating::{Charges, Component, Usage};
use crate::tariff::bands::Bands;
use crate::tariff::{Connection, Tariff};
use crate::{Micro, WattHours};
use alloc::string::String;
use serde::{Deserialize, Serialize};

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_none(energy: &WattHours) -> bool {
    energy.0 == 0
}

/// The day of a clock that was never right: 1970-01-01.
pub(crate) const NO_DAY: LocalDay = LocalDay(0);

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
    /// The band since the last settlement; 0 outside every band.
    #[serde(default, skip_serializing_if = "is_rest_of_time")]
    pub band: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_rest_of_time(band: &u8) -> bool {
    *band == 0
}

/// A register to settle to, with the part of the advance that belongs to bands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// The usage point's register.
    pub register: WattHours,
    /// What of the advance was used in which band.
    pub bands: Bands,
    /// At most this much energy may stand in a wrong band, or on the wrong side of a change: the advance between the two
    /// registers known around each moment that had to be split in proportion to time.
    pub uncertain: WattHours,
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
    /// First day of that period the fixed charge is due for, if it is not the period's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_from: Option<LocalDay>,
    /// The part of the advance that was used in bands.
    #[serde(default, skip_serializing_if = "Bands::is_empty")]
    pub bands: Bands,
    /// The band that begins after it, if another one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<u8>,
    /// See [`Advance::uncertain`]; the energy in total is exact.
    #[serde(default, skip_serializing_if = "is_none")]
    pub uncertain: WattHours,
    /// Energy charge of the period it closes, if the tariff takes a fuel adjustment on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_energy: Option<Micro>,
    /// Whether it ends a day whose meter was heard at its end, so that the day's energy is known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub heard: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
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
            band: 0,
        }
    }

    /// An advance to a register with all of it in the account's band; to the settled register if that is later.
    #[must_use]
    pub fn advance_to(&self, register: WattHours) -> Advance {
        let register = register.max(self.settled_to);
        let energy = register.since(self.settled_to).unwrap_or_default();
        Advance {
            register,
            bands: Bands::all_in(self.band, energy),
            uncertain: WattHours(0),
        }
    }

    /// The period (or what is left of it after a cut) up to an advance and a day.
    #[must_use]
    pub fn usage_at(&self, connection: Connection, advance: &Advance, through: LocalDay) -> Usage {
        let open = &self.period;
        let pending = advance.register.since(self.settled_to).unwrap_or_default();
        let whole = open.period.days;
        let block_days = OpenPeriod::days(open.first(), open.period.last());
        Usage {
            energy: open.energy.saturating_add(pending),
            days_due: OpenPeriod::days(open.due_from, through),
            period_days: whole,
            block_days: if block_days == whole { 0 } else { block_days },
            phases: connection.phases,
            load_w: connection.load_w,
            bands: open.bands.plus(advance.bands),
            month: open.period.first.month(),
            previous_energy: open.previous_energy,
        }
    }

    /// What the period costs up to a register value and a day, by component.
    #[must_use]
    pub fn cost_at(
        &self,
        tariff: &Tariff,
        connection: Connection,
        register: WattHours,
        through: LocalDay,
    ) -> Charges {
        let usage = self.usage_at(connection, &self.advance_to(register), through);
        self.cost(tariff, &usage)
    }

    /// Charge for the advance since the last settlement, not yet posted.
    #[must_use]
    pub fn pending(&self, tariff: &Tariff, connection: Connection, register: WattHours) -> Micro {
        let cost = self.cost_at(tariff, connection, register, self.period.through);
        (cost - self.period.charged).total()
    }

    /// Credit left at a register value (COSEM `available_credit`).
    #[must_use]
    pub fn available(&self, tariff: &Tariff, connection: Connection, register: WattHours) -> Micro {
        self.balance - self.pending(tariff, connection, register)
    }

    /// The settlement that brings the account to a register and a day; `None` if there is nothing to settle.
    ///
    /// When the day lies beyond the period, the settlement closes the period, with the energy known so far, and opens the next one;
    /// call again until it returns `None`. Days and registers before the last settlement settle nothing.
    #[must_use]
    pub fn settle(
        &self,
        tariff: &Tariff,
        connection: Connection,
        calendar: Calendar,
        advance: &Advance,
        today: LocalDay,
    ) -> Option<Settlement> {
        let open = &self.period;
        let closes = today > open.period.last();
        let through = if closes {
            open.period.last()
        } else {
            today.max(open.through)
        };
        let mut settlement = self.settlement(tariff, connection, advance, through);
        let nothing = settlement.energy.0 == 0 && settlement.charges.is_zero();
        if !closes && nothing && through == open.through {
            return None;
        }
        if closes {
            let next = calendar.period_from(open.period.first_of_next());
            let is_taken_on_it = |entry: &crate::tariff::FuelAdjustment| {
                entry.percent_of_previous_energy != Micro::ZERO
            };
            settlement.opens = Some(next);
            settlement.previous_energy = tariff
                .fuel_adjustment
                .iter()
                .any(is_taken_on_it)
                .then(|| (open.settled().1 + settlement.charges)[Component::Energy]);
        }
        Some(settlement)
    }

    /// Whether it was opened before the clock was ever right: none of its days so far is one.
    #[must_use]
    pub fn knows_no_day(&self) -> bool {
        self.period.due_from <= NO_DAY
    }

    /// The settlement of what was used before any day was known; days are due from today on.
    #[must_use]
    pub fn begin_days(
        &self,
        tariff: &Tariff,
        connection: Connection,
        calendar: Calendar,
        advance: &Advance,
        today: LocalDay,
    ) -> Settlement {
        let through = self.period.through;
        Settlement {
            opens: Some(calendar.period_of(today)),
            due_from: Some(today),
            ..self.settlement(tariff, connection, advance, through)
        }
    }

    /// The settlement of the advance alone, with which another band begins.
    #[must_use]
    pub fn begin_band(
        &self,
        tariff: &Tariff,
        connection: Connection,
        advance: &Advance,
        band: u8,
    ) -> Settlement {
        let through = self.period.through;
        Settlement {
            band: Some(band),
            ..self.settlement(tariff, connection, advance, through)
        }
    }

    /// The settlement with which a part of the period ends the day before `next`, its blocks as wide as its days.
    #[must_use]
    pub fn end_part(
        &self,
        tariff: &Tariff,
        connection: Connection,
        advance: &Advance,
        next: LocalDay,
    ) -> Settlement {
        let last = LocalDay(next.0.saturating_sub(1));
        let through = last.max(self.period.through);
        let usage = Usage {
            block_days: OpenPeriod::days(self.period.first(), last),
            ..self.usage_at(connection, advance, through)
        };
        Settlement {
            charges: self.cost(tariff, &usage) - self.period.charged,
            ..self.settlement(tariff, connection, advance, through)
        }
    }

    fn settlement(
        &self,
        tariff: &Tariff,
        connection: Connection,
        advance: &Advance,
        through: LocalDay,
    ) -> Settlement {
        let usage = self.usage_at(connection, advance, through);
        Settlement {
            settled_to: advance.register,
            energy: advance.register.since(self.settled_to).unwrap_or_default(),
            through,
            charges: self.cost(tariff, &usage) - self.period.charged,
            opens: None,
            due_from: None,
            bands: advance.bands,
            band: None,
            uncertain: advance.uncertain,
            previous_energy: None,
            heard: false,
        }
    }

    /// Carries out a settlement.
    pub fn apply(&mut self, settlement: &Settlement) {
        self.balance -= settlement.charges.total();
        self.settled_to = settlement.settled_to;
        self.band = settlement.band.unwrap_or(self.band);
        match settlement.opens {
            Some(next) => {
                let due_from = settlement.due_from.unwrap_or(next.first);
                self.period = OpenPeriod::starting(next, due_from);
                self.period.previous_energy = settlement.previous_energy.unwrap_or_default();
            }
            None => {
                self.period.energy = self.period.energy.saturating_add(settlement.energy);
                self.period.bands = self.period.bands.plus(settlement.bands);
                self.period.charged += settlement.charges;
                self.period.through = settlement.through;
            }
        }
    }
}
