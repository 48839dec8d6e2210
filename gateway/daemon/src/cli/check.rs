//! `check`, `config template` and `bill`: what needs no daemon.

use super::args::BillArgs;
use super::ask::to_json;
use super::said::{Exit, Failure, Result, Said};
use crate::bill::{Bill, Period};
use crate::{config, tariffs};
use gateway_core::tariff::Connection;
use serde_json::json;
use std::path::Path;

/// `check`
pub fn check(path: &Path) -> Said {
    let checked = config::check::check(path);
    let mut text = String::new();
    for file in &checked {
        for mistake in &file.mistakes {
            text.push_str(&format!("{}: {mistake}\n", file.file.display()));
        }
    }
    let mistakes: usize = checked.iter().map(|file| file.mistakes.len()).sum();
    let files = checked.len();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    text.push_str(&match mistakes {
        0 => format!("{files} file{} checked: no mistakes", plural(files)),
        _ => format!(
            "{files} file{} checked: {mistakes} mistake{}",
            plural(files),
            plural(mistakes)
        ),
    });
    let exit = if mistakes == 0 {
        Exit::Done
    } else {
        Exit::Refused
    };
    Said {
        text,
        json: json!({ "mistakes": mistakes, "files": checked }),
        exit,
    }
}

/// `config template`
pub fn template() -> Said {
    let text = config::template();
    let json = json!({ "template": text });
    Said::done(text, json)
}

/// `bill`
pub fn bill(args: &BillArgs) -> Result {
    let tariff = tariffs::find(&args.tariff).map_err(|mistakes| {
        let mistakes: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        let why = format!("{}: {}", args.tariff, mistakes.join("; "));
        Failure::refused("price the units", "no-usable-tariff", why)
    })?;
    let bands: Vec<_> = args.bands.iter().map(|units| units.0).collect();
    let period = Period {
        energy: args.units.0,
        days: args.days,
        connection: Connection {
            phases: args.phases,
            load_w: args.load_w,
        },
        month: args.month,
        bands: &bands,
    };
    let bill = Bill::of(&tariff, &period)
        .map_err(|why| Failure::refused("price the units", "no-such-period", why.to_string()))?;
    Ok(Said::done(bill.to_string(), to_json(&bill)))
}
