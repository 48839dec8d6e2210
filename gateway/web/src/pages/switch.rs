//! What ends a guard of a supply: a press in place of one at the node, the reset of a load limit, clearing tampering.

use super::filled::Filled;
use super::{find, submit};
use crate::access::Operator;
use crate::api::{SwitchRequest, switch_command};
use crate::app::App;
use crate::failure::PageFailure;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

/// Does what a button of the usage point's page asks for. There is nothing to confirm: each button is shown only while it has a
/// meaning, and the rules refuse it otherwise.
pub(crate) async fn switch(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    Filled(form): Filled<SwitchRequest>,
) -> Result<Response, PageFailure> {
    let usage_point = find(&app, &id).await?.point.id;
    submit(&app, switch_command(usage_point, form, operator.by)?).await?;
    Ok(Redirect::to(&format!("/usage-point/{usage_point}")).into_response())
}
