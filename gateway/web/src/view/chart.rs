//! The load profile as a picture.
//!
//! Bars of the energy between half-hour boundaries, drawn with presentation attributes only (the content policy allows
//! no inline style). Where boundaries are missing the energy of the gap is spread evenly and drawn as an estimate.

use crate::committed::ProfileRow;
use crate::format;
use gateway_core::calendar::Calendar;
use gateway_core::{UtcSeconds, WattHours};
use std::fmt;

/// Seconds of a load profile interval.
pub(crate) const INTERVAL_S: i64 = 1_800;
/// Size of the drawing area, in units of the picture.
const WIDTH: i64 = 960;
const HEIGHT: i64 = 240;

/// A length in tenths of a unit of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tenths(pub(super) i64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// One interval.
pub(crate) struct Bar {
    pub x: Tenths,
    pub y: i64,
    pub width: Tenths,
    pub height: i64,
    pub is_estimate: bool,
    pub title: String,
}

/// A mark on an axis.
pub(crate) struct Mark {
    pub at: i64,
    pub words: String,
    /// Place of its text.
    pub text_at: i64,
}

/// The load profile of a span.
pub(crate) struct Chart {
    pub bars: Vec<Bar>,
    pub hours: Vec<Mark>,
    pub levels: Vec<Mark>,
    pub total: String,
    pub peak: String,
}

/// Energy of one interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Interval {
    end: UtcSeconds,
    energy: WattHours,
    is_estimate: bool,
}

impl Chart {
    /// Intervals that end within `hours` before `until`; nothing when none is known.
    pub(crate) fn new(
        rows: &[ProfileRow],
        until: UtcSeconds,
        hours: i64,
        calendar: Calendar,
    ) -> Option<Self> {
        let last_end = (until.0 + INTERVAL_S - 1).div_euclid(INTERVAL_S) * INTERVAL_S;
        let first_end = last_end - hours * 3_600 + INTERVAL_S;
        let inside = |interval: &Interval| (first_end..=last_end).contains(&interval.end.0);
        let intervals: Vec<_> = intervals(rows).into_iter().filter(inside).collect();
        let peak = *intervals.iter().max_by_key(|interval| interval.energy)?;
        let total = intervals.iter().map(|interval| interval.energy.0).sum();
        let step_wh = level_step(peak.energy.0);
        let top_wh = (peak.energy.0.div_ceil(step_wh) * step_wh).max(1);
        let slots = (hours * 3_600 / INTERVAL_S).max(1);
        let left = |slot: i64| slot * WIDTH * 10 / slots;
        let scale = |wh: u64| i64::try_from(wh * HEIGHT.unsigned_abs() / top_wh).unwrap_or(HEIGHT);
        let bar = |interval: &Interval| {
            let height = scale(interval.energy.0);
            let slot = (interval.end.0 - first_end) / INTERVAL_S;
            let wide = left(slot + 1) - left(slot);
            Bar {
                x: Tenths(left(slot)),
                y: HEIGHT - height,
                width: Tenths(wide - (wide / 8).max(5)),
                height,
                is_estimate: interval.is_estimate,
                title: title(interval, calendar),
            }
        };
        let levels = (1..=top_wh / step_wh).map(|i| {
            let at = HEIGHT - scale(i * step_wh);
            Mark {
                at,
                words: format!("{}", WattHours(i * step_wh)),
                text_at: at,
            }
        });
        Some(Self {
            bars: intervals.iter().map(bar).collect(),
            hours: hour_marks((first_end, last_end), slots, hours, calendar),
            levels: levels.collect(),
            total: format::units_exact(WattHours(total)),
            peak: title(&peak, calendar),
        })
    }
}

fn title(interval: &Interval, calendar: Calendar) -> String {
    let start = UtcSeconds(interval.end.0 - INTERVAL_S);
    let about = if interval.is_estimate { "about " } else { "" };
    format!(
        "{} to {}: {about}{} kWh",
        format::date_time(calendar, start),
        format::time_of_day(calendar, interval.end),
        interval.energy
    )
}

