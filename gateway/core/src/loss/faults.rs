//! What no theft explains: the feeder meter, and meters that are not where the papers say.
//!
//! Decided here: whether a circuit's residual follows everything its meters count (the ratio of the feeder meter), or is short of what
//! one meter counts (that meter hangs elsewhere, or counts too much). Deliberately not: thefts ([`super::sequential`]); they are asked
//! for with thresholds of their own, so that neither question costs the other anything.
//!
//! The threshold follows from the accepted rate of false alarms like that of thefts.

use super::circuit::{Circuit, Honest, Mark};
use super::columns::GAINS;
use super::sequential::{AGES, INFLATION, ratio};
use alloc::vec::Vec;

/// A fault is asked for once it has been seen for half a day: nothing is urgent about it, and a quarter of a day may be odd.
const YOUNGEST_H: i64 = 12;
/// Standard deviation of a ratio that went wrong: current transformers come in steps of a third.
const RATIO: f64 = 0.3;
/// Standard deviation of the share of a meter that is not delivered here: all of it, or none.
const ABSENT: f64 = 1.0;
/// Smallest error of a ratio that is told: twice the class-1 limit of all meters and the feeder meter's own.
pub const LEAST_RATIO: f64 = 0.03;
/// Two faults are told apart if one is likelier by so much weight: a chance of one in twenty left, tails considered.
const CLEARLY: f64 = 1.0;
/// So many of the likeliest are looked at closely.
const LIKELIEST: usize = 6;
/// Beginnings of young changes are known to some hours.
const NEAR_H: i64 = 6;
/// A theft is told apart from a ratio if the ratio explains the loss better by so much log-likelihood: a chance of one in twelve left, the
/// tails of real residuals considered.
const BETTER: f64 = 2.5 * INFLATION;

/// Shapes fit losses to this share of their log-likelihood.
const INEXACT: f64 = 0.03;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The feeder meter.
    Ratio,
    /// This member's energy is not delivered here.
    Absent(usize),
}

/// A fault that may be.
#[derive(Debug, Clone, Copy)]
pub struct Suspicion {
    /// What.
    pub fault: Fault,
    /// Hour since 1970 it began.
    pub since_hour: i64,
    /// Share of the energy it concerns; negative if more is counted than delivered.
    pub size: f64,
    /// Comparable with the threshold.
    pub weight: f64,
    /// Mean energy per interval, Wh, negative likewise.
    pub mean_wh: f64,
}

/// The most likely fault of a circuit, if any is likelier than none and no other is nearly as likely: meters are alike for half a day.
pub fn ask(circuit: &Circuit, honest: &Honest, now: i64) -> Option<Suspicion> {
    let mut best: Vec<Suspicion> = Vec::new();
    let members = circuit.columns.members.len();
    for age in AGES.into_iter().filter(|age| *age >= YOUNGEST_H) {
        let Some(mark) = circuit.mark(now, age) else {
            continue;
        };
        let absent = (0..members).map(|member| (Fault::Absent(member), GAINS + member, ABSENT));
        let all = core::iter::once((Fault::Ratio, circuit.columns.ratio(), RATIO)).chain(absent);
        for (at, (fault, column, deviation)) in all.enumerate() {
            let one = weigh(circuit, honest, mark, (fault, column, deviation));
            let small = fault == Fault::Ratio && one.size > -LEAST_RATIO;
            let one = if small {
                Suspicion { weight: 0.0, ..one }
            } else {
                one
            };
            match best.get_mut(at) {
                None => best.push(one),
                Some(other) if other.weight < one.weight => *other = one,
                Some(_) => {}
            }
        }
    }
    best.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    best.truncate(LIKELIEST);
    // Which of them it is shows at the hour it began.
    for one in &mut best {
        *one = closer(circuit, honest, one, now);
    }
    best.sort_by(|left, right| right.weight.total_cmp(&left.weight));
    let second = best.get(1).map_or(0.0, |second| second.weight);
    best.first()
        .filter(|first| first.weight > second + CLEARLY)
        .copied()
}

/// The same with its beginning looked for at every hour around.
fn closer(circuit: &Circuit, honest: &Honest, one: &Suspicion, now: i64) -> Suspicion {
    let (column, deviation) = match one.fault {
        Fault::Ratio => (circuit.columns.ratio(), RATIO),
        Fault::Absent(member) => (GAINS + member, ABSENT),
    };
    let near = |mark: &&Mark| {
        (mark.hour - one.since_hour).abs() <= NEAR_H
            && mark.hour >= circuit.honest_until
            && mark.hour < now
    };
    let each = circuit.marks.iter().filter(near);
    let each = each.map(|mark| weigh(circuit, honest, mark, (one.fault, column, deviation)));
    each.fold(
        *one,
        |best, one| if one.weight > best.weight { one } else { best },
    )
}

/// How likely a fault is that began at `mark`: more registered than delivered. A positive one competes with thefts elsewhere.
fn weigh(
    circuit: &Circuit,
    honest: &Honest,
    mark: &Mark,
    (fault, column, deviation): (Fault, usize, f64),
) -> Suspicion {
    let (score, information) = circuit.change(honest, mark, column);
    let prior = 1.0 / (deviation * deviation);
    let fitted = score / (information + prior);
    // No more can be short than all that is counted: a meter that would have to lack ten times its own energy is not what is missing.
    let size = fitted.max(-1.0);
    let short = fitted - size;
    let likely = ratio(-score, information, prior) - 0.5 * short * short * (information + prior);
    Suspicion {
        fault,
        since_hour: mark.hour,
        size,
        weight: likely.max(0.0) / INFLATION,
        mean_wh: size * circuit.mean_of(mark, column),
    }
}

/// The meter whose energy most likely has not been delivered here since about `since_hour`, asked for however short ago that is.
pub fn left(circuit: &Circuit, honest: &Honest, since_hour: i64, now: i64) -> Option<Suspicion> {
    let mut best: Option<Suspicion> = None;
    let near = AGES
        .into_iter()
        .filter(|age| (now - age - since_hour).abs() <= NEAR_H);
    for mark in near.filter_map(|age| circuit.mark(now, age)) {
        for member in 0..circuit.columns.members.len() {
            let one = (Fault::Absent(member), GAINS + member, ABSENT);
            let one = weigh(circuit, honest, mark, one);
            if one.weight > 0.0 && best.is_none_or(|best| best.weight < one.weight) {
                best = Some(one);
            }
        }
    }
    best
}

/// By how much a ratio has to explain a loss better than the best theft: the larger a loss, the better it shows that no shape fits exactly.
fn better(other: f64) -> f64 {
    BETTER.max(INEXACT * other)
}

/// Whether a loss that began then is a wrong ratio rather than a theft whose best explanation has the log-likelihood ratio `other`.
pub fn is_ratio(circuit: &Circuit, honest: &Honest, since_hour: i64, other: f64) -> bool {
    let Some(mark) = circuit.marks.iter().find(|mark| mark.hour >= since_hour) else {
        return false;
    };
    let prior = 1.0 / (RATIO * RATIO);
    let (score, information) = circuit.change(honest, mark, circuit.columns.ratio());
    score / (information + prior) > LEAST_RATIO
        && ratio(score, information, prior) > other + better(other)
}
