//! Which phase each meter hangs on.
//!
//! Decided here: labels are checked, because one that is wrong makes two circuits look like a
//! theft. The feeder's phase energies are regressed on all meters; the phase a meter's energy
//! appears on is its own. Where the feeder has only a total, voltages decide: meters of one phase
//! rise and fall together. A label stands unless the evidence against it is clear.

use super::align::Row;
use super::columns::Line;
use super::matrix::Gram;
use super::noise::{Follow, Noise};
use super::site::Phase;
use alloc::vec;
use alloc::vec::Vec;

/// A meter's share on a phase is 0 or 1; a difference of 0.3 between the noted and the best phase
/// is no accident (one confident error in some thousand meters).
const MARGIN: f64 = 0.3;
/// Correlations of voltage changes have to differ by so much.
const VOLT_MARGIN: f64 = 0.15;

/// A meter that is short of more than half of its share hangs elsewhere.
const NOWHERE: f64 = 0.5;
/// And by so many standard deviations: one chance in some millions.
const SURE: f64 = 5.0;

/// Standard deviation of the moment a meter is read, as a share of an interval: 20 s evenly, of fifteen minutes.
const LATE: f64 = 20.0 / 1.732 / 900.0;

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
    /// Its energy appears on no phase.
    pub absent: bool,
}

/// Finds the phase of each meter. `energies` says whether the feeder is read per phase.
pub fn find(rows: &[Row], labels: &[Option<Phase>], per_phase: bool) -> Vec<Found> {
    let shares = if per_phase {
        by_energy(rows, labels)
    } else {
        by_voltage(rows, labels)
    };
    let absent = absent(rows, labels, per_phase.then_some(&shares));
    let margin = if per_phase { MARGIN } else { VOLT_MARGIN };
    let decide = |((label, found), absent): ((&Option<Phase>, Share), bool)| {
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
                absent,
            },
            Some(label) => Found {
                phase: best,
                contradicts: best != *label,
                absent,
            },
            None => Found {
                phase: best,
                contradicts: false,
                absent,
            },
        }
    };
    labels.iter().zip(shares).zip(absent).map(decide).collect()
}

/// Coefficients of each meter's energy in each phase's.
fn by_energy(rows: &[Row], labels: &[Option<Phase>]) -> Vec<Share> {
    let mut shares = vec![Share::default(); labels.len()];
    for phase in Phase::ALL {
        let (solution, variances) = regress(rows, labels, phase);
        for ((share, value), variance) in shares.iter_mut().zip(solution).zip(variances) {
            share.share[phase.index()] = value;
            share.variance = share.variance.max(variance);
        }
    }
    shares
}

/// Which meters' energies appear nowhere on the feeder: a meter's share is one or nothing, so the half lies in between.
fn absent(rows: &[Row], labels: &[Option<Phase>], by_phase: Option<&Vec<Share>>) -> Vec<bool> {
    let missing =
        |share: f64, variance: f64| 1.0 - share > libm::fmax(NOWHERE, SURE * libm::sqrt(variance));
    if let Some(shares) = by_phase {
        let one = |found: &Share| missing(found.share.iter().sum(), 3.0 * found.variance);
        return shares.iter().map(one).collect();
    }
    // All phases together stand in the first place; every meter is expected there.
    let here = vec![Some(Phase::A); labels.len()];
    let (solution, variances) = regress(rows, &here, Phase::A);
    let pairs = solution.into_iter().zip(variances);
    pairs
        .map(|(share, variance)| missing(share, variance))
        .collect()
}

/// Regresses the energy of `phase` on all meters, a standing loss and one that grows with the
/// square of the load; late readings are filtered as in [`super::noise`].
fn regress(rows: &[Row], labels: &[Option<Phase>], phase: Phase) -> (Vec<f64>, Vec<f64>) {
    let meters = labels.len();
    let size = meters + 2;
    let mut gram = Gram::zero(size + 1);
    let mut pending = vec![0.0; size + 1];
    let mut follow = Follow::new();
    let mut seen = 0.0_f64;
    let steps = steps(rows, meters);
    let mut blur = vec![0.0; meters];
    for row in rows {
        let feeder = row.plain_feeder[phase.index()];
        let mut line = Line {
            known: row.feeder.is_some(),
            restarted: row.restarted,
            feeder_squared: feeder * feeder,
            ..Line::default()
        };
        for (meter, label) in labels.iter().enumerate() {
            let square = |value: f32| f64::from(value) * f64::from(value);
            // A wrong label does no harm here: it is one of many.
            if label.is_none_or(|label| label == phase) {
                line.meters_squared += square(row.plain[meter]);
            }
            line.guess += square(row.guess_sd[meter]);
            line.unknown += square(row.unknown_sd[meter]);
        }
        let (keep, variance) = follow.step(&Noise::default(), &line);
        let honest = [1.0, 1e-5 * feeder * feeder];
        let advance = row.feeder.map_or(0.0, |feeder| feeder[phase.index()]);
        let booked = row.booked.iter().map(|energy| f64::from(*energy));
        let new = booked.chain(honest).chain(core::iter::once(advance));
        for (pending, new) in pending.iter_mut().zip(new) {
            *pending = *pending * keep + new;
        }
        if let Some(variance) = variance {
            gram.add(&pending, 1.0 / variance);
            seen += 1.0;
            for (meter, blur) in blur.iter_mut().enumerate() {
                let late = f64::from(row.plain[meter]) * LATE;
                // Twice: where an interval begins and where it ends.
                *blur += 2.0 * (steps[meter] * steps[meter] / 12.0 + late * late) / variance;
            }
        }
    }
    let expected = |meter: usize| match labels.get(meter).copied().flatten() {
        Some(label) => f64::from(u8::from(label == phase)),
        None => 1.0 / 3.0,
    };
    let prior = |row: usize| if row < meters { expected(row) } else { 0.0 };
    // What is noise in a register says nothing: that part is expected, or a house that uses less than the steps of its register seems to
    // be nowhere.
    let noise = |row: usize| blur.get(row).copied().unwrap_or(0.0);
    let part = |row: usize| noise(row).min(gram.at(row, row));
    let right: Vec<f64> = (0..size)
        .map(|row| gram.at(size, row) + prior(row) * (1.0 + part(row)))
        .collect();
    let mut ridge = vec![1.0; size];
    ridge[meters..].fill(1e-3);
    let factor = gram.factor(size, &ridge);
    let mut solution = right.clone();
    factor.solve(&mut solution);
    let explained = super::matrix::dot(&solution, &right);
    let spread = ((gram.at(size, size) - explained) / seen.max(1.0)).max(1.0);
    let variances = (0..meters)
        .map(|meter| factor.inverse_diagonal(meter) * spread)
        .collect();
    solution.truncate(meters);
    (solution, variances)
}

/// The step each register counts in, Wh: 1, 10 or 100.
fn steps(rows: &[Row], meters: usize) -> Vec<f64> {
    let step = |meter: usize| {
        let advances = rows.iter().filter(|row| row.guess_sd[meter] <= 0.0);
        let whole = advances.map(|row| f64::from(row.booked[meter]));
        let whole: Vec<f64> = whole.filter(|wh| *wh > 0.0 && wh % 1.0 == 0.0).collect();
        let steps = |step: &f64| {
            let on = whole.iter().filter(|wh| **wh % step == 0.0).count();
            // A settlement after a gap is no multiple of anything.
            on * 20 >= whole.len() * 19
        };
        [100.0, 10.0].into_iter().find(steps).unwrap_or(1.0)
    };
    (0..meters).map(step).collect()
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
