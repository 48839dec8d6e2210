//! `alarm list|ack` and `dispute resolve`

use super::args::{ResolveArgs, Target, Verdict};
use super::ask::{ask, command, unexpected};
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use gateway_core::Command;
use serde_json::json;

/// `alarm list`
pub fn list(target: &Target) -> Result {
    const DOING: &str = "list the alarms";
    let alarms = match ask(target, DOING, &Request::Alarms {})? {
        Response::Alarms { alarms } => alarms,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("number", Align::Right),
        ("since", Align::Left),
        ("subject", Align::Left),
        ("alarm", Align::Left),
        ("state", Align::Left),
        ("details", Align::Left),
    ]);
    for alarm in &alarms {
        let state = match (&alarm.acknowledged_by, alarm.cleared) {
            (Some(by), _) => format!("seen by {by}"),
            (None, true) => "over".into(),
            (None, false) => "open".into(),
        };
        table.row(vec![
            alarm.number.to_string(),
            alarm.raised_local.clone(),
            alarm.subject.clone(),
            alarm.words.clone(),
            state,
            alarm.details.clone(),
        ]);
    }
    let text = if alarms.is_empty() {
        "no alarms".into()
    } else {
        table.render()
    };
    Ok(Said::done(text, json!({ "alarms": alarms })))
}

/// `alarm ack`
pub fn acknowledge(target: &Target, number: u64) -> Result {
    let seen = Command::AcknowledgeAlarm {
        number,
        by: String::new(),
    };
    command(target, "acknowledge the alarm", seen)?;
    Ok(Said::done(
        format!("alarm {number} acknowledged"),
        json!({ "number": number }),
    ))
}

/// `dispute resolve`
pub fn resolve(args: &ResolveArgs) -> Result {
    let (usage_point, number) = (args.usage_point, args.number);
    let charge = args.verdict == Verdict::Charge;
    let resolve = Command::ResolveDispute {
        usage_point,
        number,
        charge,
        by: String::new(),
    };
    command(&args.target, "resolve the dispute", resolve)?;
    let what = if charge { "charged" } else { "let go" };
    let text = format!("dispute {number} of {usage_point} resolved: the energy is {what}");
    let json =
        json!({ "usage_point": usage_point.to_string(), "number": number, "charge": charge });
    Ok(Said::done(text, json))
}
