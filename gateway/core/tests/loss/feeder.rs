//! A feeder of nine households, three on each phase, with ohmic losses, late readings and one possible thief.

use gateway_core::loss::{FeederReading, Interval, MeterReading, MeterSite, Phase, Settings, Site};
use gateway_core::{UsagePointId, UtcSeconds, WattHours};

/// Intervals of a day.
pub const DAY: u64 = 96;
const METERS: usize = 9;
const START_S: i64 = 1_767_225_600;

/// A theft.
#[derive(Debug, Clone, Copy)]
pub enum Theft {
    /// A load of nobody's on phase B, Wh per interval.
    Tap { wh: u64 },
    /// The same, between eleven and six at night.
    NightTap { wh: u64 },
    /// A meter registers so many percent.
    Part { meter: usize, percent: u64 },
}

/// Something that is wrong and nobody's theft.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The feeder meter shows so many percent on phase B.
    Ratio { percent: u64 },
    /// A meter hangs on the next phase.
    Moved { meter: usize },
    /// A meter hangs on another feeder.
    Elsewhere { meter: usize },
}

/// The feeder.
#[derive(Debug, Clone, Copy)]
pub struct Feeder {
    pub seed: u64,
    pub missing_permille: u64,
    /// Meter, first and last interval.
    pub offline: Option<(usize, u64, u64)>,
    /// Meter and interval.
    pub replaced: Option<(usize, u64)>,
    pub total_only: bool,
    /// The labels of the first two meters are each other's.
    pub swapped: bool,
    pub labels: bool,
    pub volts: bool,
    /// How late the feeder is read, seconds.
    pub late_s: u64,
    pub theft: Option<(u64, Theft)>,
    /// When the theft ends.
    pub ends: Option<u64>,
    pub fault: Option<(u64, Fault)>,
}

impl Default for Feeder {
    fn default() -> Self {
        Self {
            seed: 1,
            missing_permille: 10,
            offline: None,
            replaced: None,
            total_only: false,
            swapped: false,
            labels: true,
            volts: true,
            late_s: 0,
            theft: None,
            ends: None,
            fault: None,
        }
    }
}

