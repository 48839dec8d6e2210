//! Worked bills: what a file's source says a period costs, against what it comes to.

use super::{Connection, SMALLEST_LOAD_W, Tariff, WorkedBill};
use crate::rating::{self, Charges, Component, Usage};
use crate::tariff::bands::Bands;
use crate::{Micro, WattHours};
use alloc::vec::Vec;

impl WorkedBill {
    /// The use it prices; of a bill for one day, the use until its evening.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let connection = Connection {
            phases: self.phases,
            load_w: self.load_w.unwrap_or(SMALLEST_LOAD_W),
        };
        let energy = WattHours(u64::from(self.units_kwh) * 1_000);
        let mut bands = Bands::default();
        for (band, kwh) in (1..).zip(&self.bands_kwh) {
            bands.add(band, WattHours(u64::from(*kwh) * 1_000));
        }
        Usage {
            days_due: self.day.unwrap_or(self.days),
            bands,
            month: self.month.unwrap_or_default(),
            previous_energy: self.previous_energy.unwrap_or_default(),
            ..Usage::whole_period(energy, self.days, connection)
        }
    }

    /// What it comes to, by component.
    #[must_use]
    pub fn charges(&self, tariff: &Tariff) -> Charges {
        let usage = self.usage();
        let charges = rating::cost(tariff, &usage);
        let Some(day) = self.day else { return charges };
        let before = Usage {
            energy: WattHours(u64::from(self.before_kwh.unwrap_or(0)) * 1_000),
            bands: Bands::default(),
            days_due: day.saturating_sub(1),
            ..usage
        };
        charges - rating::cost(tariff, &before)
    }

    /// What it says and what comes out, wherever the two differ; the total has no component.
    #[must_use]
    pub fn differences(&self, tariff: &Tariff) -> Vec<(Option<Component>, Micro, Micro)> {
        let charges = self.charges(tariff);
        let said = [
            (Some(Component::Energy), self.energy),
            (Some(Component::Rebate), self.rebate.map(|rebate| -rebate)),
            (Some(Component::FuelAdjustment), self.fuel_adjustment),
            (Some(Component::Duty), self.duty),
            (None, Some(self.total)),
        ];
        let differs = |(component, said): (Option<Component>, Option<Micro>)| {
            let found = component.map_or_else(|| charges.total(), |component| charges[component]);
            said.filter(|said| *said != found)
                .map(|said| (component, said, found))
        };
        said.into_iter().filter_map(differs).collect()
    }
}
