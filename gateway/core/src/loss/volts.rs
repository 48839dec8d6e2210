//! What voltages tell: how far each meter sits below its phase, and where on it a loss hangs.
//!
//! Terms: the *relative* voltage of a meter is its voltage minus the mean of its phase; its
//! *offset* is the relative voltage at no load, which is the voltmeter's own error; its
//! *sensitivity* to a meter is volts per Wh used there.
//!
//! Decided here: offsets and sensitivities by regression, and which meter's sensitivities the lost
//! energy repeats. Deliberately not: what energy is lost. Without voltages everything here says
//! nothing, which is not an error.

use super::align::Row;
use super::matrix::Gram;
use alloc::vec;
use alloc::vec::Vec;

/// Standard deviation believed of a sensitivity: 0.2 ohm is 3.5 V for 1 kWh in a quarter of an
/// hour, V per Wh.
const SENSITIVITY: f64 = 3.5e-3;
/// Standard deviation believed of an offset, V.
const OFFSET: f64 = 5.0;
/// Resolution and unmodelled imbalance of a relative voltage, V.
const VOLT_NOISE: f64 = 0.1;
/// Fewer intervals than a day of quarter-hours teach nothing.
const ENOUGH: usize = 96;

/// Voltage groups and no-load offsets.
#[derive(Debug, Clone)]
pub struct Offsets {
    groups: Vec<usize>,
    offset: Vec<Option<f64>>,
}

/// How one meter's relative voltage answers.
#[derive(Debug, Clone)]
struct Answer {
    offset: f64,
    /// Sensitivities to the members of the group, and to the lost energy last.
    slopes: Vec<f64>,
    /// Their variances.
    variances: Vec<f64>,
}

impl Offsets {
    /// Learns the offsets; `groups` says for every meter of the site which others share its phase.
    pub fn learn(rows: &[Row], groups: Vec<usize>) -> Self {
        let mut learnt = Self {
            offset: rough(rows, &groups),
            groups,
        };
        let mut offset = learnt.offset.clone();
        for group in 0..3 {
            let members = learnt.members(group);
            for meter in &members {
                let answer = learnt.answer(rows, *meter, &members, &[]);
                if let (Some(answer), Some(offset)) = (answer, offset[*meter].as_mut()) {
                    *offset += answer.offset;
                }
            }
        }
        learnt.offset = offset;
        learnt
    }

    /// How many meters the site has.
    pub fn meters(&self) -> usize {
        self.groups.len()
    }

    /// Metered energy of each phase, Wh.
    pub fn loads(&self, row: &Row) -> [f64; 3] {
        let mut loads = [0.0; 3];
        for (group, energy) in self.groups.iter().zip(&row.plain) {
            loads[*group] += f64::from(*energy);
        }
        loads
    }

    fn members(&self, group: usize) -> Vec<usize> {
        let same = |(meter, of): (usize, &usize)| (*of == group).then_some(meter);
        self.groups.iter().enumerate().filter_map(same).collect()
    }

    /// `(volts below the mean of its phase, volts)` of each of `members`; `None` where unknown.
    pub fn drops(&self, row: &Row, members: &[usize]) -> Vec<Option<(f64, f64)>> {
        let means = self.means(row);
        let drop = |meter: &usize| {
            let volts = f64::from(row.volts[*meter]);
            let offset = self.offset[*meter]?;
            let mean = means[self.groups[*meter]]?;
            volts
                .is_finite()
                .then_some((mean - (volts - offset), volts))
        };
        members.iter().map(drop).collect()
    }

    fn means(&self, row: &Row) -> [Option<f64>; 3] {
        let mut sums = [(0.0, 0.0_f64); 3];
        for (meter, volts) in row.volts.iter().enumerate() {
            if let (true, Some(offset)) = (volts.is_finite(), self.offset[meter]) {
                let sum = &mut sums[self.groups[meter]];
                sum.0 += f64::from(*volts) - offset;
                sum.1 += 1.0;
            }
        }
        sums.map(|(sum, count)| (count > 0.0).then(|| sum / count))
    }

