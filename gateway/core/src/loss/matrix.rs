//! Small symmetric systems: Gram matrices, their factor, and solutions against many right-hand
//! sides.
//!
//! Decided here: numbers only. Deliberately not: what a row or column means ([`super::columns`]).
//! Terms: *packed* is the lower triangle of a symmetric matrix, row after row, `n * (n + 1) / 2`
//! values.

use alloc::vec;
use alloc::vec::Vec;

/// Position of `(row, column)` in packed storage, in either order.
pub fn packed(row: usize, column: usize) -> usize {
    let (high, low) = if row >= column {
        (row, column)
    } else {
        (column, row)
    };
    high * (high + 1) / 2 + low
}

/// A symmetric matrix in packed storage.
#[derive(Debug, Clone)]
pub struct Gram {
    size: usize,
    values: Vec<f64>,
}

impl Gram {
    /// The zero matrix of `size` rows.
    pub fn zero(size: usize) -> Self {
        Self {
            size,
            values: vec![0.0; size * (size + 1) / 2],
        }
    }

    /// Adds `weight * x * x'`.
    pub fn add(&mut self, x: &[f64], weight: f64) {
        let mut rest = self.values.as_mut_slice();
        for (row, value) in x.iter().enumerate().take(self.size) {
            let (line, after) = rest.split_at_mut(row + 1);
            rest = after;
            let factor = value * weight;
            if factor != 0.0 {
                for (cell, other) in line.iter_mut().zip(x) {
                    *cell += factor * other;
                }
            }
        }
    }

    /// One cell.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values.get(packed(row, column)).copied().unwrap_or(0.0)
    }

    /// The factor of the leading `size` rows plus `ridge` on the diagonal.
    pub fn factor(&self, size: usize, ridge: &[f64]) -> Factor {
        let mut lower = self
            .values
            .get(..size * (size + 1) / 2)
            .unwrap_or(&[])
            .to_vec();
        for (row, value) in ridge.iter().enumerate().take(size) {
            lower[packed(row, row)] += value;
        }
        for row in 0..size {
            let (before, line) = lower.split_at_mut(row * (row + 1) / 2);
            for column in 0..=row {
                let other = if column == row {
                    None
                } else {
                    before.get(column * (column + 1) / 2..)
                };
                let mut sum = line[column];
                match other {
                    Some(other) => {
                        sum -= dot(&line[..column], &other[..column]);
                        line[column] = sum / other[column];
                    }
                    None => {
                        sum -= dot(&line[..column], &line[..column]);
                        // A direction the data does not know stays unknown instead of becoming a
                        // division by zero.
                        line[column] = libm::sqrt(if sum > 1e-12 { sum } else { 1e-12 });
                    }
                }
            }
        }
        Factor { size, lower }
    }
}

/// The lower-triangular factor of a positive definite matrix.
#[derive(Debug, Clone)]
pub struct Factor {
    size: usize,
    lower: Vec<f64>,
}

impl Factor {
    /// Solves with the factor alone: the squared length of the result is the quadratic form of the
    /// inverse.
    pub fn halfway(&self, right: &mut [f64]) {
        for row in 0..self.size {
            let line = &self.lower[row * (row + 1) / 2..][..=row];
            let sum = dot(&line[..row], &right[..row]);
            right[row] = (right[row] - sum) / line[row];
        }
    }

    /// One diagonal cell of the inverse.
    pub fn inverse_diagonal(&self, row: usize) -> f64 {
        let mut unit = vec![0.0; self.size];
        unit[row] = 1.0;
        self.halfway(&mut unit);
        dot(&unit, &unit)
    }

    /// Solves the whole system in place.
    pub fn solve(&self, right: &mut [f64]) {
        self.halfway(right);
        for row in (0..self.size).rev() {
            let line = &self.lower[row * (row + 1) / 2..][..=row];
            let value = right[row] / line[row];
            right[row] = value;
            for (cell, factor) in right[..row].iter_mut().zip(line) {
                *cell -= factor * value;
            }
        }
    }
}

/// The inner product, in four partial sums so that it does not wait for itself; the order is fixed.
pub fn dot(left: &[f64], right: &[f64]) -> f64 {
    let mut sums = [0.0_f64; 4];
    let (mut a, mut b) = (left.chunks_exact(4), right.chunks_exact(4));
    for (x, y) in a.by_ref().zip(b.by_ref()) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    let done = left.len().min(right.len()) / 4 * 4;
    let tail: f64 = left[done..]
        .iter()
        .zip(&right[done..])
        .map(|(x, y)| x * y)
        .sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + tail
}
