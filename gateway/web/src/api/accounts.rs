//! Debts, corrections and quotes, for programs.

use super::parse::{parse, parse_amount, parse_empty};
use super::sent::{Answered, Asked, Sent, done};
use crate::app::App;
use crate::committed::UsagePointRows;
use crate::correction_form::CorrectionForm;
use crate::failure::{ApiFailure, Failure};
use crate::pages::find;
use crate::routes::{Needs, Routes};
use crate::view::{act_words, terms_words};
use axum::Json;
use axum::extract::{Path, State};
use gateway_core::correction::{CorrectionAct, CorrectionCommand, Proposal};
use gateway_core::debt::{Debt, Terms};
use gateway_core::person::Deed;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::{Command, Micro};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let correct = Needs::May(Deed::CorrectAccounts);
    Routes::under("/api/v1")
        .post("/usage-points/{id}/quote", Needs::May(Deed::Vend), quote)
        .get("/debts", see, debts)
        .get("/usage-points/{id}/debts", see, debts_of)
        .post("/usage-points/{id}/debts", correct, change_debt)
        .post("/usage-points/{id}/corrections", correct, make)
        .get("/corrections", see, waiting)
        .post("/corrections/{number}/{answer}", correct, answer)
}

/// What a usage point owes.
#[derive(Serialize)]
struct Owed {
    usage_point: String,
    label: String,
    currency: String,
    owed: String,
    debts: Vec<DebtBody>,
}

