//! Cases for programs.

use super::parse::parse;
use super::sent::{Answered, Asked, Sent, done};
use crate::app::App;
use crate::failure::{ApiFailure, Failure};
use crate::pages::{
    check_amount, check_found, check_outcome, check_percent, find, find_case, whose,
};
use crate::routes::{Needs, Routes};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use gateway_core::case::{Case, CaseCommand, Estimate};
use gateway_core::debt::Terms;
use gateway_core::person::Deed;
use gateway_core::{Command, Micro};
use serde::{Deserialize, Serialize};

/// What is here.
pub(super) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    Routes::under("/api/v1")
        .get("/cases", see, cases)
        .get("/cases/{number}", see, case)
        .post(
            "/cases/{number}/assess",
            Needs::May(Deed::CorrectAccounts),
            assess,
        )
        .post("/cases/{number}/test", Needs::May(Deed::OrderSupply), test)
        .post(
            "/cases/{number}/{change}",
            Needs::May(Deed::WorkOnCases),
            change,
        )
}

#[derive(Serialize)]
pub(super) struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    all: bool,
}

/// A case, and what its energy would have cost.
#[derive(Serialize)]
pub(super) struct OneCase {
    #[serde(flatten)]
    case: Case,
    estimate: Option<Estimate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssessBody {
    usage_point: Option<String>,
    amount: Option<String>,
    percent: Option<String>,
    per_day: Option<String>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteBody {
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckBody {
    found: String,
    usage_point: Option<String>,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseBody {
    outcome: String,
    usage_point: Option<String>,
    #[serde(default)]
    text: String,
}

async fn cases(
    State(app): State<App>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Cases>, ApiFailure> {
    let unusable =
        |rejection: QueryRejection| Failure::unusable("query-unusable", rejection.body_text());
    let Query(wanted) = wanted.map_err(unusable)?;
    let mut cases = app.read(|rows| rows.cases()).await?;
    cases.retain(|case| wanted.all || case.is_open());
    Ok(Json(Cases { cases }))
}

async fn case(
    State(app): State<App>,
    Path(number): Path<String>,
) -> Result<Json<OneCase>, ApiFailure> {
    let case = find_case(&app, &number).await?;
    let (calendar, of) = (app.0.site.rules.calendar, case.clone());
    let read = move |rows: &dyn crate::Committed| match whose(&of) {
        Some(whose) => rows.estimate(&of, whose, calendar),
        None => Ok(None),
    };
    let estimate = app.read(read).await?;
    Ok(Json(OneCase { case, estimate }))
}

/// Charges a confirmed case.
async fn assess(
    State(app): State<App>,
    Path(number): Path<String>,
    Asked { body: asked, by }: Asked<AssessBody>,
) -> Answered {
    let amount = |text: &String| check_amount(text);
    let command = CaseCommand::Assess {
        case: find_case(&app, &number).await?.number,
        usage_point: place(&app, asked.usage_point).await?,
        amount: asked.amount.as_ref().map(amount).transpose()?,
        terms: Terms {
            percent_hundredths: match &asked.percent {
                Some(text) => check_percent(text)?,
                None => 0,
            },
            per_day: match &asked.per_day {
                Some(text) => check_amount(text)?,
                None => Micro::ZERO,
            },
            cap: None,
        },
        reason: asked.reason,
        by,
    };
    done(&app, Command::Case(command)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestBody {
    usage_point: Option<String>,
    seconds: Option<u16>,
    #[serde(default)]
    consent: String,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    take_back: bool,
}

/// Plans a switch test, or takes one back.
async fn test(
    State(app): State<App>,
    Path(number): Path<String>,
    Asked { body: asked, by }: Asked<TestBody>,
) -> Answered {
    let (case, by) = (find_case(&app, &number).await?.number, by);
    let command = if asked.take_back {
        CaseCommand::TakeBack { case, by }
    } else {
        CaseCommand::Try {
            case,
            usage_point: place(&app, asked.usage_point).await?,
            seconds: asked.seconds,
            consent: asked.consent,
            dry_run: asked.dry_run,
            by,
        }
    };
    done(&app, Command::Case(command)).await
}

async fn change(
    State(app): State<App>,
    Path((number, change)): Path<(String, String)>,
    Sent { body, by }: Sent,
) -> Answered {
    let case = find_case(&app, &number).await?.number;
    let command = match change.as_str() {
        "note" => {
            let NoteBody { text } = parse(&body)?;
            CaseCommand::Note { case, text, by }
        }
        "check" => {
            let asked: CheckBody = parse(&body)?;
            CaseCommand::Check {
                case,
                usage_point: place(&app, asked.usage_point).await?,
                found: check_found(&asked.found)?,
                text: asked.text,
                by,
            }
        }
        "close" => {
            let asked: CloseBody = parse(&body)?;
            CaseCommand::Close {
                case,
                outcome: check_outcome(&asked.outcome)?,
                usage_point: place(&app, asked.usage_point).await?,
                text: asked.text,
                by,
            }
        }
        _ => return Err(Failure::not_found("A case takes note, check or close.").into()),
    };
    done(&app, Command::Case(command)).await
}

async fn place(
    app: &App,
    id: Option<String>,
) -> Result<Option<gateway_core::UsagePointId>, Failure> {
    match id {
        None => Ok(None),
        Some(id) => Ok(Some(find(app, &id).await?.point.id)),
    }
}
