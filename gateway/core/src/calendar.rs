//! Which local day and which billing period a moment belongs to.
//!
//! Decided here: local days from a fixed offset to UTC (India has no daylight saving), and billing periods that begin
//! on a configured day of the month. Not decided here: whether the clock may be believed ([`crate::event::Moment`]).
//!
//! Terms: *local day*: days since 1970-01-01 on the site's calendar; *billing period*: from its first local day, for
//! its number of days, for example 2026-12-01 for 31 days; *month*: a calendar month, for example 2026-12.

use crate::UtcSeconds;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A local calendar day, counted from 1970-01-01 = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LocalDay(pub i32);

/// The first and last day the calendar handles; times outside are treated as these (1970-01-01, 2199-12-31).
const LAST_DAY: i32 = 84_005;
const SECONDS_PER_DAY: i64 = 86_400;

impl LocalDay {
    fn date(self) -> Date {
        let days = Span::new().days(i64::from(self.0.clamp(0, LAST_DAY)));
        date(1970, 1, 1)
            .checked_add(days)
            .unwrap_or(date(1970, 1, 1))
    }

    fn from_date(day: Date) -> Self {
        let since = day
            .since(date(1970, 1, 1))
            .map_or(0, |span| span.get_days());
        Self(since)
    }
}

/// A day of the week, written `mon` to `sun` in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Weekday {
    /// Monday.
    #[serde(rename = "mon")]
    Monday,
    /// Tuesday.
    #[serde(rename = "tue")]
    Tuesday,
    /// Wednesday.
    #[serde(rename = "wed")]
    Wednesday,
    /// Thursday.
    #[serde(rename = "thu")]
    Thursday,
    /// Friday.
    #[serde(rename = "fri")]
    Friday,
    /// Saturday.
    #[serde(rename = "sat")]
    Saturday,
    /// Sunday.
    #[serde(rename = "sun")]
    Sunday,
}

impl Weekday {
    /// Monday to Sunday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

impl LocalDay {
    /// The day of the week. 1970-01-01 was a Thursday.
    #[must_use]
    pub fn weekday(self) -> Weekday {
        let since_monday = self.0.saturating_add(3).rem_euclid(7);
        Weekday::ALL[usize::try_from(since_monday).unwrap_or(0)]
    }

    /// The calendar month that holds the day.
    #[must_use]
    pub fn month(self) -> Month {
        // Asked at every price of a reading, so it is reckoned straight: eras of 400 years from 0000-03-01, where years end with
        // their leap day (H. Hinnant, "chrono-compatible low-level date algorithms"). A test compares every day with the library.
        let since_era = u32::try_from(self.0.clamp(0, LAST_DAY)).unwrap_or(0) + 719_468;
        let (era, of_era) = (since_era / 146_097, since_era % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_from_march = (5 * of_year + 2) / 153;
        let months = (era * 400 + year_of_era) * 12 + months_from_march + 2;
        Month(u16::try_from(months).unwrap_or(u16::MAX))
    }
}

/// The text is not a day or month of the calendar between 1970 and 2199.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADay;

impl fmt::Display for NotADay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a day or month between 1970 and 2199; write it like 2026-04-01 or 2026-04")
    }
}

impl core::error::Error for NotADay {}

impl FromStr for LocalDay {
    type Err = NotADay;

    /// Reads ISO 8601, `2026-11-23`.
    fn from_str(text: &str) -> Result<Self, NotADay> {
        let [year, month, day] = numbers(text, [4, 2, 2]).ok_or(NotADay)?;
        let narrow = |number: u16| i8::try_from(number).ok();
        let (Some(month), Some(day)) = (narrow(month), narrow(day)) else {
            return Err(NotADay);
        };
        let year = i16::try_from(year).map_err(|_| NotADay)?;
        let date = Date::new(year, month, day).map_err(|_| NotADay)?;
        if (1970..2200).contains(&date.year()) {
            Ok(Self::from_date(date))
        } else {
            Err(NotADay)
        }
    }
}

/// Numbers of fixed widths with hyphens between them.
fn numbers<const N: usize>(text: &str, widths: [usize; N]) -> Option<[u16; N]> {
    let mut parts = text.split('-');
    let mut found = [0; N];
    for (number, width) in found.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// A calendar month: year times twelve, plus 0 for January to 11 for December.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Month(u16);

impl Month {
    /// 1 for January to 12 for December.
    #[must_use]
    pub fn of_year(self) -> u8 {
        u8::try_from(self.0 % 12).unwrap_or(0) + 1
    }
}

impl fmt::Display for Month {
    /// ISO 8601: `2026-11`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0 / 12, self.of_year())
    }
}

impl FromStr for Month {
    type Err = NotADay;

