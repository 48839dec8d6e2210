//! What a household draws: base load, fridge, evening, kettle.
//!
//! Decided here: power by the seed and the time of day. Not decided here: whether it is supplied.
//! A household that is off does not catch up afterwards, apart from its fridge's phase.

use crate::random::Random;

/// How the neighbourhood lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// Local time when the simulation starts, seconds since midnight.
    pub second_of_day: u32,
    /// Mean time between two kettles of one household, seconds; 0 for none. A household makes tea
    /// about every three hours; a short demonstration wants it more often.
    pub kettle_every_s: u32,
    /// Largest power that cooking, light and television add in the evening, watts.
    pub evening_w: u32,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            second_of_day: 19 * 3600,
            kettle_every_s: 3 * 3600,
            evening_w: 600,
        }
    }
}

/// What is drawn now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Active power, milliwatts.
    pub active_mw: u64,
    /// Reactive power, milliwatts (milli-var).
    pub reactive_mw: u64,
}

impl Demand {
    /// A load without reactive part.
    #[must_use]
    pub fn resistive(watts: u32) -> Self {
        Self {
            active_mw: u64::from(watts) * 1000,
            reactive_mw: 0,
        }
    }

    /// Apparent power, milliwatts (milli-volt-ampere).
    #[must_use]
    pub fn apparent_mw(self) -> u64 {
        let squares = self.active_mw.saturating_mul(self.active_mw);
        squares
            .saturating_add(self.reactive_mw.saturating_mul(self.reactive_mw))
            .isqrt()
    }
}

/// Share of the evening's power by hour, per mille: breakfast, a quiet day, dinner.
const SHARE_BY_HOUR: [u32; 24] = [
    100, 60, 50, 50, 60, 150, 400, 500, 350, 200, 180, 200, 300, 250, 180, 180, 250, 450, 750,
    1000, 1000, 850, 500, 250,
];
const DAY_S: u64 = 24 * 3600;

/// Reactive power of a fridge's motor at power factor 0.7, and of everything else at 0.95, per
/// mille of the active power.
const MOTOR_REACTIVE: u64 = 1020;
const BASE_REACTIVE: u64 = 330;

/// One household's appliances.
#[derive(Debug, Clone)]
pub struct Household {
    random: Random,
    since_midnight_ms: u64,
    base_w: u32,
    evening_w: u32,
    fridge: Fridge,
    kettle: Kettle,
}

#[derive(Debug, Clone)]
struct Fridge {
    power_w: u32,
    running: bool,
    left_ms: u32,
}

#[derive(Debug, Clone)]
struct Kettle {
    every_s: u32,
    /// Power while it boils, otherwise 0.
    power_w: u32,
    left_ms: u32,
}

impl Household {
    /// A household of its own for every seed.
    #[must_use]
    pub fn new(seed: u64, habits: &Habits) -> Self {
        let mut random = Random::new(seed);
        let evening_w = random.between(habits.evening_w / 4, habits.evening_w);
        Self {
            since_midnight_ms: u64::from(habits.second_of_day) * 1000,
            base_w: random.between(40, 120),
            evening_w,
            fridge: Fridge {
                power_w: random.between(100, 150),
                running: random.between(0, 2) == 0,
                left_ms: random.between(0, 900_000),
            },
            kettle: Kettle {
                every_s: habits.kettle_every_s,
                power_w: 0,
                left_ms: random.between(0, habits.kettle_every_s.saturating_mul(1000)),
            },
            random,
        }
    }

