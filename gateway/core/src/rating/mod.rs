//! What a billing period's energy costs so far.
//!
//! A tariff is a function *cost(period so far)*: it prices the total, never the step. Rounding happens once per
//! component, half away from zero to the micro-unit, on the period's total; a charge is the difference between two such totals, so
//! any split into readings adds up to the same bill.
//!
//! Example: 250 kWh in 30 days on MSEDCL LT-I(B) 2026-27, single phase: energy 2,016.00, wheeling 400.00, fixed
//! 130.00, duty 407.36, together 2,953.36.
//!
//! Time of day: the blocks price the total, whenever it was used; each band adds its adder times the energy used in it, and its
//! percentage of the energy charge (rounded) times its share of the energy. Such a percentage wants blocks that never get cheaper:
//! then a unit more never costs less, in whatever band it is used.
//!
//! Invariant: by a tariff that [`Tariff::check`] finds sound the cost never falls when energy or days grow, but for less than
//! a micro-unit of each component's rounding, until a component stops at [`LARGEST_COST`]; from there on it is at least that. Only a
//! rebate on the period before, taken off day by day, makes days cheaper.

mod charges;
mod shares;

pub use charges::{COMPONENTS, Charges, Component};
pub use shares::{BlockShare, energy_by_block};

use crate::calendar::Month;
use crate::tariff::bands::Bands;
use crate::tariff::{BlockProration, Connection, FixedProration, Phases, Tariff};
use crate::{Micro, WattHours};

/// A billing period so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Energy since the period began.
    pub energy: WattHours,
    /// Days for which the fixed charge is due so far, the current one included; at most `period_days`.
    pub days_due: u16,
    /// Days of the whole period.
    pub period_days: u16,
    /// Days that block widths follow, if the period is cut and this is a part of it; zero: `period_days`.
    pub block_days: u16,
    /// Single or three phase.
    pub phases: Phases,
    /// Sanctioned load, in watts.
    pub load_w: u32,
    /// The part of the energy that was used in bands.
    pub bands: Bands,
    /// Month in which the period begins, for the fuel adjustment table.
    pub month: Month,
    /// Energy charge of the period before, for a fuel adjustment on it.
    pub previous_energy: Micro,
}

impl Usage {
    /// A whole period on one connection, without bands.
    #[must_use]
    pub fn whole_period(energy: WattHours, days: u16, connection: Connection) -> Self {
        Self {
            energy,
            days_due: days,
            period_days: days,
            phases: connection.phases,
            load_w: connection.load_w,
            ..Self::default()
        }
    }
}

/// The cost of the period so far, by component, rounded to the micro-unit.
///
/// No component is beyond [`LARGEST_COST`]; no accepted register comes near it.
#[must_use]
pub fn cost(tariff: &Tariff, usage: &Usage) -> Charges {
    let (energy, fuel) = blocks(tariff, usage);
    let per_unit =
        |rate: Micro| divide_half_away(i128::from(usage.energy.0) * i128::from(rate.0), 1_000);
    let mut charges = Charges::default();
    charges.set(Component::Energy, divide_half_away(energy, 1_000));
    charges.set(Component::Wheeling, per_unit(tariff.wheeling_per_kwh));
    charges.set(Component::Fixed, fixed(tariff, usage));
    let fuel = fuel_adjustment(tariff, usage, fuel);
    let time_of_day = time_of_day(tariff, usage, charges[Component::Energy]);
    // Where these stop, a rebate that went on would bring the cost back down to what somebody can pay.
    let per_unit = [
        charges[Component::Energy],
        charges[Component::Wheeling],
        fuel,
        time_of_day,
    ];
    let stopped = per_unit.iter().any(|amount| *amount >= LARGEST_COST);
    let lowest = if stopped { Micro::ZERO } else { -LARGEST_COST };
    charges.set(Component::FuelAdjustment, fuel.max(lowest));
    charges.set(Component::TimeOfDay, time_of_day.max(lowest));
    if let Some(rebate) = tariff.rebate.as_ref().filter(|_| !stopped) {
        // A percentage carries six decimals like money: 2 % is 2,000,000.
        let share = i128::from(charges[Component::Energy].0) * i128::from(rebate.percent.0);
        charges.set(Component::Rebate, -divide_half_away(share, 100_000_000));
    }
    if let Some(minimum) = &tariff.minimum {
        let load = i128::from(minimum.per_kw_per_month.0) * i128::from(usage.load_w);
        let per_month = i128::from(minimum.per_month.0) * 1_000 + load;
        let least = per_day(per_month, usage);
        let lacking = least - charges.total();
        charges.set(Component::Minimum, lacking.max(Micro::ZERO));
    }
    if let Some(duty) = &tariff.duty {
        let base: Micro = duty.on.iter().map(|component| charges[*component]).sum();
        let share = i128::from(base.0) * i128::from(duty.percent.0);
        let units = i128::from(usage.energy.0) * i128::from(duty.per_kwh.0);
        charges.set(
            Component::Duty,
            divide_half_away(
                share.saturating_add(units.saturating_mul(100_000)),
                100_000_000,
            ),
        );
    }
    charges
}

/// Energy and fuel adjustment over the blocks, in micro-units times watt-hours per kilowatt-hour.
fn blocks(tariff: &Tariff, usage: &Usage) -> (i128, i128) {
    let entry = tariff.fuel_adjustment_of(usage.month);
    let (mut energy, mut fuel) = (0_i128, 0_i128);
    let mut below = 0_u64;
    for (i, block) in tariff.block.iter().enumerate() {
        let end = block
            .up_to_kwh
            .map_or(u64::MAX, |kwh| end_of_block(tariff, kwh, usage));
        let inside = i128::from(usage.energy.0.min(end).saturating_sub(below));
        let of_month = entry.and_then(|entry| entry.per_kwh.get(i)).copied();
        let adjustment = of_month.unwrap_or(block.fuel_adjustment_per_kwh);
        energy += inside * i128::from(block.energy_per_kwh.0);
        fuel += inside * i128::from(adjustment.0);
        below = end;
    }
    (energy, fuel)
}

