//! Whether a tariff makes sense.

use super::{Block, Micro, Tariff};
use crate::calendar::LocalDay;
use crate::rating::Component;
use core::fmt;

/// Why a tariff makes no sense, most basic first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TariffFault {
    /// `id` or `family` is empty or has other characters than `a-z`, `0-9`, `-` and `.`.
    IdIsNotAShortName,
    /// `valid_from` is not a day.
    ValidFromIsNotADay,
    /// There is no `[[block]]`.
    NoBlocks,
    /// A block other than the last has no `up_to_kwh`, or the last one has.
    OnlyTheLastBlockIsOpen,
    /// `up_to_kwh` does not grow from block to block.
    BlocksDoNotAscend,
    /// A rate or charge is negative (only fuel adjustment and band adders may be).
    NegativeRate,
    /// A rate is above 1,000,000 per unit, or a percentage above 1,000: a slip of the decimal point.
    RateTooLarge,
    /// There are more bands than [`super::bands::MOST_BANDS`].
    TooManyBands,
    /// A band ends when it begins, or names a month that is not 1 to 12.
    BandIsNever,
    /// A month stands twice in the fuel adjustment table.
    FuelMonthTwice,
    /// A month of the fuel adjustment table has another number of amounts than there are blocks.
    FuelAmountsAreNotOnePerBlock,
    /// A band takes off more than 100 percent of the energy charge.
    BandTakesMoreThanAll,
    /// A band has a percentage of the energy charge, and a block is cheaper than the one before it: using more would lower the average
    /// that the percentage is taken on.
    PercentBandNeedsRisingBlocks,
    /// The rebate is above 100 percent.
    RebateAboveAll,
    /// The rates of a block in some month and band, with rebate and duty, are together below zero, so that using more would
    /// cost less.
    BlockPaysTheCustomer,
    /// `printed_step` is not positive.
    PrintedStepNotPositive,
    /// There is a duty that takes nothing: neither a percentage on something nor an amount per unit.
    DutyOnNothing,
    /// The duty is taken on itself.
    DutyOnDuty,
    /// The duty is taken on the minimum charge but not on everything the minimum makes up for.
    DutyOnMinimumAlone,
    /// The reset hour of the allowance is not 0 to 23, or the allowance is zero.
    AllowanceIsNever,
}

impl fmt::Display for TariffFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IdIsNotAShortName => "id and family must be short names of a-z, 0-9, '-' and '.'",
            Self::ValidFromIsNotADay => "valid_from must be a day, for example \"2026-04-01\"",
            Self::NoBlocks => "add at least one [[block]]",
            Self::OnlyTheLastBlockIsOpen => {
                "every [[block]] but the last needs up_to_kwh, the last must not have it"
            }
            Self::BlocksDoNotAscend => "up_to_kwh must grow from block to block",
            Self::NegativeRate => {
                "a rate is negative; only a fuel adjustment and per_kwh of a [[band]] may be"
            }
            Self::RateTooLarge => {
                "a rate is above 1000000 or a percentage above 1000: check the decimal point"
            }
            Self::TooManyBands => "at most 7 [[band]] tables",
            Self::BandIsNever => "a [[band]] must not end when it begins; months are 1 to 12",
            Self::FuelMonthTwice => "a month stands twice in the [[fuel_adjustment]] table",
            Self::FuelAmountsAreNotOnePerBlock => "per_kwh needs one amount for each [[block]]",
            Self::BandTakesMoreThanAll => "percent_of_energy of a [[band]] is at least -100",
            Self::PercentBandNeedsRisingBlocks => {
                "a [[band]] with percent_of_energy needs blocks that never get cheaper; write per_kwh"
            }
            Self::RebateAboveAll => "a rebate is at most 100 percent",
            Self::BlockPaysTheCustomer => {
                "using more in a block would cost less: its rates with rebate, band and duty are below zero"
            }
            Self::PrintedStepNotPositive => "printed_step must be positive, for example \"0.01\"",
            Self::DutyOnNothing => "a duty needs percent and on, or per_kwh",
            Self::DutyOnDuty => "duty cannot be taken on duty",
            Self::DutyOnMinimumAlone => {
                "duty on the minimum must be on energy, wheeling, fixed, fuel-adjustment, time-of-day and rebate too"
            }
            Self::AllowanceIsNever => "an allowance is at least 1 Wh, and reset_hour is 0 to 23",
        })
    }
}

impl core::error::Error for TariffFault {}

