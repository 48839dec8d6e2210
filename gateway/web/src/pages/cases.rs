//! `/cases`, `/cases/{number}` and its three forms

use super::filled::Filled;
use super::submit;
use crate::access::Operator;
use crate::app::App;
use crate::committed::{Neighbourhood, RoundRows, Span};
use crate::failure::{Failure, PageFailure};
use crate::view::{CaseInputs, CaseView, CasesView, Page, Shell, Tab, TypedCase, window};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::case::{Case, CaseCommand, Found, Outcome, Trial};
use gateway_core::debt::Terms;
use gateway_core::person::Deed;
use gateway_core::{Command, Micro, Refusal, UsagePointId};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Shown {
    show: String,
}

/// Open cases, or all.
pub(crate) async fn cases(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    shown: Result<Query<Shown>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let is_all = shown.is_ok_and(|Query(shown)| shown.show == "all");
    let now = app.0.desk.now().at;
    // No registers are needed here, only the names.
    let none = Span { from: now, to: now };
    let read = move |rows: &dyn crate::Committed| {
        Ok((rows.cases()?, rows.rounds(none)?, rows.currency()?))
    };
    let (cases, rows, currency) = app.read(read).await?;
    let rules = &app.0.site.rules;
    let view = CasesView::new(&cases, &rows, (rules, &currency), (is_all, now));
    let page = Page {
        title: "Cases",
        tab: Tab::Cases,
        is_live: true,
        reload_s: Some(60),
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

/// The case an address names.
pub(crate) async fn find_case(app: &App, number: &str) -> Result<Case, Failure> {
    let none = || Failure::from(Refusal::NoSuchCase);
    let number: u64 = number.parse().map_err(|_| none())?;
    let cases = app.read(|rows| rows.cases()).await?;
    cases
        .into_iter()
        .find(|case| case.number == number)
        .ok_or_else(none)
}

/// One case.
pub(crate) async fn case(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let case = find_case(&app, &number).await?;
    Ok(show(&app, (&operator, &headers), &case, TypedCase::default()).await?)
}

async fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    case: &Case,
    typed: TypedCase,
) -> Result<Response, Failure> {
    let now = app.0.desk.now().at;
    let (from, to) = window(case, now);
    // A round before and after, so that the first and the last point are known.
    let span = Span {
        from: gateway_core::UtcSeconds(from.0 - MARGIN_S),
        to: gateway_core::UtcSeconds(to.0 + MARGIN_S),
    };
    let (calendar, of) = (app.0.site.rules.calendar, case.clone());
    let read = move |rows: &dyn crate::Committed| {
        let estimate = match whose(&of) {
            Some(whose) => rows.estimate(&of, whose, calendar)?,
            None => None,
        };
        let trial = match of.is_open() {
            true => ahead(&rows.neighbourhood()?, of.number),
            false => None,
        };
        Ok((rows.rounds(span)?, rows.currency()?, (estimate, trial)))
    };
    let (rows, currency, (estimate, trial)): (RoundRows, String, _) = app.read(read).await?;
    let title = format!("Case {}", case.number);
    let view = CaseView::new(
        &CaseInputs {
            case,
            rows: &rows,
            rules: &app.0.site.rules,
            currency: &currency,
            now,
            estimate: estimate.as_ref(),
            may_charge: operator.may(Deed::CorrectAccounts),
            may_test: operator.may(Deed::OrderSupply),
            trial,
        },
        typed,
    );
    let page = Page {
        title: &title,
        tab: Tab::Cases,
        is_live: true,
        reload_s: None,
    };
    Ok(Shell::answer(app, Some(operator), headers, &page, &view))
}

/// A switch test of the case that people are still to come through.
fn ahead(site: &Neighbourhood, case: u64) -> Option<(UsagePointId, Trial)> {
    let mut points = site.usage_points.iter().map(|rows| &rows.point);
    points.find_map(|point| {
        let trial = point.guard.trial?;
        (trial.case == case && trial.is_ahead()).then_some((point.id, trial))
    })
}

/// Whose tariff prices a case: those premises it was found at, else the first suspect's.
pub(crate) fn whose(case: &Case) -> Option<UsagePointId> {
    let closing = case.closing.as_ref();
    let found = closing.and_then(|closing| closing.usage_point);
    found.or_else(|| case.first_suspect())
}

/// Two quarter-hours.
const MARGIN_S: i64 = 1_800;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    found: String,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    usage_point: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssessForm {
    usage_point: String,
    amount: String,
    #[serde(default)]
    percent: String,
    reason: String,
}

/// Charges a confirmed case.
pub(crate) async fn assess_case(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<AssessForm>,
) -> Result<Response, PageFailure> {
    let case = find_case(&app, &number).await?;
    let asked = assessment(case.number, &form, &operator.by);
    obey(&app, (&operator, &headers), &case, (asked, String::new())).await
}

/// Does what was asked and shows the case again, with what was typed if it was refused.
async fn obey(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    case: &Case,
    (asked, text): (Result<CaseCommand, Failure>, String),
) -> Result<Response, PageFailure> {
    let failure = match asked {
        Ok(command) => match submit(app, Command::Case(command)).await {
            Ok(_) => {
                return Ok(Redirect::to(&format!("/cases/{}", case.number)).into_response());
            }
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    let typed = TypedCase {
        text,
        error: Some(failure.message),
    };
    let mut page = show(app, (operator, headers), case, typed).await?;
    *page.status_mut() = failure.status;
    Ok(page)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestForm {
    #[serde(default)]
    usage_point: String,
    #[serde(default)]
    seconds: String,
    #[serde(default)]
    consent: String,
    #[serde(default)]
    take_back: String,
}

/// Plans a switch test, or takes one back.
pub(crate) async fn test_case(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<TestForm>,
) -> Result<Response, PageFailure> {
    let case = find_case(&app, &number).await?;
    let asked = trial(case.number, &form, &operator.by);
    obey(&app, (&operator, &headers), &case, (asked, String::new())).await
}

fn trial(case: u64, form: &TestForm, by: &str) -> Result<CaseCommand, Failure> {
    let by = by.to_owned();
    if !form.take_back.is_empty() {
        return Ok(CaseCommand::TakeBack { case, by });
    }
    let seconds = match form.seconds.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Failure::unusable("seconds-unusable", "Write the seconds as a whole number.")
        })?),
    };
    Ok(CaseCommand::Try {
        case,
        usage_point: Some(place(&form.usage_point)?),
        seconds,
        consent: form.consent.clone(),
        dry_run: false,
        by,
    })
}

