//! Friendly hours (COSEM friendly credit, SMETS2 non-disablement calendar): when nobody is off because credit is used up.
//!
//! Terms: *hours*: a stretch of the local day that begins on certain weekdays, for example `mon-sat 16:00-11:00`, which ends at 11:00 on
//! the next day; *holiday*: a local day that is friendly from midnight to midnight; *window*: an unbroken friendly stretch of time: hours and
//! holidays that touch are one window, so that from Saturday 16:00 over a holiday on Monday to Tuesday 11:00 there is one.
//!
//! Decided here: whether a moment is friendly, and the window that holds it or comes next: a pure function of the rules and the time, so
//! that a node that was told a window does by itself what the gateway does. Consumption is charged as at any other time and the credit
//! may become negative. Not decided here: what a person ordered (an order off is carried out in friendly hours too).
//!
//! Invariant: a moment is friendly if and only if it lies in the window asked for at that moment.

use crate::UtcSeconds;
use crate::calendar::{Calendar, LocalDay, Weekday};
use crate::tariff::TimeOfDay;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// A window is looked for, and shown, so many days back and forth: longer than any row of holidays. Only hours without a gap reach
/// further; they are asked for again every day.
const REACH_DAYS: i32 = 32;
const DAY_MINUTES: i64 = 24 * 60;
const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A stretch of the local day on certain weekdays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// Weekdays on which it begins, Monday first.
    days: [bool; 7],
    /// When it begins; before 24:00.
    from: TimeOfDay,
    /// When it ends; at or before `from`: on the next day.
    to: TimeOfDay,
}

/// Friendly hours of a site or a class.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Friendly {
    /// Hours by weekday; none: no friendly hours but on holidays.
    pub hours: Vec<Hours>,
    /// Days that are friendly as a whole.
    pub holidays: BTreeSet<LocalDay>,
    /// So many minutes before a window ends, whoever is supplied by it alone is told.
    pub notice_min: u16,
}

/// An unbroken friendly stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: UtcSeconds,
    /// The first moment after it: the credit's cut-off is obeyed again.
    pub until: UtcSeconds,
}

/// A supply that is on because of friendly hours alone: its credit is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// When they end.
    pub until: UtcSeconds,
    /// The local time of the cut, once it has been announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noticed: Option<TimeOfDay>,
}

impl Window {
    /// Whether a moment lies in it.
    #[must_use]
    pub fn holds(self, at: UtcSeconds) -> bool {
        (self.from..self.until).contains(&at)
    }
}

impl Friendly {
    /// Whether nobody is off for credit at a moment.
    #[must_use]
    pub fn is_friendly(&self, calendar: Calendar, at: UtcSeconds) -> bool {
        let (day, minute) = (calendar.day_of(at), i64::from(calendar.minute_of(at)));
        let yesterday = LocalDay(day.0.saturating_sub(1));
        let began_today = |hours: &Hours| hours.begins_on(day) && hours.holds(minute);
        let goes_on =
            |hours: &Hours| hours.begins_on(yesterday) && hours.holds(minute + DAY_MINUTES);
        let hours = |hours: &Hours| began_today(hours) || goes_on(hours);
        self.holidays.contains(&day) || self.hours.iter().any(hours)
    }

    /// The window that holds a moment, else the next one to come; `None` if there is none.
    #[must_use]
    pub fn window(&self, calendar: Calendar, at: UtcSeconds) -> Option<Window> {
        let today = calendar.day_of(at);
        let near = self.next_within_reach(calendar, at, today);
        if near.is_some() || !self.hours.is_empty() {
            return near;
        }
        let beyond = LocalDay(today.0.saturating_add(REACH_DAYS));
        let holiday = *self.holidays.range(beyond..).next()?;
        self.next_within_reach(calendar, calendar.start_of(holiday), holiday)
    }

