//! `supply on|off|auto`

use super::args::{Order, Target};
use super::ask::command;
use super::said::{Result, Said};
use gateway_core::{Command, UsagePointId};
use serde_json::json;

/// `supply on|off|auto`
pub fn order(target: &Target, usage_point: UsagePointId, order: Order) -> Result {
    let command_ = Command::OrderSupply {
        usage_point,
        order: order.into(),
        by: String::new(),
    };
    command(target, "order the supply", command_)?;
    let (name, words) = match order {
        Order::On => ("on", "on, whatever the credit"),
        Order::Off => ("off", "off, whatever the credit"),
        Order::Auto => ("auto", "automatic: connected while there is credit"),
    };
    let text = format!("supply of {usage_point} ordered {words}");
    Ok(Said::done(
        text,
        json!({ "usage_point": usage_point.to_string(), "order": name }),
    ))
}
