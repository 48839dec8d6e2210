//! Habits: whether premises' registers have fallen short of what they usually count by just what is lost.
//!
//! A bypass takes from the register what it adds to the loss: with the lost energy put back, the premises are as they always were, and
//! without it they are not. A tap changes nobody's register. Decided here: the likelihood of the one against the other, day by day, at the
//! hours the loss keeps to. Deliberately not: the course of the loss within a day; a household has any.
//!
//! Terms: the *window* is how much of the loss falls on each hour of the day, the fullest hour being one; a *day* begins at the hour with
//! the least loss. What all premises do at once (the weather) is taken off by the median of their changes.

use super::align::Row;
use alloc::vec::Vec;

const HOURS: usize = 24;
/// A day counts if so much of its window was seen.
const COVERED: f64 = 0.5;
/// Fewer days are no habit.
const LEAST_DAYS: usize = 4;
/// Ten watts in a quarter of an hour, Wh: below that the steps of registers and the standing losses are all there is.
const LEAST_WH: f64 = 2.5;
/// What premises use changes by a quarter of itself within weeks, whoever they are.
const RESTLESS: f64 = 0.25;
/// Some change far more: degrees of freedom of Student's distribution.
const DEGREES: f64 = 4.0;
/// So many bypasses in ten are made for a new load, which no habit knows: they are as likely as a tap by this evidence.
const NEW_LOADS: f64 = 0.1;
/// A household that by chance changes its habits on the day somebody else begins to steal, by as much: once in some thousands.
const MOST: f64 = 9.0;
/// A loss has hours of its own if so much of a day lies beside its window.
const MUCH_BESIDE: f64 = 0.25;
/// So much of a change at the other hours is expected at the hours of the loss, on the logarithmic scale: all of it if somebody is away, less
/// if habits wander.
const AWAY: f64 = 0.7;
/// A register has fallen if it counts less than this share of its habit.
const FALLEN: f64 = 0.3;
/// Of so many premises the median says what the weather does.
const MANY: usize = 5;

/// What one register says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Habit {
    /// Log-likelihood of a bypass here against none.
    pub support: f64,
    /// It counts much less than usual in the window.
    pub fallen: bool,
    /// And outside of it.
    pub fallen_always: bool,
}

/// The loss around a day, and who was seen when.
pub struct Days<'a> {
    rows: &'a [Row],
    /// Zero before it began, NaN where it is not known, Wh.
    lost: &'a [f64],
    /// Variance of one value of it, Wh².
    noise: f64,
    window: [f64; HOURS],
    cut: usize,
}

/// Means of one day, Wh per interval.
#[derive(Debug, Clone, Copy, Default)]
struct Day {
    id: i64,
    after: bool,
    weight: f64,
    counted: f64,
    lost: f64,
    number: f64,
    other_weight: f64,
    other: f64,
    other_lost: f64,
}

impl<'a> Days<'a> {
    /// `lost` as energies of `rows`, each uncertain by `noise`.
    pub fn new(rows: &'a [Row], lost: &'a [f64], noise: f64) -> Self {
        let (mut sums, mut counts) = ([0.0; HOURS], [0.0_f64; HOURS]);
        for (row, wh) in rows.iter().zip(lost) {
            if *wh != 0.0 && wh.is_finite() {
                sums[hour(row)] += wh;
                counts[hour(row)] += 1.0;
            }
        }
        let means: [f64; HOURS] =
            core::array::from_fn(|at| (sums[at] / counts[at].max(1.0)).max(0.0));
        let most = means.iter().copied().fold(1e-9, f64::max);
        let window = means.map(|mean| mean / most);
        let around = |at: usize| (0..3).map(|by| window[(at + HOURS + by - 1) % HOURS]).sum();
        let mut cut = 0;
        let mut least = f64::MAX;
        for at in 0..HOURS {
            let sum: f64 = around(at);
            if sum < least {
                (cut, least) = (at, sum);
            }
        }
        Self {
            rows,
            lost,
            noise,
            window,
            cut,
        }
    }

    /// What the registers of `members` say.
    pub fn habits(&self, members: &[usize]) -> Vec<Habit> {
        let shifts: Vec<Option<Shift>> = members
            .iter()
            .map(|meter| Shift::of(&self.of(*meter), self.noise))
            .collect();
        let (weather, restless) = together(&shifts);
        let one = |shift: &Option<Shift>| {
            shift.map_or_else(Habit::default, |shift| shift.habit(weather, restless))
        };
        shifts.iter().map(one).collect()
    }

