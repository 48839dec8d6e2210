//! `token`: transfer tokens at a desk, without a daemon and without an account.
//!
//! Decided here: how tokens are asked for and shown. Not decided here: what a token says ([`gateway_core::tokens`]) or
//! whether a usage point takes it. No key is shown, not even the one derived.

mod args;
mod keys;
mod show;
#[cfg(test)]
mod tests;
mod vend;

pub use args::TokenCommand;

use serde_json::Value;
use std::fmt::Display;

/// What was done, for people and for scripts.
#[derive(Debug)]
pub struct Shown {
    /// For people.
    pub text: String,
    /// For scripts.
    pub json: Value,
}

/// Why nothing was done: `failed to {doing}: {why}`.
#[derive(Debug)]
pub struct Failed {
    /// What was tried.
    pub doing: &'static str,
    /// Stable name for scripts.
    pub name: &'static str,
    /// Why, and what to do next.
    pub why: String,
}

impl Failed {
    fn new(doing: &'static str, name: &'static str, why: impl Display) -> Self {
        let why = why.to_string();
        Self { doing, name, why }
    }
}

/// Carries out a `token` subcommand.
///
/// # Errors
/// [`Failed`]; a token whose checksum is wrong is shown, not failed.
pub fn run(command: &TokenCommand) -> Result<Shown, Failed> {
    match command {
        TokenCommand::Decode(args) => show::decode(args),
        TokenCommand::Vend(args) => vend::vend(args),
        TokenCommand::MeterTest(args) => vend::meter_test(args),
        TokenCommand::KeyChange(args) => vend::key_change(args),
    }
}