fn end_of_block(tariff: &Tariff, kwh: u32, usage: &Usage) -> u64 {
    let (whole, part) = (usage.period_days.max(1), usage.block_days);
    match tariff.block_proration {
        _ if part == 0 || part == whole => block_end_wh(tariff.block_proration, kwh, whole),
        BlockProration::DaysOver30 => block_end_wh(BlockProration::DaysOver30, kwh, part),
        BlockProration::CalendarMonth => {
            let (whole, part) = (u64::from(whole), u64::from(part));
            (u64::from(kwh) * 1_000 * part + whole / 2) / whole
        }
    }
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
    let connection = match usage.phases {
        Phases::Single => tariff.fixed.single_phase_per_month,
        Phases::Three => tariff.fixed.three_phase_per_month,
    };
    let load = i128::from(tariff.fixed.per_kw_per_month.0) * i128::from(usage.load_w);
    let per_month = i128::from(connection.0) * 1_000 + load;
    match tariff.fixed.proration {
        FixedProration::WholePeriod => per_day(per_month, usage),
        FixedProration::TwelveOver365 => {
            let due = i128::from(usage.days_due.min(usage.period_days));
            divide_half_away(due * per_month * 12, 365_000)
        }
    }
}

/// The part of a monthly amount, in thousandths of micro-units, that is due so far: equal parts each day of the period.
fn per_day(per_month: i128, usage: &Usage) -> Micro {
    let due = i128::from(usage.days_due.min(usage.period_days));
    divide_half_away(
        due * per_month,
        i128::from(usage.period_days.max(1)) * 1_000,
    )
}

/// Fuel adjustment per unit, in micro-units times watt-hours per kilowatt-hour, together with the one on the period before,
/// in equal parts each day; the last day takes up the rounding.
fn fuel_adjustment(tariff: &Tariff, usage: &Usage, per_unit: i128) -> Micro {
    let entry = tariff.fuel_adjustment_of(usage.month);
    let share = entry.map_or(0, |entry| i128::from(entry.percent_of_previous_energy.0));
    let due = i128::from(usage.days_due.min(usage.period_days));
    let days = i128::from(usage.period_days.max(1));
    let previous = (due * i128::from(usage.previous_energy.0)).saturating_mul(share);
    let per_unit = per_unit.saturating_mul(days * 100_000);
    divide_half_away(per_unit.saturating_add(previous), days * 100_000_000)
}

/// The bands' adders, and the energy charge times each band's percentage and its share of the energy, rounded together once.
fn time_of_day(tariff: &Tariff, usage: &Usage, energy_charge: Micro) -> Micro {
    let bands = || tariff.band.iter().zip(usage.bands.iter());
    let adders = bands()
        .map(|(band, (_, energy))| i128::from(energy.0) * i128::from(band.per_kwh.0))
        .fold(0, i128::saturating_add);
    let shares: i128 = bands()
        .map(|(band, (_, energy))| i128::from(energy.0) * i128::from(band.percent_of_energy.0))
        .sum();
    if shares == 0 {
        return divide_half_away(adders, 1_000);
    }
    // charge * shares / energy in two steps, because the product is beyond 128 bits at absurd registers. What the division leaves is
    // below the unit of the sum (1/100,000,000 micro-unit), so it matters for the rounding only if the sum is negative.
    let (energy, charge) = (
        i128::from(usage.energy.0.max(1)),
        i128::from(energy_charge.0),
    );
    let rest = charge * shares.rem_euclid(energy);
    let percent = charge * shares.div_euclid(energy) + rest.div_euclid(energy);
    let sum = adders.saturating_mul(100_000).saturating_add(percent);
    let toward_zero = i128::from(sum < 0 && rest.rem_euclid(energy) != 0);
    divide_half_away(sum.saturating_add(toward_zero), 100_000_000)
}

/// Largest amount of one component in one period, ten billion currency units: above any balance an account may hold, and so
/// far below the range of [`Micro`] that a hundred years of it do not leave it.
pub const LARGEST_COST: Micro = Micro(10_000_000_000 * 1_000_000);

/// `amount / by`, rounded half away from zero, stopping at [`LARGEST_COST`] either way. `by` is positive.
fn divide_half_away(amount: i128, by: i128) -> Micro {
    // A household's month fits 64 bits, which are several times faster to divide.
    if let (Ok(amount), Ok(by)) = (i64::try_from(amount), i64::try_from(by)) {
        let (magnitude, by) = (amount.unsigned_abs(), by.unsigned_abs());
        let (whole, rest) = (magnitude / by, magnitude % by);
        let up = u64::from(rest >= by - rest);
        let magnitude = i64::try_from(whole + up).map_or(LARGEST_COST.0, |m| m.min(LARGEST_COST.0));
        return Micro(if amount < 0 { -magnitude } else { magnitude });
    }
    let magnitude = (amount.unsigned_abs() + by.unsigned_abs() / 2) / by.unsigned_abs();
    let magnitude = i64::try_from(magnitude).map_or(LARGEST_COST.0, |m| m.min(LARGEST_COST.0));
    Micro(if amount < 0 { -magnitude } else { magnitude })
}
