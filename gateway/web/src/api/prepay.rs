//! Emergency credit, friendly hours, stages, missing readings and holds, for programs.

use super::sent::{Answered, Asked, Empty, done};
use crate::app::App;
use crate::pages::find;
use crate::routes::{Needs, Routes};
use axum::extract::{Path, State};
use gateway_core::person::Deed;
use gateway_core::prepay::{CreditStatus, PrepayCommand, PrepayState};
use gateway_core::{Command, UtcSeconds};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let (order, decide) = (
        Needs::May(Deed::OrderSupply),
        Needs::May(Deed::DecideDisputes),
    );
    Routes::under("/api/v1")
        .post("/usage-points/{id}/emergency", order, activate_emergency)
        .post("/usage-points/{id}/hold", decide, clear_hold)
}

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

async fn activate_emergency(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked { body: Empty {}, by }: Asked<Empty>,
) -> Answered {
    let usage_point = find(&app, &id).await?.point.id;
    let command = PrepayCommand::ActivateEmergency { usage_point, by };
    done(&app, Command::Prepay(command)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoldBody {
    note: String,
    charge: bool,
}

async fn clear_hold(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked {
        body: HoldBody { note, charge },
        by,
    }: Asked<HoldBody>,
) -> Answered {
    let command = PrepayCommand::ClearHold {
        usage_point: find(&app, &id).await?.point.id,
        note,
        charge,
        by,
    };
    done(&app, Command::Prepay(command)).await
}
