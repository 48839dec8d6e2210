//! Pins, Modbus buses and what an installer has done on them, for programs.

use super::parse::parse;
use super::parse_empty;
use super::routes::{Body, json};
use crate::access::Operator;
use crate::app::App;
use crate::bus_work::{BusFacts, BusJob, BusOrder, BusTask};
use crate::desk::PinFacts;
use crate::failure::{ApiFailure, Failure, sentence};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Buses {
    buses: Vec<BusFacts>,
}

pub(super) async fn buses(State(app): State<App>) -> Json<Buses> {
    let buses = app.0.desk.buses();
    Json(Buses { buses })
}

#[derive(Serialize)]
pub(super) struct Pins {
    pins: Vec<PinFacts>,
}

pub(super) async fn pins(State(app): State<App>) -> Json<Pins> {
    let pins = app.0.desk.pins();
    Json(Pins { pins })
}

fn order(app: &App, order: BusOrder, by: &str) -> Result<Json<BusJob>, ApiFailure> {
    let job = app.0.desk.bus_work(order, by).map_err(|words| {
        let words = sentence(&words);
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "bus-work-refused", words)
    })?;
    Ok(Json(job))
}

fn number(job: &str) -> Result<u64, Failure> {
    let none = |_| Failure::not_found("There is no such job.");
    job.parse().map_err(none)
}

/// Begins a scan, a reading or a probe.
pub(super) async fn begin(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(bus): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BusJob>, ApiFailure> {
    let task: BusTask = parse(&json(&headers, body)?)?;
    order(&app, BusOrder::Begin { bus, task }, &operator.by)
}

/// How a job stands; asking keeps it going.
pub(super) async fn look(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(job): Path<String>,
) -> Result<Json<BusJob>, ApiFailure> {
    let job = number(&job)?;
    order(&app, BusOrder::Look { job }, &operator.by)
}

/// Ends a job.
pub(super) async fn cancel(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(job): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BusJob>, ApiFailure> {
    parse_empty(&json(&headers, body)?)?;
    let job = number(&job)?;
    order(&app, BusOrder::Cancel { job }, &operator.by)
}
