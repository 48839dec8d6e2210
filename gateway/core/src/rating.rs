//! What a billing period's energy costs so far.
//!
//! A tariff is a function *cost(period so far)*: it prices the total, never the step. Rounding happens once per
//! component, half away from zero to the micro-unit, on the period's total; a charge is the difference between two such totals, so
//! any split into readings adds up to the same bill.
//!
//! Example: 250 kWh in 30 days on MSEDCL LT-I(B) 2026-27, single phase: energy 2,016.00, wheeling 400.00, fixed
//! 130.00, duty 407.36, together 2,953.36.
//!
//! Invariant: by a tariff that [`Tariff::check`] finds sound the cost never falls when energy or days grow, but for less than
//! a micro-unit of each component's rounding, until a component stops at [`LARGEST_COST`]; from there on it is at least that.

use crate::tariff::{BlockProration, FixedProration, Phases, Tariff};
use crate::{Micro, WattHours};
use alloc::collections::BTreeMap;
use core::ops::{Add, AddAssign, Index, Sub};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A line of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Energy blocks.
    Energy,
    /// Wheeling, per unit of energy.
    Wheeling,
    /// Fixed charge per connection.
    Fixed,
    /// Fuel adjustment charge, per block; may be negative.
    FuelAdjustment,
    /// Electricity duty: a percentage of the components the tariff names.
    Duty,
}

/// How many components there are.
pub const COMPONENTS: usize = 5;

impl Component {
    /// Every component, in the order of the bill.
    pub const ALL: [Self; COMPONENTS] = [
        Self::Energy,
        Self::Wheeling,
        Self::Fixed,
        Self::FuelAdjustment,
        Self::Duty,
    ];

    /// Its name in files, postings and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Wheeling => "wheeling",
            Self::Fixed => "fixed",
            Self::FuelAdjustment => "fuel-adjustment",
            Self::Duty => "duty",
        }
    }

    /// The component of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|component| component.name() == name)
    }
}

/// An amount for each component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Charges([Micro; COMPONENTS]);

impl Charges {
    /// The amounts with their components, in the order of the bill.
    pub fn iter(&self) -> impl Iterator<Item = (Component, Micro)> + '_ {
        Component::ALL.into_iter().zip(self.0)
    }

    /// All components together.
    #[must_use]
    pub fn total(&self) -> Micro {
        self.0.into_iter().sum()
    }

    /// Whether every component is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|amount| *amount == Micro::ZERO)
    }

    fn set(&mut self, component: Component, amount: Micro) {
        self.0[component as usize] = amount;
    }
}

impl Index<Component> for Charges {
    type Output = Micro;
    fn index(&self, component: Component) -> &Micro {
        &self.0[component as usize]
    }
}

impl Sub for Charges {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Add for Charges {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl AddAssign for Charges {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Serialize for Charges {
    /// As a map of the components that are not zero: `{"energy":39600000}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.iter()
                .filter(|(_, amount)| *amount != Micro::ZERO)
                .map(|(c, a)| (c.name(), a)),
        )
    }
}

impl<'de> Deserialize<'de> for Charges {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named: BTreeMap<alloc::string::String, Micro> = BTreeMap::deserialize(deserializer)?;
        let mut charges = Self::default();
        for (name, amount) in named {
            let component =
                Component::by_name(&name).ok_or_else(|| D::Error::custom("unknown component"))?;
            charges.set(component, amount);
        }
        Ok(charges)
    }
}

/// A billing period so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Energy since the period began.
    pub energy: WattHours,
    /// Days for which the fixed charge is due so far, the current one included; at most `period_days`.
    pub days_due: u16,
    /// Days of the whole period; block widths depend on it.
    pub period_days: u16,
    /// Single or three phase.
    pub phases: Phases,
}

