//! One circuit's running sums: everything the tests need to know about the past, in a fixed amount
//! of memory.
//!
//! Terms: a *mark* is the sums as they stood at one hour; the difference of two marks is the
//! evidence between them. Marks are kept hourly for two days and every six hours before, so "a
//! change that began then" can be asked for either. Invariant: nothing of an interval is used
//! before the interval is over.

use super::align::Row;
use super::columns::{Columns, FEEDER_GAIN, Line};
use super::course::Pieces;
use super::matrix::{Factor, Gram};
use super::noise::{self, Follow, Noise};
use super::sequential::Change;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// Marks are hourly so far back, hours.
const HOURLY: i64 = 48;
/// And six-hourly so far, hours: three weeks. What began before is the site as it is.
const OLDEST: i64 = 21 * 24;

/// Standard deviation of a ratio that may be wrong: current transformers come in steps of a third and more.
const ANY_RATIO: f64 = 0.3;

/// The sums at an hour.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Hour since 1970.
    pub hour: i64,
    sums: Gram,
    totals: Vec<f64>,
    intervals: f64,
}

/// One circuit.
#[derive(Debug, Clone)]
pub struct Circuit {
    pub columns: Columns,
    pub noise: Noise,
    follow: Follow,
    pending: Vec<f64>,
    sums: Gram,
    totals: Vec<f64>,
    intervals: f64,
    honest: Vec<f64>,
    believed: Option<(usize, f64)>,
    ridge: Vec<f64>,
    pub marks: VecDeque<Mark>,
    /// What began before is how the site is.
    pub honest_until: i64,
}

/// The honest explanation of everything so far.
#[derive(Debug, Clone)]
pub struct Honest {
    factor: Factor,
    pub solution: Vec<f64>,
}

impl Circuit {
    /// Learns a circuit from rows believed honest. No change is looked for that began before the hour `honest_until`.
    pub fn learn(columns: Columns, rows: &[Row], honest_until: i64) -> Self {
        let size = columns.residual() + 1;
        let mut fresh = columns.clone();
        let lines: Vec<Line> = rows.iter().map(|row| fresh.line(row)).collect();
        let mut circuit = Self {
            ridge: columns.ridge(),
            believed: None,
            honest: vec![0.0; columns.honest()],
            columns,
            noise: Noise::default(),
            follow: Follow::new(),
            pending: vec![0.0; size],
            sums: Gram::zero(size),
            totals: vec![0.0; size],
            intervals: 0.0,
            marks: VecDeque::new(),
            honest_until,
        };
        for _ in 0..3 {
            circuit.restart(size);
            for line in &lines {
                circuit.take(line);
            }
            circuit.honest = circuit.honest_now().solution;
            circuit.noise =
                noise::fit(circuit.noise, &lines, &noise::left(&lines, &circuit.honest));
        }
        circuit.restart(size);
        for row in rows {
            circuit.step(row);
        }
        circuit
    }

    /// The youngest mark of at least this age that a change may have begun at.
    pub fn mark(&self, now: i64, age: i64) -> Option<&Mark> {
        let mut marks = self.marks.iter().rev();
        let found = marks.find(|mark| now - mark.hour >= age);
        found.filter(|mark| mark.hour >= self.honest_until)
    }

    fn restart(&mut self, size: usize) {
        self.follow = Follow::new();
        self.pending = vec![0.0; size];
        self.sums = Gram::zero(size);
        self.totals = vec![0.0; size];
        self.intervals = 0.0;
        self.marks.clear();
    }

    /// Takes one interval; true if an hour is complete.
    pub fn step(&mut self, row: &Row) -> bool {
        let line = self.columns.line(row);
        self.take(&line);
        let whole = row.end_s.rem_euclid(3600) == 0;
        if whole {
            let hour = row.end_s.div_euclid(3600);
            self.marks.push_back(Mark {
                hour,
                sums: self.sums.clone(),
                totals: self.totals.clone(),
                intervals: self.intervals,
            });
            let keep = |mark: &Mark| {
                let age = hour - mark.hour;
                age <= HOURLY || (mark.hour % 6 == 0 && age <= OLDEST)
            };
            self.marks.retain(keep);
        }
        whole
    }

    fn take(&mut self, line: &Line) {
        let (keep, variance) = self.follow.step(&self.noise, line);
        for (pending, new) in self.pending.iter_mut().zip(&line.x) {
            *pending = *pending * keep + new;
        }
        for (total, new) in self.totals.iter_mut().zip(&line.x) {
            *total += new;
        }
        self.intervals += 1.0;
        if let Some(variance) = variance {
            let explained = super::matrix::dot(&self.pending[..self.honest.len()], &self.honest);
            let changed = self
                .believed
                .map_or(0.0, |(column, size)| self.pending[column] * size);
            let innovation = self.pending.last().copied().unwrap_or(0.0) - explained - changed;
            self.sums
                .add(&self.pending, noise::weight(innovation, variance));
        }
    }

