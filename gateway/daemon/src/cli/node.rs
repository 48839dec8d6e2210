//! `node add|label`

use super::args::{AddNodeArgs, Target};
use super::ask::{ask, command, to_json, unexpected};
use super::qr;
use super::said::{Failure, Result, Said};
use super::table::pairs;
use crate::control::{Request, Response};
use gateway_core::event::Role;
use gateway_core::{Answer, Command, NodeId};

/// `node add`
pub fn add(args: &AddNodeArgs) -> Result {
    const DOING: &str = "add the node";
    let role = match (args.role.usage_point, args.role.feeder) {
        (Some(usage_point), _) => Role::UsagePoint(usage_point),
        (None, Some(feeder)) => Role::Feeder(feeder),
        (None, None) => {
            let why = "say what it meters with --usage-point or --feeder";
            return Err(Failure::refused(DOING, "no-role", why));
        }
    };
    let add = Command::AddNode {
        node: args.node,
        role,
    };
    let answer = command(&args.target, DOING, add)?;
    let Answer::NodeAdded { node } = answer else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    label(&args.target, node)
}

/// `node label`
pub fn label(target: &Target, node: NodeId) -> Result {
    const DOING: &str = "read the node's key";
    let facts = match ask(target, DOING, &Request::NodeKey { node })? {
        Response::NodeKey { node } => node,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut text = pairs(&[
        ("node", facts.node.clone()),
        ("key", facts.key.clone()),
        ("MQTT user and client id", facts.mqtt_user.clone()),
        ("MQTT password", facts.mqtt_password.clone()),
        (
            "topics",
            format!("{}, {}", facts.topic_up, facts.topic_down),
        ),
        ("label", facts.label.clone()),
    ]);
    if let Some(code) = qr::half_blocks(&facts.label) {
        text.push('\n');
        text.push_str(&code);
    }
    text.push_str("\nWhoever has the key can speak as this node: stick the label inside its case.");
    Ok(Said::done(text, to_json(&facts)))
}
