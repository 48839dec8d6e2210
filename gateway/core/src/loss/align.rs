//! From registers that come late, not at all or anew, to energies per interval.
//!
//! Decided here: how much energy belongs to an interval, and how far that is a guess. A missing
//! register is guessed from what the meter did lately and at this time of day; when it comes back,
//! the guess is settled, so that sums are always right. Deliberately not: what the energies mean.
//!
//! Terms: *booked* energy is the guess while missing and the settlement on return; *plain* energy
//! is the smooth version: the advance over a gap spread evenly. Invariant: while a meter keeps its
//! register, its booked energies add up to its advance.

use super::site::Interval;
use super::site::{FeederReading, Site};
use alloc::vec;
use alloc::vec::Vec;

/// What a connection can carry in one interval, Wh per second of it: 100 A at 250 V with a half to
/// spare. A larger advance is another register, not energy.
const CARRIES_WH_PER_S: f64 = 100.0 * 250.0 * 1.5 / 3600.0;
/// Standard deviation of a register that was never seen, Wh: it could be anything.
const NEVER_SEEN_WH: f64 = 1e5;
/// The share a new day has in what a meter is known to use at a time of day: about the last week.
const DAY_SHARE: f64 = 1.0 / 7.0;

/// One interval, aligned.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its end, seconds UTC.
    pub end_s: i64,
    /// Local second of the day of its middle.
    pub of_day_s: u32,
    /// Advance of the feeder registers since they were last known (the total stands first); absent
    /// while missing.
    pub feeder: Option<[f64; 3]>,
    /// The feeder registers begin anew here: what was before is not comparable.
    pub restarted: bool,
    /// Feeder energies of this interval, guessed while missing.
    pub plain_feeder: [f64; 3],
    /// Booked energy per meter, Wh.
    pub booked: Vec<f32>,
    /// Plain energy per meter, Wh.
    pub plain: Vec<f32>,
    /// Standard deviation of the register as guessed, Wh; zero where it was read.
    pub guess_sd: Vec<f32>,
    /// Standard deviation of energy nobody will ever know (before a meter was replaced), Wh.
    pub unknown_sd: Vec<f32>,
    /// Volts; NaN where missing.
    pub volts: Vec<f32>,
}

/// Follows one register.
#[derive(Debug, Clone)]
struct Register {
    last: Option<u64>,
    missing: u32,
    guessed: f64,
    guess_sd: f64,
    recent: f64,
    square: f64,
    by_hour: [f64; 24],
    days: [u16; 24],
}

impl Register {
    fn new() -> Self {
        Self {
            last: None,
            missing: 0,
            guessed: 0.0,
            guess_sd: 0.0,
            recent: 0.0,
            square: 0.0,
            by_hour: [0.0; 24],
            days: [0; 24],
        }
    }

    fn forecast(&self, hour: usize) -> f64 {
        if self.days[hour] == 0 {
            self.recent
        } else {
            (self.recent + self.by_hour[hour]) / 2.0
        }
    }

    fn learn(&mut self, hour: usize, energy: f64) {
        let share = (1.0 / (f64::from(self.days[hour]) + 1.0)).max(DAY_SHARE / 4.0);
        self.by_hour[hour] += share * (energy - self.by_hour[hour]);
        self.days[hour] = self.days[hour].saturating_add(1);
        self.square += 0.02 * (energy * energy - self.square);
        self.recent += 0.3 * (energy - self.recent);
    }

