//! `/accounts`, `/usage-point/{id}/account`, `/corrections/{number}`: debts and corrections.
//!
//! Each change is shown before it is done. Its key is made where it is shown, so that a double click or a reload of the answer is the same
//! correction, and going back to the form is a new one.

use super::filled::{Filled, Linked};
use super::usage_point::new_key;
use super::{find, form_unusable, submit};
use crate::access::Operator;
use crate::app::App;
use crate::committed::{JournalQuery, UsagePointRows};
use crate::correction_form::CorrectionForm;
use crate::failure::{Failure, PageFailure};
use crate::format::Money;
use crate::routes::{Needs, Routes};
use crate::view::{
    AccountView, AccountsView, ConfirmChange, May, Page, ProposalView, Shell, Tab, question,
    waiting_line,
};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_core::correction::{CorrectionAct, CorrectionCommand, Proposal};
use gateway_core::debt::DebtChange;
use gateway_core::person::Deed;
use gateway_core::person::author::is_same;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::{Answer, Command, Decision, Micro, Refusal};
use serde::Deserialize;

/// Addresses of debts and corrections.
pub(crate) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let correct = Needs::May(Deed::CorrectAccounts);
    Routes::under("")
        .get("/accounts", see, accounts)
        .get("/usage-point/{id}/account", see, account)
        .get("/usage-point/{id}/account/check", correct, check)
        .post("/usage-point/{id}/account", correct, change)
        .get("/corrections/{number}", see, proposal)
        .post("/corrections/{number}/{answer}", correct, answer)
}

const fn page(title: &str, is_live: bool) -> Page<'_> {
    Page {
        title,
        tab: Tab::Money,
        is_live,
        reload_s: None,
    }
}

/// Everything about money that is not a recharge.
async fn accounts(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    Ok(show_accounts(&app, (&operator, &headers), None).await?)
}

/// The same with what went wrong.
pub(super) async fn show_accounts(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let read =
        |rows: &dyn crate::Committed| Ok((rows.neighbourhood()?, rows.agents()?, rows.currency()?));
    let (rows, agents, currency) = app.read(read).await?;
    let (rules, now) = (&app.0.site.rules, app.0.desk.now().at);
    let may = May {
        answer: operator.may(Deed::DecideDisputes),
        manage: operator.may(Deed::ManageSite),
    };
    let (error, status) = failure.map(|f| (f.message, f.status)).unzip();
    let view = AccountsView::new(&rows, (&agents, &currency), rules, (now, may, error));
    // A form that is being filled in is not replaced under the fingers.
    let page = page("Money", !may.manage && !may.answer);
    let mut response = Shell::answer(app, Some(operator), headers, &page, &view);
    *response.status_mut() = status.unwrap_or(response.status());
    Ok(response)
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Record that was just made.
    done: Option<u64>,
    /// Correction that now waits.
    waits: Option<u64>,
}

/// Debts and corrections of a usage point.
async fn account(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let wanted = wanted.map(|Query(wanted)| wanted).unwrap_or_default();
    let notice = match (wanted.done, wanted.waits) {
        (Some(number), _) => Some(format!("Done, record {number}.")),
        (None, Some(number)) => Some(format!(
            "Correction {number} waits for another person: nothing has moved yet."
        )),
        (None, None) => None,
    };
    let rows = find(&app, &id).await?;
    let said = (CorrectionForm::default(), None, notice);
    Ok(show(&app, (&operator, &headers), &rows, said))
}

fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    rows: &UsagePointRows,
    said: (CorrectionForm, Option<String>, Option<String>),
) -> Response {
    let may_correct = operator.may(Deed::CorrectAccounts);
    let view = AccountView::new(rows, &app.0.site.rules, may_correct, said);
    let title = format!("{}: debts and corrections", rows.point.label);
    Shell::answer(app, Some(operator), headers, &page(&title, false), &view)
}

