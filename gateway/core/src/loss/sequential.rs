//! Is energy missing, since when, in what shape: one question an hour.
//!
//! Every shape of theft and every moment it may have begun is weighed against "nothing changed":
//! the logarithm of the likelihood ratio, with the size of the theft averaged over what is
//! plausible, so that neither a tiny regressor nor an absurd size wins. The honest explanation is
//! solved anew each time from everything so far, so a meter's honest error, a loss that grows with
//! load or a late clock is never news.
//!
//! The threshold follows from the false-alarm rate that is accepted: the average ratio of an honest
//! site is one, so the chance that any of `n` questions exceeds `n / rate` is the rate, whatever
//! the shapes. Real residuals have heavier tails than the model, by [`INFLATION`], measured on
//! honest sites.

use super::circuit::{Circuit, Honest, Mark};
use super::columns::{GAINS, TAPS};
use super::site::Settings;
use alloc::vec::Vec;

/// Ages of a change that are asked for, hours: each about a third more than the one before, so that
/// an age in between loses little.
pub const AGES: [i64; 17] = [
    2, 3, 4, 6, 9, 12, 18, 24, 36, 48, 72, 96, 120, 168, 240, 336, 480,
];
/// How far from its first estimate the beginning of a change is looked for, hours.
const AROUND_H: i64 = 12;
/// A change younger than this, hours, has not been seen at every time of day.
const YOUNG: i64 = 24;
/// How much larger log-likelihood ratios of honest sites are than the model says, for changes at
/// least a day old: over some 700 honest feeder-days they reached 28 where the model expects 16;
/// with wrong labels, a late clock and no voltages at once, one recording in forty reached about
/// 50. The rest is for what was not seen.
pub const INFLATION: f64 = 3.0;
/// The same for young changes, where one odd morning counts: they reached 32.
const INFLATION_YOUNG: f64 = 3.3;

/// Standard deviation of a tap, Wh per interval: 500 W, some lamps to a stove.
const TAP_WH: f64 = 125.0;
/// Standard deviation of what a meter misses, per registered Wh: a half missing is a gain of one.
const GAIN: f64 = 0.7;
/// Standard deviation of what a silent meter misses, of its usual energy.
const SILENCE: f64 = 0.8;

/// The shape of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A load without a meter: around the clock, evenings, nights.
    Tap(usize),
    /// A member's register takes only a part.
    Gain(usize),
    /// A member's register stands while its premises usually use energy.
    Silence(usize),
}

impl Shape {
    fn deviation(self) -> f64 {
        match self {
            Self::Tap(_) => TAP_WH,
            Self::Gain(_) => GAIN,
            Self::Silence(_) => SILENCE,
        }
    }
}

/// A change that may have happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    pub shape: Shape,
    /// Position of its column.
    pub column: usize,
    /// Hour since 1970 it began.
    pub since_hour: i64,
    /// Its size in units of the column.
    pub size: f64,
    /// Log-likelihood ratio against no change, by the model.
    pub ratio: f64,
    /// The same, tails considered: comparable with the threshold.
    pub weight: f64,
}

/// All shapes of a circuit with their columns.
fn shapes(circuit: &Circuit) -> Vec<(Shape, usize)> {
    let columns = &circuit.columns;
    let members = columns.members.len();
    let taps = (0..TAPS).map(|tap| (Shape::Tap(tap), columns.taps() + tap));
    let gains = (0..members).map(|member| (Shape::Gain(member), GAINS + member));
    let silences = (0..members).map(|member| (Shape::Silence(member), columns.silences() + member));
    taps.chain(gains).chain(silences).collect()
}

/// For every shape the moment that explains most. `now` is an hour since 1970.
pub fn ask(circuit: &Circuit, honest: &Honest, now: i64) -> Vec<Change> {
    let mut marks: Vec<&Mark> = Vec::new();
    for age in AGES {
        let found = circuit.mark(now, age);
        if let Some(mark) =
            found.filter(|mark| marks.last().is_none_or(|last| last.hour != mark.hour))
        {
            marks.push(mark);
        }
    }
    weigh(circuit, honest, now, &marks)
}

/// The same for moments around one that is known roughly.
pub fn ask_about(circuit: &Circuit, honest: &Honest, now: i64, since_hour: i64) -> Vec<Change> {
    let near = |mark: &&Mark| {
        (mark.hour - since_hour).abs() <= AROUND_H
            && now - mark.hour >= AGES[0]
            && mark.hour >= circuit.honest_until
    };
    let marks: Vec<&Mark> = circuit.marks.iter().filter(near).collect();
    // One moment for all shapes, or the ranking compares different days.
    let each = marks
        .iter()
        .map(|mark| weigh(circuit, honest, now, core::slice::from_ref(mark)));
    let most = |changes: &Vec<Change>| {
        changes
            .iter()
            .map(|change| change.ratio)
            .fold(0.0, f64::max)
    };
    each.max_by(|left, right| most(left).total_cmp(&most(right)))
        .unwrap_or_default()
}

fn weigh(circuit: &Circuit, honest: &Honest, now: i64, marks: &[&Mark]) -> Vec<Change> {
    let mut best: Vec<Change> = Vec::new();
    let shapes = shapes(circuit);
    for mark in marks {
        let young = now - mark.hour < YOUNG;
        let inflation = if young { INFLATION_YOUNG } else { INFLATION };
        for (at, (shape, column)) in shapes.iter().enumerate() {
            let (score, information) = circuit.change(honest, mark, *column);
            let prior = 1.0 / (shape.deviation() * shape.deviation());
            let change = Change {
                shape: *shape,
                column: *column,
                since_hour: mark.hour,
                size: score / (information + prior),
                ratio: ratio(score, information, prior),
                weight: ratio(score, information, prior) / inflation,
            };
            match best.get_mut(at) {
                None => best.push(change),
                Some(other) if other.weight < change.weight => *other = change,
                Some(_) => {}
            }
        }
    }
    best
}

/// Log-likelihood ratio of a positive change with a normal prior on its size.
pub fn ratio(score: f64, information: f64, prior: f64) -> f64 {
    if score <= 0.0 || information <= 0.0 {
        return 0.0;
    }
    0.5 * score * score / (information + prior) - 0.5 * libm::log1p(information / prior)
}

/// The threshold for `weight` on a feeder of `shapes` shapes in all its circuits.
pub fn threshold(settings: &Settings, shapes: usize) -> f64 {
    let years = f64::from(settings.years_between_false_alarms.max(1));
    // Two questions an hour apart share most of their data, and so do neighbouring ages: about four
    // are independent.
    let questions = years * 8766.0 * 4.0 * shapes.max(1) as f64;
    libm::log(questions)
}