    /// Lives for `elapsed_ms` and says what it would draw in that time.
    pub fn live(&mut self, elapsed_ms: u32) -> Demand {
        self.since_midnight_ms += u64::from(elapsed_ms);
        self.fridge.run(elapsed_ms, &mut self.random);
        self.kettle.run(elapsed_ms, &mut self.random);
        // Base and evening load flicker by 3 %.
        let flicker = u64::from(self.random.between(970, 1030));
        let steady_mw = (u64::from(self.base_w) + self.evening_now_w()) * flicker;
        let motor_mw = u64::from(if self.fridge.running {
            self.fridge.power_w
        } else {
            0
        }) * 1000;
        Demand {
            active_mw: steady_mw + motor_mw + u64::from(self.kettle.power_w) * 1000,
            reactive_mw: (steady_mw * BASE_REACTIVE + motor_mw * MOTOR_REACTIVE) / 1000,
        }
    }

    /// The evening's power, gliding from hour to hour.
    fn evening_now_w(&self) -> u64 {
        let second = self.since_midnight_ms / 1000 % DAY_S;
        let hour = usize::try_from(second / 3600).unwrap_or(0);
        let (now, then) = (SHARE_BY_HOUR[hour], SHARE_BY_HOUR[(hour + 1) % 24]);
        let into = second % 3600;
        let share = (u64::from(now) * (3600 - into) + u64::from(then) * into) / 3600;
        u64::from(self.evening_w) * share / 1000
    }
}

impl Fridge {
    /// The compressor runs for 12 to 20 minutes and rests for 20 to 40.
    fn run(&mut self, elapsed_ms: u32, random: &mut Random) {
        self.left_ms = self.left_ms.saturating_sub(elapsed_ms);
        if self.left_ms == 0 {
            self.running = !self.running;
            let minutes = if self.running { (12, 20) } else { (20, 40) };
            self.left_ms = random.between(minutes.0 * 60_000, minutes.1 * 60_000);
        }
    }
}

impl Kettle {
    /// Two to three kilowatts for two to four minutes.
    fn run(&mut self, elapsed_ms: u32, random: &mut Random) {
        self.left_ms = self.left_ms.saturating_sub(elapsed_ms);
        if self.every_s == 0 || self.left_ms > 0 {
            return;
        }
        if self.power_w == 0 {
            self.power_w = random.between(2000, 3000);
            self.left_ms = random.between(120_000, 240_000);
        } else {
            let every_ms = self.every_s.saturating_mul(1000);
            self.power_w = 0;
            self.left_ms = random.between(every_ms / 2, every_ms.saturating_add(every_ms / 2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP_MS: u32 = 1000;

    fn day(seed: u64, habits: Habits) -> Vec<u64> {
        let mut household = Household::new(seed, &habits);
        (0..86_400)
            .map(|_| household.live(STEP_MS).active_mw / 1000)
            .collect()
    }

    #[test]
    fn a_day_looks_like_a_household() {
        let midnight = Habits {
            second_of_day: 0,
            ..Habits::default()
        };
        for seed in 0..20 {
            let powers = day(seed, midnight);
            let mean = |hours: std::ops::Range<usize>| {
                let seconds = &powers[hours.start * 3600..hours.end * 3600];
                seconds.iter().sum::<u64>() / u64::try_from(seconds.len()).unwrap()
            };
            let kettle_seconds = powers.iter().filter(|power| **power > 1900).count();
            assert!(*powers.iter().min().unwrap() >= 38, "seed {seed}");
            assert!(mean(0..24) < 1000, "seed {seed}: {} W", mean(0..24));
            assert!(mean(18..22) > mean(1..5), "seed {seed}: no evening");
            assert!(
                (300..5000).contains(&kettle_seconds),
                "seed {seed}: {kettle_seconds}"
            );
        }
    }

    #[test]
    fn the_seed_decides() {
        let habits = Habits::default();
        assert_eq!(day(3, habits), day(3, habits));
        assert_ne!(day(3, habits), day(4, habits));
    }

    #[test]
    fn apparent_power_is_the_hypotenuse() {
        let demand = Demand {
            active_mw: 3_000_000,
            reactive_mw: 4_000_000,
        };
        assert_eq!(demand.apparent_mw(), 5_000_000);
        assert_eq!(Demand::resistive(2).apparent_mw(), 2_000);
    }
}
