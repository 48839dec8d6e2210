//! `clock show` and `clock set`.

use super::args::Target;
use super::ask::{ask, command, to_json, unexpected};
use super::said::{Failure, Result, Said};
use crate::clock::{Clock, Trust};
use crate::control::Request;
use crate::control::Response;
use clap::Subcommand;
use gateway_core::clock::{ClockKnown, ClockOrder, ClockQuote};
use gateway_core::{Answer, Command, UtcSeconds};
use gateway_web::clock::ClockFacts;
use serde_json::json;

/// `clock …`
#[derive(Debug, Subcommand)]
pub enum ClockAction {
    /// Say how the gateway knows the time
    Show {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Set the time by which the gateway counts days, where no time server is reached
    Set {
        /// The time with its distance from UTC, for example 2026-11-28T10:40:00+05:30, or `machine` for what this machine's clock shows
        time: String,
        /// Only say what would become due
        #[arg(long)]
        quote: bool,
        /// The time is right although it is days after the last one known
        #[arg(long)]
        far: bool,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// `clock …`
pub fn carry_out(action: &ClockAction) -> Result {
    match action {
        ClockAction::Show { target } => show(target),
        ClockAction::Set {
            time,
            quote,
            far,
            target,
        } => set(target, time, *quote, *far),
    }
}

fn facts(target: &Target, doing: &'static str) -> std::result::Result<ClockFacts, Failure> {
    match ask(target, doing, &Request::Clock {})? {
        Response::Clock { clock } => Ok(clock),
        other => Err(unexpected(doing, &other)),
    }
}

fn show(target: &Target) -> Result {
    let clock = facts(target, "ask how the gateway knows the time")?;
    let mut text = match clock.is_trusted {
        true => format!("{}: {}", utc(clock.at), clock.source.words()),
        false if clock.floor.0 > 0 => format!(
            "not known: days wait at {}, energy is counted; `clock set`",
            utc(clock.floor)
        ),
        false => "not known: days wait, energy is counted; `clock set`".into(),
    };
    if let Some(within) = clock.within_s {
        text.push_str(&format!(", at most {within} s off"));
    }
    text.push('\n');
    if clock.wants_comparing() {
        text.push_str("compare it with another clock; `clock set` sets it right\n");
    }
    if clock.behind_s() > 60 {
        let (behind, floor) = (clock.behind_s(), utc(clock.floor));
        text.push_str(&format!(
            "the latest record is of {floor}: days wait for {behind} s, until the clock has caught up\n"
        ));
    }
    text.push_str(&format!("machine {}\n", utc(clock.machine)));
    if let Some(battery) = &clock.battery {
        let shows = utc(battery.shows);
        let how = match (battery.is_believed, battery.ahead_s) {
            (true, Some(ahead)) => {
                format!("{ahead:+} s, steady: believed after the machine was off")
            }
            (false, Some(ahead)) => format!("{ahead:+} s, not yet seen steady"),
            (_, None) => "never compared with a known time".into(),
        };
        text.push_str(&format!("battery-backed clock {shows}: {how}\n"));
    }
    Ok(Said::done(text, to_json(&clock)))
}

fn set(target: &Target, time: &str, quote: bool, far: bool) -> Result {
    const DOING: &str = "set the clock";
    let to = match time {
        "machine" => Clock::new(Trust::Always).now().at,
        time => {
            let at = time.parse::<jiff::Timestamp>().map_err(|_| {
                let how = "write the time like 2026-11-28T10:40:00+05:30, or `machine`";
                Failure::refused(DOING, "time-unusable", how)
            })?;
            UtcSeconds(at.as_second())
        }
    };
    let order = ClockOrder {
        to,
        far,
        by: String::new(),
        known: ClockKnown::default(),
    };
    if !quote {
        command(target, DOING, Command::SetClock(order))?;
        let text = format!(
            "the clock is {} now; the machine's own clock was not set",
            utc(to)
        );
        return Ok(Said::done(text, json!({ "to": to })));
    }
    match command(target, DOING, Command::QuoteClock(order))? {
        Answer::ClockQuoted(quote) => Ok(Said::done(words(&quote), to_json(&quote))),
        _ => Err(Failure::refused(
            DOING,
            "unexpected-answer",
            "the gateway did not say what becomes due; restart the service",
        )),
    }
}

fn words(quote: &ClockQuote) -> String {
    let mut text = match quote.days {
        0 => "no day becomes due\n".to_owned(),
        days => format!(
            "{days} days become due: {} from {} usage points, {} supplies go off\n",
            quote.charged, quote.usage_points, quote.cuts
        ),
    };
    if quote.stands_still_s > 0 {
        text.push_str(&format!(
            "days wait for {} s, until the clock has caught up with {}\n",
            quote.stands_still_s,
            utc(quote.floor)
        ));
    }
    if quote.is_far {
        text.push_str(&format!(
            "the last time known is {}: set it with --far if it is right\n",
            utc(quote.floor)
        ));
    }
    text
}

fn utc(at: UtcSeconds) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}
