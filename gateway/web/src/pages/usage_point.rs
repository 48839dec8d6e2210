//! `/usage-point/{id}`

use super::find;
use crate::access::{Operator, random_hex};
use crate::app::App;
use crate::committed::{JournalQuery, ProfileRow, Span, Statement, StatementQuery, UsagePointRows};
use crate::failure::{Failure, PageFailure};
use crate::format;
use crate::view::{
    Notice, Page, PointInputs, Shell, StatementView, Tab, TokenEntry, Typed, UsagePointView,
    VendEntry,
};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use gateway_core::calendar::LocalDay;
use gateway_core::tokens::Effect;
use gateway_core::{Decision, Record, UsagePointId, UtcSeconds};
use serde::Deserialize;

/// Events shown on the page.
const EVENTS: usize = 12;
/// Half hour, so that the profile has the boundary before its first bar.
const MARGIN_S: i64 = 1_800;

#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(crate) struct Wanted {
    /// First and last local day of the statement.
    from: String,
    to: String,
    /// Days of the load profile.
    days: String,
    /// Receipt of a vend just made or a token just taken.
    vended: Option<u64>,
}

/// The page of a usage point.
pub(crate) async fn usage_point(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let rows = find(&app, &id).await?;
    let vend = VendEntry {
        key: new_key()?,
        ..VendEntry::default()
    };
    let typed = Typed {
        vend,
        token: TokenEntry::default(),
    };
    let page = show(&app, (&operator, &headers), rows, wanted, typed).await?;
    Ok(page)
}

/// The page again, with what is wrong with a form.
pub(crate) async fn with_error(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: UsagePointRows,
    (typed, status): (Typed, StatusCode),
) -> Result<Response, Failure> {
    let wanted = Wanted::default();
    let mut page = show(app, (operator, headers), rows, wanted, typed).await?;
    *page.status_mut() = status;
    Ok(page)
}

/// A key for one vend, however often its form is sent.
pub(crate) fn new_key() -> Result<String, Failure> {
    let random = random_hex::<16>().map_err(|_| {
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-random-numbers",
            "The system has no random numbers. Try again in a moment.",
        )
    })?;
    Ok(format!("page-{random}"))
}

struct Found {
    profile: Vec<ProfileRow>,
    events: Vec<Record>,
    statement: Statement,
    vended: Vec<Record>,
}

async fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: UsagePointRows,
    wanted: Wanted,
    typed: Typed,
) -> Result<Response, Failure> {
    let (rules, now) = (&app.0.site.rules, app.0.desk.now());
    let range = Range::new(app, &rows, &wanted, now.at);
    let days: i64 = match wanted.days.as_str() {
        "1" => 1,
        "7" => 7,
        _ => 2,
    };
    let is_error = typed.vend.error.is_some() || typed.token.error.is_some();
    let found = read(app, &rows, (range.span, days, wanted.vended), now.at).await?;
    let currency = rows.tariff.as_ref().map_or("", |tariff| &tariff.currency);
    let span_words = (range.from.to_string(), range.to.to_string());
    let mut statement =
        StatementView::new(rows.point.id, span_words, &found.statement, rules, currency);
    statement.error = range.error;
    let notice = found.vended.first().and_then(|r| notice(r, currency));
    let title = rows.point.label.clone();
    let inputs = PointInputs {
        rows: &rows,
        profile: &found.profile,
        events: &found.events,
        statement,
        typed,
        takes_tokens: app.0.site.takes_tokens,
        notice,
        days,
    };
    let view = UsagePointView::new(inputs, rules, now);
    let page = Page {
        title: &title,
        tab: Tab::Neighbourhood,
        is_live: !is_error,
        reload_s: None,
    };
    Ok(Shell::answer(app, Some(operator), headers, &page, &view))
}

async fn read(
    app: &App,
    rows: &UsagePointRows,
    (span, days, vended): (Span, i64, Option<u64>),
    now: UtcSeconds,
) -> Result<Found, Failure> {
    let (id, node) = (rows.point.id, rows.node);
    let profile_span = Span {
        from: UtcSeconds(now.0 - days.max(2) * 86_400 - MARGIN_S),
        to: now,
    };
    let found = app
        .read(move |rows| {
            let journal = |from, limit| JournalQuery {
                from,
                limit,
                usage_point: Some(id),
            };
            let vended = match vended {
                Some(number) => rows.journal(&journal(Some(number), 1))?,
                None => Vec::new(),
            };
            Ok(Found {
                profile: node.map_or(Ok(Vec::new()), |node| rows.profile(node, profile_span))?,
                events: rows.journal(&journal(None, EVENTS))?,
                statement: rows.statement(&StatementQuery {
                    usage_point: id,
                    span,
                })?,
                // The receipt named in the address counts only if it is one of this usage point.
                vended: vended
                    .into_iter()
                    .filter(|r| Some(r.number) == vended_number(r, id))
                    .collect(),
            })
        })
        .await?;
    Ok(found)
}

/// Good news about a receipt; nothing if the record is none.
fn notice(record: &Record, currency: &str) -> Option<Notice> {
    let money = |amount| format::Money::new(amount, currency).text();
    let what = match &record.decision {
        Decision::Vended { amount, .. } => format!("Recharged with {}", money(*amount)),
        Decision::TokenEntered { entry, amount, .. } => match entry.outcome.as_ref().ok()? {
            effect @ Effect::Credit { .. } => format!("{effect}, worth {}", money(*amount)),
            effect => effect.to_string(),
        },
        _ => return None,
    };
    Some(Notice(format!("{what}. Receipt {}.", record.number)))
}

fn vended_number(record: &Record, id: UsagePointId) -> Option<u64> {
    match &record.decision {
        Decision::Vended { usage_point, .. } | Decision::TokenEntered { usage_point, .. }
            if *usage_point == id =>
        {
            Some(record.number)
        }
        _ => None,
    }
}

/// The local days of a statement, both included.
struct Range {
    from: LocalDay,
    to: LocalDay,
    span: Span,
    error: Option<&'static str>,
}

impl Range {
    /// As asked for; the billing period so far when nothing, or nothing usable, is.
    fn new(app: &App, rows: &UsagePointRows, wanted: &Wanted, now: UtcSeconds) -> Self {
        let calendar = app.0.site.rules.calendar;
        let today = calendar.day_of(now);
        let period_first = rows.point.account.period.period.first.min(today);
        let day = |text: &str, otherwise| match text {
            "" => Some(otherwise),
            text => format::parse_day(text),
        };
        let asked = (day(&wanted.from, period_first), day(&wanted.to, today));
        let (from, to, error) = match asked {
            (Some(from), Some(to)) if from <= to => (from, to, None),
            (Some(_), Some(_)) => {
                let error =
                    "The first day comes after the last; this is the billing period so far.";
                (period_first, today, Some(error))
            }
            _ => {
                let error = "A day is written like 2026-11-23; this is the billing period so far.";
                (period_first, today, Some(error))
            }
        };
        let span = Span {
            from: calendar.start_of(from),
            to: calendar.start_of(LocalDay(to.0 + 1)),
        };
        Self {
            from,
            to,
            span,
            error,
        }
    }
}
