//! `bill`: prices a period with a tariff, without a daemon.
//!
//! Decided here: how a bill is shown. Not decided here: what it costs ([`rating`]).

use gateway_core::calendar::Month;
use gateway_core::rating::{self, Component, Usage};
use gateway_core::tariff::bands::{Band, Bands};
use gateway_core::tariff::{Connection, Phases, Tariff};
use gateway_core::{Micro, WattHours};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Most units on one bill: a thousand households' year, far below where money runs out of range.
const MOST_UNITS_KWH: u64 = 10_000_000;

/// Units as a person writes them: kWh with up to three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units(pub WattHours);

/// Why a text is not a number of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotUnits {
    /// Something other than digits and one decimal point.
    #[error("not a number of units; write kWh like 250 or 12.345")]
    NotDecimal,
    /// More than three decimals.
    #[error("units have at most three decimals: the smallest is a watt-hour, 0.001")]
    TooPrecise,
    /// More than [`MOST_UNITS_KWH`].
    #[error("units above 10000000; check the decimal point")]
    TooMany,
}

impl FromStr for Units {
    type Err = NotUnits;

    /// Exact: `0.5` is 500 Wh; nothing is rounded.
    fn from_str(text: &str) -> Result<Self, NotUnits> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(NotUnits::NotDecimal),
            Some(parts) => parts,
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(NotUnits::NotDecimal);
        }
        if fraction.len() > 3 {
            return Err(NotUnits::TooPrecise);
        }
        let kwh: u64 = whole.parse().map_err(|_| NotUnits::TooMany)?;
        if kwh > MOST_UNITS_KWH {
            return Err(NotUnits::TooMany);
        }
        let wh: u64 = format!("{fraction:0<3}")
            .parse()
            .map_err(|_| NotUnits::NotDecimal)?;
        Ok(Self(WattHours(kwh * 1_000 + wh)))
    }
}

/// A priced period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// Tariff id.
    pub tariff: String,
    /// Currency code.
    pub currency: String,
    /// Energy, in watt-hours.
    pub energy_wh: WattHours,
    /// Days of the period.
    pub days: u16,
    /// Single or three phase.
    pub phases: Phases,
    /// Sanctioned load, in watts.
    pub load_w: u32,
    /// The month of the fuel adjustment table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// The energy in each band, in watt-hours; what is in none is not listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<BandLine>,
    /// The energy by block.
    pub blocks: Vec<BlockLine>,
    /// Every component, in the order of the bill.
    pub components: Vec<ComponentLine>,
    /// The exact total, in micro-units.
    pub total_micro: Micro,
    /// The total as the bill prints it.
    pub total_printed: String,
}

/// A block's part of the energy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockLine {
    /// Energy in it, in watt-hours.
    pub energy_wh: WattHours,
    /// Energy plus fuel adjustment charge per kWh, in micro-units.
    pub rate_micro: Micro,
    /// What it costs, in micro-units, rounded down for show; the exact total is in the components.
    pub amount_micro: Micro,
}

/// Energy in a band.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BandLine {
    /// Its name in the tariff.
    pub name: String,
    /// Energy in it, in watt-hours.
    pub energy_wh: WattHours,
    /// Adder per kWh, in micro-units; negative: a rebate.
    pub rate_micro: Micro,
}

/// What is priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period<'a> {
    /// Energy of the period.
    pub energy: WattHours,
    /// Its days.
    pub days: u16,
    /// The connection.
    pub connection: Connection,
    /// The month of the fuel adjustment table; none: the blocks' own.
    pub month: Option<Month>,
    /// Energy in bands 1, 2 and so on; the rest is in none.
    pub bands: &'a [WattHours],
}

/// Why a period cannot be priced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPeriod {
    /// More bands than the tariff has.
    #[error("the tariff has {0} bands; give at most so many, in their order")]
    TooManyBands(usize),
    /// The bands hold more than the units.
    #[error("the bands hold more units than the period")]
    BandsAboveUnits,
}

/// A component's amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ComponentLine {
    /// Its name, for example `energy`.
    pub name: &'static str,
    /// How much, in micro-units.
    pub amount_micro: Micro,
}

