//! `meter test`: what a meter says, decoded and as it came, once or for as long as somebody looks.

use super::super::args::Target;
use super::super::ask::{ask, to_json, unexpected};
use super::super::said::{Failure, Result, Said};
use crate::control::{Request, Response};
use gateway_core::meter_link::MeterLink;
use gateway_web::MeterShown;
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

const DOING: &str = "test the meter";
/// How often a meter that is watched is looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn ask_for(
    target: &Target,
    doing: &'static str,
    link: &MeterLink,
) -> std::result::Result<MeterShown, Failure> {
    let request = Request::TestMeter { link: link.clone() };
    match ask(target, doing, &request)? {
        Response::MeterShows { shown } => Ok(shown),
        other => Err(unexpected(doing, &other)),
    }
}

/// `meter test`
pub(super) fn test(target: &Target, doing: &'static str, link: &MeterLink) -> Result {
    let shown = ask_for(target, doing, link)?;
    Ok(Said::done(in_words(&shown), to_json(&shown)))
}

pub(super) fn in_words(shown: &MeterShown) -> String {
    let mut text = String::new();
    for (name, value) in &shown.values {
        text.push_str(&format!("{name:<10} {value}\n"));
    }
    for (place, content) in &shown.raw {
        text.push_str(&format!("raw        {place} {content}\n"));
    }
    let link = match shown.authenticated {
        true => "authenticated".to_owned(),
        false => format!("unauthenticated, {}", shown.believed),
    };
    text.push_str(&format!("heard {} s ago; {link}\n", shown.age_s));
    for topic in &shown.foreign {
        text.push_str(&format!("not believed: {topic}\n"));
    }
    text
}

/// `meter test --watch`: prints each new message until it is stopped. Something that is wrong is said once, and looked at again.
pub(super) fn watch(target: &Target, link: &MeterLink, as_json: bool) -> Result {
    let (_stays_open, clock) = channel::<()>();
    let mut last = None;
    loop {
        let (key, text) = match ask_for(target, DOING, link) {
            Ok(shown) => {
                let text = match as_json {
                    true => to_json(&shown).to_string(),
                    false => in_words(&shown),
                };
                (Ok(shown.heard_ms), text)
            }
            Err(failure) if failure.name == "daemon-unreachable" => return Err(failure),
            Err(failure) => {
                let message = failure.why.clone();
                let text = match as_json {
                    true => {
                        serde_json::json!({ "error": failure.name, "message": message }).to_string()
                    }
                    false => message,
                };
                (Err(failure.why), text)
            }
        };
        if last.as_ref() != Some(&key) {
            last = Some(key);
            let mut out = std::io::stdout().lock();
            let written = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
            // Whoever reads has gone.
            if written.is_err() {
                return Ok(Said::done(String::new(), serde_json::Value::Null));
            }
        }
        if clock.recv_timeout(LOOK) == Err(RecvTimeoutError::Disconnected) {
            return Ok(Said::done(String::new(), serde_json::Value::Null));
        }
    }
}