/// Largest rate per unit or per month: far above any real one, far below overflow.
const LARGEST_RATE: Micro = Micro(1_000_000 * 1_000_000);
const LARGEST_PERCENT: Micro = Micro(1_000 * 1_000_000);
/// What the minimum charge makes up for.
const MADE_UP: [Component; 6] = [
    Component::Energy,
    Component::Wheeling,
    Component::Fixed,
    Component::FuelAdjustment,
    Component::TimeOfDay,
    Component::Rebate,
];

impl Tariff {
    /// Whether the tariff makes sense; the first fault in order of precedence.
    ///
    /// # Errors
    /// The named fault.
    pub fn check(&self) -> Result<(), TariffFault> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let short = |name: &str| !name.is_empty() && name.len() <= 64 && name.bytes().all(plain);
        if !short(&self.id) || !self.family.as_deref().is_none_or(short) {
            return Err(TariffFault::IdIsNotAShortName);
        }
        if self.valid_from.parse::<LocalDay>().is_err() {
            return Err(TariffFault::ValidFromIsNotADay);
        }
        let Some((last, closed)) = self.block.split_last() else {
            return Err(TariffFault::NoBlocks);
        };
        if last.up_to_kwh.is_some() || closed.iter().any(|block| block.up_to_kwh.is_none()) {
            return Err(TariffFault::OnlyTheLastBlockIsOpen);
        }
        let ascend = closed
            .windows(2)
            .all(|pair| pair[0].up_to_kwh < pair[1].up_to_kwh);
        if !ascend || closed.first().is_some_and(|b| b.up_to_kwh == Some(0)) {
            return Err(TariffFault::BlocksDoNotAscend);
        }
        self.check_amounts()?;
        self.check_tables()?;
        if self
            .block
            .iter()
            .enumerate()
            .any(|(i, block)| self.pays_for(i, block))
        {
            return Err(TariffFault::BlockPaysTheCustomer);
        }
        self.check_rest()
    }

    fn check_amounts(&self) -> Result<(), TariffFault> {
        let (duty, minimum) = (self.duty.as_ref(), self.minimum.as_ref());
        let positive = [
            self.wheeling_per_kwh,
            self.fixed.single_phase_per_month,
            self.fixed.three_phase_per_month,
            self.fixed.per_kw_per_month,
            duty.map_or(Micro::ZERO, |duty| duty.per_kwh),
            minimum.map_or(Micro::ZERO, |minimum| minimum.per_month),
            minimum.map_or(Micro::ZERO, |minimum| minimum.per_kw_per_month),
        ];
        let rates = self.block.iter().map(|block| block.energy_per_kwh);
        let rates = rates.chain(positive);
        let percents = [
            duty.map_or(Micro::ZERO, |duty| duty.percent),
            self.rebate
                .as_ref()
                .map_or(Micro::ZERO, |rebate| rebate.percent),
        ];
        if rates.clone().chain(percents).any(|rate| rate < Micro::ZERO) {
            return Err(TariffFault::NegativeRate);
        }
        let fuel = self
            .block
            .iter()
            .map(|block| block.fuel_adjustment_per_kwh)
            .chain(
                self.fuel_adjustment
                    .iter()
                    .flat_map(|f| f.per_kwh.iter().copied()),
            )
            .chain(self.band.iter().map(|band| band.per_kwh))
            .map(|signed| Micro(signed.0.saturating_abs()));
        let shares = self
            .fuel_adjustment
            .iter()
            .map(|f| f.percent_of_previous_energy)
            .chain(self.band.iter().map(|band| band.percent_of_energy))
            .map(|signed| Micro(signed.0.saturating_abs()));
        let too_large = rates.chain(fuel).any(|rate| rate > LARGEST_RATE);
        if too_large
            || percents
                .into_iter()
                .chain(shares)
                .any(|p| p > LARGEST_PERCENT)
        {
            return Err(TariffFault::RateTooLarge);
        }
        Ok(())
    }

    fn check_tables(&self) -> Result<(), TariffFault> {
        if self.band.len() > super::bands::MOST_BANDS {
            return Err(TariffFault::TooManyBands);
        }
        let never = |band: &super::Band| {
            let whole_day = band.from.0 == 0 && band.to.0 == 24 * 60;
            let months = band.months.iter().all(|month| (1..=12).contains(month));
            !months
                || band.from.0 >= 24 * 60
                || (band.from.0 % (24 * 60) == band.to.0 % (24 * 60) && !whole_day)
        };
        if self.band.iter().any(never) {
            return Err(TariffFault::BandIsNever);
        }
        let percents = || self.band.iter().map(|band| band.percent_of_energy);
        if percents().any(|percent| percent < Micro(-100_000_000)) {
            return Err(TariffFault::BandTakesMoreThanAll);
        }
        let falls = |pair: &[Block]| pair[0].energy_per_kwh > pair[1].energy_per_kwh;
        if percents().any(|percent| percent != Micro::ZERO) && self.block.windows(2).any(falls) {
            return Err(TariffFault::PercentBandNeedsRisingBlocks);
        }
        for (i, entry) in self.fuel_adjustment.iter().enumerate() {
            let before = &self.fuel_adjustment[..i];
            if before.iter().any(|other| other.month == entry.month) {
                return Err(TariffFault::FuelMonthTwice);
            }
            if !entry.per_kwh.is_empty() && entry.per_kwh.len() != self.block.len() {
                return Err(TariffFault::FuelAmountsAreNotOnePerBlock);
            }
        }
        let rebate = self.rebate.as_ref();
        if rebate.is_some_and(|rebate| rebate.percent > Micro(100_000_000)) {
            return Err(TariffFault::RebateAboveAll);
        }
        Ok(())
    }

    /// Whether one more unit in this block lowers the bill, in any month and band.
    fn pays_for(&self, index: usize, block: &Block) -> bool {
        let months = self
            .fuel_adjustment
            .iter()
            .filter_map(|entry| entry.per_kwh.get(index));
        let fuel = months.copied().chain([block.fuel_adjustment_per_kwh]).min();
        let percent = self.rebate.as_ref().map_or(0, |rebate| rebate.percent.0);
        // Rates times 100,000,000: percentages have six decimals, 100 % is 100,000,000.
        let whole = |rate: Micro| i128::from(rate.0) * 100_000_000;
        let energy = whole(block.energy_per_kwh);
        // Where blocks rise, a unit more moves a share of the energy charge by at least its own rate times the lowest percentage.
        let least = |of: fn(&super::Band) -> Micro| self.band.iter().map(of).min();
        let adder = least(|band| band.per_kwh).map_or(0, |least| whole(least).min(0));
        let share = least(|band| band.percent_of_energy).map_or(0, |least| least.0.min(0));
        let adder = adder + i128::from(block.energy_per_kwh.0) * i128::from(share);
        let rates = [
            (Component::Energy, energy),
            (Component::FuelAdjustment, fuel.map_or(0, whole)),
            (Component::TimeOfDay, adder),
            (
                Component::Rebate,
                -energy / 100_000_000 * i128::from(percent),
            ),
            (Component::Wheeling, whole(self.wheeling_per_kwh)),
        ];
        let duty_on = |component: Component| match &self.duty {
            Some(duty) => {
                let times = duty.on.iter().filter(|on| **on == component).count();
                i128::from(duty.percent.0) * i128::try_from(times).unwrap_or(0)
            }
            None => 0,
        };
        let duty_per_unit = self.duty.as_ref().map_or(0, |duty| whole(duty.per_kwh));
        let duties = rates
            .iter()
            .map(|(component, rate)| rate / 100_000_000 * duty_on(*component));
        let duty = duties.sum::<i128>() + duty_per_unit;
        let before_wheeling: i128 = rates[..4].iter().map(|(_, rate)| rate).sum();
        let all: i128 = rates.iter().map(|(_, rate)| rate).sum();
        // Below a minimum only the duty moves.
        before_wheeling < 0 || all + duty < 0 || (self.minimum.is_some() && duty < 0)
    }

    fn check_rest(&self) -> Result<(), TariffFault> {
        if self.printed_step <= Micro::ZERO {
            return Err(TariffFault::PrintedStepNotPositive);
        }
        if let Some(duty) = &self.duty {
            let on = |component: &Component| duty.on.contains(component);
            let per_unit = duty.per_kwh > Micro::ZERO;
            if duty.on.is_empty() && (duty.percent > Micro::ZERO || !per_unit) {
                return Err(TariffFault::DutyOnNothing);
            }
            if on(&Component::Duty) {
                return Err(TariffFault::DutyOnDuty);
            }
            if on(&Component::Minimum) && !MADE_UP.iter().all(on) {
                return Err(TariffFault::DutyOnMinimumAlone);
            }
        }
        let never = |a: &super::Allowance| a.wh_per_day == 0 || a.reset_hour > 23;
        if self.allowance.as_ref().is_some_and(never) {
            return Err(TariffFault::AllowanceIsNever);
        }
        Ok(())
    }
}