    fn of(&self, meter: usize) -> Vec<Day> {
        let mut days: Vec<Day> = Vec::new();
        let whole: f64 = self.window.iter().sum::<f64>();
        for (row, wh) in self.rows.iter().zip(self.lost) {
            if !wh.is_finite() || row.guess_sd[meter] > 0.0 || row.unknown_sd[meter] > 0.0 {
                continue;
            }
            let hour = hour(row);
            let midnight = row.end_s - i64::from(row.of_day_s);
            let id = midnight.div_euclid(86_400) - i64::from(hour < self.cut);
            let after = *wh != 0.0;
            if days
                .last()
                .is_none_or(|day| day.id != id || day.after != after)
            {
                days.push(Day {
                    id,
                    after,
                    ..Day::default()
                });
            }
            if let Some(day) = days.last_mut() {
                let weight = self.window[hour];
                day.weight += weight;
                day.counted += weight * f64::from(row.plain[meter]);
                day.lost += weight * wh;
                day.number += weight * weight;
                day.other_weight += 1.0 - weight;
                day.other += (1.0 - weight) * f64::from(row.plain[meter]);
                day.other_lost += (1.0 - weight) * wh;
            }
        }
        let intervals = self.rows.len().min(2);
        let per_hour = match self.rows.get(..intervals) {
            Some([one, next]) => 3600.0 / (next.end_s - one.end_s).max(1) as f64,
            _ => 4.0,
        };
        days.retain(|day| day.weight >= COVERED * whole * per_hour);
        for day in &mut days {
            day.counted /= day.weight;
            day.lost /= day.weight;
            day.number = day.weight * day.weight / day.number.max(1e-9);
            day.other /= day.other_weight.max(1e-9);
            day.other_lost /= day.other_weight.max(1e-9);
        }
        days
    }
}

/// The median of how much more or less the premises count than they used to, and how far one of them is usually from it: logarithms.
fn together(shifts: &[Option<Shift>]) -> (f64, f64) {
    let mut changes: Vec<f64> = shifts.iter().flatten().map(|shift| shift.without).collect();
    if changes.len() < MANY {
        return (0.0, RESTLESS);
    }
    changes.sort_by(f64::total_cmp);
    let weather = changes[changes.len() / 2];
    let mut apart: Vec<f64> = changes
        .iter()
        .map(|change| libm::fabs(change - weather))
        .collect();
    apart.sort_by(f64::total_cmp);
    // The median of a normal distribution's distances is two thirds of its deviation.
    (weather, (1.5 * apart[apart.len() / 2]).max(RESTLESS))
}

/// How premises changed when the loss began, on a logarithmic scale: use comes in multiples, and a register that stands is far from all of
/// them.
#[derive(Debug, Clone, Copy)]
struct Shift {
    /// Of what is counted.
    without: f64,
    /// Of what is counted and lost.
    with: f64,
    /// Variance of either by the days there are.
    variance: f64,
    /// What is counted after outside of the window, as a share of what was.
    other: f64,
}

impl Shift {
    fn of(days: &[Day], noise: f64) -> Option<Self> {
        let (before, after): (Vec<&Day>, Vec<&Day>) = days.iter().partition(|day| !day.after);
        if before.len() < LEAST_DAYS || after.is_empty() {
            return None;
        }
        let mean = |days: &[&Day], of: &dyn Fn(&Day) -> f64| {
            days.iter().map(|day| of(day)).sum::<f64>() / days.len() as f64
        };
        let log = mean(&before, &|day| scale(day.counted));
        let square = |day: &Day| (scale(day.counted) - log) * (scale(day.counted) - log);
        let (count, later) = (before.len() as f64, after.len() as f64);
        let seen = mean(&before, &square) * count / (count - 1.0);
        let whole = |day: &Day| (day.counted + day.lost).max(0.0);
        let blur = |day: &Day| {
            let wh = whole(day) + LEAST_WH;
            noise / day.number.max(1.0) / (wh * wh)
        };
        // Who is away uses less at every hour; what is lost outside of the window is put back there in any case.
        let beside = mean(&after, &|day| scale(day.other + day.other_lost))
            - mean(&before, &|day| scale(day.other));
        let share = mean(&after, &|day| {
            day.other_weight / (day.other_weight + day.weight)
        });
        let away = match share > MUCH_BESIDE {
            true => AWAY * beside,
            false => 0.0,
        };
        let log = log + away;
        Some(Self {
            without: mean(&after, &|day| scale(day.counted)) - log,
            with: mean(&after, &|day| scale(whole(day))) - log,
            variance: seen * (1.0 / count + 1.0 / later) + mean(&after, &blur) / later,
            other: mean(&after, &|day| day.other) / mean(&before, &|day| day.other).max(1e-9),
        })
    }

