//! Asking the running daemon, and `status`.

use super::args::Target;
use super::said::{Exit, Failure, Result, Said};
use crate::config::socket_in;
use crate::control::{self, Request, Response};
use gateway_core::{Answer, Command};
use serde_json::{Value, json};
use std::path::PathBuf;

impl Target {
    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| socket_in(&self.data))
    }
}

/// Asks the daemon; refusals and failures are failures.
pub fn ask(
    target: &Target,
    doing: &'static str,
    request: &Request,
) -> std::result::Result<Response, Failure> {
    let answer = control::ask(&target.socket(), request).map_err(|error| Failure {
        doing,
        name: "daemon-unreachable".into(),
        why: error.to_string(),
        exit: Exit::Unreachable,
    })?;
    match answer {
        Response::Refused { refusal } => Err(Failure::refused(doing, refusal.name(), refusal)),
        Response::Failed { message } => Err(Failure::refused(doing, "not-carried-out", message)),
        answer => Ok(answer),
    }
}

/// Gives the daemon a command.
pub fn command(
    target: &Target,
    doing: &'static str,
    command: Command,
) -> std::result::Result<Answer, Failure> {
    match ask(target, doing, &Request::Command { command })? {
        Response::Done { answer } => Ok(answer),
        other => Err(unexpected(doing, &other)),
    }
}

/// The daemon answered something else than was asked.
pub fn unexpected(doing: &'static str, response: &Response) -> Failure {
    // The variant's name without its content, which may be secret.
    let text = serde_json::to_value(response).unwrap_or(Value::Null);
    let kind = text["response"].as_str().unwrap_or("nothing").to_owned();
    let why = format!("the gateway answered \"{kind}\", which was not asked; restart the service");
    Failure::refused(doing, "unexpected-answer", why)
}

/// A value as JSON; never fails for the types of this crate.
pub fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// `status`
pub fn status(target: &Target) -> Result {
    const DOING: &str = "ask how the gateway is doing";
    let status = match ask(target, DOING, &Request::Status {})? {
        Response::Status { status } => status,
        other => return Err(unexpected(DOING, &other)),
    };
    let clock = if status.clock_trusted {
        "trusted"
    } else {
        "not trusted yet"
    };
    let mut text = format!(
        "prepaid-gateway {}: {}\nclock {}, {clock}\n",
        status.version,
        if status.working {
            "working"
        } else {
            "not working"
        },
        status.at_local
    );
    for problem in &status.problems {
        let mark = if problem.serious { "serious" } else { "notice" };
        text.push_str(&format!("{mark}: {}\n", problem.words));
    }
    let exit = if status.working {
        Exit::Done
    } else {
        Exit::Refused
    };
    Ok(Said {
        text,
        json: json!(status),
        exit,
    })
}
