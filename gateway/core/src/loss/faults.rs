//! What no theft explains: the feeder meter, and meters that are not where the papers say.
//!
//! Decided here: whether a circuit's residual follows everything its meters count (the ratio of the feeder meter), or is short of what
//! one meter counts (that meter hangs elsewhere, or counts too much). Deliberately not: thefts ([`super::sequential`]); they are asked
//! for with thresholds of their own, so that neither question costs the other anything.
//!
//! The threshold follows from the accepted rate of false alarms like that of thefts.

use super::circuit::{Circuit, Honest};
use super::columns::GAINS;
use super::sequential::{AGES, INFLATION, ratio};

/// A fault is asked for once it has been seen for half a day: nothing is urgent about it, and a quarter of a day may be odd.
const YOUNGEST_H: i64 = 12;
/// Standard deviation of a ratio that went wrong: current transformers come in steps of a third.
const RATIO: f64 = 0.3;
/// Standard deviation of the share of a meter that is not delivered here: all of it, or none.
const ABSENT: f64 = 1.0;
/// Smallest error of a ratio that is told: twice the class-1 limit of all meters and the feeder meter's own.
pub const LEAST_RATIO: f64 = 0.03;
/// A theft is told apart from a ratio if the ratio explains the loss better by so much log-likelihood: a chance of one in twelve left, the
/// tails of real residuals considered.
const BETTER: f64 = 2.5 * INFLATION;

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

/// The most likely fault of a circuit, if any is likelier than none.
pub fn ask(circuit: &Circuit, honest: &Honest, now: i64) -> Option<Suspicion> {
    let mut best: Option<Suspicion> = None;
    let members = circuit.columns.members.len();
    for age in AGES.into_iter().filter(|age| *age >= YOUNGEST_H) {
        let marks = &mut circuit.marks.iter().rev();
        let Some(mark) = marks.find(|mark| now - mark.hour >= age) else {
            continue;
        };
        let absent = (0..members).map(|member| (Fault::Absent(member), GAINS + member, ABSENT));
        let all = core::iter::once((Fault::Ratio, circuit.columns.ratio(), RATIO)).chain(absent);
        for (fault, column, deviation) in all {
            let (score, information) = circuit.change(honest, mark, column);
            // More registered than delivered; a positive one competes with thefts elsewhere.
            let prior = 1.0 / (deviation * deviation);
            let weight = ratio(-score, information, prior) / INFLATION;
            let size = score / (information + prior);
            let small = fault == Fault::Ratio && size > -LEAST_RATIO;
            if small || best.is_some_and(|best| best.weight >= weight) {
                continue;
            }
            best = Some(Suspicion {
                fault,
                since_hour: mark.hour,
                size,
                weight,
                mean_wh: size * circuit.mean_of(mark, column),
            });
        }
    }
    best
}

/// Whether a loss that began then is a wrong ratio rather than a theft whose best explanation has the log-likelihood ratio `other`.
pub fn is_ratio(circuit: &Circuit, honest: &Honest, since_hour: i64, other: f64) -> bool {
    let Some(mark) = circuit.marks.iter().find(|mark| mark.hour >= since_hour) else {
        return false;
    };
    let prior = 1.0 / (RATIO * RATIO);
    let (score, information) = circuit.change(honest, mark, circuit.columns.ratio());
    score / (information + prior) > LEAST_RATIO && ratio(score, information, prior) > other + BETTER
}