    /// Reads ISO 8601, `2026-11`.
    fn from_str(text: &str) -> Result<Self, NotADay> {
        match numbers(text, [4, 2]) {
            Some([year @ 1970..2200, month @ 1..=12]) => Ok(Self(year * 12 + month - 1)),
            _ => Err(NotADay),
        }
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for LocalDay {
    /// ISO 8601: `2026-11-23`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.date();
        write!(f, "{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
    }
}

/// A billing period: `days` local days beginning with `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillingPeriod {
    /// First local day of the period.
    pub first: LocalDay,
    /// Number of days, 28 to 31; fewer after a change of the calendar.
    pub days: u16,
}

impl BillingPeriod {
    /// Last local day of the period.
    #[must_use]
    pub fn last(self) -> LocalDay {
        LocalDay(self.first_of_next().0.saturating_sub(1))
    }

    /// First local day of the period after it.
    #[must_use]
    pub fn first_of_next(self) -> LocalDay {
        LocalDay(self.first.0.saturating_add(i32::from(self.days)))
    }
}

/// The site's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// Local time minus UTC, in seconds; India: 19,800.
    pub utc_offset_s: i32,
    /// Day of the month on which a billing period begins, 1 to 28 (every month has these).
    pub period_start_day: u8,
}

impl Calendar {
    /// The local day of a moment.
    #[must_use]
    pub fn day_of(self, at: UtcSeconds) -> LocalDay {
        let local = at.0.saturating_add(i64::from(self.utc_offset_s));
        let day = local
            .div_euclid(SECONDS_PER_DAY)
            .clamp(0, i64::from(LAST_DAY));
        LocalDay(i32::try_from(day).unwrap_or(LAST_DAY))
    }

    /// Minutes since local midnight, 0 to 1,439.
    #[must_use]
    pub fn minute_of(self, at: UtcSeconds) -> u16 {
        let local = at.0.saturating_add(i64::from(self.utc_offset_s));
        u16::try_from(local.rem_euclid(SECONDS_PER_DAY) / 60).unwrap_or(0)
    }

    /// The moment a local day begins.
    #[must_use]
    pub fn start_of(self, day: LocalDay) -> UtcSeconds {
        UtcSeconds(i64::from(day.0) * SECONDS_PER_DAY - i64::from(self.utc_offset_s))
    }

    /// The billing period that begins with a day. It is shorter than others if the calendar was changed: no day is in two periods.
    #[must_use]
    pub fn period_from(self, first: LocalDay) -> BillingPeriod {
        let whole = self.period_of(first);
        let days = whole.first_of_next().0.saturating_sub(first.0);
        BillingPeriod {
            first,
            days: u16::try_from(days).unwrap_or(whole.days),
        }
    }

    /// The billing period that holds a day.
    #[must_use]
    pub fn period_of(self, day: LocalDay) -> BillingPeriod {
        let start_day = i8::try_from(self.period_start_day.clamp(1, 28)).unwrap_or(1);
        let here = day.date();
        let this_month = date(here.year(), here.month(), start_day);
        let first = if here >= this_month {
            this_month
        } else {
            this_month.checked_sub(1.month()).unwrap_or(this_month)
        };
        let next = first.checked_add(1.month()).unwrap_or(first);
        let (first, next) = (LocalDay::from_date(first), LocalDay::from_date(next));
        BillingPeriod {
            first,
            days: u16::try_from(next.0 - first.0).unwrap_or(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[track_caller]
    fn check(start_day: u8, at: i64, day: &str, first: &str, days: u16) {
        let calendar = Calendar {
            utc_offset_s: 19_800,
            period_start_day: start_day,
        };
        let local = calendar.day_of(UtcSeconds(at));
        let period = calendar.period_of(local);
        assert_eq!(local.to_string(), day);
        assert_eq!(
            (period.first.to_string().as_str(), period.days),
            (first, days)
        );
        assert!(calendar.start_of(local).0 <= at);
    }

    #[test]
    fn days_and_periods_follow_the_local_calendar() {
        // 2026-11-30T18:29:59Z is the last second of November in India.
        check(1, 1_796_063_399, "2026-11-30", "2026-11-01", 30);
        check(1, 1_796_063_400, "2026-12-01", "2026-12-01", 31);
        check(18, 1_796_063_400, "2026-12-01", "2026-11-18", 30);
        check(1, 1_772_000_000, "2026-02-25", "2026-02-01", 28);
        check(1, 1_835_000_000, "2028-02-24", "2028-02-01", 29);
    }

    #[test]
    fn every_day_has_the_month_the_library_says() {
        for day in (-1..=LAST_DAY + 1).map(LocalDay) {
            let date = day.date();
            let year = u16::try_from(date.year()).unwrap_or(1970);
            let month = Month(year * 12 + u16::from(date.month().unsigned_abs()) - 1);
            assert_eq!(day.month(), month, "{day}");
        }
    }

    #[test]
    fn absurd_clocks_stay_inside_the_calendar() {
        let calendar = Calendar {
            utc_offset_s: -3_600,
            period_start_day: 1,
        };
        assert_eq!(calendar.day_of(UtcSeconds(i64::MIN)).0, 0);
        assert_eq!(calendar.day_of(UtcSeconds(i64::MAX)).0, LAST_DAY);
        assert_eq!(calendar.period_of(LocalDay(LAST_DAY)).days, 31);
        assert!(calendar.period_of(LocalDay(0)).days >= 28);
    }
}
