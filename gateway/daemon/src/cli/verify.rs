//! `verify`

use super::args::Target;
use super::ask::{ask, to_json, unexpected};
use super::said::{Exit, Failure, Result, Said};
use crate::config::database_in;
use crate::control::{Request, Response, VerifyFacts};
use gateway_store::StoreError;

const DOING: &str = "verify the database";

/// `verify`: reads the database itself, also beside a running daemon; asks the daemon if the file may not be read or only a
/// socket was named.
pub fn verify(target: &Target) -> Result {
    let report = match target.socket {
        Some(_) => asked(target)?,
        None => match gateway_store::verify(&database_in(&target.data)) {
            Ok(report) => report.into(),
            Err(StoreError::CannotOpen { .. }) if target.socket().exists() => asked(target)?,
            Err(error) => return Err(Failure::refused(DOING, "cannot-read", error)),
        },
    };
    let mut text = format!(
        "{} records, {} postings, {} usage points: {}\n",
        report.records,
        report.postings,
        report.usage_points,
        if report.clean {
            "all as the journal says"
        } else {
            "damaged"
        }
    );
    for finding in &report.findings {
        text.push_str(&format!("  {finding}\n"));
    }
    if report.further > 0 {
        text.push_str(&format!("  and {} more\n", report.further));
    }
    if !report.clean {
        text.push_str("stop the service, keep a copy of the data directory, and restore a backup");
    }
    let exit = if report.clean {
        Exit::Done
    } else {
        Exit::Refused
    };
    Ok(Said {
        text,
        json: to_json(&report),
        exit,
    })
}

fn asked(target: &Target) -> std::result::Result<VerifyFacts, Failure> {
    match ask(target, DOING, &Request::Verify {})? {
        Response::Verified { report } => Ok(report),
        other => Err(unexpected(DOING, &other)),
    }
}
