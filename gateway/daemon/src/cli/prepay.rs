//! `emergency activate` and `hold clear`

use super::args::Target;
use super::ask::command;
use super::said::{Result, Said};
use crate::control::UsagePointFacts;
use clap::Subcommand;
use gateway_core::prepay::{CreditStatus, PrepayCommand};
use gateway_core::{Command, UsagePointId};
use serde_json::json;

/// `emergency …`
#[derive(Debug, Subcommand)]
pub enum EmergencyAction {
    /// Take back emergency credit that is offered or activated; what was used of it stays owed
    Withdraw {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Activate emergency credit that is offered
    Activate {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `hold …`
#[derive(Debug, Subcommand)]
pub enum HoldAction {
    /// Charge energy again at a usage point whose register went backwards
    Clear {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// What was found out
        #[arg(long)]
        note: String,
        /// Let go what the meter has counted since, instead of charging it
        #[arg(long)]
        waive: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// What `usage-point show` says of the prepayment rules, a line each.
pub fn words(point: &UsagePointFacts) -> String {
    let (prepay, id) = (&point.prepay, &point.usage_point);
    let mut lines = Vec::new();
    if prepay.emergency != CreditStatus::Enabled {
        let lent = match &prepay.emergency_until_local {
            Some(until) => format!("until {until}"),
            None => format!("of {}", prepay.emergency_granted_micro),
        };
        let words = prepay.emergency.words();
        let next = match prepay.emergency {
            CreditStatus::Selectable => format!("; `emergency activate {id}`"),
            _ => String::new(),
        };
        lines.push(format!("emergency credit {lent}: {words}{next}"));
    }
    if let Some(until) = &prepay.friendly_until_local {
        lines.push(format!(
            "credit used up; on until {until} because of friendly hours"
        ));
    }
    if let Some(stage) = &prepay.stage {
        lines.push(format!("low credit: {stage} left"));
    }
    if prepay.provisional_hours > 0 {
        let (amount, hours) = (prepay.provisional_micro, prepay.provisional_hours);
        lines.push(format!(
            "{amount} charged provisionally for {hours} hours without a reading"
        ));
    }
    if let Some(since) = &prepay.held_since_local {
        lines.push(format!(
            "no energy is charged since {since}: the register went backwards; `hold clear {id} --note TEXT`"
        ));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// `emergency …`
pub fn emergency(action: &EmergencyAction) -> Result {
    let by = String::new();
    let (usage_point, target, ask, doing, words) = match action {
        EmergencyAction::Activate {
            usage_point: id,
            target,
        } => {
            let usage_point = *id;
            let ask = PrepayCommand::ActivateEmergency { usage_point, by };
            (id, target, ask, "activate emergency credit", "activated")
        }
        EmergencyAction::Withdraw {
            usage_point: id,
            target,
        } => {
            let usage_point = *id;
            let ask = PrepayCommand::WithdrawEmergency { usage_point, by };
            (id, target, ask, "take emergency credit back", "taken back")
        }
    };
    command(target, doing, Command::Prepay(ask))?;
    let text = format!("emergency credit of {usage_point} is {words}");
    Ok(Said::done(
        text,
        json!({ "usage_point": usage_point.to_string() }),
    ))
}

/// `hold …`
pub fn hold(action: &HoldAction) -> Result {
    let HoldAction::Clear {
        usage_point,
        note,
        waive,
        target,
    } = action;
    let ask = Command::Prepay(PrepayCommand::ClearHold {
        usage_point: *usage_point,
        note: note.clone(),
        charge: !waive,
        by: String::new(),
    });
    command(target, "clear the hold", ask)?;
    let what = if *waive { "let go" } else { "charged" };
    let text =
        format!("energy is charged again at {usage_point}; what was counted meanwhile is {what}");
    Ok(Said::done(
        text,
        json!({ "usage_point": usage_point.to_string(), "charged": !waive }),
    ))
}
