//! `gpio show`

use super::args::Target;
use super::ask::{ask, to_json, unexpected};
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::Subcommand;

/// `gpio …`
#[derive(Debug, Subcommand)]
pub enum GpioAction {
    /// What hangs on the pins of the machine, and how it is now
    Show {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `gpio …`
pub fn carry_out(action: &GpioAction) -> Result {
    const DOING: &str = "ask what hangs on the pins";
    let GpioAction::Show { target } = action;
    let pins = match ask(target, DOING, &Request::Pins {})? {
        Response::Pins { pins } => pins,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("what", Align::Left),
        ("line", Align::Left),
        ("now", Align::Left),
    ]);
    for pin in &pins {
        table.row(vec![pin.what.clone(), pin.line.clone(), pin.words.clone()]);
    }
    let text = match pins.is_empty() {
        true => {
            "nothing hangs on pins; see [gpio] in the configuration file and docs/gpio.md".into()
        }
        false => table.render(),
    };
    Ok(Said::done(text, to_json(&pins)))
}
