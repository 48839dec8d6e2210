//! What a seed decides about a scenario before the first minute: the street, its people, its meters.
//!
//! Decided here: how wide the world is. A detector that was shaped on one network sees here villages and suburbs, twelve meters and a
//! hundred and twenty, class 1 and class 2. Invariant: a seed and a kind give the same scenario, whatever its distortion.

use super::kind::Kind;
use super::premises::{Day, Premises, whole};
use crate::random::Random;

/// What the files get wrong on purpose, after everything else was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Distortion {
    /// Two phase labels are swapped.
    Labels,
    /// The feeder meter has only a total.
    Total,
    /// No voltages are read.
    NoVolts,
    /// The feeder's clock is 20 s off.
    Clock,
}

/// The days a theft may begin on; the first week is always honest.
pub const FIRST_BEGIN: f64 = 8.0;
/// The last of them.
pub const LAST_BEGIN: f64 = 20.0;

/// A scenario before it happens.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What happens.
    pub kind: Kind,
    /// The seed it is of.
    pub seed: u64,
    /// Its first moment, seconds UTC, a midnight.
    pub start_s: i64,
    /// Its days.
    pub days: Vec<Day>,
    /// Who lives there: one entry a meter.
    pub people: Vec<Premises>,
    /// Meters of the same three-phase premises have the same number.
    pub household: Vec<usize>,
    /// Phase of each meter.
    pub phases: Vec<usize>,
    /// Standard deviation of a meter's gain and the limit of its class.
    pub class: (f64, f64),
    /// Share of readings that are missing.
    pub missing: f64,
    /// Meters that are offline for hours at some time.
    pub offline: usize,
    /// Meters that are replaced at some time.
    pub replaced: usize,
    /// Seconds between two readings.
    pub interval_s: u32,
    /// The day something happens, if something does.
    pub begin_day: f64,
    /// Part of the energy the network is to lose.
    pub loss: f64,
}

impl Plan {
    /// What `seed` decides. `meters` and `days` are drawn or the usual ones if absent.
    #[must_use]
    pub fn draw(kind: Kind, seed: u64, meters: Option<usize>, days: Option<usize>) -> Self {
        let mut random = Random::new(seed ^ 0x0070_6c61_6e00);
        let level = random.unit();
        // Most streets have some dozens.
        let drawn = whole(random.log_range(12.0, 120.0));
        let meters = meters.unwrap_or(drawn).clamp(3, 400);
        // 1 January 2025 and up to two years more: any weekday, any season.
        let first_day = i64::from(random.between(20_089, 20_089 + 730));
        let mut people = Vec::new();
        let (mut household, mut phases) = (Vec::new(), Vec::new());
        let mut number = 0;
        while people.len() < meters {
            let one = Premises::draw(&mut random, level);
            let first = whole(random.range(-0.5, 2.5)) % 3;
            // Three phases, each with a part of the house, behind three registers.
            let width = if meters - people.len() >= 3 && random.chance(0.04) {
                3
            } else {
                1
            };
            for part in 0..width {
                let own = Premises::draw(&mut random, level);
                people.push(if part == 0 { one.clone() } else { own });
                household.push(number);
                phases.push((first + part) % 3);
            }
            number += 1;
        }
        let class = if random.chance(0.75) {
            (0.004, 0.01)
        } else {
            (0.008, 0.02)
        };
        let days = weather(&mut random, first_day, days.unwrap_or(28));
        Self {
            kind,
            seed,
            start_s: first_day * 86_400,
            begin_day: random
                .range(FIRST_BEGIN, LAST_BEGIN)
                .min(days.len() as f64 - 1.0),
            days,
            class,
            missing: random.log_range(0.002, 0.03),
            offline: whole(random.range(0.0, meters as f64 / 8.0)),
            replaced: whole(random.range(0.0, 2.4)),
            interval_s: 900,
            loss: random.log_range(0.01, 0.05),
            people,
            household,
            phases,
        }
    }

    /// Minutes of it.
    #[must_use]
    pub fn minutes(&self) -> usize {
        self.days.len() * super::premises::DAY
    }

    /// The minute something begins, at a reading.
    #[must_use]
    pub fn begin(&self) -> usize {
        let readings = self.begin_day * 86_400.0 / f64::from(self.interval_s);
        whole(readings) * self.interval_s as usize / 60
    }
}

/// The weather of `count` days: a season, spells of warmth and of clouds.
fn weather(random: &mut Random, first_day: i64, count: usize) -> Vec<Day> {
    let (mut spell, mut cloud) = (0.0, 0.0);
    let of = |day: usize| {
        let day = first_day + i64::try_from(day).unwrap_or(0);
        spell = 0.8 * spell + 0.15 * random.normal();
        cloud = 0.6 * cloud + 0.8 * random.normal();
        let season = -(std::f64::consts::TAU * (day % 365) as f64 / 365.0).cos();
        Day {
            // 1 January 1970 was a Thursday.
            is_weekend: matches!((day + 3).rem_euclid(7), 5 | 6),
            warmth: (0.8 * season + spell).clamp(-1.0, 1.0),
            sun: (0.6 + 0.3 * cloud).clamp(0.1, 1.0),
            more: 1.0,
        }
    };
    (0..count).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything_and_no_two_alike() {
        let plan = |seed| Plan::draw(Kind::Clean, seed, None, None);
        assert_eq!(format!("{:?}", plan(7)), format!("{:?}", plan(7)));
        let sizes: Vec<usize> = (0..40).map(|seed| plan(seed).people.len()).collect();
        let (least, most) = (sizes.iter().min(), sizes.iter().max());
        assert!(least < Some(&20) && most > Some(&90), "{sizes:?}");
        let plan = plan(1);
        assert_eq!(plan.days.len(), 28);
        let weekends = plan.days.iter().filter(|day| day.is_weekend).count();
        assert_eq!(weekends, 8);
        assert_eq!(plan.begin() % 15, 0);
    }
}
