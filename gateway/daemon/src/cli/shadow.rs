//! `shadow status|arm|set`: what would be cut, and whether it is.

use super::args::Target;
use super::ask::{ask, command, unexpected};
use super::said::{Failure, Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::{Args, Subcommand};
use gateway_core::meter_link::{Arming, PointSetting};
use gateway_core::{Command, UsagePointId};
use serde_json::json;

/// `shadow …`
#[derive(Debug, Subcommand)]
pub enum ShadowAction {
    /// Show which usage points are in shadow, and what would be cut now if they were armed
    Status {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Decide and show cuts, but do not carry them out; a person's order off is obeyed
    Begin(Whom),
    /// Arm: carry cuts out from now on
    Arm(Whom),
    /// Follow the site's own setting, prepay.mode
    Follow(Whom),
}

/// Which usage points.
#[derive(Debug, Args)]
pub struct Whom {
    /// The usage point, for example UP-0007 or 7
    #[arg(required_unless_present = "all")]
    pub usage_point: Option<UsagePointId>,
    /// Every usage point
    #[arg(long, conflicts_with = "usage_point")]
    pub all: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &ShadowAction) -> Result {
    match action {
        ShadowAction::Status { target } => status(target),
        ShadowAction::Begin(whom) => set(whom, Arming::Shadow),
        ShadowAction::Arm(whom) => set(whom, Arming::Armed),
        ShadowAction::Follow(whom) => set(whom, Arming::Site),
    }
}

fn set(whom: &Whom, arming: Arming) -> Result {
    let set = Command::SetPoint {
        usage_point: whom.usage_point,
        setting: PointSetting::Arming { arming },
        by: String::new(),
    };
    command(&whom.target, "set whether cuts are carried out", set)?;
    let who = whom
        .usage_point
        .map_or_else(|| "every usage point".to_owned(), |id| id.to_string());
    let what = match arming {
        Arming::Site => "follows prepay.mode",
        Arming::Armed => "armed: cuts are carried out",
        Arming::Shadow => "in shadow: cuts are shown, not carried out",
    };
    Ok(Said::done(
        format!("{who} {what}"),
        json!({ "usage_point": whom.usage_point.map(|id| id.to_string()), "arming": arming }),
    ))
}

fn status(target: &Target) -> Result {
    const DOING: &str = "show what would be cut";
    let points = match ask(target, DOING, &Request::UsagePoints {})? {
        Response::UsagePoints { usage_points } => usage_points,
        other => return Err::<Said, Failure>(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("number", Align::Left),
        ("label", Align::Left),
        ("credit", Align::Right),
        ("would be cut now", Align::Left),
    ]);
    let mut rows = Vec::new();
    for point in points.iter().filter(|point| point.shadow) {
        let why = match point.reasons.is_empty() {
            true => "no".to_owned(),
            false => point.reasons.join(", "),
        };
        table.row(vec![
            point.usage_point.clone(),
            point.label.clone(),
            point.available_micro.to_string(),
            why,
        ]);
        rows.push(json!({ "usage_point": point.usage_point, "would_cut": point.reasons }));
    }
    let text = match rows.is_empty() {
        true => "every usage point is armed: cuts are carried out".into(),
        false => table.render(),
    };
    Ok(Said::done(text, json!({ "in_shadow": rows })))
}
