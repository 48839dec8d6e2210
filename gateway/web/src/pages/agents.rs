//! Vending agents as the site sees them, and an agent's own day.

use super::day_end::{day_end_file, find_agent};
use crate::access::Operator;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::routes::{Needs, Routes};
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use gateway_core::Refusal;
use gateway_core::person::{Deed, Who};
use gateway_core::prepay::MoneyRefusal;
use gateway_store::day_end::AgentView;

/// Addresses of agents and their day-end reports.
pub(crate) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    Routes::under("")
        .get("/agents/{number}/day-end/{file}", see, day_end)
        .get("/agent/day-end/{file}", Needs::May(Deed::Sell), own_day_end)
}

async fn day_end(
    State(app): State<App>,
    Path((number, file)): Path<(String, String)>,
) -> Result<Response, PageFailure> {
    let id = find_agent(&app, &number).await?.agent.id;
    let (folder, back) = (format!("/agents/{id}/day-end/"), format!("/agents/{id}"));
    day_end_file(&app, id, &file, (&folder, back)).await
}

/// The agent whose person this is.
pub(super) async fn own_agent(app: &App, by: &str) -> Result<AgentView, Failure> {
    let person = Who::of(by);
    let agents = app.read(|rows| rows.agents()).await?;
    let mut agents = agents.into_iter();
    let own = agents.find(|view| view.agent.people.contains(&person));
    own.ok_or_else(|| Refusal::from(MoneyRefusal::NoSuchAgent).into())
}

async fn own_day_end(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(file): Path<String>,
) -> Result<Response, PageFailure> {
    let id = own_agent(&app, &operator.by).await?.agent.id;
    day_end_file(&app, id, &file, ("/agent/day-end/", "/agent".to_owned())).await
}
