//! Recharging and ordering a supply: each with a step that says what it means before it is done.
//!
//! The vend's key is made with the form and goes along through confirming, so that a double click, a reload or the back button is
//! the same vend.

use super::filled::{Filled, Linked};
use super::usage_point::{new_key, with_error};
use super::{find, form_unusable, submit};
use crate::access::Operator;
use crate::api::{parse_amount, parse_order};
use crate::app::App;
use crate::committed::UsagePointRows;
use crate::failure::{Failure, PageFailure};
use crate::view::{
    ConfirmSupply, ConfirmVend, Page, PointFacts, Quote, Shell, Tab, TokenEntry, Typed, VendEntry,
};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::supply::Reason;
use gateway_core::{Answer, Command, Refusal};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VendForm {
    amount: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SupplyForm {
    order: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenForm {
    token: String,
}

const CONFIRM: Page<'static> = Page {
    title: "Please confirm",
    tab: Tab::Neighbourhood,
    is_live: false,
    reload_s: None,
};

/// What a vend would mean. Changes nothing.
pub(crate) async fn confirm_vend(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Linked(form): Linked<VendForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    check_key(&form.key)?;
    let quote = match quoted(&app, &rows, &form.amount, &operator.by).await {
        Ok(quote) => quote,
        Err(failure) => {
            return wrong_vend(&app, (&operator, &headers), rows, form, failure).await;
        }
    };
    let Some(tariff) = rows.tariff.clone() else {
        return Err(Failure::from(Refusal::NoSuchTariff).into());
    };
    let view = ConfirmVend::new(&rows, &tariff, (&quote, &form.key), &operator.by);
    Ok(Shell::answer(
        &app,
        Some(&operator),
        &headers,
        &CONFIRM,
        &view,
    ))
}

/// Recharges.
pub(crate) async fn vend(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<VendForm>,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    check_key(&form.key)?;
    let amount = match parse_amount(&form.amount) {
        Ok(amount) => amount,
        Err(error) => {
            return wrong_vend(&app, (&operator, &headers), rows, form, error.into()).await;
        }
    };
    let usage_point = rows.point.id;
    let command = Command::Vend {
        key: form.key.clone(),
        usage_point,
        amount,
        by: operator.by.clone(),
    };
    match submit(&app, command).await {
        Ok(Answer::Vended { receipt, .. }) => {
            let target = format!("/usage-point/{usage_point}?vended={receipt}");
            Ok(Redirect::to(&target).into_response())
        }
        Ok(_) => Ok(Redirect::to(&format!("/usage-point/{usage_point}")).into_response()),
        Err(failure) => wrong_vend(&app, (&operator, &headers), rows, form, failure).await,
    }
}

/// The form again with what is wrong. The key stays, so that trying again cannot recharge twice; only a key that stands for another
/// vend is replaced.
async fn wrong_vend(
    app: &App,
    asking: (&Operator, &HeaderMap),
    rows: UsagePointRows,
    form: VendForm,
    failure: Failure,
) -> Result<Response, PageFailure> {
    let is_used = failure.name == Refusal::KeyUsedForOtherVend.name();
    let key = if is_used { new_key()? } else { form.key };
    let vend = VendEntry {
        amount: form.amount,
        key,
        error: Some(failure.message),
    };
    let typed = Typed {
        vend,
        token: TokenEntry::default(),
    };
    Ok(with_error(app, asking, rows, (typed, failure.status)).await?)
}

/// Enters a transfer token. There is nothing to confirm: it says itself what it is worth, and counts once.
pub(crate) async fn enter_token(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Filled(form): Filled<TokenForm>,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    let usage_point = rows.point.id;
    let command = Command::EnterToken {
        usage_point,
        token: form.token.clone(),
        by: operator.by.clone(),
    };
    let failure = match submit(&app, command).await {
        Ok(Answer::TokenTaken { receipt, .. }) => {
            let target = format!("/usage-point/{usage_point}?vended={receipt}");
            return Ok(Redirect::to(&target).into_response());
        }
        Ok(_) => return Ok(Redirect::to(&format!("/usage-point/{usage_point}")).into_response()),
        Err(failure) => failure,
    };
    let vend = VendEntry {
        key: new_key()?,
        ..VendEntry::default()
    };
    let token = TokenEntry {
        digits: form.token,
        error: Some(failure.message),
    };
    let typed = (Typed { vend, token }, failure.status);
    Ok(with_error(&app, (&operator, &headers), rows, typed).await?)
}

/// What a recharge would do, as the rules say: made by the rules of the vend itself, with its refusals.
pub(super) async fn quoted(
    app: &App,
    rows: &UsagePointRows,
    amount: &str,
    by: &str,
) -> Result<Quote, Failure> {
    let command = Command::QuoteVend {
        usage_point: rows.point.id,
        amount: parse_amount(amount)?,
        by: by.to_owned(),
    };
    match submit(app, command).await? {
        Answer::Quoted {
            amount,
            debts,
            available,
            ..
        } => Ok(Quote {
            amount,
            debts,
            available,
        }),
        _ => Err(form_unusable()),
    }
}

/// Only keys this page makes: `page-` and 32 hex digits.
pub(super) fn check_key(key: &str) -> Result<(), Failure> {
    let digits = key.strip_prefix("page-").unwrap_or("");
    if digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(())
    } else {
        Err(form_unusable())
    }
}

/// What an order would mean. Changes nothing.
pub(crate) async fn confirm_supply(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Linked(form): Linked<SupplyForm>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let order = parse_order(&form.order).map_err(Failure::from)?;
    let rows = find(&app, &id).await?;
    let now = app.0.desk.now().at;
    let facts = PointFacts::of(&rows, rows.tariff.as_ref(), &app.0.site.rules, now);
    let is_exhausted = !facts.is_shadow
        && (facts.reasons.has(Reason::CreditExhausted)
            || facts.units_left.is_some_and(|units| units.0 == 0));
    let named = (facts.id, facts.label.as_str());
    let view = ConfirmSupply::new(named, facts.look(), is_exhausted, (order, &operator.by));
    Ok(Shell::answer(
        &app,
        Some(&operator),
        &headers,
        &CONFIRM,
        &view,
    ))
}

/// Orders a supply on, off or automatic.
pub(crate) async fn order_supply(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Filled(form): Filled<SupplyForm>,
) -> Result<Response, PageFailure> {
    let order = parse_order(&form.order).map_err(Failure::from)?;
    let usage_point = find(&app, &id).await?.point.id;
    let command = Command::OrderSupply {
        usage_point,
        order,
        by: operator.by,
    };
    submit(&app, command).await?;
    let target = format!("/usage-point/{usage_point}");
    Ok(Redirect::to(&target).into_response())
}
