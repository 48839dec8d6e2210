//! `/journal`

use crate::access::Operator;
use crate::app::App;
use crate::committed::JournalQuery;
use crate::failure::PageFailure;
use crate::view::{JournalView, Page, Shell, Tab};
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

/// Records on a page.
const PAGE: u32 = 100;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Place {
    from: Option<u64>,
}

/// The latest decisions in words, or a page of older ones.
pub(crate) async fn journal(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    place: Result<Query<Place>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let from = place.map(|Query(place)| place.from).unwrap_or_default();
    let query = JournalQuery {
        from,
        limit: PAGE as usize,
        usage_point: None,
    };
    let (records, currency) = app
        .read(move |rows| Ok((rows.journal(&query)?, rows.currency()?)))
        .await?;
    let mut view = JournalView::new(&records, &app.0.site.rules, &currency, u64::from(PAGE));
    view.is_newest = from.is_none();
    let page = Page {
        title: "Journal",
        tab: Tab::Journal,
        is_live: view.is_newest,
        reload_s: view.is_newest.then_some(30),
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}
