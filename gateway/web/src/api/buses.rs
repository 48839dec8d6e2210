//! Pins, Modbus buses and what an installer has done on them, for programs.

use super::sent::{Asked, Empty};
use crate::access::Operator;
use crate::app::App;
use crate::bus_work::{BusFacts, BusJob, BusOrder, BusTask};
use crate::desk::PinFacts;
use crate::failure::{ApiFailure, Failure, sentence};
use crate::routes::{Needs, Routes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use gateway_core::person::Deed;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    let (see, work) = (Needs::May(Deed::SeeSite), Needs::May(Deed::WorkOnMeters));
    Routes::under("/api/v1")
        .get("/pins", see, pins)
        .get("/buses", see, buses)
        .post("/buses/{name}/work", work, begin)
        .get("/bus-work/{number}", work, look)
        .post("/bus-work/{number}/cancel", work, cancel)
}

#[derive(Serialize)]
struct Buses {
    buses: Vec<BusFacts>,
}

async fn buses(State(app): State<App>) -> Json<Buses> {
    let buses = app.0.desk.buses();
    Json(Buses { buses })
}

#[derive(Serialize)]
struct Pins {
    pins: Vec<PinFacts>,
}

async fn pins(State(app): State<App>) -> Json<Pins> {
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
async fn begin(
    State(app): State<App>,
    Path(bus): Path<String>,
    Asked { body: task, by }: Asked<BusTask>,
) -> Result<Json<BusJob>, ApiFailure> {
    order(&app, BusOrder::Begin { bus, task }, &by)
}

/// How a job stands; asking keeps it going.
async fn look(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(job): Path<String>,
) -> Result<Json<BusJob>, ApiFailure> {
    let job = number(&job)?;
    order(&app, BusOrder::Look { job }, &operator.by)
}

/// Ends a job.
async fn cancel(
    State(app): State<App>,
    Path(job): Path<String>,
    Asked { body: Empty {}, by }: Asked<Empty>,
) -> Result<Json<BusJob>, ApiFailure> {
    let job = number(&job)?;
    order(&app, BusOrder::Cancel { job }, &by)
}
