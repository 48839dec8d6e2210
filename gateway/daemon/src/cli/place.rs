//! `usage-point place`: where a connection hangs.

use super::args::Target;
use super::ask::command;
use super::said::{self, Said};
use clap::Args;
use gateway_core::meter_link::{FeederPhase, PointSetting};
use gateway_core::{Command, FeederId, UsagePointId};
use serde_json::json;

/// `usage-point place`
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// The usage point, for example UP-0007 or 7
    #[arg(required_unless_present = "all")]
    pub usage_point: Option<UsagePointId>,
    /// Every usage point
    #[arg(long, conflicts_with = "usage_point")]
    pub all: bool,
    /// The feeder, for example F-001; needed only where there are several feeder meters
    #[arg(long, required_unless_present = "phase")]
    pub feeder: Option<FeederId>,
    /// The feeder's phase: A, B, C, or ABC for a three-phase connection
    #[arg(long, value_parser = feeder_phase)]
    pub phase: Option<FeederPhase>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn place(args: &PlaceArgs) -> said::Result {
    let phase = args
        .phase
        .map(|phase| PointSetting::Phase { phase: Some(phase) });
    let feeder = args.feeder.map(|feeder| PointSetting::Feeder {
        feeder: Some(feeder),
    });
    for setting in feeder.into_iter().chain(phase) {
        let set = Command::SetPoint {
            usage_point: args.usage_point,
            setting,
            by: String::new(),
        };
        command(&args.target, "say where the usage point hangs", set)?;
    }
    let who = args
        .usage_point
        .map_or_else(|| "every usage point".to_owned(), |id| id.to_string());
    let feeder = args.feeder.map(|id| id.to_string());
    let phase = args.phase.map(FeederPhase::words);
    let on = feeder.as_deref().map(|id| format!("on feeder {id}"));
    let of = phase.map(|phase| format!("on phase {phase}"));
    let words: Vec<String> = on.into_iter().chain(of).collect();
    Ok(Said::done(
        format!("{who} hangs {}", words.join(", ")),
        json!({ "usage_point": args.usage_point.map(|id| id.to_string()), "feeder": feeder, "phase": phase }),
    ))
}

fn feeder_phase(text: &str) -> Result<FeederPhase, String> {
    match text.to_ascii_uppercase().as_str() {
        "A" | "L1" => Ok(FeederPhase::A),
        "B" | "L2" => Ok(FeederPhase::B),
        "C" | "L3" => Ok(FeederPhase::C),
        "ABC" | "THREE" => Ok(FeederPhase::Three),
        _ => Err("write A, B, C or ABC".into()),
    }
}