    /// `(booked, plain, guess sd, unknown sd)` of this interval.
    fn step(&mut self, now: Option<u64>, hour: usize, limit: f64) -> [f64; 4] {
        let guess = self.forecast(hour);
        // Use comes in bursts: twice its root mean square of the last day holds a kettle and an
        // oven, and a small appliance is always possible.
        let spread = (2.0 * libm::sqrt(self.square)).max(10.0);
        let (Some(now), Some(last)) = (now, self.last) else {
            if now.is_some() {
                self.last = now;
                return [0.0; 4];
            }
            if self.last.is_none() {
                return [0.0, 0.0, NEVER_SEEN_WH, 0.0];
            }
            self.missing += 1;
            self.guessed += guess;
            self.guess_sd += spread;
            return [guess, guess, self.guess_sd, 0.0];
        };
        self.last = Some(now);
        let intervals = f64::from(self.missing + 1);
        let advance = now.checked_sub(last).map(|wh| wh as f64);
        let settled = match advance {
            Some(advance) if advance <= limit * intervals => {
                let plain = advance / intervals;
                self.learn(hour, plain);
                [advance - self.guessed, plain, 0.0, 0.0]
            }
            // Replaced: what went through the old meter since its last reading is never known.
            _ => {
                let since = (now as f64).min(guess * intervals);
                [
                    guess.max(since - self.guessed),
                    guess,
                    0.0,
                    self.guess_sd + spread,
                ]
            }
        };
        self.missing = 0;
        self.guessed = 0.0;
        self.guess_sd = 0.0;
        settled
    }
}

/// Follows all registers of a feeder.
#[derive(Debug, Clone)]
pub struct Align {
    meters: Vec<Register>,
    feeder: [Option<u64>; 3],
    feeder_missing: u32,
    plain_feeder: [f64; 3],
    interval_s: u32,
    utc_offset_s: i32,
}

impl Align {
    pub fn new(site: &Site) -> Self {
        Self {
            meters: vec![Register::new(); site.meters.len()],
            feeder: [None; 3],
            feeder_missing: 0,
            plain_feeder: [0.0; 3],
            interval_s: site.settings.interval_s.max(1),
            utc_offset_s: site.settings.utc_offset_s,
        }
    }

    /// Aligns one reading round.
    pub fn step(&mut self, interval: &Interval) -> Row {
        let middle = interval.end.0 + i64::from(self.utc_offset_s) - i64::from(self.interval_s / 2);
        let of_day_s = u32::try_from(middle.rem_euclid(86_400)).unwrap_or(0);
        let hour = of_day_s as usize / 3600 % 24;
        let limit = CARRIES_WH_PER_S * f64::from(self.interval_s);
        let count = self.meters.len();
        let mut row = Row {
            end_s: interval.end.0,
            of_day_s,
            feeder: None,
            restarted: false,
            plain_feeder: [0.0; 3],
            booked: vec![0.0; count],
            plain: vec![0.0; count],
            guess_sd: vec![0.0; count],
            unknown_sd: vec![0.0; count],
            volts: vec![f32::NAN; count],
        };
        for (index, register) in self.meters.iter_mut().enumerate() {
            let reading = interval.meters.get(index).copied().unwrap_or_default();
            let [booked, plain, guess, unknown] =
                register.step(reading.register.map(|wh| wh.0), hour, limit);
            row.booked[index] = narrow(booked);
            row.plain[index] = narrow(plain);
            row.guess_sd[index] = narrow(guess);
            row.unknown_sd[index] = narrow(unknown);
            if let Some(decivolts) = reading.decivolts.filter(|dv| *dv > 0) {
                row.volts[index] = narrow(f64::from(decivolts) / 10.0);
            }
        }
        self.feeder(interval, &mut row);
        row
    }

    fn feeder(&mut self, interval: &Interval, row: &mut Row) {
        self.feeder_missing += 1;
        let now = match interval.feeder {
            None => [None; 3],
            Some(FeederReading::Total(wh)) => [Some(wh.0), Some(0), Some(0)],
            Some(FeederReading::PerPhase(wh)) => wh.map(|wh| Some(wh.0)),
        };
        if now[0].is_some() {
            let mut advance = [0.0; 3];
            let mut known = true;
            for phase in 0..3 {
                match (now[phase], self.feeder[phase]) {
                    (Some(now), Some(last)) if now >= last => advance[phase] = (now - last) as f64,
                    _ => known = false,
                }
            }
            row.restarted = !known;
            if known {
                self.plain_feeder = advance.map(|wh| wh / f64::from(self.feeder_missing));
                row.feeder = Some(advance);
            }
            self.feeder = now;
            self.feeder_missing = 0;
        }
        row.plain_feeder = self.plain_feeder;
    }
}

/// To the width history is kept in.
#[expect(
    clippy::cast_possible_truncation,
    reason = "seven digits are more than any reading has"
)]
pub fn narrow(value: f64) -> f32 {
    value as f32
}
