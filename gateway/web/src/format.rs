//! Quantities as people read them. Exact values stay beside the rounded ones.
//!
//! Decided here: two decimals of money rounded half away from zero, Indian digit grouping for rupees; units (kWh) cut
//! off, never rounded up, so that the page never promises more than there is.

use askama::filters::HtmlSafe;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::{Micro, UtcSeconds, WattHours};
use std::fmt;

/// An amount as HTML: rounded for the eye, exact in the title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Money {
    amount: Micro,
    currency: String,
    signed: bool,
}

impl Money {
    pub(crate) fn new(amount: Micro, currency: &str) -> Self {
        // The code goes into HTML unescaped and comes from a tariff file: letters only.
        let currency = currency
            .chars()
            .filter(char::is_ascii_alphabetic)
            .take(3)
            .collect();
        Self {
            amount,
            currency,
            signed: false,
        }
    }

    /// With a plus sign when positive.
    pub(crate) fn signed(amount: Micro, currency: &str) -> Self {
        Self {
            signed: true,
            ..Self::new(amount, currency)
        }
    }

    /// `₹1,23,456.70`, `−₹0.50`, `EUR 1,234.00`.
    pub(crate) fn text(&self) -> String {
        let hundredths = (self.amount.0.unsigned_abs() + 5_000) / 10_000;
        let sign = match self.amount.0 {
            amount if amount < 0 && hundredths > 0 => "\u{2212}",
            amount if amount > 0 && self.signed => "+",
            _ => "",
        };
        let is_rupees = self.currency == "INR";
        let whole = group(hundredths / 100, is_rupees);
        let symbol = if is_rupees {
            "₹".to_owned()
        } else if self.currency.is_empty() {
            String::new()
        } else {
            format!("{}\u{a0}", self.currency)
        };
        format!("{sign}{symbol}{whole}.{:02}", hundredths % 100)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = if self.amount < Micro::ZERO {
            "money minus"
        } else {
            "money"
        };
        let exact = self.amount;
        write!(
            f,
            r#"<data class="{class}" value="{exact}" title="exactly {exact}">{}</data>"#,
            self.text()
        )
    }
}

impl HtmlSafe for Money {}

/// Digits in groups: 3 and then 2 each the Indian way, 3 each otherwise.
pub(crate) fn group(number: u64, indian: bool) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        let left = digits.len() - i;
        let starts_group = match (indian, left) {
            (_, 3) => true,
            (true, left) => left > 3 && left % 2 == 1,
            (false, left) => left % 3 == 0,
        };
        if i > 0 && starts_group {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Energy as units, `123.45`, cut to two decimals.
pub(crate) fn units(energy: WattHours) -> String {
    let whole = group(energy.0 / 1_000, true);
    format!("{whole}.{:02}", energy.0 % 1_000 / 10)
}

/// Energy as units to the watt-hour, `123.456`.
pub(crate) fn units_exact(energy: WattHours) -> String {
    let whole = group(energy.0 / 1_000, true);
    format!("{whole}.{:03}", energy.0 % 1_000)
}

/// Power: `850 W`, `12.4 kW`, `−1.2 kW`.
pub(crate) fn power(watts: i64) -> String {
    let sign = if watts < 0 { "\u{2212}" } else { "" };
    let magnitude = watts.unsigned_abs();
    if magnitude < 1_000 {
        return format!("{sign}{magnitude}\u{a0}W");
    }
    let tenths = (magnitude + 50) / 100;
    let whole = group(tenths / 10, true);
    format!("{sign}{whole}.{}\u{a0}kW", tenths % 10)
}

/// Local date and time to the minute: `2026-11-23 12:34`.
/// Bytes in decimal units, as cards are sold: `999 bytes`, `1.2 MB`, `5.0 TB`; rounded down.
pub(crate) fn bytes(count: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
        (1_000, "kB"),
    ];
    let unit = units.into_iter().find(|(size, _)| count >= *size);
    unit.map_or_else(
        || format!("{count} bytes"),
        |(size, name)| format!("{}.{} {name}", count / size, count % size * 10 / size),
    )
}

pub(crate) fn date_time(calendar: Calendar, at: UtcSeconds) -> String {
    let day = calendar.day_of(at);
    format!("{day} {}", time_of_day(calendar, at))
}

/// Local day and time to the second: `2026-11-28 12:34:56`.
pub(crate) fn date_time_to_second(calendar: Calendar, at: UtcSeconds) -> String {
    let local = at.0.saturating_add(i64::from(calendar.utc_offset_s));
    format!("{}:{:02}", date_time(calendar, at), local.rem_euclid(60))
}