    fn next_within_reach(
        &self,
        calendar: Calendar,
        at: UtcSeconds,
        today: LocalDay,
    ) -> Option<Window> {
        let mut stretches = Vec::new();
        let (first, last) = (today.0.saturating_sub(REACH_DAYS), today.0 + REACH_DAYS);
        for day in (first..=last).map(LocalDay) {
            let midnight = calendar.start_of(day).0;
            let mut add = |from: i64, to: i64| {
                stretches.push((midnight + from * 60, midnight + to * 60));
            };
            if self.holidays.contains(&day) {
                add(0, DAY_MINUTES);
            }
            for hours in self.hours.iter().filter(|hours| hours.begins_on(day)) {
                let (from, to) = hours.minutes();
                add(from, to);
            }
        }
        stretches.sort_unstable();
        let mut window: Option<(i64, i64)> = None;
        for (from, until) in stretches {
            window = match window {
                Some((begun, end)) if from <= end => Some((begun, end.max(until))),
                Some((_, end)) if end > at.0 => break,
                _ => Some((from, until)),
            };
        }
        let (from, until) = window.filter(|(_, until)| *until > at.0)?;
        let (from, until) = (UtcSeconds(from), UtcSeconds(until));
        Some(Window { from, until })
    }
}

impl Hours {
    fn begins_on(&self, day: LocalDay) -> bool {
        self.days[day.weekday() as usize]
    }

    /// First minute, and first minute after it, counted from the midnight before.
    fn minutes(&self) -> (i64, i64) {
        let (from, to) = (i64::from(self.from.0), i64::from(self.to.0));
        (from, if to <= from { to + DAY_MINUTES } else { to })
    }

    fn holds(&self, minute: i64) -> bool {
        let (from, to) = self.minutes();
        (from..to).contains(&minute)
    }
}

/// The text names no hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotHours;

impl fmt::Display for NotHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not friendly hours; write them like \"16:00-11:00\", \"mon-fri 18:00-08:00\" or \"sat,sun 00:00-24:00\"")
    }
}

impl core::error::Error for NotHours {}

impl FromStr for Hours {
    type Err = NotHours;

    /// Reads `[DAYS ]FROM-TO`; days are three letters, in ranges and lists; without them every day.
    fn from_str(text: &str) -> Result<Self, NotHours> {
        let (days, times) = match text.trim().split_once(' ') {
            Some((days, times)) => (weekdays(days)?, times.trim()),
            None => ([true; 7], text.trim()),
        };
        let (from, to) = times.split_once('-').ok_or(NotHours)?;
        let time = |text: &str| text.parse::<TimeOfDay>().map_err(|_| NotHours);
        let (from, to) = (time(from)?, time(to)?);
        let usable = from != to && i64::from(from.0) < DAY_MINUTES;
        usable.then_some(Self { days, from, to }).ok_or(NotHours)
    }
}