impl Bill {
    /// Prices a whole period.
    ///
    /// # Errors
    /// The energy in bands fits neither the tariff nor the period.
    pub fn of(tariff: &Tariff, period: &Period<'_>) -> Result<Self, NotAPeriod> {
        let Period {
            energy,
            days,
            connection,
            month,
            ..
        } = *period;
        if period.bands.len() > tariff.band.len() {
            return Err(NotAPeriod::TooManyBands(tariff.band.len()));
        }
        let mut bands = Bands::default();
        for (band, energy) in (1..).zip(period.bands) {
            bands.add(band, *energy);
        }
        if bands.total() > energy {
            return Err(NotAPeriod::BandsAboveUnits);
        }
        let usage = Usage {
            bands,
            month: month.unwrap_or_default(),
            ..Usage::whole_period(energy, days, connection)
        };
        let charges = rating::cost(tariff, &usage);
        let total = charges.total();
        let line = |(component, amount_micro): (Component, Micro)| ComponentLine {
            name: component.name(),
            amount_micro,
        };
        let in_band = |(band, energy_wh): (&Band, &WattHours)| BandLine {
            name: band.name.clone(),
            energy_wh: *energy_wh,
            rate_micro: band.per_kwh,
        };
        Ok(Self {
            tariff: tariff.id.clone(),
            currency: tariff.currency.clone(),
            energy_wh: energy,
            days,
            phases: connection.phases,
            load_w: connection.load_w,
            month,
            bands: tariff.band.iter().zip(period.bands).map(in_band).collect(),
            blocks: blocks(tariff, &usage),
            components: charges.iter().map(line).collect(),
            total_micro: total,
            total_printed: printed(tariff, total),
        })
    }
}

fn blocks(tariff: &Tariff, usage: &Usage) -> Vec<BlockLine> {
    let entry = tariff.fuel_adjustment_of(usage.month);
    let mut lines = Vec::new();
    let mut below = 0;
    for (i, block) in tariff.block.iter().enumerate() {
        let end = block.up_to_kwh.map_or(u64::MAX, |kwh| {
            rating::block_end_wh(tariff.block_proration, kwh, usage.period_days)
        });
        let inside = usage.energy.0.min(end).saturating_sub(below);
        below = end;
        if inside == 0 {
            break;
        }
        let of_month = entry.and_then(|entry| entry.per_kwh.get(i)).copied();
        let rate = block.energy_per_kwh + of_month.unwrap_or(block.fuel_adjustment_per_kwh);
        let amount = i128::from(inside) * i128::from(rate.0) / 1_000;
        lines.push(BlockLine {
            energy_wh: WattHours(inside),
            rate_micro: rate,
            amount_micro: Micro(i64::try_from(amount).unwrap_or(i64::MAX)),
        });
    }
    lines
}

/// The amount rounded to the tariff's step, with the decimals of the step: `2953.36`, or `2953` for a step of 1.
fn printed(tariff: &Tariff, amount: Micro) -> String {
    let rounded = tariff.printed(amount).0;
    let (mut scale, mut decimals) = (1_000_000, 0);
    while tariff.printed_step.0 % scale != 0 && decimals < 6 {
        scale /= 10;
        decimals += 1;
    }
    let sign = if rounded < 0 { "-" } else { "" };
    let (units, fraction) = (
        rounded.unsigned_abs() / 1_000_000,
        rounded.unsigned_abs() % 1_000_000,
    );
    match decimals {
        0 => format!("{sign}{units}"),
        _ => format!("{sign}{units}.{}", &format!("{fraction:06}")[..decimals]),
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phases = match self.phases {
            Phases::Single => "single phase",
            Phases::Three => "three phase",
        };
        writeln!(
            f,
            "{}, {phases}: {} units in {} days",
            self.tariff, self.energy_wh, self.days
        )?;
        writeln!(f)?;
        for block in &self.blocks {
            let (energy, rate) = (block.energy_wh.to_string(), block.rate_micro.to_string());
            writeln!(
                f,
                "  {energy:>14} units x {rate:>9} {:>16}",
                block.amount_micro.to_string()
            )?;
        }
        for band in &self.bands {
            let (energy, rate) = (band.energy_wh.to_string(), band.rate_micro.to_string());
            writeln!(f, "  {energy:>14} units x {rate:>9} in {}", band.name)?;
        }
        writeln!(f)?;
        for line in self
            .components
            .iter()
            .filter(|line| line.amount_micro != Micro::ZERO)
        {
            writeln!(
                f,
                "  {:<32} {:>16}",
                line.name,
                line.amount_micro.to_string()
            )?;
        }
        let total = self.total_micro.to_string();
        writeln!(f, "  {:<32} {total:>16}", "total, exact")?;
        write!(
            f,
            "  {:<32} {:>16}",
            format!("to pay, {}", self.currency),
            self.total_printed
        )
    }
}
