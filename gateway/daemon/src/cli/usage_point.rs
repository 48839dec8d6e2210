//! `usage-point list|show|add`

use super::args::{AddUsagePointArgs, PhaseWord, Target};
use super::ask::{ask, command, to_json, unexpected};
use super::said::{Failure, Result, Said};
use super::table::{Align, Table, pairs};
use crate::control::{DisputeFacts, Request, Response, UsagePointFacts};
use gateway_core::meter_link::{FeederPhase, PointSetting};
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::Phases;
use gateway_core::{Answer, Command, UsagePointId};
use serde_json::json;

/// `usage-point list`
pub fn list(target: &Target) -> Result {
    const DOING: &str = "list the usage points";
    let points = match ask(target, DOING, &Request::UsagePoints {})? {
        Response::UsagePoints { usage_points } => usage_points,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("number", Align::Left),
        ("label", Align::Left),
        ("credit", Align::Right),
        ("units left", Align::Right),
        ("watts", Align::Right),
        ("supply", Align::Left),
        ("last heard", Align::Left),
    ]);
    for point in &points {
        table.row(vec![
            point.usage_point.clone(),
            point.label.clone(),
            point.available_micro.to_string(),
            point.left_wh.map_or("?".into(), |left| left.to_string()),
            point.power_w.map_or("-".into(), |power| power.to_string()),
            supply(point),
            point
                .last_heard_local
                .clone()
                .unwrap_or_else(|| "never".into()),
        ]);
    }
    let text = match points.is_empty() {
        true => "no usage points; add one with `usage-point add`".into(),
        false => table.render(),
    };
    Ok(Said::done(text, json!({ "usage_points": points })))
}

/// `usage-point show`
pub fn show(target: &Target, id: UsagePointId) -> Result {
    const DOING: &str = "show the usage point";
    let point = match ask(target, DOING, &Request::UsagePoint { id })? {
        Response::UsagePoint { usage_point } => usage_point,
        other => return Err(unexpected(DOING, &other)),
    };
    let phases = connected(point.phases);
    let left = point
        .left_wh
        .map_or("unknown: no such tariff".into(), |left| left.to_string());
    let heard = point
        .last_heard_local
        .clone()
        .unwrap_or_else(|| "never".into());
    let watts = point
        .power_w
        .map_or("unknown".into(), |power| format!("{power} W"));
    let mut text = pairs(&[
        (
            "usage point",
            format!("{} {}", point.usage_point, point.label),
        ),
        (
            "connection",
            format!(
                "{phases}, sanctioned load {} W, at most {} W",
                point.sanctioned_load_w, point.max_power_w
            ),
        ),
        ("phase", phase(&point)),
        ("tariff", point.tariff.clone()),
        ("credit", point.available_micro.to_string()),
        ("units left", left),
        ("supply", supply(&point)),
        ("order", order(point.order).into()),
        (
            "node",
            point
                .node
                .clone()
                .unwrap_or_else(|| "none; add one with `node add`".into()),
        ),
        ("last heard", heard),
        ("power", watts),
        ("register", point.register_wh.to_string()),
        (
            "period",
            format!("{}, {} days", point.period_first, point.period_days),
        ),
        ("units settled", point.period_wh.to_string()),
    ]);
    for charge in point
        .period_charges
        .iter()
        .filter(|charge| charge.amount_micro.0 != 0)
    {
        text.push_str(&format!(
            "  {:<16} {:>14}\n",
            charge.name,
            charge.amount_micro.to_string()
        ));
    }
    text.push_str(&super::prepay::words(&point));
    text.push_str(&disputes(&point));
    Ok(Said::done(text, to_json(&point)))
}

fn disputes(point: &UsagePointFacts) -> String {
    let words = |dispute: &DisputeFacts| {
        let (number, energy, at) = (dispute.number, dispute.energy_wh, &dispute.at_local);
        format!(
            "dispute {number}: {energy} units set aside at {at}; charge or waive with `dispute resolve`\n"
        )
    };
    point.disputes.iter().map(words).collect()
}

