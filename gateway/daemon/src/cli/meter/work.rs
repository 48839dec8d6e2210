//! `meter add|replace|move|retire`

use super::super::args::{RoleArgs, Target};
use super::super::ask::{command, unexpected};
use super::super::said::{Failure, Result, Said};
use super::link::{LinkArgs, SwitchArgs, meter_link, switch_of};
use super::test::{ask_for, in_words};
use crate::bill::Units;
use crate::control::Response;
use clap::Args;
use gateway_core::event::Role;
use gateway_core::meter_link::{Install, MeterLink, MeterOrder};
use gateway_core::{Answer, Command, NodeId, WattHours};
use gateway_web::MeterShown;
use serde_json::json;

/// `meter add`
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What it meters.
    #[command(flatten)]
    pub role: RoleArgs,
    /// How it is reached.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// Its register in kWh, as read off its display; its first reading begins the count if absent
    #[arg(long)]
    pub initial_kwh: Option<Units>,
    /// Save it although it shows nothing yet
    #[arg(long)]
    pub untested: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `meter replace`
#[derive(Debug, Args)]
pub struct ReplaceArgs {
    /// The old meter's number, for example N-00000007 or 7
    pub node: NodeId,
    /// The old meter's last register in kWh, as read off its display; its last reading if absent
    #[arg(long)]
    pub final_kwh: Option<Units>,
    /// How the new one is reached; our node if absent.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// The new meter's register in kWh, as read off its display
    #[arg(long)]
    pub initial_kwh: Option<Units>,
    /// Save it although it shows nothing yet
    #[arg(long)]
    pub untested: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `meter move`
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// The meter's number, for example N-00000007 or 7
    pub node: NodeId,
    /// How it is reached now.
    #[command(flatten)]
    pub link: LinkArgs,
    /// Its switch now.
    #[command(flatten)]
    pub switch: SwitchArgs,
    /// Save it although it shows nothing there yet
    #[arg(long)]
    pub untested: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `meter move`
pub(super) fn relink(args: &MoveArgs) -> Result {
    const DOING: &str = "move the meter";
    let link = meter_link(DOING, &args.link)?;
    let switch = switch_of(DOING, &args.switch, &link)?;
    let node = args.node;
    // A node of ours proves who it is with every frame.
    let untested = args.untested || link.is_sealed();
    let shown = tested(&args.target, DOING, (&link, untested))?;
    // The same meter is known by its number: another one at the new address is refused.
    let (text, link) = match shown {
        Some(shown) => (in_words(&shown), shown.bound(link)),
        None => (String::new(), link),
    };
    work(&args.target, DOING, MeterOrder::Move { node, link, switch })?;
    Ok(Said::done(
        format!("{text}{node} is reached another way now"),
        json!({ "node": node.to_string() }),
    ))
}

/// `meter retire`
pub(super) fn retire(target: &Target, node: NodeId, final_kwh: Option<Units>) -> Result {
    let order = MeterOrder::Retire {
        node,
        final_register: final_kwh.map(register),
    };
    work(target, "take the meter away", order)?;
    Ok(Said::done(
        format!("{node} taken away; its usage point has no meter now"),
        json!({ "node": node.to_string() }),
    ))
}

/// `meter add`
pub(super) fn add(args: &AddArgs) -> Result {
    const DOING: &str = "add the meter";
    let role = match (args.role.usage_point, args.role.feeder) {
        (Some(usage_point), _) => Role::UsagePoint(usage_point),
        (None, Some(feeder)) => Role::Feeder(feeder),
        (None, None) => {
            let why = "say what it meters with --usage-point or --feeder";
            return Err(Failure::refused(DOING, "no-role", why));
        }
    };
    let link = meter_link(DOING, &args.link)?;
    let shown = tested(&args.target, DOING, (&link, args.untested))?;
    let shown = shown.as_ref().map(in_words).unwrap_or_default();
    let install = Install {
        switch: switch_of(DOING, &args.switch, &link)?,
        link,
        initial: args.initial_kwh.map(register),
    };
    let node = None;
    let order = MeterOrder::Add {
        node,
        role,
        install,
    };
    installed(&args.target, DOING, order, &shown)
}

/// `meter replace`
pub(super) fn replace(args: &ReplaceArgs) -> Result {
    const DOING: &str = "replace the meter";
    let named = &args.link;
    let link = match (&named.mqtt, &named.modbus, &named.pulse) {
        (None, None, None) => MeterLink::Node,
        _ => meter_link(DOING, &args.link)?,
    };
    let untested = args.untested || link == MeterLink::Node;
    let shown = tested(&args.target, DOING, (&link, untested))?;
    let shown = shown.as_ref().map(in_words).unwrap_or_default();
    let install = Install {
        switch: switch_of(DOING, &args.switch, &link)?,
        link,
        initial: args.initial_kwh.map(register),
    };
    let order = MeterOrder::Replace {
        node: args.node,
        final_register: args.final_kwh.map(register),
        install,
    };
    installed(&args.target, DOING, order, &shown)
}

/// What the meter shows, unless nobody wants to know.
fn tested(
    target: &Target,
    doing: &'static str,
    (link, untested): (&MeterLink, bool),
) -> std::result::Result<Option<MeterShown>, Failure> {
    if untested {
        return Ok(None);
    }
    match ask_for(target, doing, link) {
        Ok(shown) => Ok(Some(shown)),
        Err(failure) => Err(Failure {
            why: format!("{}; to save it all the same add --untested", failure.why),
            ..failure
        }),
    }
}

fn installed(target: &Target, doing: &'static str, order: MeterOrder, shown: &str) -> Result {
    let answer = work(target, doing, order)?;
    let Answer::NodeAdded { node } = answer else {
        return Err(unexpected(doing, &Response::Done { answer }));
    };
    let text = format!("{shown}{node} installed; see `meter show {node}`");
    Ok(Said::done(text, json!({ "node": node.to_string() })))
}

fn work(
    target: &Target,
    doing: &'static str,
    order: MeterOrder,
) -> std::result::Result<Answer, Failure> {
    let work = Box::new(order);
    let by = String::new();
    command(target, doing, Command::WorkOnMeter { work, by })
}

fn register(units: Units) -> WattHours {
    units.0
}
