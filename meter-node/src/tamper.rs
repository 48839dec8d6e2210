//! What counts as tampering: a condition, and how long it must last.
//!
//! A condition's time grows while it holds and falls as fast while it does not, so that neither a
//! noisy sample nor a load that comes and goes begins it anew. Between three quarters of a limit and
//! the limit it stands still (hysteresis). A motor's start, 1 to 8 s in which transformers saturate,
//! is far below every persistence and is taken back by the quiet time after it. One sample counts
//! for at most a third of the persistence: nobody is accused or cut on fewer than three.

use crate::Measurement;
use prepaid_common::wire::{Events, Evidence, MOST_DOUBLINGS, SENSOR_MS, SUPPLY_LOW_MS, Settings};

const CONDITIONS: usize = 8;

pub(crate) struct Tamper {
    pub latched: Events,
    /// What the sensors said when something latched, until the gateway has stored it.
    pub evidence: Option<Evidence>,
    /// Without one nothing can be bypassed behind it.
    pub has_relay: bool,
    /// The supply voltage is too low to rely on.
    pub supply_low: bool,
    lasted_ms: [u32; CONDITIONS],
    low_ms: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Below,
    Between,
    Above,
}

impl Level {
    fn of(value: u32, limit: u32) -> Self {
        if value > limit {
            Self::Above
        } else if value < limit - limit / 4 {
            Self::Below
        } else {
            Self::Between
        }
    }

    fn holds(holds: bool) -> Self {
        if holds { Self::Above } else { Self::Below }
    }

    fn only_if(self, possible: bool) -> Self {
        if possible { self } else { Self::Below }
    }
}

impl Tamper {
    pub fn new(latched: Events) -> Self {
        Self {
            latched: latched & Events::LATCHED,
            evidence: None,
            has_relay: true,
            supply_low: false,
            low_ms: 0,
            lasted_ms: [0; CONDITIONS],
        }
    }

    /// Clears bits; what caused them must last anew before they are set again.
    pub fn clear(&mut self, mask: Events) {
        self.latched = self.latched & !mask;
        self.lasted_ms = [0; CONDITIONS];
    }

    /// Looks at one measurement that stood for `elapsed_ms` with the relay as commanded.
    pub fn watch(&mut self, elapsed_ms: u32, now: &Measurement, closed: bool, settings: &Settings) {
        self.watch_supply(elapsed_ms, now.voltage_in_dv, settings);
        let before = self.latched;
        let closed = closed || !self.has_relay;
        let conditions = conditions(now, closed, settings);
        for (lasted_ms, (event, level, needed_ms)) in self.lasted_ms.iter_mut().zip(conditions) {
            let counted_ms = elapsed_ms.min(needed_ms.div_ceil(3));
            match level {
                Level::Above => *lasted_ms = lasted_ms.saturating_add(counted_ms).min(needed_ms),
                Level::Between => {}
                Level::Below => *lasted_ms = lasted_ms.saturating_sub(elapsed_ms),
            }
            if level == Level::Above && *lasted_ms >= needed_ms {
                self.latched |= event;
            }
        }
        let risen = self.latched & !before;
        if !risen.is_empty() {
            let earlier = self.evidence.map_or(Events::NONE, |known| known.events);
            self.evidence = Some(Evidence {
                events: earlier | risen,
                phase_current_ma: now.phase_current_ma,
                neutral_current_ma: now.neutral_current_ma,
                voltage_in_dv: now.voltage_in_dv,
                voltage_out_dv: now.voltage_out_dv,
                active_power_w: now.active_power_w,
            });
        }
    }

    /// A state, not an accusation: told when it has lasted, and over when it has been well again for as long, a sixteenth above the limit
    /// (170 V of 160 V). What lies between changes nothing, so that a brown-out at the limit is told once.
    fn watch_supply(&mut self, elapsed_ms: u32, voltage_dv: u16, settings: &Settings) {
        let needed_ms = SUPPLY_LOW_MS << settings.supply_low_doublings.min(MOST_DOUBLINGS);
        let counted_ms = elapsed_ms.min(needed_ms.div_ceil(3));
        let limit_dv = u32::from(settings.supply_low_dv);
        let voltage_dv = u32::from(voltage_dv);
        if voltage_dv < limit_dv {
            self.low_ms = self.low_ms.saturating_add(counted_ms).min(needed_ms);
        } else if voltage_dv >= limit_dv + limit_dv / 16 {
            self.low_ms = self.low_ms.min(needed_ms).saturating_sub(counted_ms);
        }
        if self.low_ms == needed_ms {
            self.supply_low = true;
        } else if self.low_ms == 0 {
            self.supply_low = false;
        }
    }
}

fn conditions(
    now: &Measurement,
    closed: bool,
    limit: &Settings,
) -> [(Events, Level, u32); CONDITIONS] {
    let ms = |seconds: u16| u32::from(seconds) * 1000;
    let larger = now.phase_current_ma.max(now.neutral_current_ma);
    let difference = now.phase_current_ma.abs_diff(now.neutral_current_ma);
    // Divided first: 32 bits hold it up to any current, and a percent of 10 mA is no matter.
    let part = (larger / 100).saturating_mul(u32::from(limit.difference_per_myriad)) / 100;
    let allowed = part.max(u32::from(limit.difference_floor_ma));
    let backward_w = now.active_power_w.min(0).unsigned_abs();
    let volt_amperes = (larger / 100).saturating_mul(u32::from(now.voltage_in_dv) / 10) / 10;
    let healthy = now.voltage_in_dv >= limit.supply_low_dv;
    let frozen = now.active_power_w == 0 && healthy;
    // A quarter of a supply that is too low is no supply: no brown-out feeds a load there.
    let missing = now.voltage_in_dv < limit.supply_low_dv / 4;
    let at_230_v = (larger / 100).saturating_mul(23);
    let va = u32::from(limit.frozen_va);
    let sensor_ms = SENSOR_MS << limit.sensor_doublings.min(MOST_DOUBLINGS);
    [
        (
            Events::PHASE_NEUTRAL_DIFFERENCE,
            Level::of(difference, allowed),
            ms(limit.difference_s),
        ),
        (
            Events::LOAD_VOLTAGE_WHILE_OPEN,
            Level::of(now.voltage_out_dv.into(), limit.load_voltage_dv.into()).only_if(!closed),
            ms(limit.open_s),
        ),
        (
            Events::CURRENT_WHILE_OPEN,
            Level::of(larger, limit.open_current_ma.into()).only_if(!closed),
            ms(limit.open_s),
        ),
        (
            Events::REVERSED,
            Level::of(backward_w, limit.reversed_w.into()).only_if(!limit.export_allowed),
            ms(limit.reversed_s),
        ),
        (
            Events::FROZEN_REGISTER,
            Level::of(volt_amperes, va).only_if(frozen),
            ms(limit.frozen_s),
        ),
        (
            Events::CURRENT_WITHOUT_VOLTAGE,
            Level::of(at_230_v, va).only_if(missing),
            ms(limit.difference_s),
        ),
        (Events::COVER_OPEN, Level::holds(now.cover_open), sensor_ms),
        (Events::MAGNET, Level::holds(now.magnet), sensor_ms),
    ]
}