fn again(
    app: &App,
    asking: (&Operator, &HeaderMap),
    rows: &UsagePointRows,
    (form, failure): (CorrectionForm, Failure),
) -> Response {
    let status = failure.status;
    let mut response = show(app, asking, rows, (form, Some(failure.message), None));
    *response.status_mut() = status;
    response
}

/// What a correction would mean. Changes nothing.
async fn check(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Linked(form): Linked<CorrectionForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    let asking = (&operator, &headers);
    let act = match form.act() {
        Ok(act) => act,
        Err(error) => return Ok(again(&app, asking, &rows, (form, error.into()))),
    };
    let (amount, known) = match worth(&app, &rows, &act).await {
        Ok(worth) => worth,
        Err(failure) => return Ok(again(&app, asking, &rows, (form, failure))),
    };
    let currency = rows.tariff.as_ref().map_or("", |t| t.currency.as_str());
    let alone_up_to = app.0.site.rules.prepay_of(rows.tariff.as_ref());
    let alone_up_to = alone_up_to.correction.alone_up_to;
    let (question, is_dangerous) = question(&act, currency);
    let mut pairs = vec![(
        "Usage point",
        format!("{}, {}", rows.point.label, rows.point.id),
    )];
    pairs.extend(known.map(|known| ("The recharge", known)));
    pairs.push(("Amount", Money::new(amount, currency).text()));
    pairs.push(("Why", form.reason.clone()));
    let view = ConfirmChange {
        back: (
            format!("/usage-point/{}/account", rows.point.id),
            rows.point.label.clone(),
        ),
        question,
        pairs,
        warning: (amount > alone_up_to).then(|| {
            let limit = Money::new(alone_up_to, currency);
            format!("Above {limit}: it waits until another person approves it.")
        }),
        by: operator.by.clone(),
        action: format!("/usage-point/{}/account", rows.point.id),
        hidden: hidden(form, new_key()?),
        button: if amount > alone_up_to {
            "Propose"
        } else {
            "Do it"
        },
        is_dangerous,
    };
    let page = page("Please confirm", false);
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

fn hidden(form: CorrectionForm, key: String) -> Vec<(&'static str, String)> {
    let fields = [
        ("key", key),
        ("act", form.act),
        ("amount", form.amount),
        ("receipt", form.receipt),
        ("kind", form.kind),
        ("percent", form.percent),
        ("per_day", form.per_day),
        ("cap", form.cap),
        ("cap_per", form.cap_per),
        ("reason", form.reason),
    ];
    let said = fields.into_iter().filter(|(_, value)| !value.is_empty());
    said.collect()
}

/// The amount by which a second person is asked for, and words about the recharge that is taken back.
async fn worth(
    app: &App,
    rows: &UsagePointRows,
    act: &CorrectionAct,
) -> Result<(Micro, Option<String>), Failure> {
    Ok(match act {
        CorrectionAct::Credit { amount, .. } => (Micro(amount.0.saturating_abs()), None),
        CorrectionAct::Debt(DebtChange::Open { amount, .. }) => (*amount, None),
        CorrectionAct::Debt(DebtChange::Change { add, .. }) => (*add, None),
        CorrectionAct::Debt(DebtChange::WriteOff { kind, amount }) => {
            let owed = rows.point.debts.of(*kind).map(|debt| debt.remaining);
            (amount.or(owed).unwrap_or_default(), None)
        }
        CorrectionAct::Reverse { receipt } => {
            let number = *receipt;
            let query = JournalQuery {
                from: Some(number),
                limit: 1,
                usage_point: Some(rows.point.id),
            };
            let found = app.read(move |rows| rows.journal(&query)).await?.pop();
            let found = found.filter(|record| record.number == number);
            let vend = found.and_then(|record| match record.decision {
                Decision::Vended { amount, by, .. } => Some((amount, record.at, by)),
                _ => None,
            });
            let none = || Failure::from(Refusal::from(MoneyRefusal::NoSuchReceipt));
            let (amount, at, by) = vend.ok_or_else(none)?;
            let at = crate::format::date_time(app.0.site.rules.calendar, at);
            (amount, Some(format!("{at}, by {by}")))
        }
    })
}

/// Makes a correction, or proposes it.
async fn change(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<CorrectionForm>,
) -> Result<Response, PageFailure> {
    super::changes::check_key(&form.key)?;
    let rows = find(&app, &id).await?;
    let usage_point = rows.point.id;
    let done = async {
        let command = CorrectionCommand::Make {
            key: Some(form.key.clone()),
            usage_point,
            what: form.act()?,
            reason: form.reason.clone(),
            by: operator.by.clone(),
        };
        submit(&app, Command::Correct(command)).await
    };
    let what = match done.await {
        Ok(Answer::Corrected { number }) => format!("?done={number}"),
        Ok(Answer::Proposed { proposal }) => format!("?waits={proposal}"),
        Ok(_) => String::new(),
        Err(failure) => {
            return Ok(again(&app, (&operator, &headers), &rows, (form, failure)));
        }
    };
    let target = format!("/usage-point/{usage_point}/account{what}");
    Ok(Redirect::to(&target).into_response())
}

/// The proposal an address names, and its usage point.
async fn find_proposal(app: &App, number: &str) -> Result<(UsagePointRows, Proposal), Failure> {
    let none = || Failure::from(Refusal::from(MoneyRefusal::NoSuchProposal));
    let number: u64 = number.parse().map_err(|_| none())?;
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let waits = |rows: &UsagePointRows| {
        let mut proposals = rows.point.proposals.iter();
        proposals.find(|waits| waits.number == number).cloned()
    };
    let mut points = rows.usage_points.iter();
    let found = points.find_map(|rows| Some((rows.point.id, waits(rows)?)));
    let (id, waits) = found.ok_or_else(none)?;
    Ok((find(app, &id.to_string()).await?, waits))
}

/// A correction that waits.
async fn proposal(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let found = find_proposal(&app, &number).await?;
    Ok(show_proposal(&app, (&operator, &headers), &found, None))
}

fn show_proposal(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    (rows, waits): &(UsagePointRows, Proposal),
    failure: Option<Failure>,
) -> Response {
    let currency = rows.tariff.as_ref().map_or("", |t| t.currency.as_str());
    let (error, status) = failure.map(|f| (f.message, f.status)).unzip();
    let view = ProposalView {
        amount: Money::new(waits.amount, currency),
        is_own: is_same(&waits.by, &operator.by),
        waits: waiting_line(rows, waits, currency, &app.0.site.rules),
        may_correct: operator.may(Deed::CorrectAccounts),
        by: operator.by.clone(),
        error,
    };
    let page = page("Waits for a second person", false);
    let mut response = Shell::answer(app, Some(operator), headers, &page, &view);
    *response.status_mut() = status.unwrap_or(response.status());
    response
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AnswerForm {
    reason: String,
}

/// Approves a correction of somebody else, or refuses one. The proposal is its own key: it is answered once.
async fn answer(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((number, answer)): Path<(String, String)>,
    headers: HeaderMap,
    form: Result<Form<AnswerForm>, FormRejection>,
) -> Result<Response, PageFailure> {
    let found = find_proposal(&app, &number).await?;
    let (proposal, by) = (found.1.number, operator.by.clone());
    let command = match answer.as_str() {
        "approve" => CorrectionCommand::Approve { proposal, by },
        "refuse" => CorrectionCommand::Refuse {
            proposal,
            reason: form.map_err(|_| form_unusable())?.0.reason,
            by,
        },
        _ => return Err(Failure::not_found("A correction is approved or refused.").into()),
    };
    match submit(&app, Command::Correct(command)).await {
        Ok(Answer::Corrected { number }) => {
            let id = found.0.point.id;
            let target = format!("/usage-point/{id}/account?done={number}");
            Ok(Redirect::to(&target).into_response())
        }
        Ok(_) => Ok(Redirect::to("/accounts").into_response()),
        Err(failure) => {
            let asking = (&operator, &headers);
            Ok(show_proposal(&app, asking, &found, Some(failure)))
        }
    }
}
