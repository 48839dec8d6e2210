//! `/`

use crate::access::Operator;
use crate::app::App;
use crate::failure::PageFailure;
use crate::view::{Filter, NeighbourhoodView, Page, Shell, Tab};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use gateway_core::person::Deed;
use serde::Deserialize;

/// What is listed; unknown parameters are ignored, as browsers and links add some.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Listed {
    show: String,
    search: String,
}

/// The neighbourhood at a glance.
pub(crate) async fn neighbourhood(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    listed: Result<Query<Listed>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let listed = listed.map(|Query(listed)| listed).unwrap_or_default();
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let desk = &app.0.desk;
    let health = desk.health();
    let view = NeighbourhoodView::new(
        &app.0.site.rules,
        &rows,
        (
            &health.problems,
            desk.cloud(),
            desk.notices(),
            desk.pins(),
            desk.card(),
            desk.update(),
        ),
        (Filter::from_query(&listed.show), &listed.search),
        (desk.backup(), operator.may(Deed::ManageSite)),
        desk.now(),
    );
    let page = Page {
        title: "Neighbourhood",
        tab: Tab::Neighbourhood,
        is_live: true,
        reload_s: Some(15),
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}
