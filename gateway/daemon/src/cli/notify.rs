//! `notify status|test`

use super::args::Target;
use super::ask::{ask, to_json, unexpected};
use super::said::{Exit, Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::Subcommand;
use serde_json::json;

/// `notify …`
#[derive(Debug, Subcommand)]
pub enum NotifyAction {
    /// How far each mail address and webhook has come, and what is wrong with it
    Status {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Send a test by each mail address and webhook
    Test {
        /// Only by those whose name contains this
        #[arg(default_value = "")]
        channel: String,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `notify …`
pub fn carry_out(action: &NotifyAction) -> Result {
    match action {
        NotifyAction::Status { target } => status(target),
        NotifyAction::Test { channel, target } => test(target, channel),
    }
}

const NONE: &str = "nobody is told anything; see [notify] in the configuration file";

fn status(target: &Target) -> Result {
    const DOING: &str = "ask who is told what";
    let channels = match ask(target, DOING, &Request::NotifyStatus {})? {
        Response::Channels { channels } => channels,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("channel", Align::Left),
        ("record", Align::Right),
        ("told", Align::Right),
        ("waiting", Align::Right),
        ("given up", Align::Right),
        ("trouble", Align::Left),
    ]);
    for channel in &channels {
        let trouble = channel.trouble.as_ref();
        let trouble = trouble.map(|why| format!("{} times: failed to {why}", channel.failed));
        table.row(vec![
            channel.channel.clone(),
            channel.record.to_string(),
            channel.told.to_string(),
            channel.waiting.to_string(),
            channel.given_up.to_string(),
            trouble.unwrap_or_default(),
        ]);
    }
    let text = match channels.is_empty() {
        true => NONE.into(),
        false => table.render(),
    };
    Ok(Said::done(text, to_json(&channels)))
}

fn test(target: &Target, channel: &str) -> Result {
    const DOING: &str = "send a test";
    let channel = channel.to_owned();
    let results = match ask(target, DOING, &Request::NotifyTest { channel })? {
        Response::Tested { results } => results,
        other => return Err(unexpected(DOING, &other)),
    };
    let line = |(name, error): &(String, Option<String>)| match error {
        None => format!("{name}: taken"),
        Some(why) => format!("{name}: failed to {why}"),
    };
    let failed = results.iter().any(|(_, error)| error.is_some());
    let lines: Vec<String> = results.iter().map(line).collect();
    let tested = results
        .iter()
        .map(|(name, error)| json!({ "channel": name, "error": error }));
    Ok(Said {
        text: match results.is_empty() {
            true => NONE.into(),
            false => lines.join("\n"),
        },
        json: json!({ "tested": tested.collect::<Vec<_>>() }),
        exit: match failed || results.is_empty() {
            true => Exit::Refused,
            false => Exit::Done,
        },
    })
}
