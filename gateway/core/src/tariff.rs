//! Tariffs as data: what a file in `gateway/tariffs/` may say, and whether it makes sense.
//!
//! Amounts are written in quotes (`"3.96"`), because a TOML float is not an amount of money. Component amounts are stored, never only
//! totals. Every file names its source and carries worked bills that a test runs.
//!
//! Not decided here: what a period costs ([`crate::rating`]).

use crate::Micro;
use crate::rating::Component;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
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
    /// Fuel adjustment charge per kWh; may be negative.
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
    /// How it is spread over days.
    #[serde(default)]
    pub proration: FixedProration,
}

/// A percentage on named components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// Percent, for example `"16"`.
    #[serde(with = "amount")]
    pub percent: Micro,
    /// The components it is taken on.
    #[serde(with = "components")]
    pub on: Vec<Component>,
}

/// A bill from the source, which the shipped file must reproduce exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkedBill {
    /// Units, in kWh.
    pub units_kwh: u32,
    /// Days of the period.
    pub days: u16,
    /// Single or three phase.
    #[serde(default)]
    pub phases: Phases,
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
    /// First day of validity, ISO 8601.
    pub valid_from: String,
    /// Last day of validity, ISO 8601; open if absent.
    pub valid_to: Option<String>,
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
    /// The blocks, lowest first; the last one is open.
    pub block: Vec<Block>,
    /// Bills from the source.
    #[serde(default)]
    pub worked_bill: Vec<WorkedBill>,
}

fn one_paisa() -> Micro {
    Micro(10_000)
}

/// Why a tariff makes no sense, most basic first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TariffFault {
    /// `id` is empty or has other characters than `a-z`, `0-9`, `-` and `.`.
    IdIsNotAShortName,
    /// There is no `[[block]]`.
    NoBlocks,
    /// A block other than the last has no `up_to_kwh`, or the last one has.
    OnlyTheLastBlockIsOpen,
    /// `up_to_kwh` does not grow from block to block.
    BlocksDoNotAscend,
    /// A rate or charge is negative (only the fuel adjustment may be).
    NegativeRate,
    /// The rates of a block with the duty on them are together below zero, so that using more would cost less.
    BlockPaysTheCustomer,
    /// A rate is above 1,000,000 per unit, or a percentage above 1,000: a slip of the decimal point.
    RateTooLarge,
    /// `printed_step` is not positive.
    PrintedStepNotPositive,
    /// The duty is taken on itself.
    DutyOnDuty,
}

impl fmt::Display for TariffFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdIsNotAShortName => "id must be a short name of a-z, 0-9, '-' and '.'",
            Self::NoBlocks => "add at least one [[block]]",
            Self::OnlyTheLastBlockIsOpen => {
                "every [[block]] but the last needs up_to_kwh, the last must not have it"
            }
            Self::BlocksDoNotAscend => "up_to_kwh must grow from block to block",
            Self::NegativeRate => "a rate is negative; only fuel_adjustment_per_kwh may be",
            Self::BlockPaysTheCustomer => {
                "using more in a block would cost less: its rates with the duty on them are below zero"
            },
            Self::RateTooLarge => {
                "a rate is above 1000000 or a percentage above 1000: check the decimal point"
            }
            Self::PrintedStepNotPositive => "printed_step must be positive, for example \"0.01\"",
            Self::DutyOnDuty => "duty cannot be taken on duty",
        })
    }
}

impl core::error::Error for TariffFault {}

/// Largest rate per unit or per month: far above any real one, far below overflow.
const LARGEST_RATE: Micro = Micro(1_000_000 * 1_000_000);
const LARGEST_PERCENT: Micro = Micro(1_000 * 1_000_000);

