//! Tariffs as data: what a file in `gateway/tariffs/` may say.
//!
//! Amounts are written in quotes (`"3.96"`), because a TOML float is not an amount of money. Component amounts are stored, never only
//! totals. Every file names its source and carries worked bills that a test runs.
//!
//! Not decided here: what a period costs ([`crate::rating`]), when a version takes over from another ([`crate::decide`]).
//!
//! Terms: a *family* is one tariff through the years, for example `msedcl-lt1b`; its files are *versions*, each in
//! force from its `valid_from` until the next one's. A *band* is a time of day with its adder ([`bands`]).

pub mod bands;
mod check;
mod notation;
mod worked;

pub use check::TariffFault;
pub use notation::{NotATimeOfDay, TimeOfDay};

use crate::Micro;
use crate::calendar::{LocalDay, Month};
use crate::rating::Component;
use alloc::string::String;
use alloc::vec::Vec;
use bands::Band;
use notation::{amount, amounts, components, maybe_amount};
use serde::{Deserialize, Serialize};

/// How many phases a connection has; fixed charges differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Phases {
    /// One phase and neutral.
    #[default]
    Single,
    /// Three phases and neutral.
    Three,
}

/// How block widths follow the length of the billing period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockProration {
    /// Widths times days/30 with two decimals, as the MSEDCL bill prints "Bill Period: 1.03 Month(s)".
    #[serde(rename = "days-over-30")]
    DaysOver30,
    /// The same widths in every period.
    CalendarMonth,
}

/// How the monthly fixed charge is spread over the days of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum FixedProration {
    /// A whole period costs the monthly amount, whatever its length; each day an equal part of it.
    #[default]
    WholePeriod,
    /// Each day costs the monthly amount times 12/365.
    #[serde(rename = "twelve-over-365")]
    TwelveOver365,
}

/// Part of the energy of a period, with its rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Where the block ends, in kWh of a 30-day month, counted from zero; the last block has no end.
    pub up_to_kwh: Option<u32>,
    /// Energy charge per kWh.
    #[serde(with = "amount")]
    pub energy_per_kwh: Micro,
    /// Fuel adjustment charge per kWh in months without an entry in the table; may be negative.
    #[serde(with = "amount", default)]
    pub fuel_adjustment_per_kwh: Micro,
}

/// The fixed charge per connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Per month, single phase.
    #[serde(with = "amount", default)]
    pub single_phase_per_month: Micro,
    /// Per month, three phase.
    #[serde(with = "amount", default)]
    pub three_phase_per_month: Micro,
    /// Per month and kW of sanctioned load, on top of the charge per connection.
    #[serde(with = "amount", default, skip_serializing_if = "is_zero")]
    pub per_kw_per_month: Micro,
    /// How it is spread over days.
    #[serde(default)]
    pub proration: FixedProration,
}

/// Electricity duty: a percentage on named components, an amount per unit, or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// Percent, for example `"16"`.
    #[serde(with = "amount", default)]
    pub percent: Micro,
    /// The components the percentage is taken on.
    #[serde(with = "components", default)]
    pub on: Vec<Component>,
    /// Per kWh.
    #[serde(with = "amount", default, skip_serializing_if = "is_zero")]
    pub per_kwh: Micro,
}

/// A rebate on the gross energy charge (the blocks alone).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebate {
    /// Percent, for example `"2"`.
    #[serde(with = "amount")]
    pub percent: Micro,
}

/// The least a period costs before duty: what the other components lack is charged as a component of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minimum {
    /// Per connection and period.
    #[serde(with = "amount", default)]
    pub per_month: Micro,
    /// Per kW of sanctioned load and period.
    #[serde(with = "amount", default)]
    pub per_kw_per_month: Micro,
}

/// Energy a connection may use each day (mini-grids). Shown and handed on; money does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// Watt-hours a day.
    pub wh_per_day: u32,
    /// Hour of the local day at which it begins anew, 0 to 23.
    #[serde(default)]
    pub reset_hour: u8,
}

/// Fuel adjustment of one month. The month is the one in which the billing period begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FuelAdjustment {
    /// The month.
    pub month: Month,
    /// Per kWh of each block, in their order; signed. Empty: the blocks' own.
    #[serde(with = "amounts", default)]
    pub per_kwh: Vec<Micro>,
    /// Percent of the energy charge of the period before, signed, collected in equal parts each day (FPPAS).
    #[serde(with = "amount", default)]
    pub percent_of_previous_energy: Micro,
}

/// What happens to a period in which a version takes over from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum OnChange {
    /// The period is cut at the register of the change; each part has its own blocks, as wide as its days.
    #[default]
    AtRegister,
    /// The period's units are split by average per day times the days before and after, each at its own version's rates and
    /// blocks (MSEDCL's commercial circulars 175, 275, 284, 311, 323).
    ByDays,
}

/// What a tariff needs to know of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connection {
    /// Single or three phase.
    pub phases: Phases,
    /// Sanctioned load, in watts.
    pub load_w: u32,
}

impl From<Phases> for Connection {
    /// Of the smallest sanctioned load.
    fn from(phases: Phases) -> Self {
        let load_w = SMALLEST_LOAD_W;
        Self { phases, load_w }
    }
}

/// Sanctioned load of a connection for which none is set: 1 kW, the smallest that per-kW tariffs know.
pub const SMALLEST_LOAD_W: u32 = 1_000;

