//! `usage-point change` and `message send|clear`: what the office changes at a usage point.

use super::args::Target;
use super::ask::command;
use super::said::{Failure, Result, Said};
use crate::clock::{Clock, Trust};
use clap::{Args, Subcommand};
use gateway_core::calendar::LocalDay;
use gateway_core::point_change::{PointChange, What};
use gateway_core::{Command, UsagePointId, UtcSeconds};
use serde_json::json;

/// `usage-point change`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct ChangeArgs {
    /// Its number, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// What people call it
    #[arg(long, group = "what")]
    pub label: Option<String>,
    /// Largest power of the connection, in watts; a register that advances faster is set aside
    #[arg(long, value_name = "WATTS", group = "what")]
    pub max_power: Option<u32>,
    /// The tariff its account goes over to: a family, or the id of a version
    #[arg(long, group = "what")]
    pub tariff: Option<String>,
    /// The first day of that tariff, for example 2026-12-01; tomorrow if absent
    #[arg(long, requires = "tariff")]
    pub from: Option<LocalDay>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `message …`
#[derive(Debug, Subcommand)]
pub enum MessageAction {
    /// Show a resident a message, on the page and as far as it fits on the node's display
    Send {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Up to 320 bytes; it takes the place of the one before
        text: String,
        /// Hours for which it is shown; until another comes if absent
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=8_760))]
        hours: Option<u32>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Take a message away
    Clear {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// Changes name, limit or tariff; the first that is refused ends it.
pub fn change(args: &ChangeArgs) -> Result {
    let label = args.label.clone().map(|label| What::Label { label });
    let power = args
        .max_power
        .map(|max_power_w| What::MaxPower { max_power_w });
    let tariff = args.tariff.clone().map(|tariff| What::Tariff {
        tariff,
        from: args.from,
    });
    let asked: Vec<What> = [label, power, tariff].into_iter().flatten().collect();
    let names: Vec<_> = asked.iter().map(What::name).collect();
    for what in asked {
        ask(&args.target, args.usage_point, what, "change it")?;
    }
    let id = args.usage_point.to_string();
    Ok(Said::done(
        format!("{id} changed: {}", names.join(", ")),
        json!({ "usage_point": id, "changed": names }),
    ))
}

/// Shows a message or takes it away.
pub fn message(action: &MessageAction) -> Result {
    let (target, usage_point, what, words) = match action {
        MessageAction::Send {
            usage_point,
            text,
            hours,
            target,
        } => {
            let now = Clock::new(Trust::Always).now().at;
            let until = hours.map(|hours| UtcSeconds(now.0 + i64::from(hours) * 3_600));
            let what = What::Message {
                text: text.clone(),
                until,
            };
            (target, *usage_point, what, "is shown the message")
        }
        MessageAction::Clear {
            usage_point,
            target,
        } => {
            let (text, until) = (String::new(), None);
            let what = What::Message { text, until };
            (target, *usage_point, what, "is shown no message")
        }
    };
    ask(target, usage_point, what, "set the message")?;
    let id = usage_point.to_string();
    Ok(Said::done(
        format!("{id} {words}"),
        json!({ "usage_point": id }),
    ))
}

fn ask(
    target: &Target,
    usage_point: UsagePointId,
    what: What,
    doing: &'static str,
) -> std::result::Result<(), Failure> {
    let by = String::new();
    let change = PointChange {
        usage_point,
        what,
        by,
    };
    command(target, doing, Command::ChangeUsagePoint(change)).map(drop)
}