impl Tariff {
    /// Whether the tariff makes sense; the first fault in order of precedence.
    ///
    /// # Errors
    /// The named fault.
    pub fn check(&self) -> Result<(), TariffFault> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(plain) {
            return Err(TariffFault::IdIsNotAShortName);
        }
        let Some((last, closed)) = self.block.split_last() else {
            return Err(TariffFault::NoBlocks);
        };
        if last.up_to_kwh.is_some() || closed.iter().any(|block| block.up_to_kwh.is_none()) {
            return Err(TariffFault::OnlyTheLastBlockIsOpen);
        }
        if closed
            .windows(2)
            .any(|pair| pair[0].up_to_kwh >= pair[1].up_to_kwh)
            || closed
                .first()
                .is_some_and(|block| block.up_to_kwh == Some(0))
        {
            return Err(TariffFault::BlocksDoNotAscend);
        }
        self.check_amounts()
    }

    fn check_amounts(&self) -> Result<(), TariffFault> {
        let energy = self.block.iter().map(|block| block.energy_per_kwh);
        let flat = [
            self.wheeling_per_kwh,
            self.fixed.single_phase_per_month,
            self.fixed.three_phase_per_month,
        ];
        let percent = self.duty.as_ref().map_or(Micro::ZERO, |duty| duty.percent);
        if energy.clone().chain(flat).any(|rate| rate < Micro::ZERO) || percent < Micro::ZERO {
            return Err(TariffFault::NegativeRate);
        }
        let fuel = self
            .block
            .iter()
            .map(|block| Micro(block.fuel_adjustment_per_kwh.0.saturating_abs()));
        if energy
            .chain(flat)
            .chain(fuel)
            .any(|rate| rate > LARGEST_RATE)
            || percent > LARGEST_PERCENT
        {
            return Err(TariffFault::RateTooLarge);
        }
        if self.block.iter().any(|block| self.pays_for(block)) {
            return Err(TariffFault::BlockPaysTheCustomer);
        }
        if self.printed_step <= Micro::ZERO {
            return Err(TariffFault::PrintedStepNotPositive);
        }
        if self
            .duty
            .as_ref()
            .is_some_and(|duty| duty.on.contains(&Component::Duty))
        {
            return Err(TariffFault::DutyOnDuty);
        }
        Ok(())
    }

    /// Whether one more unit in this block lowers the bill.
    fn pays_for(&self, block: &Block) -> bool {
        let (energy, fuel) = (block.energy_per_kwh, block.fuel_adjustment_per_kwh);
        let duty_on = |component: Component| match &self.duty {
            Some(duty) => {
                let times = duty.on.iter().filter(|on| **on == component).count();
                i128::from(duty.percent.0) * i128::try_from(times).unwrap_or(0)
            }
            None => 0,
        };
        let rates = [
            (Component::Energy, energy),
            (Component::FuelAdjustment, fuel),
            (Component::Wheeling, self.wheeling_per_kwh),
        ];
        // Rates in micro-units, percentages with six decimals: 100 % is 100,000,000.
        let with_duty = |(component, rate): (Component, Micro)| {
            i128::from(rate.0) * (100_000_000 + duty_on(component))
        };
        energy + fuel < Micro::ZERO || rates.into_iter().map(with_duty).sum::<i128>() < 0
    }

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
}

/// Serde for an amount written in quotes.
mod amount {
    use super::{Micro, String};
    use alloc::format;
    use alloc::string::ToString;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(
        value: &Micro,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Micro, D::Error> {
        let text = String::deserialize(from).map_err(|error| {
            D::Error::custom(format!("{error} (write amounts in quotes: \"3.96\")"))
        })?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Serde for a list of component names.
mod components {
    use super::{Component, String, Vec};
    use alloc::format;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(list: &[Component], to: S) -> Result<S::Ok, S::Error> {
        list.iter()
            .map(|component| component.name())
            .collect::<Vec<_>>()
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Component>, D::Error> {
        let names = Vec::<String>::deserialize(from)?;
        let known = |name: &String| {
            Component::by_name(name).ok_or_else(|| {
                D::Error::custom(format!(
                    "no component is called {name}; there are energy, wheeling, fixed, fuel-adjustment"
                ))
            })
        };
        names.iter().map(known).collect()
    }
}