/// A bill from the source, which the shipped file must reproduce exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkedBill {
    /// Units since the period began, in kWh.
    pub units_kwh: u32,
    /// Days of the period.
    pub days: u16,
    /// Single or three phase.
    #[serde(default)]
    pub phases: Phases,
    /// The bill is of this day of the period alone: what the period costs with it, less what it cost before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<u16>,
    /// Units before that day, in kWh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_kwh: Option<u32>,
    /// Sanctioned load, in watts; 1 kW if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_w: Option<u32>,
    /// Month of the period, for the fuel adjustment table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<Month>,
    /// Units in each band, in kWh, in the order of the bands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands_kwh: Vec<u32>,
    /// Energy charge of the period before.
    #[serde(
        with = "maybe_amount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub previous_energy: Option<Micro>,
    /// Gross energy charge, if the source prints it.
    #[serde(
        with = "maybe_amount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub energy: Option<Micro>,
    /// Rebate, as a positive amount, if the source prints it.
    #[serde(
        with = "maybe_amount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub rebate: Option<Micro>,
    /// Fuel adjustment, signed, if the source prints it.
    #[serde(
        with = "maybe_amount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub fuel_adjustment: Option<Micro>,
    /// Duty, if the source prints it.
    #[serde(
        with = "maybe_amount",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub duty: Option<Micro>,
    /// The total, to the micro-unit.
    #[serde(with = "amount")]
    pub total: Micro,
}

/// A block tariff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Short name with maker, category and year, for example `msedcl-lt1b-2026-27`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Currency code (ISO 4217).
    pub currency: String,
    /// The document the numbers were read in, with its page.
    pub source: String,
    /// What of it is not confirmed by the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified: Option<String>,
    /// The tariff this is a version of, for example `msedcl-lt1b`; its accounts follow the versions by date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Whom it is for, for people: `domestic`, `below poverty line`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// First day of validity, ISO 8601.
    pub valid_from: String,
    /// Last day of validity, ISO 8601; open if absent. For people: a version stays in force until the next one begins.
    pub valid_to: Option<String>,
    /// What happens to a period in the middle of which this version takes over.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_change: OnChange,
    /// How block widths follow the period.
    pub block_proration: BlockProration,
    /// The step to which the printed bill is rounded, half up: `"0.01"`.
    #[serde(with = "amount", default = "one_paisa")]
    pub printed_step: Micro,
    /// Wheeling charge per kWh.
    #[serde(with = "amount", default)]
    pub wheeling_per_kwh: Micro,
    /// Fixed charge.
    #[serde(default)]
    pub fixed: Fixed,
    /// Electricity duty.
    pub duty: Option<Duty>,
    /// Rebate on the gross energy charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebate: Option<Rebate>,
    /// Least cost of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Minimum>,
    /// Energy a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Allowance>,
    /// The blocks, lowest first; the last one is open.
    pub block: Vec<Block>,
    /// Times of day with an adder or rebate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub band: Vec<Band>,
    /// Fuel adjustment by month.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fuel_adjustment: Vec<FuelAdjustment>,
    /// Bills from the source.
    #[serde(default)]
    pub worked_bill: Vec<WorkedBill>,
}

fn one_paisa() -> Micro {
    Micro(10_000)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_zero(amount: &Micro) -> bool {
    *amount == Micro::ZERO
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Tariff {
    /// An amount as the bill prints it: rounded half up to `printed_step`.
    #[must_use]
    pub fn printed(&self, amount: Micro) -> Micro {
        let step = self.printed_step.0.max(1);
        Micro(
            (amount.0.saturating_add(step / 2))
                .div_euclid(step)
                .saturating_mul(step),
        )
    }

    /// First day of validity; the beginning of time if it is not a day, which [`Tariff::check`] refuses.
    #[must_use]
    pub fn first_day(&self) -> LocalDay {
        self.valid_from.parse().unwrap_or(LocalDay(0))
    }

    /// The fuel adjustment entry of a month.
    #[must_use]
    pub fn fuel_adjustment_of(&self, month: Month) -> Option<&FuelAdjustment> {
        self.fuel_adjustment
            .iter()
            .find(|entry| entry.month == month)
    }

    /// What prices energy, without documents and bills: for keeping a version beside the one that took over from it.
    #[must_use]
    pub fn prices_only(&self) -> Self {
        Self {
            source: String::new(),
            unverified: None,
            worked_bill: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether `newer` may take this tariff's place under the same id: it prices every period begun until `month` alike.
    /// Names, documents, bills, and the fuel adjustment of later months may differ, and a tariff without a family may get one.
    #[must_use]
    pub fn is_amended_by(&self, newer: &Self, month: Month) -> bool {
        let begun = |tariff: &Self| {
            let entries = tariff.fuel_adjustment.iter();
            let mut begun: Vec<_> = entries
                .filter(|entry| entry.month <= month)
                .cloned()
                .collect();
            begun.sort_by_key(|entry| entry.month);
            begun
        };
        let comparable = |tariff: &Self| Self {
            name: String::new(),
            category: None,
            valid_to: None,
            family: self.family.clone().or_else(|| newer.family.clone()),
            fuel_adjustment: begun(tariff),
            ..tariff.prices_only()
        };
        let keeps_family = self.family.is_none() || self.family == newer.family;
        keeps_family && comparable(self) == comparable(newer)
    }
}