/// Scrambles three numbers into one.
fn scramble(seed: u64, one: u64, two: u64) -> u64 {
    let mut value = seed ^ one.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ two.rotate_left(32);
    for _ in 0..3 {
        value = (value ^ (value >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    }
    value ^ (value >> 31)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what a register or a voltmeter can show"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

impl Feeder {
    /// End of an interval.
    pub fn end_s(&self, interval: u64) -> i64 {
        START_S + 900 * i64::try_from(interval).expect("few intervals")
    }

    pub fn site(&self) -> Site {
        let label = |meter: usize| match meter {
            0 | 1 if self.swapped => Phase::ALL[1 - meter],
            _ => Phase::ALL[meter % 3],
        };
        let meter = |meter: usize| MeterSite {
            id: UsagePointId(u32::try_from(meter).expect("few meters")),
            phase: self.labels.then(|| label(meter)),
        };
        Site {
            meters: (0..METERS).map(meter).collect(),
            unmetered: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// What a household uses in an interval, Wh: a refrigerator, evenings, and something hot now and then.
    fn use_wh(&self, meter: usize, interval: u64) -> u64 {
        let dice = scramble(self.seed, meter as u64, interval);
        let evening = (68..92).contains(&(interval % DAY));
        let lamps = if evening {
            40 + 10 * (meter as u64 % 4)
        } else {
            0
        };
        let hot = if dice.is_multiple_of(if evening { 5 } else { 17 }) {
            150 + dice / 64 % 300
        } else {
            0
        };
        10 + dice / 4096 % 15 + lamps + hot
    }

    fn steals(&self, from: u64, interval: u64) -> bool {
        interval >= from && self.ends.is_none_or(|ends| interval < ends)
    }

    /// The phase a meter's energy is drawn from; none of this feeder's if it hangs elsewhere.
    fn hangs_on(&self, meter: usize, interval: u64) -> Option<usize> {
        match self.fault {
            Some((from, Fault::Moved { meter: moved })) if moved == meter && interval >= from => {
                Some((meter + 1) % 3)
            }
            Some((from, Fault::Elsewhere { meter: gone })) if gone == meter && interval >= from => {
                None
            }
            _ => Some(meter % 3),
        }
    }

    /// The rounds of the first `count` intervals.
    pub fn rounds(&self, count: u64) -> Vec<Interval> {
        let mut registers = [10_000_u64; METERS];
        let mut feeder = [50_000.0_f64; 3];
        (0..count)
            .map(|interval| self.round(interval, &mut registers, &mut feeder))
            .collect()
    }

    fn round(
        &self,
        interval: u64,
        registers: &mut [u64; METERS],
        feeder: &mut [f64; 3],
    ) -> Interval {
        let mut phases = [0.0; 3];
        let mut shown = [0; METERS];
        let mut sags = [0.0; METERS];
        for meter in 0..METERS {
            let used = self.use_wh(meter, interval);
            let kept = match self.theft {
                Some((
                    from,
                    Theft::Part {
                        meter: thief,
                        percent,
                    },
                )) if thief == meter && self.steals(from, interval) => used * percent / 100,
                _ => used,
            };
            if self.replaced == Some((meter, interval)) {
                registers[meter] = 0;
            }
            registers[meter] += kept;
            // Read up to 20 s late.
            let late = scramble(self.seed + 1, meter as u64, interval) % 20;
            shown[meter] = registers[meter] + self.use_wh(meter, interval + 1) * late / 900;
            if let Some(phase) = self.hangs_on(meter, interval) {
                phases[phase] += used as f64;
            }
            sags[meter] = used as f64 * 0.001 * (1 + meter / 3) as f64;
        }
        phases[1] += match self.theft {
            Some((from, Theft::Tap { wh })) if self.steals(from, interval) => wh as f64,
            Some((from, Theft::NightTap { wh }))
                if self.steals(from, interval) && !(24..92).contains(&(interval % DAY)) =>
            {
                wh as f64
            }
            _ => 0.0,
        };
        for (phase, (register, energy)) in feeder.iter_mut().zip(phases).enumerate() {
            // 0.05 ohm at 230 V: R E² / (U² h).
            let drawn = energy + 2.0 + 0.05 * energy * energy / (230.0 * 230.0 * 0.25);
            *register += match self.fault {
                Some((from, Fault::Ratio { percent })) if phase == 1 && interval >= from => {
                    drawn * percent as f64 / 100.0
                }
                _ => drawn,
            };
        }
        let ahead = |phase: usize| phases[phase] * self.late_s as f64 / 900.0;
        let tens = |phase: usize| WattHours(whole(feeder[phase] + ahead(phase)) / 10 * 10);
        let seen = [tens(0), tens(1), tens(2)];
        let reading = match self.total_only {
            true => FeederReading::Total(WattHours(seen.iter().map(|wh| wh.0).sum())),
            false => FeederReading::PerPhase(seen),
        };
        let meters = (0..METERS)
            .map(|meter| self.reading(meter, interval, shown[meter], &phases, sags[meter]));
        Interval {
            end: UtcSeconds(self.end_s(interval)),
            feeder: Some(reading),
            meters: meters.collect(),
        }
    }

    fn reading(
        &self,
        meter: usize,
        interval: u64,
        wh: u64,
        phases: &[f64; 3],
        sag: f64,
    ) -> MeterReading {
        let offline = self
            .offline
            .is_some_and(|(one, from, to)| one == meter && (from..to).contains(&interval));
        let dice = scramble(self.seed + 2, meter as u64, interval) % 1000;
        if offline || dice < self.missing_permille {
            return MeterReading::default();
        }
        let volts = 236.0 - phases[meter % 3] * 0.002 - sag;
        MeterReading {
            register: Some(WattHours(wh)),
            decivolts: self
                .volts
                .then(|| u32::try_from(whole(volts * 10.0)).expect("low voltage")),
        }
    }
}