/// The cost of the period so far, by component, rounded to the micro-unit.
///
/// No component is beyond [`LARGEST_COST`]; no accepted register comes near it.
#[must_use]
pub fn cost(tariff: &Tariff, usage: &Usage) -> Charges {
    let (energy, fuel) = blocks(tariff, usage);
    let mut charges = Charges::default();
    let wheeling = i128::from(usage.energy.0) * i128::from(tariff.wheeling_per_kwh.0);
    let [energy, wheeling, fuel] =
        [energy, wheeling, fuel].map(|amount| divide_half_away(amount, 1_000));
    // Where these stop, a rebate that went on would bring the cost back down to what somebody can pay.
    let stopped = energy.max(wheeling) >= LARGEST_COST;
    let fuel = if stopped { fuel.max(Micro::ZERO) } else { fuel };
    charges.set(Component::Energy, energy);
    charges.set(Component::FuelAdjustment, fuel);
    charges.set(Component::Wheeling, wheeling);
    charges.set(Component::Fixed, fixed(tariff, usage));
    if let Some(duty) = &tariff.duty {
        let base: i128 = duty
            .on
            .iter()
            .map(|component| i128::from(charges[*component].0))
            .sum();
        // A percentage carries six decimals like money: 16 % is 16,000,000.
        let amount = divide_half_away(base * i128::from(duty.percent.0), 100_000_000);
        charges.set(Component::Duty, amount);
    }
    charges
}

/// Energy and fuel adjustment over the blocks, in micro-units times watt-hours per kilowatt-hour.
fn blocks(tariff: &Tariff, usage: &Usage) -> (i128, i128) {
    let (mut energy, mut fuel) = (0_i128, 0_i128);
    let mut below = 0_u64;
    for block in &tariff.block {
        let end = block.up_to_kwh.map_or(u64::MAX, |kwh| {
            block_end_wh(tariff.block_proration, kwh, usage.period_days)
        });
        let inside = i128::from(usage.energy.0.min(end).saturating_sub(below));
        energy += inside * i128::from(block.energy_per_kwh.0);
        fuel += inside * i128::from(block.fuel_adjustment_per_kwh.0);
        below = end;
    }
    (energy, fuel)
}

/// Where a block of `kwh` (in a 30-day month) ends, in watt-hours, in a period of that many days.
#[must_use]
pub fn block_end_wh(proration: BlockProration, kwh: u32, period_days: u16) -> u64 {
    let hundredths = match proration {
        // As the bill prints the period: days / 30 with two decimals, 31 days = 1.03 months.
        BlockProration::DaysOver30 => (u64::from(period_days) * 100 + 15) / 30,
        BlockProration::CalendarMonth => 100,
    };
    u64::from(kwh) * 10 * hundredths
}

fn fixed(tariff: &Tariff, usage: &Usage) -> Micro {
    let per_month = match usage.phases {
        Phases::Single => tariff.fixed.single_phase_per_month,
        Phases::Three => tariff.fixed.three_phase_per_month,
    };
    let due = i128::from(usage.days_due.min(usage.period_days)) * i128::from(per_month.0);
    match tariff.fixed.proration {
        FixedProration::WholePeriod => divide_half_away(due, i128::from(usage.period_days.max(1))),
        FixedProration::TwelveOver365 => divide_half_away(due * 12, 365),
    }
}

/// Largest amount of one component in one period, ten billion currency units: above any balance an account may hold, and so
/// far below the range of [`Micro`] that a hundred years of it do not leave it.
pub const LARGEST_COST: Micro = Micro(10_000_000_000 * 1_000_000);

/// `amount / by`, rounded half away from zero, stopping at [`LARGEST_COST`] either way. `by` is positive.
fn divide_half_away(amount: i128, by: i128) -> Micro {
    let magnitude = (amount.unsigned_abs() + by.unsigned_abs() / 2) / by.unsigned_abs();
    let magnitude = i64::try_from(magnitude).map_or(LARGEST_COST.0, |m| m.min(LARGEST_COST.0));
    Micro(if amount < 0 { -magnitude } else { magnitude })
}
