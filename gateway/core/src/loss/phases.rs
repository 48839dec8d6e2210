//! Which phase each meter hangs on.
//!
//! Decided here: labels are checked, because one that is wrong makes two circuits look like a theft. The feeder's phase
//! energies are regressed on all meters; the phase a meter's energy appears on is its own. Where the feeder has only a total,
//! voltages decide: meters of one phase rise and fall together. A label stands unless the evidence against it is clear.

use super::align::Row;
use super::matrix::Gram;
use super::site::Phase;
use alloc::vec;
use alloc::vec::Vec;

/// A meter's share on a phase is 0 or 1; a difference of 0.3 between the noted and the best phase is no accident (one confident
/// error in some thousand meters).
const MARGIN: f64 = 0.3;
/// Correlations of voltage changes have to differ by so much.
const VOLT_MARGIN: f64 = 0.15;

/// And by so many standard deviations: one chance in some millions.
const SURE: f64 = 5.0;

/// What speaks for each phase, and how uncertain that is.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    share: [f64; 3],
    variance: f64,
}

/// One meter's phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub phase: Phase,
    /// The label says otherwise.
    pub contradicts: bool,
}

/// Finds the phase of each meter. `energies` says whether the feeder is read per phase.
pub fn find(rows: &[Row], labels: &[Option<Phase>], per_phase: bool) -> Vec<Found> {
    let shares = if per_phase {
        by_energy(rows, labels)
    } else {
        by_voltage(rows, labels)
    };
    let margin = if per_phase { MARGIN } else { VOLT_MARGIN };
    let decide = |(label, found): (&Option<Phase>, Share)| {
        let share = found.share;
        let margin = libm::fmax(margin, SURE * libm::sqrt(2.0 * found.variance));
        let mut best = Phase::A;
        for phase in Phase::ALL {
            if share[phase.index()] > share[best.index()] {
                best = phase;
            }
        }
        match label {
            Some(label) if share[best.index()] - share[label.index()] <= margin => Found {
                phase: *label,
                contradicts: false,
            },
            Some(label) => Found {
                phase: best,
                contradicts: best != *label,
            },
            None => Found {
                phase: best,
                contradicts: false,
            },
        }
    };
    labels.iter().zip(shares).map(decide).collect()
}

/// Coefficients of each meter's energy in each phase's: half an hour at a time, which most late readings do not cross.
fn by_energy(rows: &[Row], labels: &[Option<Phase>]) -> Vec<Share> {
    let meters = labels.len();
    // Last: a standing loss per phase, the load of the phase itself in losses is small against a whole meter.
    let size = meters + 1;
    let mut gram = Gram::zero(size + 3);
    let mut x = vec![0.0; size + 3];
    let mut seen = 0.0_f64;
    for row in rows {
        let Some(feeder) = row.feeder.filter(|_| !row.restarted) else {
            continue;
        };
        if row.guess_sd.iter().filter(|sd| **sd > 0.0).count() * 8 > meters {
            continue;
        }
        for (cell, energy) in x.iter_mut().zip(&row.plain) {
            *cell = f64::from(*energy);
        }
        x[meters] = 1.0;
        x[size..].copy_from_slice(&feeder);
        // Late readings and missing ones leave an error of a percent of the load and some tens of watt-hours.
        let load: f64 = row.plain.iter().map(|energy| f64::from(*energy)).sum();
        seen += 1.0;
        gram.add(&x, 1.0 / (400.0 + 4e-4 * load * load));
    }
    let mut ridge = vec![1.0; size];
    ridge[meters] = 1e-4;
    let factor = gram.factor(size, &ridge);
    let mut shares = vec![Share::default(); meters];
    for phase in 0..3 {
        let expected = |meter: usize| match labels.get(meter).copied().flatten() {
            Some(label) if label.index() == phase => 1.0,
            Some(_) => 0.0,
            None => 1.0 / 3.0,
        };
        let right = |row: usize| {
            gram.at(size + phase, row) + if row < meters { expected(row) } else { 0.0 }
        };
        let right: Vec<f64> = (0..size).map(right).collect();
        let mut solution = right.clone();
        factor.solve(&mut solution);
        for (share, value) in shares.iter_mut().zip(&solution) {
            share.share[phase] = *value;
        }
        let left = gram.at(size + phase, size + phase) - super::matrix::dot(&solution, &right);
        for (meter, share) in shares.iter_mut().enumerate() {
            let variance = factor.inverse_diagonal(meter) * (left / seen.max(1.0)).max(1.0);
            share.variance = share.variance.max(variance);
        }
    }
    shares
}

/// Correlation of each meter's voltage changes with those of the others labelled with each phase.
fn by_voltage(rows: &[Row], labels: &[Option<Phase>]) -> Vec<Share> {
    let mut shares = vec![Share::default(); labels.len()];
    for (meter, share) in shares.iter_mut().enumerate() {
        let mut sums = [[0.0_f64; 3]; 3];
        for pair in rows.windows(2) {
            let change = |of: usize| f64::from(pair[1].volts[of]) - f64::from(pair[0].volts[of]);
            let own = change(meter);
            if !own.is_finite() {
                continue;
            }
            for phase in Phase::ALL {
                let same = |other: &usize| *other != meter && labels[*other] == Some(phase);
                let others = (0..labels.len())
                    .filter(same)
                    .map(change)
                    .filter(|dv| dv.is_finite());
                let (sum, count) = others.fold((0.0, 0.0_f64), |(sum, n), dv| (sum + dv, n + 1.0));
                let mean = sum / count.max(1.0);
                let cell = &mut sums[phase.index()];
                cell[0] += own * own;
                cell[1] += own * mean;
                cell[2] += mean * mean;
            }
        }
        for (share, [own, both, other]) in share.share.iter_mut().zip(sums) {
            *share = both / libm::sqrt((own * other).max(1e-9));
        }
    }
    shares
}
