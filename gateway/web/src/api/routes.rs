//! Addresses of the API.

use super::answers::{Alarms, Point, Points, Records, Status};
use super::sent::{Answered, Asked, Empty, Sent, done};
use super::{parse_supply, parse_token, parse_vend};
use crate::app::App;
use crate::committed::JournalQuery;
use crate::failure::{ApiFailure, Failure};
use crate::pages::{find, statement_json};
use crate::routes::{Needs, Routes};
use crate::view::{PointFacts, all_facts};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use gateway_core::person::Deed;
use gateway_core::{Command, Refusal};
use serde::Deserialize;

/// Most records of one answer.
const MOST_RECORDS: usize = 1_000;
const DEFAULT_RECORDS: usize = 100;

/// Everything under `/api/v1`.
pub(crate) fn routes() -> Routes {
    let see = Needs::May(Deed::SeeSite);
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
        .get("/alarms", see, alarms)
        .post(
            "/alarms/{number}/acknowledge",
            Needs::May(Deed::TendAlarms),
            acknowledge,
        )
        .get("/losses/{month}", see, crate::pages::losses_json)
        .get("/journal", see, journal)
        .get("/status", see, status)
        .and(super::switch::routes())
        .and(super::prepay::routes())
        .and(super::meters::routes())
        .and(super::buses::routes())
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

async fn vend(State(app): State<App>, Path(id): Path<String>, Sent { body, by }: Sent) -> Answered {
    let request = parse_vend(&body)?;
    let command = Command::Vend {
        key: request.key,
        usage_point: find(&app, &id).await?.point.id,
        amount: request.amount,
        by,
    };
    done(&app, command).await
}

async fn token(
    State(app): State<App>,
    Path(id): Path<String>,
    Sent { body, by }: Sent,
) -> Answered {
    let token = parse_token(&body)?;
    let command = Command::EnterToken {
        usage_point: find(&app, &id).await?.point.id,
        token,
        by,
    };
    done(&app, command).await
}

async fn supply(
    State(app): State<App>,
    Path(id): Path<String>,
    Sent { body, by }: Sent,
) -> Answered {
    let request = parse_supply(&body)?;
    let command = Command::OrderSupply {
        usage_point: find(&app, &id).await?.point.id,
        order: request.order,
        by,
    };
    done(&app, command).await
}

async fn alarms(State(app): State<App>) -> Result<Json<Alarms>, ApiFailure> {
    let alarms = app.read(|rows| rows.alarms()).await?;
    Ok(Json(Alarms { alarms }))
}

async fn acknowledge(
    State(app): State<App>,
    Path(number): Path<String>,
    Asked { body: Empty {}, by }: Asked<Empty>,
) -> Answered {
    let none = |_| Failure::from(Refusal::NoSuchAlarm);
    let number = number.parse().map_err(none)?;
    done(&app, Command::AcknowledgeAlarm { number, by }).await
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
