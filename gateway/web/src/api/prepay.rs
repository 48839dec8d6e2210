//! Emergency credit, friendly hours, stages, missing readings and holds, for programs.

use super::answers::Done;
use super::parse::parse;
use super::routes::{Body, json};
use crate::access::Operator;
use crate::app::App;
use crate::failure::ApiFailure;
use crate::pages::{find, submit};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use gateway_core::prepay::{CreditStatus, PrepayCommand, PrepayState};
use gateway_core::{Command, UtcSeconds};
use serde::{Deserialize, Serialize};

/// What the prepayment rules have made of an account.
#[derive(Serialize)]
pub(super) struct Prepay {
    emergency: CreditStatus,
    emergency_granted: String,
    emergency_until: Option<i64>,
    friendly_until: Option<i64>,
    is_cut_announced: bool,
    stage: Option<String>,
    provisional: String,
    provisional_hours: u32,
    held_since: Option<i64>,
}

impl From<&PrepayState> for Prepay {
    fn from(prepay: &PrepayState) -> Self {
        let seconds = |at: UtcSeconds| at.0;
        let stage = prepay.stages.current();
        Self {
            emergency: prepay.emergency.status,
            emergency_granted: prepay.emergency.granted.to_string(),
            emergency_until: prepay.emergency.until.map(seconds),
            friendly_until: prepay.friendly.map(|held| held.until.0),
            is_cut_announced: prepay.friendly.is_some_and(|held| held.noticed.is_some()),
            stage: stage.map(|state| format!("{} left", state.stage.words())),
            provisional: prepay.provisional().to_string(),
            provisional_hours: prepay.provisional.map_or(0, |it| it.hours),
            held_since: prepay.hold.map(|hold| hold.at.0),
        }
    }
}

pub(super) async fn activate_emergency(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    super::parse_empty(&json(&headers, body)?)?;
    let usage_point = find(&app, &id).await?.point.id;
    let by = operator.by;
    let command = PrepayCommand::ActivateEmergency { usage_point, by };
    Ok(Json(submit(&app, Command::Prepay(command)).await?.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldBody {
    note: String,
    charge: bool,
}

pub(super) async fn clear_hold(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    let HoldBody { note, charge } = parse(&json(&headers, body)?)?;
    let command = PrepayCommand::ClearHold {
        usage_point: find(&app, &id).await?.point.id,
        note,
        charge,
        by: operator.by,
    };
    Ok(Json(submit(&app, Command::Prepay(command)).await?.into()))
}