    /// Solves for the honest explanation of everything so far.
    pub fn honest_now(&self) -> Honest {
        let size = self.columns.honest();
        let residual = self.columns.residual();
        let factor = self.sums.factor(size, &self.ridge);
        let mut solution: Vec<f64> = (0..size).map(|row| self.sums.at(residual, row)).collect();
        factor.solve(&mut solution);
        Honest { factor, solution }
    }

    /// Believes this explanation when weighing the next intervals: what it foresees is not odd.
    pub fn settle(&mut self, honest: &Honest, change: Option<&Change>) {
        self.believed = change.map(|change| (change.column, change.size));
        self.honest = match change {
            Some(change) => self.honest_beside(honest, change),
            None => honest.solution.clone(),
        };
    }

    /// `(score, information)` of a change along `column` since `mark`, after the honest explanation
    /// had its share.
    pub fn change(&self, honest: &Honest, mark: &Mark, column: usize) -> (f64, f64) {
        let size = self.columns.honest();
        let residual = self.columns.residual();
        let since =
            |row: usize, column: usize| self.sums.at(row, column) - mark.sums.at(row, column);
        let mut along: Vec<f64> = (0..size).map(|row| since(row, column)).collect();
        let explained = super::matrix::dot(&along, &honest.solution);
        let score = since(residual, column) - explained;
        honest.factor.halfway(&mut along);
        (
            score,
            since(column, column) - super::matrix::dot(&along, &along),
        )
    }

    /// The sizes of `change` before and after `hour`, solved for together; nothing if it is not marked.
    pub fn pieces(&self, honest: &Honest, change: &Change, hour: i64) -> Option<Pieces> {
        let begin = self.marks.iter().find(|m| m.hour >= change.since_hour)?;
        let middle = self.marks.iter().find(|m| m.hour >= hour)?;
        if middle.hour <= begin.hour {
            return None;
        }
        let column = change.column;
        let (all, whole) = self.change(honest, begin, column);
        let (late, after) = self.change(honest, middle, column);
        // What both stretches share by way of the honest explanation.
        let size = self.columns.honest();
        let along = |mark: &Mark| -> Vec<f64> {
            let since = |row| self.sums.at(row, column) - mark.sums.at(row, column);
            let mut along: Vec<f64> = (0..size).map(since).collect();
            honest.factor.halfway(&mut along);
            along
        };
        let shared = super::matrix::dot(&along(begin), &along(middle));
        let both = self.sums.at(column, column) - middle.sums.at(column, column) - shared;
        let before = whole - 2.0 * both + after;
        let cross = both - after;
        let prior = 1e-9;
        let (a, b) = (before + prior, after + prior);
        let determinant = a * b - cross * cross;
        if determinant.is_nan() || determinant <= 1e-12 * a * b {
            return None;
        }
        let early = all - late;
        Some(Pieces {
            sizes: [
                (b * early - cross * late) / determinant,
                (a * late - cross * early) / determinant,
            ],
            variances: [b / determinant, a / determinant],
            covariance: -cross / determinant,
        })
    }

    /// The gain error of the feeder meter as far as everything so far tells it, and its variance: believed to be anything, not of its class.
    pub fn feeder_gain(&self) -> (f64, f64) {
        let size = self.columns.honest();
        let residual = self.columns.residual();
        let mut ridge = self.ridge.clone();
        if let Some(cell) = ridge.get_mut(FEEDER_GAIN) {
            *cell = 1.0 / (ANY_RATIO * ANY_RATIO);
        }
        let factor = self.sums.factor(size, &ridge);
        let mut solution: Vec<f64> = (0..size).map(|row| self.sums.at(residual, row)).collect();
        factor.solve(&mut solution);
        (
            solution.get(FEEDER_GAIN).copied().unwrap_or(0.0),
            factor.inverse_diagonal(FEEDER_GAIN),
        )
    }

    fn along(&self, since_hour: i64, column: usize) -> Option<Vec<f64>> {
        let mark = self.marks.iter().find(|mark| mark.hour >= since_hour)?;
        let size = self.columns.honest();
        Some(
            (0..size)
                .map(|row| self.sums.at(row, column) - mark.sums.at(row, column))
                .collect(),
        )
    }

    /// The honest explanation that leaves `change` its part.
    pub fn honest_beside(&self, honest: &Honest, change: &Change) -> Vec<f64> {
        let mut solution = honest.solution.clone();
        if let Some(mut along) = self.along(change.since_hour, change.column) {
            honest.factor.solve(&mut along);
            for (cell, shift) in solution.iter_mut().zip(along) {
                *cell -= shift * change.size;
            }
        }
        solution
    }

    /// Mean of a column per interval since a mark.
    pub fn mean_of(&self, mark: &Mark, column: usize) -> f64 {
        (self.totals[column] - mark.totals[column]) / (self.intervals - mark.intervals).max(1.0)
    }

    /// Mean energy of `change` per interval since it began, Wh.
    pub fn mean_wh(&self, change: &Change) -> f64 {
        let Some(mark) = self
            .marks
            .iter()
            .find(|mark| mark.hour >= change.since_hour)
        else {
            return 0.0;
        };
        let total = self.totals[change.column] - mark.totals[change.column];
        change.size * total / (self.intervals - mark.intervals).max(1.0)
    }
}