/// Differences of registers. A register that went backwards gives no energy here; money deals with it elsewhere.
fn intervals(rows: &[ProfileRow]) -> Vec<Interval> {
    let mut intervals = Vec::new();
    for pair in rows.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let count = (after.end.0 - before.end.0) / INTERVAL_S;
        let Some(energy) = after.register.since(before.register) else {
            continue;
        };
        // At most a year of half hours: a gap cannot make the picture grow without bound.
        let Ok(count @ 1..17_600) = u64::try_from(count) else {
            continue;
        };
        for i in 0..count {
            // The remainder goes to the first ones, so that the parts add up to the whole.
            let share = energy.0 / count + u64::from(i < energy.0 % count);
            let offset = i64::try_from(i + 1).unwrap_or(0) * INTERVAL_S;
            intervals.push(Interval {
                end: UtcSeconds(before.end.0 + offset),
                energy: WattHours(share),
                is_estimate: count > 1 || !before.exact || !after.exact,
            });
        }
    }
    intervals
}

/// A round step that gives two to five lines up to the peak.
pub(super) fn level_step(peak_wh: u64) -> u64 {
    let mut step = 10;
    loop {
        for factor in [1, 2, 5] {
            if peak_wh <= step * factor * 4 {
                return step * factor;
            }
        }
        if step >= 1_000_000_000 {
            return step;
        }
        step *= 10;
    }
}

/// Marks at every sixth local hour (every day for more than two days).
fn hour_marks(
    (first_end, last_end): (i64, i64),
    slots: i64,
    hours: i64,
    calendar: Calendar,
) -> Vec<Mark> {
    let every_s = if hours > 48 { 86_400 } else { 21_600 };
    let start = first_end - INTERVAL_S;
    let local = start + i64::from(calendar.utc_offset_s);
    let mut at = (local + every_s - 1).div_euclid(every_s) * every_s - local + start;
    let mut marks = Vec::new();
    // A mark at the very right of the picture would have no room for its words.
    while at < last_end - (last_end - start) / 12 {
        let time = format::time_of_day(calendar, UtcSeconds(at));
        let words = if time == "00:00" {
            let day = calendar.day_of(UtcSeconds(at)).to_string();
            day.get(5..).unwrap_or("").to_owned()
        } else {
            time
        };
        let x = (at - start) / INTERVAL_S * WIDTH / slots;
        marks.push(Mark {
            at: x,
            words,
            text_at: x + 4,
        });
        at += every_s;
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[(i64, u64, bool)], expected: &[(i64, u64, bool)]) {
        let row = |(half_hour, register, exact): &(i64, u64, bool)| ProfileRow {
            end: UtcSeconds(half_hour * INTERVAL_S),
            register: WattHours(*register),
            exact: *exact,
        };
        let rows: Vec<_> = rows.iter().map(row).collect();
        let found: Vec<_> = intervals(&rows)
            .iter()
            .map(|i| (i.end.0 / INTERVAL_S, i.energy.0, i.is_estimate))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn intervals_are_differences_and_gaps_are_spread() {
        check(&[], &[]);
        check(&[(1, 100, true)], &[]);
        check(&[(1, 100, true), (2, 350, true)], &[(2, 250, false)]);
        check(&[(1, 100, true), (2, 350, false)], &[(2, 250, true)]);
        check(
            &[(1, 100, true), (4, 110, true)],
            &[(2, 4, true), (3, 3, true), (4, 3, true)],
        );
        check(
            &[(1, 100, true), (2, 90, true), (3, 95, true)],
            &[(3, 5, false)],
        );
    }

    #[test]
    fn steps_are_round() {
        for (peak, step) in [
            (0, 10),
            (40, 10),
            (41, 20),
            (900, 500),
            (2_000, 500),
            (2_001, 1_000),
        ] {
            assert_eq!(level_step(peak), step, "{peak}");
        }
    }
}
