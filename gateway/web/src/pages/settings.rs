//! `/usage-point/{id}/settings` and its two forms. Nothing here is about money, so each change has its way back.

use super::filled::Filled;
use super::{check_arming, find, submit};
use crate::access::Operator;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::view::{PHASES, Page, SettingsView, Shell, Tab, arming_name, phase_name};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::Command;
use gateway_core::meter_link::{FeederPhase, PointSetting};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Before {
    was: String,
}

/// What is set.
pub(crate) async fn settings(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    before: Result<Query<Before>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let before = before.map(|Query(before)| before).unwrap_or_default();
    let rows = find(&app, &id).await?;
    let (id, now) = (rows.point.id, app.0.desk.now().at);
    let suggestion = app.read(move |rows| rows.phase_suggestion(id, now)).await?;
    let view = SettingsView::new(&rows, &before.was, suggestion.as_ref());
    let title = rows.point.label.clone();
    let page = Page {
        title: &title,
        tab: Tab::Meters,
        is_live: true,
        reload_s: None,
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PhaseForm {
    phase: String,
}

/// Sets the phase.
pub(crate) async fn set_phase(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Filled(form): Filled<PhaseForm>,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    let was = format!("phase={}", phase_name(rows.point.feeder_phase));
    let phase = check_phase(&form.phase)?;
    let setting = PointSetting::Phase { phase };
    change(&app, operator, &rows.point.id.to_string(), (setting, &was)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointArmingForm {
    arming: String,
}

/// Sets whether cuts are carried out.
pub(crate) async fn set_arming(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Filled(form): Filled<PointArmingForm>,
) -> Result<Response, PageFailure> {
    let rows = find(&app, &id).await?;
    let was = format!("arming={}", arming_name(rows.point.supply.arming));
    let arming = check_arming(&form.arming)?;
    let setting = PointSetting::Arming { arming };
    change(&app, operator, &rows.point.id.to_string(), (setting, &was)).await
}

async fn change(
    app: &App,
    operator: Operator,
    id: &str,
    (setting, was): (PointSetting, &str),
) -> Result<Response, PageFailure> {
    let command = Command::SetPoint {
        usage_point: id.parse().ok(),
        setting,
        by: operator.by,
    };
    submit(app, command).await?;
    let was = was.replace('=', "%3D");
    let target = format!("/usage-point/{id}/settings?was={was}");
    Ok(Redirect::to(&target).into_response())
}

/// A phase of the feeder, by its word.
pub(crate) fn check_phase(word: &str) -> Result<Option<FeederPhase>, Failure> {
    let known = PHASES.iter().find(|(name, _)| *name == word);
    let words = "Choose the phase: a, b, c, three or unknown.";
    known
        .map(|(_, phase)| *phase)
        .ok_or_else(|| Failure::unusable("no-such-phase", words))
}
