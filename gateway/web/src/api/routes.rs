//! Addresses of the API.

use super::answers::{Alarms, Done, Point, Points, Records, Status};
use super::{parse_empty, parse_supply, parse_token, parse_vend};
use crate::access::Operator;
use crate::app::App;
use crate::committed::JournalQuery;
use crate::failure::{ApiFailure, Failure};
use crate::pages::{find, statement_json, submit};
use crate::routes::{Needs, Routes};
use crate::view::{PointFacts, all_facts};
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use gateway_core::person::Deed;
use gateway_core::{Command, Refusal};
use serde::Deserialize;

/// Most records of one answer.
const MOST_RECORDS: usize = 1_000;
const DEFAULT_RECORDS: usize = 100;

pub(super) type Body = Result<Bytes, BytesRejection>;

/// Everything under `/api/v1`.
pub(crate) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
    let meters = Needs::May(Deed::WorkOnMeters);
    Routes::under("/api/v1")
        .get("/usage-points", see, usage_points)
        .get("/usage-points/{id}", see, usage_point)
        .get("/usage-points/{id}/statement", see, statement_json)
        .post("/usage-points/{id}/vend", Needs::May(Deed::Vend), vend)
        .post(
            "/usage-points/{id}/token",
            Needs::May(Deed::EnterToken),
            token,
        )
        .post(
            "/usage-points/{id}/supply",
            Needs::May(Deed::OrderSupply),
            supply,
        )
        .post(
            "/usage-points/{id}/switch",
            Needs::May(Deed::OrderSupply),
            super::switch::switch,
        )
        .get("/usage-points/{id}/phase", see, super::meters::phase_now)
        .post(
            "/usage-points/{id}/emergency",
            Needs::May(Deed::OrderSupply),
            super::prepay::activate_emergency,
        )
        .post(
            "/usage-points/{id}/hold",
            Needs::May(Deed::DecideDisputes),
            super::prepay::clear_hold,
        )
        .post("/usage-points/{id}/phase", meters, super::meters::phase)
        .post("/usage-points/{id}/arming", meters, super::meters::arming)
        .post("/arming", meters, super::meters::arm_all)
        .get("/pins", see, super::buses::pins)
        .get("/buses", see, super::buses::buses)
        .post("/buses/{name}/work", meters, super::buses::begin)
        .get("/bus-work/{number}", meters, super::buses::look)
        .post("/bus-work/{number}/cancel", meters, super::buses::cancel)
        .get("/meters", see, super::meters::meters)
        .post("/meters", meters, super::meters::add)
        .post("/meters/test", meters, super::meters::test)
        .get("/meters/{number}", see, super::meters::meter)
        .post("/meters/{number}/{change}", meters, super::meters::change)
        .get("/alarms", see, alarms)
        .post(
            "/alarms/{number}/acknowledge",
            Needs::May(Deed::TendAlarms),
            acknowledge,
        )
        .get("/losses/{month}", see, crate::pages::losses_json)
        .get("/journal", see, journal)
        .get("/status", see, status)
        .and(super::cases::routes())
        .and(super::accounts::routes())
        .and(super::agents::routes())
        .and(super::questions::routes())
}

async fn usage_points(State(app): State<App>) -> Result<Json<Points>, ApiFailure> {
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let facts = all_facts(&rows, &app.0.site.rules, app.0.desk.now());
    let usage_points = facts.iter().map(Point::from).collect();
    Ok(Json(Points { usage_points }))
}

async fn usage_point(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Point>, ApiFailure> {
    let rows = find(&app, &id).await?;
    let now = app.0.desk.now().at;
    let facts = PointFacts::of(&rows, rows.tariff.as_ref(), &app.0.site.rules, now);
    Ok(Json(Point::from(&facts)))
}

async fn vend(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    let request = parse_vend(&json(&headers, body)?)?;
    let command = Command::Vend {
        key: request.key,
        usage_point: find(&app, &id).await?.point.id,
        amount: request.amount,
        by: operator.by,
    };
    Ok(Json(submit(&app, command).await?.into()))
}

async fn token(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    let token = parse_token(&json(&headers, body)?)?;
    let command = Command::EnterToken {
        usage_point: find(&app, &id).await?.point.id,
        token,
        by: operator.by,
    };
    Ok(Json(submit(&app, command).await?.into()))
}

async fn supply(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    let request = parse_supply(&json(&headers, body)?)?;
    let command = Command::OrderSupply {
        usage_point: find(&app, &id).await?.point.id,
        order: request.order,
        by: operator.by,
    };
    Ok(Json(submit(&app, command).await?.into()))
}

async fn alarms(State(app): State<App>) -> Result<Json<Alarms>, ApiFailure> {
    let alarms = app.read(|rows| rows.alarms()).await?;
    Ok(Json(Alarms { alarms }))
}

async fn acknowledge(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(number): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, ApiFailure> {
    parse_empty(&json(&headers, body)?)?;
    let none = |_| Failure::from(Refusal::NoSuchAlarm);
    let number = number.parse().map_err(none)?;
    let by = operator.by;
    let answer = submit(&app, Command::AcknowledgeAlarm { number, by }).await?;
    Ok(Json(answer.into()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    from: Option<u64>,
    limit: Option<usize>,
}

async fn journal(
    State(app): State<App>,
    place: Result<Query<Place>, QueryRejection>,
) -> Result<Json<Records>, ApiFailure> {
    let unusable =
        |rejection: QueryRejection| Failure::unusable("query-unusable", rejection.body_text());
    let Query(place) = place.map_err(unusable)?;
    let query = JournalQuery {
        from: place.from,
        limit: place.limit.unwrap_or(DEFAULT_RECORDS).min(MOST_RECORDS),
        usage_point: None,
    };
    let records = app.read(move |rows| rows.journal(&query)).await?;
    Ok(Json(Records { records }))
}

async fn status(State(app): State<App>) -> Result<Json<Status>, ApiFailure> {
    let rows = app.read(|rows| rows.neighbourhood()).await?;
    let (health, now) = (app.0.desk.health(), app.0.desk.now());
    Ok(Json(Status {
        is_working: health.is_working(),
        problems: health.problems.into_iter().map(Into::into).collect(),
        at: now.at.0,
        clock_trusted: now.clock_trusted,
        journal_number: rows.number,
        usage_points: rows.usage_points.len(),
        alarms: rows.alarms.len(),
        rejections: rows.rejections,
    }))
}

/// The body of a JSON request. The content type is what keeps foreign forms out, so it is not optional.
pub(super) fn json(headers: &HeaderMap, body: Body) -> Result<Bytes, Failure> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type-not-json",
            "Send Content-Type: application/json.",
        ));
    }
    body.map_err(|rejection| {
        let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
        let (name, words) = if too_large {
            ("body-too-large", "The body is larger than 16 KiB.")
        } else {
            ("body-unreadable", "The body did not arrive whole.")
        };
        Failure::new(rejection.status(), name, words)
    })
}
