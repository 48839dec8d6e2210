//! An alarm on one circuit: when it opens, when it is looked at again, when it is over.
//!
//! Decided here: persistence alone. Deliberately not: how likely a change is ([`crate::loss::sequential`]), nor what is said of it.

use crate::loss::circuit::{Circuit, Honest};
use crate::loss::course;
use crate::loss::faults::{self, Suspicion};
use crate::loss::sequential::Change;

/// Questions above the threshold in a row that make an alarm, hours: an odd hour is over by the
/// next.
const IN_A_ROW: u32 = 2;
/// Faults of meters and papers are asked for so often, hours: nobody steals meanwhile.
const FAULTS_EVERY_H: i64 = 6;
/// A weight so many times the threshold is not waited for.
const OVERWHELMING: f64 = 2.0;
/// Ranked again so many hours after the alarm: half a day, a day and a half, half a week, a week.
const AGAIN_H: [i64; 4] = [12, 36, 84, 168];
/// An alarm closes after so many hours below half the threshold.
const QUIET_H: u32 = 24;

/// An alarm on a circuit, or what may become one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Case {
    pub(super) above: u32,
    pub(super) odd: u32,
    pub(super) below: u32,
    pub(super) opened_hour: Option<i64>,
    pub(super) since_hour: i64,
    pub(super) ranked: usize,
    pub(super) change: Option<Change>,
}

impl Case {
    /// The change and the hour it ended, if there was one and it has.
    pub(super) fn ended(
        &self,
        circuit: &Circuit,
        honest: &Honest,
        hour: i64,
    ) -> Option<(Change, i64)> {
        self.opened_hour?;
        let change = self.change?;
        let ended = course::ended(circuit, honest, &change, hour)?;
        Some((change, ended))
    }

    /// A fault of meters or papers that is sure, where no loss is.
    pub(super) fn fault(
        &mut self,
        circuit: &Circuit,
        honest: &Honest,
        (lost, threshold): (f64, f64),
        hour: i64,
    ) -> Option<Suspicion> {
        if hour % FAULTS_EVERY_H != 0 || self.opened_hour.is_some() {
            return None;
        }
        let suspicion = faults::ask(circuit, honest, hour);
        // What is lost since then makes the time before look better than it was.
        let clear = |s: &Suspicion| s.weight > threshold && lost < s.weight / 2.0;
        let suspicion = suspicion.filter(clear);
        self.odd = if suspicion.is_some() { self.odd + 1 } else { 0 };
        suspicion.filter(|_| self.odd >= IN_A_ROW)
    }

    /// True if findings are due.
    pub(super) fn due(&mut self, weight: f64, threshold: f64, hour: i64) -> bool {
        self.above = if weight > threshold {
            self.above + 1
        } else {
            0
        };
        self.below = if weight < threshold / 2.0 {
            self.below + 1
        } else {
            0
        };
        match self.opened_hour {
            None => {
                let sure = self.above >= IN_A_ROW || weight > OVERWHELMING * threshold;
                if sure {
                    (self.opened_hour, self.ranked) = (Some(hour), 0);
                }
                sure
            }
            Some(_) if self.below >= QUIET_H => {
                *self = Self::default();
                false
            }
            Some(opened) => {
                let again = AGAIN_H
                    .get(self.ranked)
                    .map_or_else(|| self.later(), |after| *after)
                    <= hour - opened;
                self.ranked += usize::from(again);
                again
            }
        }
    }

    /// After the first week it is looked at once a week.
    fn later(&self) -> i64 {
        let weeks = self.ranked + 2 - AGAIN_H.len();
        168 * i64::try_from(weeks).unwrap_or(i64::MAX / 168)
    }
}
