//! What counts as tampering: a condition, and how long it must last.

use crate::Measurement;
use prepaid_common::wire::Events;

/// When a condition becomes an event. The defaults suit a class 1 meter with a 5 (60) A current
/// transformer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Phase and neutral may differ by the larger current divided by this: 16 is 6.25 %, as
    /// metering chips use.
    pub difference_divisor: u32,
    /// ... and by at least this, milliamperes: leakage of old wiring.
    pub difference_floor_ma: u32,
    /// How long the currents must differ, milliseconds.
    pub difference_ms: u32,
    /// Voltage behind an open relay that no stray coupling makes, tenths of a volt.
    pub load_voltage_dv: u16,
    /// Current through an open relay that no noise makes, milliamperes.
    pub open_current_ma: u32,
    /// How long voltage or current behind an open relay must last, milliseconds.
    pub open_ms: u32,
    /// Backward power beyond noise, watts.
    pub reversed_w: i32,
    /// How long it must last, milliseconds.
    pub reversed_ms: u32,
    /// True where the premises may export.
    pub export_allowed: bool,
    /// Current that must register as power, milliamperes.
    pub frozen_current_ma: u32,
    /// How long there may be none, milliseconds.
    pub frozen_ms: u32,
    /// How long cover or magnet sensor must be on, milliseconds: longer than a bounce.
    pub sensor_ms: u32,
    /// Supply below this is too low to rely on, tenths of a volt.
    pub supply_low_dv: u16,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            difference_divisor: 16,
            difference_floor_ma: 100,
            difference_ms: 60_000,
            load_voltage_dv: 500,
            open_current_ma: 100,
            open_ms: 10_000,
            reversed_w: 50,
            reversed_ms: 60_000,
            export_allowed: false,
            frozen_current_ma: 1_000,
            frozen_ms: 600_000,
            sensor_ms: 500,
            supply_low_dv: 1_600,
        }
    }
}

const CONDITIONS: usize = 7;

pub(crate) struct Tamper {
    pub thresholds: Thresholds,
    pub latched: Events,
    lasted_ms: [u32; CONDITIONS],
}

impl Tamper {
    pub fn new(latched: Events) -> Self {
        Self {
            thresholds: Thresholds::default(),
            latched: latched & Events::LATCHED,
            lasted_ms: [0; CONDITIONS],
        }
    }

    pub fn clear(&mut self, mask: Events) {
        self.latched = self.latched & !mask;
    }

    /// Looks at one measurement that stood for `elapsed_ms` with the relay as commanded.
    pub fn watch(&mut self, elapsed_ms: u32, now: &Measurement, closed: bool) {
        let limit = &self.thresholds;
        let larger = now.phase_current_ma.max(now.neutral_current_ma);
        let difference = now.phase_current_ma.abs_diff(now.neutral_current_ma);
        let allowed = (larger / limit.difference_divisor.max(1)).max(limit.difference_floor_ma);
        let reversed = !limit.export_allowed && now.active_power_w < -limit.reversed_w;
        let frozen = now.active_power_w == 0
            && now.phase_current_ma > limit.frozen_current_ma
            && now.voltage_in_dv >= limit.supply_low_dv;
        let conditions: [(Events, bool, u32); CONDITIONS] = [
            (
                Events::PHASE_NEUTRAL_DIFFERENCE,
                difference > allowed,
                limit.difference_ms,
            ),
            (
                Events::LOAD_VOLTAGE_WHILE_OPEN,
                !closed && now.voltage_out_dv > limit.load_voltage_dv,
                limit.open_ms,
            ),
            (
                Events::CURRENT_WHILE_OPEN,
                !closed && larger > limit.open_current_ma,
                limit.open_ms,
            ),
            (Events::REVERSED, reversed, limit.reversed_ms),
            (Events::FROZEN_REGISTER, frozen, limit.frozen_ms),
            (Events::COVER_OPEN, now.cover_open, limit.sensor_ms),
            (Events::MAGNET, now.magnet, limit.sensor_ms),
        ];
        for (lasted_ms, (event, holds, needed_ms)) in self.lasted_ms.iter_mut().zip(conditions) {
            *lasted_ms = if holds {
                lasted_ms.saturating_add(elapsed_ms)
            } else {
                0
            };
            if holds && *lasted_ms >= needed_ms {
                self.latched |= event;
            }
        }
    }
}