    fn habit(&self, weather: f64, restless: f64) -> Habit {
        let variance = self.variance + restless * restless;
        let support = likelihood(self.with - weather, variance)
            - likelihood(self.without - weather, variance);
        let fallen = self.without - weather < libm::log(FALLEN);
        Habit {
            support: libm::log((1.0 - NEW_LOADS) * libm::exp(support.min(MOST)) + NEW_LOADS),
            fallen,
            fallen_always: fallen && self.other < FALLEN * libm::exp(weather),
        }
    }
}

/// Logarithm of Student's density, less what is the same for all.
fn likelihood(off: f64, variance: f64) -> f64 {
    -0.5 * (DEGREES + 1.0) * libm::log1p(off * off / variance / DEGREES)
}

/// Energies as multiples of each other; below a few watts all are alike.
fn scale(wh: f64) -> f64 {
    libm::log(wh.max(0.0) + LEAST_WH)
}

fn hour(row: &Row) -> usize {
    row.of_day_s as usize / 3600 % HOURS
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Twelve days of eight premises; one of them uses nothing between two and six from the ninth on if `falls`.
    fn street(falls: bool, stolen: f64) -> (Vec<Row>, Vec<f64>) {
        let (mut rows, mut lost) = (Vec::new(), Vec::new());
        for interval in 0..12 * 96_i64 {
            let of_day_s = u32::try_from(interval % 96 * 900 + 450).unwrap_or(0);
            let stolen_now = interval / 96 >= 8 && (2..6).contains(&(of_day_s / 3600));
            let mut row = Row {
                end_s: (interval + 1) * 900,
                of_day_s,
                feeder: Some([0.0; 3]),
                restarted: false,
                plain_feeder: [0.0; 3],
                booked: vec![0.0; 8],
                plain: vec![0.0; 8],
                guess_sd: vec![0.0; 8],
                unknown_sd: vec![0.0; 8],
                volts: vec![f32::NAN; 8],
            };
            for (meter, wh) in (0_i64..).zip(&mut row.plain) {
                // By the day and by the quarter of an hour more or less, each in its own way.
                let day = (interval / 96 * (3 + meter) * 7) % 5;
                *wh = 15.0 + day as f32 + ((interval * 13 + meter) % 7) as f32;
            }
            if falls && stolen_now {
                row.plain[0] = 0.5;
            }
            rows.push(row);
            lost.push(match (interval / 96 >= 8, stolen_now) {
                (false, _) => 0.0,
                (true, false) => 1e-3,
                (true, true) => stolen,
            });
        }
        (rows, lost)
    }

    fn check(falls: bool, stolen: f64) -> Vec<Habit> {
        let (rows, lost) = street(falls, stolen);
        let members: Vec<usize> = (0..8).collect();
        Days::new(&rows, &lost, 4.0).habits(&members)
    }

    #[test]
    fn a_register_that_falls_by_what_is_lost_is_seen_and_no_other() {
        let habits = check(true, 20.0);
        assert!(habits[0].support > 4.0, "{habits:?}");
        assert!(habits[0].fallen && !habits[0].fallen_always, "{habits:?}");
        let others = &habits[1..];
        assert!(
            others
                .iter()
                .all(|habit| habit.support < 0.0 && !habit.fallen)
        );
    }

    #[test]
    fn a_tap_changes_nobodys_register() {
        let habits = check(false, 20.0);
        assert!(habits.iter().all(|habit| habit.support < 0.0), "{habits:?}");
    }

    #[test]
    fn a_register_that_falls_by_something_else_than_is_lost_is_no_bypass() {
        // An empty house while ten times as much is lost elsewhere.
        let (near, far) = (check(true, 20.0)[0].support, check(true, 200.0)[0].support);
        assert!(far < near - 2.0, "{near} {far}");
    }

    #[test]
    fn without_a_habit_nothing_is_said() {
        let (rows, lost) = street(true, 20.0);
        let members = [0, 1];
        let late = 6 * 96;
        let habits = Days::new(&rows[late..], &lost[late..], 4.0).habits(&members);
        assert_eq!(habits, vec![Habit::default(); 2]);
    }
}