    /// Regresses one meter's relative voltage on its group's energies, the other groups' and
    /// `lost`, Wh per row.
    fn answer(
        &self,
        rows: &[Row],
        meter: usize,
        members: &[usize],
        lost: &[f64],
    ) -> Option<Answer> {
        let size = members.len() + 4;
        let mut gram = Gram::zero(size + 1);
        let mut x = vec![0.0; size + 1];
        let mut seen = 0;
        for (at, row) in rows.iter().enumerate() {
            let volts = f64::from(row.volts[meter]);
            let (true, Some(offset)) = (volts.is_finite(), self.offset[meter]) else {
                continue;
            };
            let Some(mean) = self.means(row)[self.groups[meter]] else {
                continue;
            };
            x.fill(0.0);
            x[0] = 1.0;
            for (place, member) in members.iter().enumerate() {
                x[1 + place] = f64::from(row.plain[*member]);
            }
            for (other, energy) in row.plain.iter().enumerate() {
                match (3 + self.groups[other] - self.groups[meter]) % 3 {
                    1 => x[size - 3] += f64::from(*energy),
                    2 => x[size - 2] += f64::from(*energy),
                    _ => {}
                }
            }
            x[size - 1] = lost.get(at).copied().unwrap_or(0.0);
            if x[size - 1].is_nan() {
                continue;
            }
            x[size] = volts - offset - mean;
            gram.add(&x, 1.0 / (VOLT_NOISE * VOLT_NOISE));
            seen += 1;
        }
        (seen >= ENOUGH).then(|| solve(&gram, size, seen))
    }

    /// For each of `members`: how well the voltages since the loss began fit the lost energy being
    /// drawn there, as log-likelihood against being drawn nowhere in particular; zeros if nothing
    /// is known.
    pub fn suspects(&self, rows: &[Row], members: &[usize], lost: &[f64]) -> Vec<f64> {
        let mut support = vec![0.0; members.len()];
        for group in 0..3 {
            let inside = self.members(group);
            let answers: Vec<_> = inside
                .iter()
                .map(|meter| self.answer(rows, *meter, &inside, lost))
                .collect();
            for (column, suspect) in inside.iter().enumerate() {
                if let Some(place) = members.iter().position(|member| member == suspect) {
                    support[place] = repeats(&answers, column);
                }
            }
        }
        support
    }
}

/// How well the answers to the lost energy repeat the answers to meter `column`.
fn repeats(answers: &[Option<Answer>], column: usize) -> f64 {
    let mut best = f64::MIN;
    // What is noise in the lost energy was taken off as far as it is known.
    for scale in [0.6, 0.8, 1.0, 1.2] {
        let mut sum = 0.0;
        for answer in answers.iter().flatten() {
            let last = answer.slopes.len() - 1;
            let (seen, variance) = (answer.slopes[last], answer.variances[last]);
            let (expected, own) = (answer.slopes[column], answer.variances[column]);
            let wrong = seen - scale * expected;
            let spread = variance + scale * scale * own;
            sum += seen * seen / (variance + own) - wrong * wrong / spread;
        }
        best = best.max(sum / 2.0);
    }
    best
}

fn solve(gram: &Gram, size: usize, seen: usize) -> Answer {
    let mut ridge = vec![1.0 / (SENSITIVITY * SENSITIVITY); size];
    ridge[0] = 1.0 / (OFFSET * OFFSET);
    let factor = gram.factor(size, &ridge);
    let mut solution: Vec<f64> = (0..size).map(|row| gram.at(size, row)).collect();
    let right = solution.clone();
    factor.solve(&mut solution);
    let explained = super::matrix::dot(&solution, &right);
    let spread = ((gram.at(size, size) - explained) / seen as f64).max(0.1);
    let variance = |row: usize| factor.inverse_diagonal(row) * spread;
    let kept: Vec<usize> = (1..size - 3).chain([size - 1]).collect();
    Answer {
        offset: solution[0],
        slopes: kept.iter().map(|row| solution[*row]).collect(),
        variances: kept.iter().map(|row| variance(*row)).collect(),
    }
}

/// First guess: the mean of each meter's voltage minus the mean of its group's.
fn rough(rows: &[Row], groups: &[usize]) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0.0_f64); groups.len()];
    for row in rows {
        let mut means = [(0.0, 0.0_f64); 3];
        for (meter, volts) in row
            .volts
            .iter()
            .enumerate()
            .filter(|(_, volts)| volts.is_finite())
        {
            means[groups[meter]].0 += f64::from(*volts);
            means[groups[meter]].1 += 1.0;
        }
        for (meter, volts) in row
            .volts
            .iter()
            .enumerate()
            .filter(|(_, volts)| volts.is_finite())
        {
            let (sum, count) = means[groups[meter]];
            sums[meter].0 += f64::from(*volts) - sum / count;
            sums[meter].1 += 1.0;
        }
    }
    let mean = |(sum, count): (f64, f64)| (count >= ENOUGH as f64).then(|| sum / count);
    sums.into_iter().map(mean).collect()
}
