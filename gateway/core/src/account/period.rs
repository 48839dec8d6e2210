//! The billing period an account is in, and what becomes of it when another tariff version takes over.
//!
//! Decided here: which of a period's use is priced by which version. Not decided here: when a version takes over
//! ([`crate::decide`]).

use super::Account;
use crate::calendar::{BillingPeriod, LocalDay};
use crate::rating::{self, BlockShare, Charges, Usage};
use crate::tariff::Tariff;
use crate::tariff::bands::Bands;
use crate::{Micro, WattHours};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What is left of a billing period after it was cut at a register, because another version took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its first day.
    pub first: LocalDay,
    /// Energy settled in the period before the cut.
    #[serde(default)]
    pub energy_before: WattHours,
    /// What was charged in the period before the cut.
    #[serde(default)]
    pub charged_before: Charges,
}

/// The version that priced the beginning of a period whose units are split by days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its prices.
    pub tariff: Box<Tariff>,
    /// The last day it is in force.
    pub last: LocalDay,
}

/// How another version takes over in the period in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Change {
    /// It prices the whole period.
    Period,
    /// The period is cut: what was settled is final, and what is left of it from this day on is priced alone.
    AtRegister {
        /// First day of what is left.
        day: LocalDay,
    },
    /// The period's units are split by average per day.
    ByDays {
        /// The version before.
        earlier: Earlier,
    },
}

/// The billing period an account is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The part of `energy` that was used in bands.
    #[serde(default, skip_serializing_if = "Bands::is_empty")]
    pub bands: Bands,
    /// If the period was cut: what is left of it. Energy, bands and charged begin at the cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// If the units are split by days: the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Energy charge of the period before, if this one's fuel adjustment is taken on it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub previous_energy: Micro,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(amount: &Micro) -> bool {
    *amount == Micro::ZERO
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
            bands: Bands::default(),
            part: None,
            earlier: None,
            previous_energy: Micro::ZERO,
        }
    }

    /// First day of the period, or of what is left of it after a cut.
    #[must_use]
    pub fn first(&self) -> LocalDay {
        self.part.map_or(self.period.first, |part| part.first)
    }

    /// Energy settled and what was charged in the whole period, before a cut and after it.
    #[must_use]
    pub fn settled(&self) -> (WattHours, Charges) {
        match self.part {
            None => (self.energy, self.charged),
            Some(part) => (
                part.energy_before.saturating_add(self.energy),
                part.charged_before + self.charged,
            ),
        }
    }

    /// Days from a day through another, none if that is earlier.
    pub(super) fn days(first: LocalDay, last: LocalDay) -> u16 {
        let days = i64::from(last.0) - i64::from(first.0) + 1;
        u16::try_from(days).unwrap_or(0)
    }
}

impl Account {
    /// What a use of this period costs, by component: with the version before for its days, if the units are split.
    #[must_use]
    pub fn cost(&self, tariff: &Tariff, usage: &Usage) -> Charges {
        match self.split(usage) {
            None => rating::cost(tariff, usage),
            Some((earlier, [before, after])) => {
                rating::cost(earlier, &before) + rating::cost(tariff, &after)
            }
        }
    }

    /// The energy charge of a use of this period by block, each with the id of the version that prices it; together the
    /// energy component of [`Account::cost`].
    #[must_use]
    pub fn energy_by_block(&self, tariff: &Tariff, usage: &Usage) -> Vec<(String, BlockShare)> {
        let of = |tariff: &Tariff, usage: &Usage| {
            let shares = rating::energy_by_block(tariff, usage).into_iter();
            let id = tariff.id.clone();
            shares.map(move |share| (id.clone(), share))
        };
        match self.split(usage) {
            None => of(tariff, usage).collect(),
            Some((earlier, [before, after])) => {
                of(earlier, &before).chain(of(tariff, &after)).collect()
            }
        }
    }

    /// The use before and after the change of version, if the units are split by days, with the version before.
    fn split(&self, usage: &Usage) -> Option<(&Tariff, [Usage; 2])> {
        let earlier = self.period.earlier.as_ref()?;
        let (due_from, last) = (self.period.due_from, self.period.period.last());
        let days_before = OpenPeriod::days(due_from, earlier.last);
        let days = OpenPeriod::days(due_from, last).max(1);
        // Average per day times the days before the change, rounded half up to the watt-hour; the rest comes after it.
        let share = |wh: u64| {
            let part = u128::from(wh) * u128::from(days_before) + u128::from(days) / 2;
            u64::try_from(part / u128::from(days)).unwrap_or(u64::MAX)
        };
        let rest = usage.energy.since(usage.bands.total()).unwrap_or_default();
        let bands = usage.bands.map(share);
        let energy = WattHours(share(rest.0)).saturating_add(bands.total());
        let before = Usage {
            energy,
            bands,
            days_due: usage.days_due.min(days_before),
            block_days: OpenPeriod::days(self.period.first(), earlier.last),
            ..*usage
        };
        let after = Usage {
            energy: usage.energy.since(energy).unwrap_or_default(),
            bands: usage.bands.map(|wh| wh - share(wh)),
            days_due: usage.days_due.saturating_sub(days_before),
            block_days: OpenPeriod::days(LocalDay(earlier.last.0.saturating_add(1)), last),
            ..*usage
        };
        Some((&earlier.tariff, [before, after]))
    }

    /// Goes over to another version of the tariff, in the way and at the day that was decided.
    pub fn change(&mut self, to: &str, how: &Change, band: u8) {
        self.tariff = to.into();
        self.band = band;
        match how {
            Change::Period => {}
            Change::ByDays { earlier } => self.period.earlier = Some(earlier.clone()),
            Change::AtRegister { day } => {
                let closed = self.period.part;
                let (energy, charged) = closed.map_or((WattHours(0), Charges::default()), |part| {
                    (part.energy_before, part.charged_before)
                });
                let part = Part {
                    first: *day,
                    energy_before: energy.saturating_add(self.period.energy),
                    charged_before: charged + self.period.charged,
                };
                self.period = OpenPeriod {
                    part: Some(part),
                    previous_energy: self.period.previous_energy,
                    ..OpenPeriod::starting(self.period.period, *day)
                };
            }
        }
    }
}