fn assessment(case: u64, form: &AssessForm, by: &str) -> Result<CaseCommand, Failure> {
    Ok(CaseCommand::Assess {
        case,
        usage_point: Some(place(&form.usage_point)?),
        amount: Some(check_amount(form.amount.trim())?),
        terms: Terms {
            percent_hundredths: match form.percent.trim() {
                "" => 0,
                text => check_percent(text)?,
            },
            ..Terms::default()
        },
        reason: form.reason.clone(),
        by: by.to_owned(),
    })
}

/// An amount as typed.
pub(crate) fn check_amount(text: &str) -> Result<Micro, Failure> {
    text.parse().map_err(|why| {
        let words = format!("The amount \"{text}\" is not one: {why}.");
        Failure::unusable("amount-unusable", &words)
    })
}

/// A percentage as typed, in hundredths.
pub(crate) fn check_percent(text: &str) -> Result<u16, Failure> {
    let hundredths = text.parse::<Micro>().ok().map(|percent| percent.0 / 10_000);
    let hundredths = hundredths.and_then(|hundredths| u16::try_from(hundredths).ok());
    hundredths
        .filter(|hundredths| *hundredths <= 10_000)
        .ok_or_else(|| {
            let words = "Write a percentage from 0 to 100.";
            Failure::unusable("percent-unusable", words)
        })
}

/// A note, a visit, or the end of a case.
pub(crate) async fn change_case(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((number, change)): Path<(String, String)>,
    headers: HeaderMap,
    Filled(form): Filled<ChangeForm>,
) -> Result<Response, PageFailure> {
    let case = find_case(&app, &number).await?;
    let asked = command(case.number, &change, &form, &operator.by);
    obey(&app, (&operator, &headers), &case, (asked, form.text)).await
}

fn command(case: u64, change: &str, form: &ChangeForm, by: &str) -> Result<CaseCommand, Failure> {
    // Browsers send line ends as two characters.
    let (text, by) = (form.text.replace("\r\n", "\n"), by.to_owned());
    let usage_point = || match form.usage_point.as_str() {
        "" => Ok(None),
        id => place(id).map(Some),
    };
    Ok(match change {
        "note" => CaseCommand::Note { case, text, by },
        "check" => CaseCommand::Check {
            case,
            usage_point: usage_point()?,
            found: check_found(&form.found)?,
            text,
            by,
        },
        "close" => CaseCommand::Close {
            case,
            outcome: check_outcome(&form.outcome)?,
            usage_point: usage_point()?,
            text,
            by,
        },
        _ => return Err(Failure::not_found("A case takes a note, a check or close.")),
    })
}

fn place(id: &str) -> Result<UsagePointId, Failure> {
    id.parse()
        .map_err(|_| Failure::from(Refusal::NoSuchUsagePoint))
}

/// What a visit found, by its word.
pub(crate) fn check_found(word: &str) -> Result<Found, Failure> {
    match word {
        "tampering" => Ok(Found::Tampering),
        "fault" => Ok(Found::Fault),
        "nothing" => Ok(Found::Nothing),
        "no-access" => Ok(Found::NoAccess),
        _ => Err(Failure::unusable(
            "no-such-finding",
            "Choose what the visit found: tampering, fault, nothing or no-access.",
        )),
    }
}

/// What a case was, by its word.
pub(crate) fn check_outcome(word: &str) -> Result<Outcome, Failure> {
    match word {
        "confirmed" => Ok(Outcome::Confirmed),
        "false" => Ok(Outcome::False),
        "technical" => Ok(Outcome::Technical),
        _ => Err(Failure::unusable(
            "no-such-outcome",
            "Choose what the case was: confirmed, false or technical.",
        )),
    }
}
