//! Time of day: which band a moment belongs to, and energy by band.
//!
//! A *band* is a stretch of the local day, perhaps in certain months or on certain weekdays only, in which every unit costs an adder
//! more (or, negative, less): an amount per unit, a percentage of the energy charge, or both. Bands are numbered from 1 in the order of
//! the file; the first one that holds a moment counts, so a band without an adder can keep others out. Band 0 is the rest of the
//! time and has no adder. A season is a band of its own with its own months.

use super::Tariff;
use super::is_zero;
use super::notation::{TimeOfDay, amount};
use crate::calendar::{Calendar, LocalDay, Weekday};
use crate::{Micro, UtcSeconds, WattHours};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Most bands of a tariff: two seasons of three bands, and one more.
pub const MOST_BANDS: usize = 7;

/// A stretch of the day with its adder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// What people call it.
    pub name: String,
    /// When it begins.
    pub from: TimeOfDay,
    /// When it ends; before `from`: on the next day.
    pub to: TimeOfDay,
    /// Months of the year in which it exists, 1 to 12; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub months: Vec<u8>,
    /// Weekdays on which it begins; none: all. A band from Friday 22:00 to 06:00 ends on Saturday.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// Added to every kWh used in it; negative: a rebate.
    #[serde(with = "amount", default)]
    pub per_kwh: Micro,
    /// Percent of the energy charge added to what is used in it, -100 to 1,000; negative: a rebate. The period's energy charge is
    /// shared over the bands in proportion to energy, whatever the blocks.
    #[serde(with = "amount", default, skip_serializing_if = "is_zero")]
    pub percent_of_energy: Micro,
}

impl Band {
    fn holds(&self, day: LocalDay, minute: u16) -> bool {
        let in_season = self.months.is_empty() || self.months.contains(&day.month().of_year());
        let (from, to) = (self.from.0, self.to.0);
        let over_midnight = from >= to;
        let in_hours = if over_midnight {
            minute >= from || minute < to
        } else {
            (from..to).contains(&minute)
        };
        let began_yesterday = over_midnight && minute < to;
        let began = LocalDay(day.0.saturating_sub(i32::from(began_yesterday)));
        let on_weekday = self.weekdays.is_empty() || self.weekdays.contains(&began.weekday());
        in_season && in_hours && on_weekday
    }
}

impl Tariff {
    /// The band of a moment; 0 for the rest of the time.
    #[must_use]
    pub fn band_at(&self, calendar: Calendar, at: UtcSeconds) -> u8 {
        let (day, minute) = (calendar.day_of(at), calendar.minute_of(at));
        let found = self.band.iter().take(MOST_BANDS);
        let found = found.zip(1..).find(|(band, _)| band.holds(day, minute));
        found.map_or(0, |(_, number)| number)
    }

    /// The moments after `from`, up to and including `to`, at which another band begins, with that band.
    #[must_use]
    pub fn band_changes(
        &self,
        calendar: Calendar,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Vec<(UtcSeconds, u8)> {
        let mut changes = Vec::new();
        if self.band.is_empty() {
            return changes;
        }
        let mut edges: Vec<u16> = alloc::vec![0];
        edges.extend(self.band.iter().flat_map(|band| [band.from.0, band.to.0]));
        edges.sort_unstable();
        edges.dedup();
        let mut current = self.band_at(calendar, from);
        for day in calendar.day_of(from).0..=calendar.day_of(to).0 {
            let midnight = calendar.start_of(LocalDay(day)).0;
            for edge in edges.iter().filter(|edge| **edge < 24 * 60) {
                let at = UtcSeconds(midnight + i64::from(*edge) * 60);
                let band = self.band_at(calendar, at);
                if at > from && at <= to && band != current {
                    changes.push((at, band));
                    current = band;
                }
            }
        }
        changes
    }
}

/// Energy by band; band 0, the rest of the time, is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bands([u64; MOST_BANDS]);

impl Bands {
    /// All of an energy in one band.
    #[must_use]
    pub fn all_in(band: u8, energy: WattHours) -> Self {
        let mut bands = Self::default();
        bands.add(band, energy);
        bands
    }

    /// Adds energy to a band; to band 0, or one that cannot exist, nothing is added.
    pub fn add(&mut self, band: u8, energy: WattHours) {
        if let Some(sum) = usize::from(band)
            .checked_sub(1)
            .and_then(|i| self.0.get_mut(i))
        {
            *sum = sum.saturating_add(energy.0);
        }
    }

    /// Takes energy out of a band, as much as there is.
    pub fn take(&mut self, band: u8, energy: WattHours) {
        if let Some(sum) = usize::from(band)
            .checked_sub(1)
            .and_then(|i| self.0.get_mut(i))
        {
            *sum = sum.saturating_sub(energy.0);
        }
    }

    /// The sum of two, band by band.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(core::array::from_fn(|i| {
            self.0[i].saturating_add(other.0[i])
        }))
    }

    /// The energies of bands 1, 2 and so on.
    pub fn iter(&self) -> impl Iterator<Item = (u8, WattHours)> + '_ {
        (1..).zip(self.0.iter().map(|energy| WattHours(*energy)))
    }

    /// The energy of every band put through a function.
    #[must_use]
    pub fn map(self, change: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(change))
    }

    /// Energy in bands 1 and above.
    #[must_use]
    pub fn total(&self) -> WattHours {
        let sum = self.0.iter().fold(0, |sum: u64, e| sum.saturating_add(*e));
        WattHours(sum)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|energy| *energy == 0)
    }
}

impl Serialize for Bands {
    /// As a map of the bands with energy: `{"1":2500}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().filter(|(_, energy)| energy.0 > 0))
    }
}

impl<'de> Deserialize<'de> for Bands {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named: BTreeMap<String, WattHours> = BTreeMap::deserialize(deserializer)?;
        let mut bands = Self::default();
        for (name, energy) in named {
            let band = name.parse::<u8>().ok();
            match band.filter(|band| (1..=MOST_BANDS).contains(&usize::from(*band))) {
                Some(band) => bands.add(band, energy),
                None => return Err(D::Error::custom("no band has this number")),
            }
        }
        Ok(bands)
    }
}
