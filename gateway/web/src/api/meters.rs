//! Meters and what an installer sets, for programs.

use super::parse::parse;
use super::sent::{Answered, Asked, Sent, done};
use crate::app::App;
use crate::committed::MeterRows;
use crate::desk::{LinkFacts, MeterShown};
use crate::failure::{ApiFailure, Failure, sentence};
use crate::meter_form::{kwh, own_switch};
use crate::pages::{check_arming, check_phase, find, find_meter, to_test};
use crate::routes::{Needs, Routes};
use crate::view::phase_name;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use gateway_core::event::Role;
use gateway_core::loss::suggest::PhaseSuggestion;
use gateway_core::meter_link::{Install, MeterLink, MeterOrder, PointSetting, Switch};
use gateway_core::person::Deed;
use gateway_core::{Command, FeederId, UsagePointId};
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let (see, work) = (Needs::May(Deed::SeeSite), Needs::May(Deed::WorkOnMeters));
    Routes::under("/api/v1")
        .get("/meters", see, meters)
        .post("/meters", work, add)
        .post("/meters/test", work, test)
        .get("/meters/{number}", see, meter)
        .post("/meters/{number}/{change}", work, change)
        .get("/usage-points/{id}/phase", see, phase_now)
        .post("/usage-points/{id}/phase", work, phase)
        .post("/usage-points/{id}/arming", work, arming)
        .post("/arming", work, arm_all)
}

#[derive(Serialize)]
struct Meters {
    meters: Vec<MeterBody>,
}

#[derive(Serialize)]
struct MeterBody {
    node: String,
    usage_point: Option<String>,
    feeder: Option<String>,
    link: MeterLink,
    /// Whether anything but its bus or login vouches for its readings.
    authenticated: bool,
    switch: Option<Switch>,
    register_wh: Option<u64>,
    power_w: Option<i32>,
    voltage_dv: Option<u16>,
    read_at: Option<i64>,
    quality: Option<LinkFacts>,
}

fn body(app: &App, rows: &MeterRows) -> MeterBody {
    let node = &rows.node;
    let (usage_point, feeder) = match node.role {
        Some(Role::UsagePoint(id)) => (Some(id.to_string()), None),
        Some(Role::Feeder(id)) => (None, Some(id.to_string())),
        None => (None, None),
    };
    let reading = rows.last.as_ref().map(|last| &last.reading);
    MeterBody {
        node: node.id.to_string(),
        usage_point,
        feeder,
        link: node.link.clone(),
        authenticated: node.link.is_sealed(),
        switch: node.switch.clone(),
        register_wh: reading.map(|reading| reading.register.0),
        power_w: reading.and_then(|reading| reading.power_w),
        voltage_dv: reading.and_then(|reading| reading.voltage_dv),
        read_at: rows.last.as_ref().map(|last| last.at.0),
        quality: app.0.desk.links().remove(&node.id),
    }
}

async fn meters(State(app): State<App>) -> Result<Json<Meters>, ApiFailure> {
    let rows = app.read(|rows| rows.meters()).await?;
    let meters = rows.iter().map(|rows| body(&app, rows)).collect();
    Ok(Json(Meters { meters }))
}

