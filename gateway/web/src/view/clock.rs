//! How the gateway knows the time, and what setting it would do.

use crate::clock::ClockFacts;
use crate::format;
use askama::Template;
use gateway_core::UtcSeconds;
use gateway_core::calendar::Calendar;
use gateway_core::clock::ClockQuote;

#[derive(Template)]
#[template(path = "clock.html")]
pub(crate) struct ClockView {
    is_trusted: bool,
    pairs: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    error: Option<String>,
    /// Whether the form is shown.
    may_set: bool,
    /// For the script: the time decided by, and local time minus UTC, in seconds.
    at: i64,
    offset_s: i32,
    is_known: bool,
}

impl ClockView {
    pub(crate) fn new(
        clock: &ClockFacts,
        calendar: Calendar,
        may: bool,
        error: Option<&str>,
    ) -> Self {
        let at = clock.decides_by();
        let shown = |at| local(calendar, at);
        let mut pairs = vec![
            ("the gateway's time", shown(at)),
            ("the time is", clock.source.words().to_owned()),
        ];
        if let Some(within) = clock.within_s {
            pairs.push(("at most off by", span(within)));
        }
        if clock.machine != clock.at || !clock.is_trusted {
            pairs.push(("the machine's own clock", shown(clock.machine)));
        }
        pairs.extend(battery(clock, calendar));
        Self {
            is_trusted: clock.is_trusted,
            pairs,
            warnings: warnings(clock),
            error: error.map(str::to_owned),
            may_set: may && clock.may_be_set(),
            at: at.0,
            offset_s: calendar.utc_offset_s,
            is_known: at.0 > 0,
        }
    }
}

fn battery(clock: &ClockFacts, calendar: Calendar) -> Option<(&'static str, String)> {
    let battery = clock.battery?;
    let how = match (battery.ahead_s, battery.is_believed) {
        (None, _) => "never compared with a known time, so not believed".to_owned(),
        (Some(_), false) => "not yet seen steady, so not believed".to_owned(),
        (Some(0), true) => "right, and believed after the machine was off".to_owned(),
        (Some(ahead), true) => {
            let way = if ahead > 0 { "fast" } else { "slow" };
            let by = span(ahead.unsigned_abs());
            format!("{by} {way} and steady; put right, it is believed after the machine was off")
        }
    };
    let drift = battery.drift_ppm.map_or_else(String::new, |ppm| {
        let a_day = ppm * 864 / 10;
        format!(
            "; gains {}.{:03} s a day",
            a_day / 1_000,
            a_day.abs() % 1_000
        )
    });
    let shows = local(calendar, battery.shows);
    Some(("the battery-backed clock", format!("{shows}: {how}{drift}")))
}

fn warnings(clock: &ClockFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    if !clock.is_trusted {
        warnings.push(
            "The time is not known. Energy is counted, credit is kept, and supplies are cut by credit as always; daily charges, \
             bands, messages and whatever else begins or ends at a time wait."
                .to_owned(),
        );
    }
    if clock.wants_comparing() {
        warnings.push(
            "The gateway has counted by itself for weeks. Compare it with a telephone and set it right."
                .to_owned(),
        );
    }
    if clock.behind_s() > 60 {
        let behind = span(clock.behind_s());
        warnings.push(format!(
            "The latest record is {behind} ahead of the clock. Time never runs backwards: it stands still until the clock has caught up."
        ));
    }
    warnings
}

#[derive(Template)]
#[template(path = "confirm_clock.html")]
pub(crate) struct ConfirmClock {
    pairs: Vec<(&'static str, String)>,
    warnings: Vec<String>,
    is_far: bool,
    to: i64,
    came_ms: u64,
    by: String,
}

impl ConfirmClock {
    /// `came_ms`: the stopwatch when the time was told.
    pub(crate) fn new(
        quote: &ClockQuote,
        (clock, came_ms): (&ClockFacts, u64),
        (calendar, currency): (Calendar, &str),
        by: &str,
    ) -> Self {
        let before = clock.decides_by();
        let mut pairs = vec![
            ("the gateway's time", local(calendar, before)),
            ("the time to set", local(calendar, quote.to)),
        ];
        if before > UtcSeconds(0) {
            let (ahead, by) = (quote.to.0 >= before.0, quote.to.0.abs_diff(before.0));
            let way = if ahead { "ahead" } else { "back" };
            pairs.push(("difference", format!("{} {way}", span(by))));
        }
        pairs.push(("days that become due", quote.days.to_string()));
        if quote.usage_points > 0 {
            let charged = format::Money::new(quote.charged, currency).text();
            let points = quote.usage_points;
            let word = if points == 1 { "point" } else { "points" };
            pairs.push((
                "charged for them",
                format!("{charged} at {points} usage {word}"),
            ));
            pairs.push(("supplies that go off", quote.cuts.to_string()));
        }
        let mut warnings = Vec::new();
        if quote.is_far {
            warnings.push(format!(
                "The last time known is {}. If the gateway was not off for that long, the telephone is wrong. What is collected for days \
                 that have not been cannot be taken back, and the gateway's time stands still until they have.",
                local(calendar, quote.floor)
            ));
        }
        if quote.stands_still_s > 0 {
            let seconds = span(quote.stands_still_s.into());
            warnings.push(format!(
                "Something was recorded later than this. Time stands still for {seconds}, until the clock has caught up."
            ));
        }
        Self {
            pairs,
            warnings,
            is_far: quote.is_far,
            to: quote.to.0,
            came_ms,
            by: by.to_owned(),
        }
    }
}

/// A moment to the second; what was never known is said so.
fn local(calendar: Calendar, at: UtcSeconds) -> String {
    match at {
        UtcSeconds(0) => "never known".to_owned(),
        at => format::date_time_to_second(calendar, at),
    }
}

/// `40 s`, `12 min`, `3 h 20 min`, `12 days 3 h`.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{minutes} min"),
        7_200..=172_799 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} days {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_told_in_two_units() {
        let of = [5, 125, 12_000, 86_400 * 3 + 7_300].map(span);
        assert_eq!(of, ["5 s", "2 min", "3 h 20 min", "3 days 2 h"]);
    }
}
