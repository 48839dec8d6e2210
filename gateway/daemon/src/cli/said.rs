//! What a subcommand says, and how it ends.

use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Refused, or something was found.
    Refused = 1,
    /// Used wrongly.
    Usage = 2,
    /// The daemon cannot be reached.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A result, for people and for scripts.
#[derive(Debug)]
pub struct Said {
    /// For people.
    pub text: String,
    /// For scripts.
    pub json: Value,
    /// How the process ends.
    pub exit: Exit,
}

/// Why a subcommand failed: `failed to {doing}: {why}`.
#[derive(Debug)]
pub struct Failure {
    /// What was tried, for example `sell credit`.
    pub doing: &'static str,
    /// Stable name for scripts, for example `no-such-usage-point`.
    pub name: Cow<'static, str>,
    /// Why, and what to do next.
    pub why: String,
    /// How the process ends.
    pub exit: Exit,
}

/// What a subcommand returns.
pub type Result = std::result::Result<Said, Failure>;

impl Said {
    /// Something that was done.
    pub fn done(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            exit: Exit::Done,
        }
    }
}

impl Failure {
    /// Something that was refused.
    pub fn refused(
        doing: &'static str,
        name: impl Into<Cow<'static, str>>,
        why: impl Display,
    ) -> Self {
        Self {
            doing,
            name: name.into(),
            why: why.to_string(),
            exit: Exit::Refused,
        }
    }
}

/// `version`
pub fn version() -> Said {
    let version = env!("CARGO_PKG_VERSION");
    Said::done(
        format!("prepaid-gateway {version}"),
        json!({ "version": version }),
    )
}

/// Prints a result and gives the exit code.
pub fn print(result: Result, as_json: bool) -> ExitCode {
    let (text, exit) = match result {
        Ok(said) if as_json => (said.json.to_string(), said.exit),
        Ok(said) => (said.text, said.exit),
        Err(failure) => {
            let message = format!("failed to {}: {}", failure.doing, failure.why);
            let json = json!({ "error": failure.name, "message": message });
            // Nothing can be done about a standard error that is closed.
            let _ = writeln!(std::io::stderr(), "{message}");
            let text = if as_json {
                json.to_string()
            } else {
                String::new()
            };
            (text, failure.exit)
        }
    };
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) is the reader's wish, not an error.
    let _ = match text.is_empty() {
        true => out.flush(),
        false => writeln!(out, "{}", text.trim_end_matches('\n')),
    };
    exit.into()
}
