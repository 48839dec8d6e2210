//! `usage-points/{id}/switch`: guards of a supply.

use super::sent::{Answered, Asked, done};
use crate::app::App;
use crate::failure::Failure;
use crate::pages::find;
use crate::routes::{Needs, Routes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use gateway_core::guard::GuardCommand;
use gateway_core::person::Deed;
use gateway_core::{Command, UsagePointId};
use serde::Deserialize;

pub(super) fn routes() -> Routes {
    Routes::under("/api/v1").post(
        "/usage-points/{id}/switch",
        Needs::May(Deed::OrderSupply),
        switch,
    )
}

/// What is asked of a supply's guards.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchRequest {
    /// `close`, `reset`, `clear-tamper` or `limit`.
    pub ask: String,
    /// What was found there, with `clear-tamper`.
    #[serde(default)]
    pub note: String,
    /// Watts, with `limit`; 0: none of its own.
    #[serde(default)]
    pub watts: Option<u32>,
}

/// The command a request stands for.
///
/// # Errors
/// `no-such-ask`, `missing-field`.
pub(crate) fn switch_command(
    usage_point: UsagePointId,
    request: SwitchRequest,
    by: String,
) -> Result<Command, Failure> {
    let bad = |name, words| Failure::new(StatusCode::BAD_REQUEST, name, words);
    Ok(Command::Guard(match request.ask.as_str() {
        "close" => GuardCommand::Close { usage_point, by },
        "reset" => GuardCommand::ResetOverload { usage_point, by },
        "clear-tamper" => GuardCommand::ClearTamper {
            usage_point,
            note: request.note,
            by,
        },
        "limit" => GuardCommand::LimitLoad {
            usage_point,
            watts: request
                .watts
                .ok_or_else(|| bad("missing-field", "A limit needs watts."))?,
            by,
        },
        _ => {
            let words = "A switch takes close, reset, clear-tamper or limit.";
            return Err(bad("no-such-ask", words));
        }
    }))
}

async fn switch(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked { body: request, by }: Asked<SwitchRequest>,
) -> Answered {
    let usage_point = find(&app, &id).await?.point.id;
    done(&app, switch_command(usage_point, request, by)?).await
}