#[derive(Serialize)]
struct DebtBody {
    kind: &'static str,
    owed: String,
    /// Part of each recharge, in percent.
    percent: String,
    per_day: String,
    cap: Option<CapBody>,
    /// The same in words.
    terms: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CapBody {
    amount: String,
    per: String,
}

impl From<&UsagePointRows> for Owed {
    fn from(rows: &UsagePointRows) -> Self {
        let debts = &rows.point.debts;
        Self {
            usage_point: rows.point.id.to_string(),
            label: rows.point.label.clone(),
            currency: currency(rows),
            owed: debts.remaining().to_string(),
            debts: debts.registers.iter().map(DebtBody::from).collect(),
        }
    }
}

fn currency(rows: &UsagePointRows) -> String {
    let tariff = rows.tariff.as_ref();
    tariff.map_or_else(String::new, |tariff| tariff.currency.clone())
}

impl From<&Debt> for DebtBody {
    fn from(debt: &Debt) -> Self {
        let Terms {
            percent_hundredths,
            per_day,
            cap,
        } = debt.terms;
        Self {
            kind: debt.kind.name(),
            owed: debt.remaining.to_string(),
            percent: Micro(i64::from(percent_hundredths) * 10_000).to_string(),
            per_day: per_day.to_string(),
            cap: cap.map(|cap| CapBody {
                amount: cap.amount.to_string(),
                per: cap.per.name().to_owned(),
            }),
            terms: terms_words(&debt.terms, &|amount| amount.to_string()),
        }
    }
}

#[derive(Serialize)]
struct AllOwed {
    usage_points: Vec<Owed>,
}

/// Every usage point with its tariff.
async fn points(app: &App) -> Result<Vec<UsagePointRows>, Failure> {
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let tariffs = rows.tariffs;
    let with_tariff = |mut point: UsagePointRows| {
        point.tariff = tariffs.get(&point.point.account.tariff).cloned();
        point
    };
    Ok(rows.usage_points.into_iter().map(with_tariff).collect())
}

async fn debts(State(app): State<App>) -> Result<Json<AllOwed>, ApiFailure> {
    let points = points(&app).await?;
    let owes = |rows: &&UsagePointRows| rows.point.debts.remaining() > Micro::ZERO;
    let usage_points = points.iter().filter(owes).map(Owed::from).collect();
    Ok(Json(AllOwed { usage_points }))
}

async fn debts_of(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Owed>, ApiFailure> {
    Ok(Json((&find(&app, &id).await?).into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuoteBody {
    amount: String,
}

async fn quote(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked {
        body: QuoteBody { amount },
        by,
    }: Asked<QuoteBody>,
) -> Answered {
    let command = Command::QuoteVend {
        usage_point: find(&app, &id).await?.point.id,
        amount: parse_amount(&amount)?,
        by,
    };
    done(&app, command).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DebtChangeBody {
    key: String,
    change: String,
    kind: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    percent: String,
    #[serde(default)]
    per_day: String,
    #[serde(default)]
    cap: Option<CapBody>,
    reason: String,
}

async fn change_debt(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked { body: asked, by }: Asked<DebtChangeBody>,
) -> Answered {
    if !["open", "change", "write-off"].contains(&asked.change.as_str()) {
        let words = "A debt takes `open`, `change` or `write-off`.";
        return Err(Failure::unusable("no-such-change-of-debt", words).into());
    }
    let (cap, cap_per) = asked
        .cap
        .map(|cap| (cap.amount, cap.per))
        .unwrap_or_default();
    let form = CorrectionForm {
        key: asked.key,
        act: asked.change,
        amount: asked.amount,
        receipt: String::new(),
        kind: asked.kind,
        percent: asked.percent,
        per_day: asked.per_day,
        cap,
        cap_per,
        reason: asked.reason,
    };
    ask(&app, by, &id, form).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MakeBody {
    key: String,
    #[serde(default)]
    credit: Option<String>,
    #[serde(default)]
    reverse: Option<u64>,
    /// The receipt or record a credit is about.
    #[serde(default)]
    receipt: Option<u64>,
    reason: String,
}

async fn make(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked { body: asked, by }: Asked<MakeBody>,
) -> Answered {
    let (act, amount, receipt) = match (asked.credit, asked.reverse) {
        (Some(amount), None) => ("credit", amount, asked.receipt),
        (None, Some(receipt)) if asked.receipt.is_none() => {
            ("reverse", String::new(), Some(receipt))
        }
        _ => {
            let words = "A correction has either `credit`, perhaps with a `receipt`, or `reverse`.";
            return Err(Failure::unusable("no-such-correction", words).into());
        }
    };
    let form = CorrectionForm {
        key: asked.key,
        act: act.to_owned(),
        amount,
        receipt: receipt.map_or_else(String::new, |number| number.to_string()),
        reason: asked.reason,
        ..CorrectionForm::default()
    };
    ask(&app, by, &id, form).await
}

async fn ask(app: &App, by: String, id: &str, form: CorrectionForm) -> Answered {
    let usage_point = find(app, id).await?.point.id;
    let what = form.act()?;
    let command = CorrectionCommand::Make {
        key: Some(form.key),
        usage_point,
        what,
        reason: form.reason,
        by,
    };
    done(app, Command::Correct(command)).await
}

/// A correction that waits.
#[derive(Serialize)]
struct Waiting {
    number: u64,
    usage_point: String,
    label: String,
    currency: String,
    amount: String,
    /// What it would do, in words.
    words: String,
    what: CorrectionAct,
    reason: String,
    proposed_by: String,
    proposed_at: i64,
}

impl Waiting {
    fn new(rows: &UsagePointRows, proposal: &Proposal) -> Self {
        Self {
            number: proposal.number,
            usage_point: rows.point.id.to_string(),
            label: rows.point.label.clone(),
            currency: currency(rows),
            amount: proposal.amount.to_string(),
            words: act_words(&proposal.act, &|amount| amount.to_string()),
            what: proposal.act.clone(),
            reason: proposal.reason.clone(),
            proposed_by: proposal.by.clone(),
            proposed_at: proposal.at.0,
        }
    }
}

#[derive(Serialize)]
struct AllWaiting {
    corrections: Vec<Waiting>,
}

async fn waiting(State(app): State<App>) -> Result<Json<AllWaiting>, ApiFailure> {
    let points = points(&app).await?;
    let of_point = |rows| {
        let rows: &UsagePointRows = rows;
        let proposals = rows.point.proposals.iter();
        proposals.map(move |proposal| Waiting::new(rows, proposal))
    };
    let corrections = points.iter().flat_map(of_point).collect();
    Ok(Json(AllWaiting { corrections }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefuseBody {
    reason: String,
}

async fn answer(
    State(app): State<App>,
    Path((number, answer)): Path<(String, String)>,
    Sent { body, by }: Sent,
) -> Answered {
    let none = |_| Failure::from(gateway_core::Refusal::from(MoneyRefusal::NoSuchProposal));
    let proposal = number.parse().map_err(none)?;
    let command = match answer.as_str() {
        "approve" => {
            parse_empty(&body)?;
            CorrectionCommand::Approve { proposal, by }
        }
        "refuse" => {
            let RefuseBody { reason } = parse(&body)?;
            CorrectionCommand::Refuse {
                proposal,
                reason,
                by,
            }
        }
        _ => return Err(Failure::not_found("A correction takes approve or refuse.").into()),
    };
    done(&app, Command::Correct(command)).await
}
