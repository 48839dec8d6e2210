//! `switch limit|reset|close|clear-tamper`: what opens a supply besides credit and orders.

use super::args::Target;
use super::ask::command;
use super::said::{Result, Said};
use clap::{Args, Subcommand};
use gateway_core::guard::GuardCommand;
use gateway_core::{Command, UsagePointId};
use serde_json::json;

/// `switch …`
#[derive(Debug, Subcommand)]
pub enum SwitchAction {
    /// Set a usage point's own load limit
    Limit {
        /// Whose.
        #[command(flatten)]
        whose: Whose,
        /// Watts; 0: none of its own, that of its class holds
        watts: u32,
    },
    /// End the latch of a load limit that tripped too often
    Reset(Whose),
    /// Close a supply that is ready for reconnection, in place of a press at the node
    Close(Whose),
    /// Clear tampering, and with it a supply that is off for it; acknowledging the alarm does not
    ClearTamper {
        /// Whose.
        #[command(flatten)]
        whose: Whose,
        /// What was found there
        #[arg(long, default_value = "")]
        note: String,
    },
}

/// Which usage point.
#[derive(Debug, Args)]
pub struct Whose {
    /// Its number, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &SwitchAction) -> Result {
    let by = String::new();
    let (whose, asked, name, words) = match action {
        SwitchAction::Limit { whose, watts } => {
            let words = match watts {
                0 => "has no load limit of its own".to_owned(),
                watts => format!("has a load limit of {watts} W"),
            };
            let (usage_point, watts) = (whose.usage_point, *watts);
            let asked = GuardCommand::LimitLoad {
                usage_point,
                watts,
                by,
            };
            (whose, asked, "limit", words)
        }
        SwitchAction::Reset(whose) => {
            let usage_point = whose.usage_point;
            let asked = GuardCommand::ResetOverload { usage_point, by };
            (whose, asked, "reset", "load limit reset".to_owned())
        }
        SwitchAction::Close(whose) => {
            let usage_point = whose.usage_point;
            let asked = GuardCommand::Close { usage_point, by };
            (whose, asked, "close", "told to connect".to_owned())
        }
        SwitchAction::ClearTamper { whose, note } => {
            let (usage_point, note) = (whose.usage_point, note.clone());
            let asked = GuardCommand::ClearTamper {
                usage_point,
                note,
                by,
            };
            (whose, asked, "clear-tamper", "tampering cleared".to_owned())
        }
    };
    let doing = match name {
        "limit" => "set the load limit",
        "reset" => "reset the load limit",
        "close" => "close the supply",
        _ => "clear the tampering",
    };
    command(&whose.target, doing, Command::Guard(asked))?;
    let id = whose.usage_point.to_string();
    Ok(Said::done(
        format!("{id} {words}"),
        json!({ "usage_point": id, "done": name }),
    ))
}