fn weekdays(text: &str) -> Result<[bool; 7], NotHours> {
    let place = |name: &str| NAMES.iter().position(|known| *known == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (place(first).ok_or(NotHours)?, place(last).ok_or(NotHours)?);
        let length = (last + 7 - first) % 7;
        for step in 0..=length {
            days[(first + step) % 7] = true;
        }
    }
    Ok(days)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            let named = Weekday::ALL.into_iter().zip(NAMES);
            let named = named.filter(|(day, _)| self.days[*day as usize]);
            for (place, (_, name)) in named.enumerate() {
                write!(f, "{}{name}", if place > 0 { "," } else { "" })?;
            }
            f.write_str(" ")?;
        }
        write!(f, "{}-{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const INDIA: Calendar = Calendar {
        utc_offset_s: 19_800,
        period_start_day: 1,
    };

    fn friendly(hours: &[&str], holidays: &[&str]) -> Friendly {
        Friendly {
            hours: hours
                .iter()
                .map(|text| text.parse().expect("hours"))
                .collect(),
            holidays: holidays
                .iter()
                .map(|day| day.parse().expect("day"))
                .collect(),
            notice_min: 60,
        }
    }

    fn moment(text: &str) -> UtcSeconds {
        let (day, time) = text.split_once(' ').expect("day and time");
        let day: LocalDay = day.parse().expect("day");
        let time: TimeOfDay = time.parse().expect("time");
        UtcSeconds(INDIA.start_of(day).0 + i64::from(time.0) * 60)
    }

    #[track_caller]
    fn check(friendly: &Friendly, at: &str, expected: Option<(&str, &str)>) {
        let found = friendly.window(INDIA, moment(at));
        let expected = expected.map(|(from, until)| Window {
            from: moment(from),
            until: moment(until),
        });
        assert_eq!(found, expected, "{at}");
    }

    #[test]
    fn the_window_is_the_one_in_progress_or_the_next() {
        // MePDCL: 16:00 to 11:00, and official holidays. 2026-11-28 is a Saturday.
        let mepdcl = friendly(&["16:00-11:00"], &["2026-11-30"]);
        let monday = Some(("2026-11-29 16:00", "2026-12-01 11:00"));
        check(
            &mepdcl,
            "2026-11-27 23:00",
            Some(("2026-11-27 16:00", "2026-11-28 11:00")),
        );
        check(
            &mepdcl,
            "2026-11-28 10:59",
            Some(("2026-11-27 16:00", "2026-11-28 11:00")),
        );
        check(
            &mepdcl,
            "2026-11-28 11:00",
            Some(("2026-11-28 16:00", "2026-11-29 11:00")),
        );
        check(&mepdcl, "2026-11-29 12:00", monday);
        check(&mepdcl, "2026-11-30 12:00", monday);
        check(&mepdcl, "2026-12-01 10:00", monday);
        // UPPCL: 18:00 to 08:00 and Sundays.
        let uppcl = friendly(&["18:00-08:00", "sun 00:00-24:00"], &[]);
        check(
            &uppcl,
            "2026-11-29 12:00",
            Some(("2026-11-28 18:00", "2026-11-30 08:00")),
        );
        let never = friendly(&[], &[]);
        check(&never, "2026-11-29 12:00", None);
        let far = friendly(&[], &["2027-08-15", "2027-08-16"]);
        check(
            &far,
            "2026-11-29 12:00",
            Some(("2027-08-15 00:00", "2027-08-17 00:00")),
        );
        check(&far, "2027-08-17 00:00", None);
    }

    #[test]
    fn hours_without_a_gap_are_one_window_within_reach() {
        let always = friendly(&["00:00-24:00"], &[]);
        let window = always.window(INDIA, moment("2026-11-29 12:00"));
        assert!(window.is_some_and(
            |window| window.until.0 - window.from.0 == 65 * 86_400 && window.until.0 > 0
        ));
    }

    #[test]
    fn a_moment_is_friendly_just_when_its_window_holds_it() {
        let rules = [
            friendly(
                &["mon-fri 18:30-08:00", "sat,sun 00:00-24:00"],
                &["2026-12-02"],
            ),
            friendly(&["fri-mon 22:00-21:00"], &[]),
            friendly(&["16:00-11:00"], &["2026-12-01", "2026-12-04"]),
        ];
        let start = moment("2026-11-27 00:00").0;
        for (rule, minute) in rules
            .iter()
            .flat_map(|rule| (0..14 * 1_440).map(move |minute| (rule, minute)))
        {
            let at = UtcSeconds(start + minute * 60);
            let window = rule.window(INDIA, at).expect("there is always a next one");
            assert_eq!(rule.is_friendly(INDIA, at), window.holds(at), "{minute}");
            assert!(window.until > at);
        }
    }

    #[test]
    fn hours_are_read_as_they_are_shown() {
        for (text, shown) in [
            ("16:00-11:00", "16:00-11:00"),
            ("mon-fri 18:00-08:00", "mon,tue,wed,thu,fri 18:00-08:00"),
            ("sat-mon 00:00-24:00", "mon,sat,sun 00:00-24:00"),
            ("sun,wed 09:15-10:00", "wed,sun 09:15-10:00"),
        ] {
            let hours: Hours = text.parse().expect(text);
            assert_eq!(hours.to_string(), shown);
            assert_eq!(shown.parse(), Ok(hours));
        }
        for wrong in [
            "",
            "16:00",
            "16-11",
            "16:00-16:00",
            "24:00-08:00",
            "mo 16:00-11:00",
            "mon 16:00",
            "mon,, 16:00-11:00",
            "25:00-11:00",
        ] {
            assert_eq!(wrong.parse::<Hours>(), Err(NotHours), "{wrong}");
        }
    }
}
