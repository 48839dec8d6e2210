//! How a loss goes on: steady, growing, shrinking, over; and at which time of day.
//!
//! Decided here: from two stretches of time, before and after a moment, whose sizes are solved for together. Deliberately not: whether
//! there is a loss at all ([`super::sequential`]).
//!
//! A difference counts if it is [`SURE`] standard deviations, which happens to a steady loss once in some 700 questions, and large
//! ([`MUCH`]); one loss is asked once a day.

use super::circuit::{Circuit, Honest};
use super::sequential::{Change, INFLATION, Shape};
use super::site::Evidence;

/// Standard deviations that make a difference.
const SURE: f64 = 3.0;
/// Half as much again, or the inverse.
const MUCH: f64 = 1.5;
/// A load of nobody's is over when it has not been there for two days, so that every time of day has been seen twice: a lamp may stay
/// dark for one evening.
const TAP_OVER_H: [i64; 3] = [48, 72, 96];
/// What depends on the doings of a household, when it has not for three: people are away over a weekend.
const METER_OVER_H: [i64; 3] = [72, 120, 168];

/// The sizes of a change before and after a moment, and their variances, in units of its column.
#[derive(Debug, Clone, Copy)]
pub struct Pieces {
    /// Before, and after.
    pub sizes: [f64; 2],
    /// Their variances.
    pub variances: [f64; 2],
    /// Their covariance.
    pub covariance: f64,
}

/// The hour at which a loss ended, if it has: less than half as much energy is lost since then as a day of it took, whatever its course.
pub fn ended(circuit: &Circuit, honest: &Honest, change: &Change, now: i64) -> Option<i64> {
    let ages = match change.shape {
        Shape::Tap(_) => TAP_OVER_H,
        _ => METER_OVER_H,
    };
    // The mean of what is lost, which a constant load measures without asking for the course.
    let mean = Change {
        column: circuit.columns.taps(),
        ..*change
    };
    for hour in ages.map(|age| now - age) {
        if hour <= change.since_hour {
            break;
        }
        let Some(pieces) = circuit.pieces(honest, &mean, hour) else {
            continue;
        };
        let [before, after] = pieces.sizes;
        let deviations = pieces.variances.map(|v| libm::sqrt(v * INFLATION));
        let was = before > SURE * deviations[0];
        // What lasted for some hours may come back at the same hours of every day.
        let daily = before * ((hour - change.since_hour) as f64 / 24.0).min(1.0);
        if was && after + SURE * deviations[1] < daily / 2.0 {
            return Some(hour);
        }
    }
    None
}

/// Whether it has grown or shrunk since the middle of its time.
pub fn trend(circuit: &Circuit, honest: &Honest, change: &Change, now: i64) -> Option<Evidence> {
    let pieces = circuit.pieces(honest, change, i64::midpoint(change.since_hour, now))?;
    let [before, after] = pieces.sizes;
    let variance = pieces.variances[0] + pieces.variances[1] - 2.0 * pieces.covariance;
    let far = (after - before) / libm::sqrt((variance * INFLATION).max(1e-12));
    if before <= 0.0 || after <= 0.0 {
        return None;
    }
    if far > SURE && after > MUCH * before {
        Some(Evidence::LossGrows)
    } else if far < -SURE && before > MUCH * after {
        Some(Evidence::LossShrinks)
    } else {
        None
    }
}
