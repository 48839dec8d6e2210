//! `/meters` and `/meters/{number}`

use super::filled::Filled;
use super::submit;
use crate::access::Operator;
use crate::app::App;
use crate::committed::MeterRows;
use crate::failure::{Failure, PageFailure};
use crate::view::{MeterInputs, MeterView, MetersView, Page, Shell, Tab, Undo};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::meter_link::{Arming, PointSetting};
use gateway_core::{Command, NodeId, Refusal};
use serde::Deserialize;

/// What has just been done.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Done {
    done: String,
    /// How a moved meter was reached before, to move it back.
    was: String,
}

/// The meter an address names, with what is known of it.
pub(crate) async fn find_meter(app: &App, number: &str) -> Result<MeterRows, Failure> {
    let none = || Failure::from(Refusal::NoSuchNode);
    let node: NodeId = number.parse().map_err(|_| none())?;
    let meters = app.read(|rows| rows.meters()).await?;
    meters
        .into_iter()
        .find(|meter| meter.node.id == node)
        .ok_or_else(none)
}

/// Every meter in use, and what is in shadow.
pub(crate) async fn meters(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    done: Result<Query<Done>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let done = done.map(|Query(done)| done).unwrap_or_default();
    let read = |rows: &dyn crate::Committed| Ok((rows.meters()?, rows.neighbourhood()?));
    let (meters, neighbourhood) = app.read(read).await?;
    let now = app.0.desk.now();
    let facts = crate::view::all_facts(&neighbourhood, &app.0.site.rules, now);
    let view = MetersView::new(&meters, &app.0.desk.links(), &facts, (&done.done, now.at));
    let page = Page {
        title: "Meters",
        tab: Tab::Meters,
        is_live: true,
        reload_s: Some(30),
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

/// One meter.
pub(crate) async fn meter(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    done: Result<Query<Done>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let done = done.map(|Query(done)| done).unwrap_or_default();
    let rows = find_meter(&app, &number).await?;
    let undo = serde_json::from_str(&done.was).ok().map(Undo::new);
    let links = app.0.desk.links();
    let inputs = MeterInputs {
        rows: &rows,
        quality: links.get(&rows.node.id),
        done: &done.done,
        undo,
    };
    let view = MeterView::new(inputs, &app.0.site.rules, app.0.desk.now().at);
    let title = rows.node.id.to_string();
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
pub(crate) struct ArmingForm {
    arming: String,
}

/// Arms or disarms every usage point.
pub(crate) async fn arm_all(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Filled(form): Filled<ArmingForm>,
) -> Result<Response, PageFailure> {
    let setting = PointSetting::Arming {
        arming: check_arming(&form.arming)?,
    };
    let command = Command::SetPoint {
        usage_point: None,
        setting,
        by: operator.by,
    };
    submit(&app, command).await?;
    Ok(Redirect::to(&format!("/meters?done={}", form.arming)).into_response())
}

/// Whether cuts are carried out, by its word.
pub(crate) fn check_arming(word: &str) -> Result<Arming, Failure> {
    match word {
        "site" => Ok(Arming::Site),
        "armed" => Ok(Arming::Armed),
        "shadow" => Ok(Arming::Shadow),
        _ => Err(Failure::unusable(
            "no-such-arming",
            "Choose site, armed or shadow.",
        )),
    }
}
