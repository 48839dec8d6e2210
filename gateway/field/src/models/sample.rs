//! The values of a meter, read in one go, and the reading they make.

use super::decode::Fault;
use super::model::{Model, Quantity};
use gateway_core::event::PhaseReading;
use gateway_core::{NodeId, Reading, WattHours};
use std::collections::BTreeMap;
use std::time::Duration;

/// The values of a meter. A block's values are of one moment; blocks follow each other within a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Base units, and when its block was received, counted from the first request.
    pub values: BTreeMap<Quantity, (f64, Duration)>,
    /// What holds no value.
    pub faults: BTreeMap<Quantity, Fault>,
    /// How often the register has begun again at zero.
    pub wraps: Option<u64>,
}

impl Sample {
    /// Adds a value or the lack of one.
    pub fn put(&mut self, quantity: Quantity, value: Result<f64, Fault>, since_start: Duration) {
        match value {
            Ok(value) => {
                self.values.insert(quantity, (value, since_start));
            }
            Err(fault) => {
                self.faults.insert(quantity, fault);
            }
        }
    }

    /// A value in base units.
    #[must_use]
    pub fn get(&self, quantity: Quantity) -> Option<f64> {
        self.values.get(&quantity).map(|(value, _)| *value)
    }

    /// The import register in watt-hours, wraps counted.
    #[must_use]
    pub fn import(&self, model: &Model) -> Option<WattHours> {
        let raw = self.energy(model, Quantity::Import)?;
        let wraps = match (model.counter.wrap_count, model.counter.wrap_at_wh) {
            (Some(_), Some(at)) => self.wraps?.checked_mul(at)?,
            _ => 0,
        };
        raw.checked_add(wraps).map(WattHours)
    }

    /// An energy, rounded to the meter's own step: a float32 holds the step's nearest neighbour.
    fn energy(&self, model: &Model, quantity: Quantity) -> Option<u64> {
        let step = model.counter.resolution_wh;
        #[expect(clippy::cast_precision_loss, reason = "a step is at most 100,000")]
        let steps = self.get(quantity)? / step as f64;
        whole(steps)
            .and_then(|steps| u64::try_from(steps).ok())?
            .checked_mul(step)
    }

    /// The reading of a meter; `None` without an import register.
    #[must_use]
    pub fn reading(&self, model: &Model, node: NodeId) -> Option<Reading> {
        use Quantity as Q;
        let scaled =
            |quantity, factor: f64| self.get(quantity).and_then(|value| whole(value * factor));
        let phases = phase_reading(self, model);
        let mean = |values: Vec<u16>| {
            let count = u32::try_from(values.len())
                .ok()
                .filter(|count| *count > 0)?;
            u16::try_from(values.iter().map(|v| u32::from(*v)).sum::<u32>() / count).ok()
        };
        let of = |get: fn(&PhaseReading) -> Option<u32>| -> Vec<u32> {
            phases.iter().flatten().filter_map(get).collect()
        };
        let volts = |values: Vec<u32>| {
            values
                .into_iter()
                .filter_map(|v| u16::try_from(v).ok())
                .collect()
        };
        let current = of(|phase| phase.current_ma);
        Some(Reading {
            node,
            register: self.import(model)?,
            export: WattHours(self.energy(model, Q::Export).unwrap_or_default()),
            power_w: scaled(Q::Power, 1.0).and_then(|w| i32::try_from(w).ok()),
            voltage_dv: scaled(Q::Voltage, 10.0)
                .and_then(|dv| u16::try_from(dv).ok())
                .or_else(|| mean(volts(of(|phase| phase.voltage_dv.map(u32::from))))),
            current_ma: scaled(Q::Current, 1000.0)
                .and_then(|ma| u32::try_from(ma.abs()).ok())
                .or_else(|| (!current.is_empty()).then(|| current.iter().sum())),
            neutral_ma: scaled(Q::CurrentN, 1000.0).and_then(|ma| u32::try_from(ma.abs()).ok()),
            frequency_chz: scaled(Q::Frequency, 100.0).and_then(|chz| u16::try_from(chz).ok()),
            phases,
            ..Reading::of(node, WattHours(0))
        })
    }
}

/// The phases of a three-phase meter, as far as it tells them.
#[must_use]
pub fn phase_reading(sample: &Sample, model: &Model) -> Option<[PhaseReading; 3]> {
    use Quantity as Q;
    const PHASES: [[Quantity; 4]; 3] = [
        [Q::VoltageL1, Q::CurrentL1, Q::PowerL1, Q::ImportL1],
        [Q::VoltageL2, Q::CurrentL2, Q::PowerL2, Q::ImportL2],
        [Q::VoltageL3, Q::CurrentL3, Q::PowerL3, Q::ImportL3],
    ];
    let one = |[voltage, current, power, import]: [Quantity; 4]| {
        let scaled = |quantity, factor: f64| sample.get(quantity).and_then(|v| whole(v * factor));
        PhaseReading {
            voltage_dv: scaled(voltage, 10.0).and_then(|dv| u16::try_from(dv).ok()),
            current_ma: scaled(current, 1000.0).and_then(|ma| u32::try_from(ma.abs()).ok()),
            power_w: scaled(power, 1.0).and_then(|w| i32::try_from(w).ok()),
            import: sample.energy(model, import).map(WattHours),
        }
    };
    let phases = PHASES.map(one);
    let known = phases.iter().any(|phase| *phase != PhaseReading::default());
    (model.phases == 3 && known).then_some(phases)
}

/// The nearest whole number, if it can be one.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn whole(value: f64) -> Option<i64> {
    let rounded = value.round();
    (rounded.abs() < 9e15).then_some(rounded as i64)
}
