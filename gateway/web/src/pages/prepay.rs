//! What the prepayment rules wait for a person to do: activate emergency credit, clear a hold.

use super::filled::Filled;
use super::form_unusable;
use super::{find, submit};
use crate::access::Operator;
use crate::app::App;
use crate::failure::PageFailure;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Redirect;
use gateway_core::Command;
use gateway_core::prepay::PrepayCommand;
use serde::Deserialize;

/// Activates emergency credit that is offered.
pub(crate) async fn activate_emergency(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
) -> Result<Redirect, PageFailure> {
    let usage_point = find(&app, &id).await?.point.id;
    let by = operator.by;
    let command = PrepayCommand::ActivateEmergency { usage_point, by };
    submit(&app, Command::Prepay(command)).await?;
    Ok(Redirect::to(&format!("/usage-point/{usage_point}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoldForm {
    note: String,
    outcome: String,
}

/// Clears a hold; what was counted meanwhile is charged or let go.
pub(crate) async fn clear_hold(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Filled(form): Filled<HoldForm>,
) -> Result<Redirect, PageFailure> {
    let charge = match form.outcome.as_str() {
        "charge" => true,
        "waive" => false,
        _ => return Err(form_unusable().into()),
    };
    let usage_point = find(&app, &id).await?.point.id;
    let command = PrepayCommand::ClearHold {
        usage_point,
        note: form.note,
        charge,
        by: operator.by,
    };
    submit(&app, Command::Prepay(command)).await?;
    Ok(Redirect::to(&format!("/usage-point/{usage_point}")))
}
