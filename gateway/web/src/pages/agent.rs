//! `/agent`: what a vending agent sees and does. An agent recharges anybody and sees of them what is needed to recharge the right one: number,
//! name, and what the amount buys.
//!
//! The vend's key is made with the form and goes along through confirming, as at the counter.

use super::changes::{check_key, quoted};
use super::filled::{Filled, Linked};
use super::receipt::{Holder, ReceiptQuery, receipt_of};
use super::usage_point::new_key;
use super::{find, submit};
use crate::access::Operator;
use crate::api::parse_amount;
use crate::app::App;
use crate::committed::JournalQuery;
use crate::failure::{Failure, PageFailure};
use crate::view::{AgentEntry, AgentVendView, AgentView, OwnAgent, Page, Shell, Tab};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::person::Who;
use gateway_core::{Answer, Command, Refusal};
use serde::Deserialize;

/// Records looked through for the agent's latest sales.
const RECORDS: usize = 1_000;

const PAGE: Page<'static> = Page {
    title: "Recharge",
    tab: Tab::None,
    is_live: false,
    reload_s: None,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VendForm {
    usage_point: String,
    amount: String,
    key: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Wanted {
    /// Receipt of the vend just made.
    vended: Option<u64>,
}

/// The form and the latest sales.
pub(crate) async fn agent(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let vended = wanted.ok().and_then(|Query(wanted)| wanted.vended);
    let entry = AgentEntry {
        key: new_key()?,
        ..AgentEntry::default()
    };
    Ok(show(&app, (&operator, &headers), entry, vended).await?)
}

async fn show(
    app: &App,
    (operator, headers): (&Operator, &HeaderMap),
    entry: AgentEntry,
    vended: Option<u64>,
) -> Result<Response, Failure> {
    let query = JournalQuery {
        from: None,
        limit: RECORDS,
        usage_point: None,
    };
    let person = Who::of(&operator.by);
    let read = move |rows: &dyn crate::Committed| {
        Ok((rows.journal(&query)?, rows.currency()?, rows.agents()?))
    };
    let (records, currency, agents) = app.read(read).await?;
    let calendar = app.0.site.rules.calendar;
    let today = calendar.day_of(app.0.desk.now().at);
    let own = agents
        .iter()
        .find(|view| view.agent.people.contains(&person));
    let own = own.map(|view| OwnAgent::new(view, &currency, today));
    let asking = (operator.by.as_str(), own);
    let view = AgentView::new(entry, (&records, &currency), asking, calendar, vended);
    Ok(Shell::answer(app, Some(operator), headers, &PAGE, &view))
}

async fn again(
    app: &App,
    asking: (&Operator, &HeaderMap),
    form: VendForm,
    failure: Failure,
) -> Result<Response, PageFailure> {
    let is_used = failure.name == Refusal::KeyUsedForOtherVend.name();
    let key = if is_used { new_key()? } else { form.key };
    let entry = AgentEntry {
        usage_point: form.usage_point,
        amount: form.amount,
        key,
        error: Some(failure.message),
    };
    let mut response = show(app, asking, entry, None).await?;
    *response.status_mut() = failure.status;
    Ok(response)
}

/// What a vend would mean. Changes nothing.
pub(crate) async fn confirm_agent_vend(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Linked(form): Linked<VendForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    check_key(&form.key)?;
    let asking = (&operator, &headers);
    let rows = match find(&app, form.usage_point.trim()).await {
        Ok(rows) => rows,
        Err(failure) => return again(&app, asking, form, failure).await,
    };
    let quote = match quoted(&app, &rows, &form.amount, &operator.by).await {
        Ok(quote) => quote,
        Err(failure) => return again(&app, asking, form, failure).await,
    };
    let Some(tariff) = rows.tariff.clone() else {
        return Err(Failure::from(Refusal::NoSuchTariff).into());
    };
    let view = AgentVendView::new(&rows, &tariff, (&quote, &form.key));
    Ok(Shell::answer(&app, Some(&operator), &headers, &PAGE, &view))
}

/// Recharges.
pub(crate) async fn agent_vend(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
    Filled(form): Filled<VendForm>,
) -> Result<Response, PageFailure> {
    check_key(&form.key)?;
    let asking = (&operator, &headers);
    let command = async {
        Ok::<_, Failure>(Command::Vend {
            key: form.key.clone(),
            usage_point: find(&app, form.usage_point.trim()).await?.point.id,
            amount: parse_amount(&form.amount)?,
            by: operator.by.clone(),
        })
    };
    let command = match command.await {
        Ok(command) => command,
        Err(failure) => return again(&app, asking, form, failure).await,
    };
    match submit(&app, command).await {
        Ok(Answer::Vended { receipt, .. }) => {
            Ok(Redirect::to(&format!("/agent?vended={receipt}")).into_response())
        }
        Ok(_) => Ok(Redirect::to("/agent").into_response()),
        Err(failure) => again(&app, asking, form, failure).await,
    }
}

/// The receipt of one's own vend.
pub(crate) async fn agent_receipt(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    query: Result<Query<ReceiptQuery>, QueryRejection>,
) -> Result<Response, PageFailure> {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let holder = Holder::Agent(&operator.by);
    Ok(receipt_of(&app, &number, &query, holder).await?)
}
