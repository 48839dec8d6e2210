//! `/alarms`

use super::submit;
use crate::access::Operator;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::view::{AlarmsView, Page, Shell, Tab};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{Redirect, Response};
use gateway_core::{Command, Refusal};

/// Open alarms.
pub(crate) async fn alarms(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let alarms = app.read(|rows| rows.alarms()).await?;
    let view = AlarmsView::new(&alarms, &app.0.site.rules, app.0.desk.now().at);
    let page = Page {
        title: "Alarms",
        tab: Tab::Alarms,
        is_live: true,
        reload_s: Some(30),
    };
    Ok(Shell::answer(&app, Some(&operator), &headers, &page, &view))
}

/// Somebody has seen an alarm.
pub(crate) async fn acknowledge(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
) -> Result<Redirect, PageFailure> {
    let none = |_| Failure::from(Refusal::NoSuchAlarm);
    let number = number.parse().map_err(none)?;
    let by = operator.by;
    submit(&app, Command::AcknowledgeAlarm { number, by }).await?;
    Ok(Redirect::to("/alarms"))
}