/// `usage-point add`
pub fn add(args: &AddUsagePointArgs) -> Result {
    const DOING: &str = "add the usage point";
    let add = Command::AddUsagePoint {
        id: args.id,
        label: args.label.clone(),
        phases: args.phases,
        tariff: args.tariff.clone(),
        max_power_w: args.max_power_w,
    };
    let answer = command(&args.target, DOING, add)?;
    let Answer::UsagePointAdded { usage_point } = answer else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    let text = format!(
        "{usage_point} added; next: `prepaid-gateway node add --usage-point {usage_point}`"
    );
    Ok(Said::done(
        text,
        json!({ "usage_point": usage_point.to_string() }),
    ))
}

/// `usage-point load`
pub fn set_load(target: &Target, usage_point: UsagePointId, load_w: u32) -> Result {
    let set = Command::SetSanctionedLoad {
        usage_point,
        load_w,
        by: String::new(),
    };
    command(target, "set the sanctioned load", set)?;
    let text = format!("sanctioned load of {usage_point} is {load_w} W");
    Ok(Said::done(
        text,
        json!({ "usage_point": usage_point.to_string(), "sanctioned_load_w": load_w }),
    ))
}

fn connected(phases: Phases) -> &'static str {
    match phases {
        Phases::Single => "single phase",
        Phases::Three => "three phase",
    }
}

/// The phase set, and what the voltages say.
fn phase(point: &UsagePointFacts) -> String {
    let set = point.feeder_phase.map_or("not set", FeederPhase::words);
    let Some(suggestion) = &point.phase_suggestion else {
        return set.to_owned();
    };
    let accept = match suggestion.phase() {
        Some(found) if Some(found) != point.feeder_phase => format!(
            "; accept with `usage-point phase {} --accept`",
            point.usage_point
        ),
        _ => String::new(),
    };
    format!("{set}; {}{accept}", suggestion.words())
}

/// `usage-point phase`
pub fn set_phase(target: &Target, id: UsagePointId, asked: Option<PhaseWord>) -> Result {
    const DOING: &str = "set the phase";
    let phase = match asked {
        Some(word) => word.phase(),
        None => suggested(target, DOING, id)?,
    };
    let set = Command::SetPoint {
        usage_point: Some(id),
        setting: PointSetting::Phase { phase },
        by: String::new(),
    };
    command(target, DOING, set)?;
    let words = phase.map_or("not known", FeederPhase::words);
    let text = format!("phase of {id}: {words}");
    let json = json!({ "usage_point": id.to_string(), "phase": phase });
    Ok(Said::done(text, json))
}

/// The phase the voltages suggest.
fn suggested(
    target: &Target,
    doing: &'static str,
    id: UsagePointId,
) -> std::result::Result<Option<FeederPhase>, Failure> {
    let point = match ask(target, doing, &Request::UsagePoint { id })? {
        Response::UsagePoint { usage_point } => usage_point,
        other => return Err(unexpected(doing, &other)),
    };
    let found = point.phase_suggestion;
    match found.and_then(|found| found.phase()) {
        Some(phase) => Ok(Some(phase)),
        None => {
            let why = found.map_or_else(
                || "it has no meter, or hangs on three phases".to_owned(),
                |found| found.words(),
            );
            Err(Failure::refused(doing, "nothing-suggested", why))
        }
    }
}

fn order(order: SupplyOrder) -> &'static str {
    match order {
        SupplyOrder::Auto => "auto: connected while there is credit",
        SupplyOrder::On => "on, whatever the credit",
        SupplyOrder::Off => "off, whatever the credit",
    }
}

/// Desired state with its reasons, and what the node reports if that differs.
fn supply(point: &UsagePointFacts) -> String {
    let mut words = match point.desired {
        Relay::Closed if point.shadow && !point.reasons.is_empty() => format!(
            "connected, in shadow: would be disconnected ({})",
            point.reasons.join(", ")
        ),
        Relay::Closed if point.shadow => String::from("connected, in shadow"),
        Relay::Closed => String::from("connected"),
        Relay::Open => format!("disconnected ({})", point.reasons.join(", ")),
    };
    match point.reported {
        None => words.push_str(", not reported yet"),
        Some(Relay::Closed) if point.desired == Relay::Open => words.push_str(", still closed"),
        Some(Relay::Open) if point.desired == Relay::Closed => words.push_str(", still open"),
        Some(_) => {}
    }
    if point.wait_s > 0 {
        words.push_str(&format!(", closes in {} s", point.wait_s));
    }
    words
}
