//! `meter list|show`

use super::super::args::Target;
use super::super::ask::{ask, to_json, unexpected};
use super::super::said::{Failure, Result, Said};
use super::super::table::{Align, Table, pairs};
use crate::buses::LineQuality;
use crate::control::{MeterFacts, Request, Response};
use gateway_core::NodeId;
use gateway_web::LinkFacts;
use serde_json::json;

fn meters(target: &Target, doing: &'static str) -> std::result::Result<Vec<MeterFacts>, Failure> {
    match ask(target, doing, &Request::Meters {})? {
        Response::Meters { meters } => Ok(meters),
        other => Err(unexpected(doing, &other)),
    }
}

/// `meter list`
pub(super) fn list(target: &Target) -> Result {
    let meters = meters(target, "list the meters")?;
    let mut table = Table::new(&[
        ("number", Align::Left),
        ("meters", Align::Left),
        ("reached by", Align::Left),
        ("switch", Align::Left),
        ("register", Align::Right),
        ("watts", Align::Right),
        ("link", Align::Left),
    ]);
    for meter in &meters {
        table.row(vec![
            meter.node.clone(),
            meter.meters.clone(),
            meter.link.words(),
            meter
                .switch
                .as_ref()
                .map_or("-".into(), |switch| switch.words()),
            meter.register_wh.map_or("-".into(), |wh| wh.to_string()),
            meter.power_w.map_or("-".into(), |watts| watts.to_string()),
            meter
                .quality
                .as_ref()
                .map_or("-".into(), |q| q.words.clone()),
        ]);
    }
    let text = match meters.is_empty() {
        true => "no meters; install one with `meter add` or `node add`".into(),
        false => table.render(),
    };
    Ok(Said::done(text, json!({ "meters": meters })))
}

/// `meter show`
pub(super) fn show(target: &Target, node: NodeId) -> Result {
    const DOING: &str = "show the meter";
    let meters = meters(target, DOING)?;
    let name = node.to_string();
    let Some(meter) = meters.into_iter().find(|meter| meter.node == name) else {
        let why = "no meter in use has this number; see `meter list`";
        return Err(Failure::refused(DOING, "no-such-node", why));
    };
    let unknown = || "unknown".to_owned();
    let authenticated = match meter.link.is_sealed() {
        true => "yes: sealed frames",
        false => "no: believed as far as its bus or login",
    };
    let mut rows = vec![
        ("meter", meter.node.clone()),
        ("meters", meter.meters.clone()),
        ("reached by", meter.link.words()),
        ("authenticated", authenticated.into()),
        (
            "switch",
            meter
                .switch
                .as_ref()
                .map_or("none".into(), |switch| switch.words()),
        ),
        (
            "register",
            meter
                .register_wh
                .map_or_else(unknown, |wh| format!("{wh} kWh")),
        ),
        (
            "power",
            meter.power_w.map_or_else(unknown, |w| format!("{w} W")),
        ),
        (
            "voltage",
            meter
                .voltage_dv
                .map_or_else(unknown, |dv| format!("{:.1} V", f64::from(dv) / 10.0)),
        ),
    ];
    match (&meter.line, &meter.quality) {
        (Some(line), _) => rows.extend(line_rows(line)),
        (None, Some(quality)) => rows.extend(quality_rows(quality)),
        (None, None) => {}
    }
    Ok(Said::done(pairs(&rows), to_json(&meter)))
}

/// How well a meter answers on its bus.
fn line_rows(line: &LineQuality) -> [(&'static str, String); 5] {
    let failed = line.failed.iter();
    let failed: Vec<_> = failed
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let failed = match failed.is_empty() {
        true => "none".into(),
        false => failed.join(", "),
    };
    [
        ("line", line.words.clone()),
        ("requests", format!("{} answered", line.answered)),
        ("failed", failed),
        ("implausible", line.implausible.to_string()),
        ("slowest", format!("{} ms", line.turnaround_ms)),
    ]
}

fn quality_rows(quality: &LinkFacts) -> [(&'static str, String); 5] {
    let unknown = || "unknown".to_owned();
    let errors: Vec<_> = quality
        .errors
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let latency = quality.latency_ms.map_or_else(unknown, |ms| {
        let slowest = quality.slowest_ms.unwrap_or(ms);
        format!("{ms} ms, slowest lately {slowest} ms")
    });
    [
        ("link", quality.words.clone()),
        (
            "last heard",
            quality
                .heard_ago_s
                .map_or_else(|| "never".into(), |s| format!("{s} s ago")),
        ),
        ("answers in", latency),
        ("used", format!("{} answers and messages", quality.good)),
        (
            "not used",
            match errors.is_empty() {
                true => "none".into(),
                false => errors.join(", "),
            },
        ),
    ]
}
