//! `cloud status|enrol|orders|undo|release`

use super::args::Target;
use super::ask::{ask, command, to_json, unexpected};
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{CloudFacts, Request, Response};
use clap::Subcommand;
use gateway_core::Command;
use gateway_core::configured::Setting;
use serde_json::json;

/// `cloud …`
#[derive(Debug, Subcommand)]
pub enum CloudAction {
    /// How the link to the head-end is: backlog, last contact, bytes, whether money is held
    Status {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Enrol with a head-end, with the one-time code it has made
    Enrol {
        /// 16 letters and digits, as the head-end shows them
        #[arg(long)]
        code: String,
        /// The broker, for example mqtts://broker.example:8883; that of the configuration if absent
        #[arg(long)]
        url: Option<String>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// List the orders of the head-end that were taken
    Orders {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Go back to the settings before those the head-end ordered last
    Undo {
        /// Why, for the journal
        #[arg(long)]
        note: String,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Take money again after a hold, once you know what has happened
    Release {
        /// What was found out, for the journal
        #[arg(long)]
        note: String,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `cloud …`
pub fn carry_out(action: &CloudAction) -> Result {
    match action {
        CloudAction::Status { target } => status(target),
        CloudAction::Enrol { code, url, target } => enrol(target, code, url.clone()),
        CloudAction::Orders { target } => orders(target),
        CloudAction::Undo { note, target } => undo(target, note),
        CloudAction::Release { note, target } => release(target, note),
    }
}

fn status(target: &Target) -> Result {
    const DOING: &str = "ask about the head-end";
    let cloud = match ask(target, DOING, &Request::CloudStatus {})? {
        Response::Cloud { cloud } => cloud,
        other => return Err(unexpected(DOING, &other)),
    };
    Ok(Said::done(words(&cloud), to_json(&cloud)))
}

fn words(cloud: &CloudFacts) -> String {
    let mut lines = vec![format!("gateway {}", cloud.gateway)];
    match (&cloud.cloud_key, &cloud.broker) {
        (None, _) => lines.push("not enrolled; run `cloud enrol`".into()),
        (Some(_), None) => lines.push("enrolled, but no broker is named: set cloud.url".into()),
        (Some(key), Some(broker)) => {
            let state = match (&cloud.refused, cloud.accepted, cloud.connected) {
                (Some(why), ..) => format!("refused: {why}"),
                (None, true, _) => "accepted".into(),
                (None, false, true) => "connected, not answered yet".into(),
                (None, false, false) => "not connected".into(),
            };
            lines.push(format!("head-end {key}\nbroker {broker}, {state}"));
        }
    }
    lines.extend(cloud.trouble.clone());
    let heard = cloud.heard_local.as_deref().unwrap_or("never");
    lines.push(format!("last heard {heard}"));
    lines.push(format!(
        "record {} of {} stored there, {} to go; {} half hours to go",
        cloud.acknowledged, cloud.head, cloud.backlog, cloud.profile_backlog
    ));
    let points = u64::from(cloud.usage_points.max(1));
    lines.push(format!(
        "published {} bytes today, {} the day before; {} and {} for each usage point",
        cloud.bytes_today,
        cloud.bytes_yesterday,
        cloud.bytes_today / points,
        cloud.bytes_yesterday / points
    ));
    let settings = cloud.settings.iter().map(|(key, value)| match value {
        Setting::Whole(number) => format!("\n  {key} = {number}"),
        Setting::Text(text) => format!("\n  {key} = {text:?}"),
    });
    let settings: String = settings.collect();
    if !settings.is_empty() {
        lines.push(format!("settings ordered, above the file:{settings}"));
    }
    if let Some(why) = &cloud.money_held {
        lines.push(format!(
            "no money is taken: {why}\nwhen you know what has happened: cloud release --note \"…\""
        ));
    }
    lines.join("\n")
}

fn enrol(target: &Target, code: &str, url: Option<String>) -> Result {
    const DOING: &str = "enrol";
    let code = code.to_owned();
    match ask(target, DOING, &Request::CloudEnrol { code, url })? {
        Response::CloudEnrolled { cloud_key } => Ok(Said::done(
            format!("enrolled; the head-end's key is {cloud_key}"),
            json!({ "cloud_key": cloud_key }),
        )),
        other => Err(unexpected(DOING, &other)),
    }
}

fn orders(target: &Target) -> Result {
    const DOING: &str = "list orders";
    let orders = match ask(target, DOING, &Request::CloudOrders {})? {
        Response::Orders { orders } => orders,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("sequence", Align::Right),
        ("order", Align::Left),
        ("outcome", Align::Left),
        ("record", Align::Right),
    ]);
    for order in &orders {
        table.row(vec![
            order.sequence.to_string(),
            order.order.clone(),
            order.outcome.clone(),
            order.number.to_string(),
        ]);
    }
    let text = match orders.is_empty() {
        true => "no order was taken yet".into(),
        false => table.render(),
    };
    Ok(Said::done(text, to_json(&orders)))
}

fn undo(target: &Target, note: &str) -> Result {
    const DOING: &str = "undo the settings";
    let change = match ask(target, DOING, &Request::CloudStatus {})? {
        Response::Cloud { cloud } => cloud.settings_change,
        other => return Err(unexpected(DOING, &other)),
    };
    let why = note.into();
    command(target, DOING, Command::UndoSettings { change, why })?;
    Ok(Said::done(
        "the settings before it are in force; the gateway starts again with them",
        json!({ "undone": change }),
    ))
}

fn release(target: &Target, note: &str) -> Result {
    let release = Command::ReleaseMoney {
        note: note.into(),
        by: String::new(),
    };
    command(target, "take money again", release)?;
    Ok(Said::done(
        "money is taken again",
        json!({ "released": true }),
    ))
}
