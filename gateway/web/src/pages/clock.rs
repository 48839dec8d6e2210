//! `/clock`: how the gateway knows the time, and setting it from a telephone.
//!
//! The telephone's time goes along with what the machine's stopwatch showed when it came, so that the time spent reading what would happen
//! is not lost.

use super::filled::{Filled, Linked};
use super::{form_unusable, submit};
use crate::access::Operator;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::routes::{Needs, Routes};
use crate::view::{ClockView, ConfirmClock, Page, Shell, Tab};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::clock::{ClockKnown, ClockOrder, ClockQuote};
use gateway_core::person::Deed;
use gateway_core::{Answer, Command, UtcSeconds};
use serde::Deserialize;

/// How long somebody may think about what setting the clock does: the telephone's time is counted on meanwhile.
const THINKING_MS: u64 = 600_000;

/// Addresses of the clock.
pub(crate) fn routes() -> Routes {
    let set = Needs::May(Deed::SetClock);
    Routes::under("")
        .get("/clock", Needs::May(Deed::SeeSite), clock)
        .get("/clock/set", set, confirm)
        .post("/clock/set", set, set_clock)
}

const PAGE: Page<'static> = Page {
    title: "Clock",
    tab: Tab::None,
    is_live: false,
    reload_s: None,
};

async fn clock(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Response {
    show(&app, (&operator, &headers), None)
}

fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    error: Option<&Failure>,
) -> Response {
    let calendar = app.0.site.rules.calendar;
    let view = ClockView::new(
        &app.0.desk.clock(),
        calendar,
        operator.may(Deed::SetClock),
        error.map(|failure| failure.message.as_str()),
    );
    let mut response = Shell::answer(app, Some(operator), headers, &PAGE, &view);
    if let Some(failure) = error {
        *response.status_mut() = failure.status;
    }
    response
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The telephone's time in milliseconds (UTC), where the page's script fills it in.
    #[serde(default)]
    phone: String,
    /// Else the site's local time as typed.
    #[serde(default)]
    time: String,
}

/// The time that is asked for.
fn wanted(form: &Wanted, calendar: Calendar) -> Result<UtcSeconds, Failure> {
    let unusable = || {
        let words = "Write the date and the time, as 2026-11-28 10:40. Nothing was set.";
        Failure::unusable("time-unusable", words)
    };
    if !form.phone.is_empty() {
        let ms: i64 = form.phone.parse().map_err(|_| unusable())?;
        return Ok(UtcSeconds(ms.div_euclid(1_000)));
    }
    typed(&form.time, calendar).ok_or_else(unusable)
}

/// `2026-11-28 10:40`, with seconds or without, with a `T` between as browsers send it.
fn typed(text: &str, calendar: Calendar) -> Option<UtcSeconds> {
    let (day, time) = text.trim().split_once(['T', ' '])?;
    let mut parts = time.splitn(3, ':').map(|part| {
        let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<i64>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let exists = hour < 24 && minute < 60 && second < 60;
    let start = calendar.start_of(day.parse::<LocalDay>().ok()?);
    exists.then(|| UtcSeconds(start.0 + hour * 3_600 + minute * 60 + second))
}

fn order(to: UtcSeconds, far: bool, by: &str) -> ClockOrder {
    ClockOrder {
        to,
        far,
        by: by.to_owned(),
        known: ClockKnown::default(),
    }
}

/// What setting it would do. Changes nothing.
async fn confirm(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Linked(form): Linked<Wanted>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let asking = (&operator, &headers);
    let to = match wanted(&form, app.0.site.rules.calendar) {
        Ok(to) => to,
        Err(failure) => return Ok(show(&app, asking, Some(&failure))),
    };
    let came = app.0.desk.clock();
    match submit(&app, Command::QuoteClock(order(to, false, &operator.by))).await {
        Ok(Answer::ClockQuoted(quote)) => {
            let view = confirmation(&app, &quote, came.boot_ms, &operator.by).await?;
            Ok(Shell::answer(&app, Some(&operator), &headers, &PAGE, &view))
        }
        Ok(_) => Err(form_unusable().into()),
        Err(failure) => Ok(show(&app, asking, Some(&failure))),
    }
}

async fn confirmation(
    app: &App,
    quote: &ClockQuote,
    came_ms: u64,
    by: &str,
) -> Result<ConfirmClock, Failure> {
    let currency = app.read(|rows| rows.currency()).await?;
    let (facts, calendar) = (app.0.desk.clock(), app.0.site.rules.calendar);
    let told = (&facts, came_ms);
    Ok(ConfirmClock::new(quote, told, (calendar, &currency), by))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Consent {
    to: i64,
    came_ms: u64,
    #[serde(default)]
    agreed: Option<String>,
    #[serde(default)]
    far: Option<String>,
}

/// Sets it.
async fn set_clock(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
    Filled(form): Filled<Consent>,
) -> Result<Response, PageFailure> {
    let asking = (&operator, &headers);
    let now_ms = app.0.desk.clock().boot_ms;
    let thought_ms = now_ms.checked_sub(form.came_ms);
    let Some(thought_ms) = thought_ms.filter(|ms| *ms <= THINKING_MS) else {
        let words = "The page is older than ten minutes, so its time is no longer known. Nothing was set: begin again.";
        let failure = Failure::new(StatusCode::CONFLICT, "page-too-old", words);
        return Ok(show(&app, asking, Some(&failure)));
    };
    if form.agreed.as_deref() != Some("yes") {
        let words =
            "Nothing was set: say that you have compared the time and want what becomes due.";
        return Ok(show(
            &app,
            asking,
            Some(&Failure::unusable("not-agreed", words)),
        ));
    }
    let thought_s = i64::try_from(thought_ms / 1_000).unwrap_or(0);
    let to = UtcSeconds(form.to.saturating_add(thought_s));
    let far = form.far.as_deref() == Some("yes");
    match submit(&app, Command::SetClock(order(to, far, &operator.by))).await {
        Ok(_) => Ok(Redirect::to("/clock").into_response()),
        Err(failure) => Ok(show(&app, asking, Some(&failure))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_typed_in_the_sites_own() {
        let india = Calendar {
            utc_offset_s: 19_800,
            period_start_day: 1,
        };
        for (text, expected) in [
            ("2026-11-28 10:40", Some(1_795_842_600)),
            ("2026-11-28T10:40:07", Some(1_795_842_607)),
            (" 2026-11-28T10:40 ", Some(1_795_842_600)),
            ("2026-11-28", None),
            ("2026-11-28 24:00", None),
            ("2026-11-28 10:60", None),
            ("2026-11-28 10:40:60", None),
            ("2026-11-28 10:40:07:09", None),
            ("2026-11-28 +1:40", None),
            ("28/11/2026 10:40", None),
            ("", None),
        ] {
            assert_eq!(typed(text, india), expected.map(UtcSeconds), "{text}");
        }
    }
}
