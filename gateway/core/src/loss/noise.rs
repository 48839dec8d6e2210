//! How uncertain a residual is, and what of it is new.
//!
//! A reading taken some seconds late moves energy from one interval into the next: the *sum* of
//! residuals is wrong by a moment's worth, the differences are wrong twice with opposite signs. So
//! the sum is followed like the position of a thing that drifts (losses that are not modelled) and
//! is seen through fog (late readings, coarse registers, guessed registers): a Kalman filter on one
//! state, whose innovations are independent. Every regressor goes through the same filter.
//!
//! Decided here: the five variances, by maximum likelihood over the days believed honest. An
//! interval that cannot be known is not seen; the drift goes on and the next one that is seen
//! carries both.

use super::columns::Line;
use alloc::vec::Vec;

/// The variances of a circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Drift per interval, Wh².
    pub drift: f64,
    /// Drift per interval as a share of the feeder's energy squared.
    pub drift_share: f64,
    /// Fog from coarse registers, Wh².
    pub floor: f64,
    /// Fog as a share of the meters' energies squared: their reading moments.
    pub meters: f64,
    /// Fog as a share of the feeder's energy squared: its reading moment.
    pub feeder: f64,
}

/// Smallest drift and fog, Wh²: registers are whole watt-hours.
const LEAST: f64 = 1.0;
/// Smallest drift as a share: losses of two percent are known no better than to a tenth of
/// themselves.
const LEAST_DRIFT: f64 = 4e-6;
/// Smallest fog as a share: a tenth of a second in a quarter of an hour.
const LEAST_SHARE: f64 = 1e-8;

impl Default for Noise {
    /// Class-1 drift, 10 Wh registers, meters read within 20 s evenly, the feeder on time.
    fn default() -> Self {
        Self {
            drift: 9.0,
            drift_share: 1e-5,
            floor: 25.0,
            meters: 1.6e-4,
            feeder: 1e-6,
        }
    }
}

/// The filter's one state.
#[derive(Debug, Clone, Copy)]
pub struct Follow {
    variance: f64,
    keep: f64,
}

/// Stands for "nothing is known of the level", Wh².
const UNKNOWN: f64 = 1e12;

impl Follow {
    pub fn new() -> Self {
        Self {
            variance: UNKNOWN,
            keep: 1.0,
        }
    }

    /// One interval: what of the pending sums stays pending before this interval's columns are
    /// added, and the variance of the innovation afterwards; `None` if there is none.
    pub fn step(&mut self, noise: &Noise, line: &Line) -> (f64, Option<f64>) {
        let keep = self.keep;
        self.keep = 1.0;
        if line.restarted {
            self.variance = UNKNOWN;
        }
        self.variance += noise.drift + noise.drift_share * line.feeder_squared + line.unknown;
        if !line.known {
            return (keep, None);
        }
        let fog = noise.floor
            + noise.meters * line.meters_squared
            + noise.feeder * line.feeder_squared
            + line.guess;
        let innovation = self.variance + fog;
        let gain = self.variance / innovation;
        let seen = self.variance < UNKNOWN / 2.0;
        self.variance *= 1.0 - gain;
        self.keep = 1.0 - gain;
        (keep, seen.then_some(innovation))
    }
}

/// The most likely variances for residuals whose honest explanation has been taken off.
pub fn fit(start: Noise, lines: &[Line], residuals: &[f64]) -> Noise {
    let mut best = start;
    let mut score = likelihood(&best, lines, residuals);
    for factor in [8.0, 4.0, 2.0, 1.5] {
        for _ in 0..3 {
            let before = score;
            for which in 0..5 {
                for step in [factor, 1.0 / factor] {
                    let trial = best.scaled(which, step);
                    let value = likelihood(&trial, lines, residuals);
                    if value > score {
                        (best, score) = (trial, value);
                    }
                }
            }
            if score - before < 0.5 {
                break;
            }
        }
    }
    best
}

impl Noise {
    /// Variance of one residual that stands alone: its own fog, as much from the one before, and
    /// the drift.
    pub fn of_difference(&self, line: &Line) -> f64 {
        let fog =
            self.floor + self.meters * line.meters_squared + self.feeder * line.feeder_squared;
        2.0 * fog + self.drift + self.drift_share * line.feeder_squared
    }

    fn scaled(&self, which: usize, factor: f64) -> Self {
        let mut to = *self;
        match which {
            0 => to.drift = (to.drift * factor).max(LEAST),
            1 => to.drift_share = (to.drift_share * factor).max(LEAST_DRIFT),
            2 => to.floor = (to.floor * factor).max(LEAST),
            3 => to.meters = (to.meters * factor).max(LEAST_SHARE),
            _ => to.feeder = (to.feeder * factor).max(LEAST_SHARE),
        }
        to
    }
}

/// Log-likelihood with the tails of a Student distribution of five degrees: an odd interval does
/// not rule.
fn likelihood(noise: &Noise, lines: &[Line], residuals: &[f64]) -> f64 {
    let mut follow = Follow::new();
    let (mut pending, mut sum) = (0.0, 0.0);
    for (line, residual) in lines.iter().zip(residuals) {
        let (keep, variance) = follow.step(noise, line);
        pending = pending * keep + residual;
        if let Some(variance) = variance {
            sum -=
                3.0 * libm::log1p(pending * pending / variance / 3.0) + 0.5 * libm::log(variance);
        }
    }
    sum
}

/// Weight of an innovation so that a single odd interval counts as one at five standard deviations
/// does, and no more.
pub fn weight(innovation: f64, variance: f64) -> f64 {
    let squared = innovation * innovation / variance;
    if squared > 25.0 {
        libm::sqrt(25.0 / squared) / variance
    } else {
        1.0 / variance
    }
}

/// What is left of `lines` after the honest explanation.
pub fn left(lines: &[Line], honest: &[f64]) -> Vec<f64> {
    let left = |line: &Line| {
        let explained = super::matrix::dot(&line.x[..honest.len()], honest);
        line.x.last().copied().unwrap_or(0.0) - explained
    };
    lines.iter().map(left).collect()
}