async fn meter(
    State(app): State<App>,
    Path(number): Path<String>,
) -> Result<Json<MeterBody>, ApiFailure> {
    let rows = find_meter(&app, &number).await?;
    Ok(Json(body(&app, &rows)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TestBody {
    link: MeterLink,
}

/// What a meter shows now.
async fn test(
    State(app): State<App>,
    Asked {
        body: TestBody { link },
        by: _,
    }: Asked<TestBody>,
) -> Result<Json<MeterShown>, ApiFailure> {
    Ok(Json(look(&app, &link).await?))
}

async fn look(app: &App, link: &MeterLink) -> Result<MeterShown, Failure> {
    let shown = app.0.desk.test_meter(link.clone()).await;
    shown.map_err(|words| {
        let words = sentence(&words);
        Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "meter-shows-nothing",
            words,
        )
    })
}

/// A switch: `"own"`, or in full as it is shown.
#[derive(Deserialize)]
#[serde(untagged)]
enum SwitchBody {
    Own(OwnWord),
    Full(Switch),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum OwnWord {
    Own,
}

fn switch(asked: Option<SwitchBody>, link: &MeterLink) -> Result<Option<Switch>, Failure> {
    match asked {
        None => Ok(None),
        Some(SwitchBody::Full(switch)) => Ok(Some(switch)),
        Some(SwitchBody::Own(OwnWord::Own)) => {
            let link = own_switch(link).ok_or(gateway_core::Refusal::SwitchNotHere)?;
            Ok(Some(Switch {
                link,
                before_meter: false,
            }))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddBody {
    usage_point: Option<String>,
    feeder: Option<String>,
    #[serde(default)]
    link: MeterLink,
    switch: Option<SwitchBody>,
    initial_kwh: Option<String>,
    #[serde(default)]
    untested: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceBody {
    final_kwh: Option<String>,
    #[serde(default)]
    link: MeterLink,
    switch: Option<SwitchBody>,
    initial_kwh: Option<String>,
    #[serde(default)]
    untested: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveBody {
    link: MeterLink,
    switch: Option<SwitchBody>,
    #[serde(default)]
    untested: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetireBody {
    final_kwh: Option<String>,
}

fn install(
    link: MeterLink,
    asked: Option<SwitchBody>,
    initial_kwh: Option<String>,
) -> Result<Install, Failure> {
    Ok(Install {
        switch: switch(asked, &link)?,
        link,
        initial: kwh(&initial_kwh.unwrap_or_default())?,
    })
}

/// Tests what is to be saved, then saves it.
async fn save(app: &App, by: String, (order, untested): (MeterOrder, bool)) -> Answered {
    let mut order = order;
    if let Some(link) = to_test(&order).filter(|_| !untested) {
        let shown = look(app, link).await?;
        if let MeterOrder::Move { link, .. } = &mut order {
            *link = shown.bound(link.clone());
        }
    }
    let command = Command::WorkOnMeter {
        work: Box::new(order),
        by,
    };
    done(app, command).await
}

async fn add(State(app): State<App>, Asked { body: asked, by }: Asked<AddBody>) -> Answered {
    let no_role = || Failure::unusable("no-role", "Name either usage_point or feeder.");
    let point = |id: &str| id.parse::<UsagePointId>().ok().map(Role::UsagePoint);
    let feeder = |id: &str| id.parse::<FeederId>().ok().map(Role::Feeder);
    let role = match (&asked.usage_point, &asked.feeder) {
        (Some(id), None) => point(id),
        (None, Some(id)) => feeder(id),
        _ => None,
    };
    let order = MeterOrder::Add {
        node: None,
        role: role.ok_or_else(no_role)?,
        install: install(asked.link, asked.switch, asked.initial_kwh)?,
    };
    save(&app, by, (order, asked.untested)).await
}

async fn change(
    State(app): State<App>,
    Path((number, change)): Path<(String, String)>,
    Sent { body, by }: Sent,
) -> Answered {
    let node = find_meter(&app, &number).await?.node.id;
    let order = match change.as_str() {
        "replace" => {
            let asked: ReplaceBody = parse(&body)?;
            let order = MeterOrder::Replace {
                node,
                final_register: kwh(&asked.final_kwh.unwrap_or_default())?,
                install: install(asked.link, asked.switch, asked.initial_kwh)?,
            };
            (order, asked.untested)
        }
        "move" => {
            let asked: MoveBody = parse(&body)?;
            let switch = switch(asked.switch, &asked.link)?;
            let link = asked.link;
            (MeterOrder::Move { node, link, switch }, asked.untested)
        }
        "retire" => {
            let RetireBody { final_kwh } = parse(&body)?;
            let final_register = kwh(&final_kwh.unwrap_or_default())?;
            let order = MeterOrder::Retire {
                node,
                final_register,
            };
            (order, true)
        }
        _ => return Err(Failure::not_found("A meter takes replace, move or retire.").into()),
    };
    save(&app, by, order).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ArmingBody {
    arming: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseBody {
    phase: String,
}

async fn set(
    app: &App,
    by: String,
    (usage_point, setting): (Option<UsagePointId>, PointSetting),
) -> Answered {
    let command = Command::SetPoint {
        usage_point,
        setting,
        by,
    };
    done(app, command).await
}

#[derive(Serialize)]
struct PhaseShown {
    phase: &'static str,
    suggestion: Option<PhaseSuggestion>,
    words: Option<String>,
}

async fn phase_now(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<PhaseShown>, ApiFailure> {
    let point = find(&app, &id).await?.point;
    let now = app.0.desk.now().at;
    let suggestion = app
        .read(move |rows| rows.phase_suggestion(point.id, now))
        .await?;
    Ok(Json(PhaseShown {
        phase: phase_name(point.feeder_phase),
        words: suggestion.as_ref().map(PhaseSuggestion::words),
        suggestion,
    }))
}

async fn phase(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked {
        body: PhaseBody { phase },
        by,
    }: Asked<PhaseBody>,
) -> Answered {
    let phase = check_phase(&phase)?;
    let id = find(&app, &id).await?.point.id;
    set(&app, by, (Some(id), PointSetting::Phase { phase })).await
}

async fn arming(
    State(app): State<App>,
    Path(id): Path<String>,
    Asked {
        body: ArmingBody { arming },
        by,
    }: Asked<ArmingBody>,
) -> Answered {
    let arming = check_arming(&arming)?;
    let id = find(&app, &id).await?.point.id;
    set(&app, by, (Some(id), PointSetting::Arming { arming })).await
}

async fn arm_all(
    State(app): State<App>,
    Asked {
        body: ArmingBody { arming },
        by,
    }: Asked<ArmingBody>,
) -> Answered {
    let arming = check_arming(&arming)?;
    set(&app, by, (None, PointSetting::Arming { arming })).await
}
