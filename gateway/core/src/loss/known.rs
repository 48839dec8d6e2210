//! What is already explained: losses that have ended, and what people have found out.
//!
//! Decided here: how much of a residual is the doing of something known, so that it teaches nothing wrong and is not found again.
//! Terms: a *known* change has a form, a beginning and a mean power; if it has not ended, it is how the site is from then on.
//! Invariant: what began before everything that is kept is the site as it is and takes nothing off.

use super::columns::{Columns, GAINS, Line};
use super::site::Phase;
use crate::{UsagePointId, UtcSeconds};
use alloc::vec::Vec;

/// The course of a known change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A load without a meter around the clock.
    AroundTheClock,
    /// In the evening.
    Evening,
    /// At night.
    Night,
    /// In proportion to what this meter registers.
    PartOf(UsagePointId),
    /// While this register stands.
    Standing(UsagePointId),
    /// In proportion to everything the meters count.
    Everything,
}

/// A change that needs no explanation any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The circuit: a phase, or the whole feeder if only its total is measured.
    pub phase: Option<Phase>,
    /// Its course.
    pub form: Form,
    /// When it began.
    pub from: UtcSeconds,
    /// When it ended; absent if the site is like that now.
    pub until: Option<UtcSeconds>,
    /// Mean power from begin to `seen`, W; negative where more was counted than delivered.
    pub watts: i64,
    /// The end of the time the mean was taken over.
    pub seen: UtcSeconds,
}

impl Known {
    /// Whether nothing of it lies in what is kept from `first_s` on.
    pub fn is_past(&self, first_s: i64) -> bool {
        self.from.0 <= first_s || self.until.is_some_and(|until| until.0 <= first_s)
    }
}

/// A known change as a multiple of a circuit's column.
#[derive(Debug, Clone, Copy)]
pub struct Explained {
    column: usize,
    from_s: i64,
    until_s: i64,
    size: f64,
}

impl Explained {
    /// In terms of a circuit whose meters are `ids`, by what its `lines` at the moments `ends` were like; nothing if it is about another.
    pub fn of(
        known: &Known,
        columns: &Columns,
        ids: &[UsagePointId],
        (lines, ends): (&[Line], &[i64]),
        interval_s: u32,
    ) -> Option<Self> {
        let place = |of: UsagePointId| ids.iter().position(|id| *id == of);
        let column = match known.form {
            Form::AroundTheClock => columns.taps(),
            Form::Evening => columns.taps() + 1,
            Form::Night => columns.taps() + 2,
            Form::Everything => columns.ratio(),
            Form::PartOf(of) => GAINS + place(of)?,
            Form::Standing(of) => columns.silences() + place(of)?,
        };
        let first_s = ends.first().copied()?;
        if known.is_past(first_s) {
            return None;
        }
        let inside = |end: &i64| *end > known.from.0 && *end <= known.seen.0;
        let values = lines.iter().zip(ends).filter(|(_, end)| inside(end));
        let (mut sum, mut count) = (0.0, 0.0_f64);
        for (line, _) in values {
            sum += line.x.get(column).copied().unwrap_or(0.0);
            count += 1.0;
        }
        let mean = sum / count.max(1.0);
        let wh = known.watts as f64 * f64::from(interval_s) / 3600.0;
        (mean > 1e-3).then(|| Self {
            column,
            from_s: known.from.0,
            until_s: known.until.map_or(i64::MAX, |until| until.0),
            size: wh / mean,
        })
    }

    /// Whether it is how the site is from now on, and of which column.
    pub fn stays(&self) -> Option<usize> {
        (self.until_s == i64::MAX).then_some(self.column)
    }

    /// Its part of the line that ends at `end_s`, Wh.
    pub fn part(&self, line: &Line, end_s: i64) -> f64 {
        match end_s > self.from_s && end_s <= self.until_s {
            true => self.size * line.x.get(self.column).copied().unwrap_or(0.0),
            false => 0.0,
        }
    }

    /// Takes its part off the residual of the line that ends at `end_s`.
    pub fn take_off(&self, line: &mut Line, end_s: i64) {
        let part = self.part(line, end_s);
        if let Some(residual) = line.x.last_mut() {
            *residual -= part;
        }
    }
}

/// The known changes of one circuit.
pub fn of_circuit(known: &[Known], phase: Option<Phase>) -> Vec<Known> {
    let here = |known: &&Known| known.phase == phase;
    known.iter().filter(here).copied().collect()
}