/// Local time of day: `12:34`.
pub(crate) fn time_of_day(calendar: Calendar, at: UtcSeconds) -> String {
    let local = at.0.saturating_add(i64::from(calendar.utc_offset_s));
    let second = local.rem_euclid(86_400);
    format!("{:02}:{:02}", second / 3_600, second / 60 % 60)
}

/// How long ago: `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `9 days ago`.
pub(crate) fn ago(at: UtcSeconds, now: UtcSeconds) -> String {
    match now.seconds_since(at) {
        0..5 => "just now".to_owned(),
        s @ 5..120 => format!("{s} s ago"),
        s @ 120..7_200 => format!("{} min ago", s / 60),
        s @ 7_200..172_800 => format!("{} h ago", s / 3_600),
        s => format!("{} days ago", s / 86_400),
    }
}

/// A local day from `2026-11-23`.
pub(crate) fn parse_day(text: &str) -> Option<LocalDay> {
    let mut parts = text.split('-');
    let mut number = |width: usize| {
        let part = parts.next()?;
        let is_plain = part.len() == width && part.bytes().all(|b| b.is_ascii_digit());
        if is_plain {
            part.parse::<i64>().ok()
        } else {
            None
        }
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || !(1970..=2199).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    // Days before a March-based year and month (proleptic Gregorian), counted from 0000-03-01.
    let (y, m) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let local = LocalDay(i32::try_from(days).ok()?);
    (local.to_string() == text).then_some(local)
}

/// A field of a CSV file: quoted when needed, and never a formula for a spreadsheet (OWASP CSV injection).
///
/// Numbers keep their minus sign.
pub(crate) fn csv_field(text: &str) -> String {
    let is_number = text.parse::<f64>().is_ok();
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}']);
    let guarded = if is_formula && !is_number {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if guarded.contains(['"', ',', '\n', '\r', ';']) || guarded.starts_with('\'') {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(shown: String, expected: &str) {
        assert_eq!(shown, expected);
    }

    #[test]
    fn money_is_rounded_and_grouped() {
        let money = |amount, currency| Money::new(Micro(amount), currency).text();
        check(money(0, "INR"), "₹0.00");
        check(money(12_345_678_905_000, "INR"), "₹1,23,45,678.91");
        check(money(123_456_000_000, "INR"), "₹1,23,456.00");
        check(money(-4_999, "INR"), "₹0.00");
        check(money(-5_000, "INR"), "\u{2212}₹0.01");
        check(money(1_234_567_000_000, "EUR"), "EUR\u{a0}1,234,567.00");
        check(money(1_000_000, "<b>"), "b\u{a0}1.00");
        check(Money::signed(Micro(1_000_000), "INR").text(), "+₹1.00");
        check(
            Money::new(Micro(-1_234_567), "INR").to_string(),
            "<data class=\"money minus\" value=\"-1.234567\" title=\"exactly -1.234567\">\u{2212}₹1.23</data>",
        );
        check(money(i64::MIN, "INR"), "\u{2212}₹92,23,37,20,36,854.78");
    }

    #[test]
    fn energy_and_power_are_never_promised_too_high() {
        check(units(WattHours(999)), "0.99");
        check(units_exact(WattHours(1_234_567_001)), "12,34,567.001");
        check(power(999), "999\u{a0}W");
        check(power(12_345), "12.3\u{a0}kW");
        check(power(-1_250), "\u{2212}1.3\u{a0}kW");
    }

    #[test]
    fn days_are_read_back_as_they_are_written() {
        for text in [
            "1970-01-01",
            "2026-11-23",
            "2028-02-29",
            "2100-03-01",
            "2199-12-31",
        ] {
            assert_eq!(
                parse_day(text).map(|day| day.to_string()).as_deref(),
                Some(text)
            );
        }
        for text in [
            "",
            "2026-2-3",
            "2026-02-30",
            "2100-02-29",
            "2026-13-01",
            "2200-01-01",
            "2026-11-23x",
            "+026-11-23",
        ] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn csv_fields_are_no_formulas() {
        check(csv_field("=1+1"), "\"'=1+1\"");
        check(csv_field("-2+3"), "\"'-2+3\"");
        check(csv_field("@x"), "\"'@x\"");
        check(csv_field("-12.50"), "-12.50");
        check(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
        check(csv_field("plain"), "plain");
    }

    #[test]
    fn times_are_local() {
        let calendar = Calendar {
            utc_offset_s: 19_800,
            period_start_day: 1,
        };
        check(
            date_time(calendar, UtcSeconds(1_796_063_400)),
            "2026-12-01 00:00",
        );
        check(ago(UtcSeconds(100), UtcSeconds(90)), "just now");
        check(ago(UtcSeconds(0), UtcSeconds(7_199)), "119 min ago");
    }
}
