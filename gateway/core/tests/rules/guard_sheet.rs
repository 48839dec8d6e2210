//! The words of worksheets about what guards a supply. What they mean is written in `worksheets/README.txt`.

use crate::site::*;
use gateway_core::event::Command;
use gateway_core::guard::{GuardCommand, NodeStatus, NodeSwitch, NodeTerms, terms};
use gateway_core::prepay::PrepayRules;
use gateway_core::supply::{ControlState, Reason, Relay};
use gateway_core::*;
use prepaid_common::wire::SwitchReason;

type Outcome = Result<(), String>;

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// A line that sets a rule; nothing for others.
pub fn rule(rules: &mut PrepayRules, words: &[&str]) -> Option<Outcome> {
    let (limit, reconnect) = (&mut rules.load_limit, &mut rules.reconnect);
    let outcome = match words {
        [
            "load-limit",
            watts,
            "W",
            "for",
            persistence,
            "s",
            "rest",
            rest,
            "s",
            "latch",
            trips,
            "in",
            window,
            "s",
        ] => (|| {
            limit.watts = number(watts)?;
            limit.persistence_s = number(persistence)?;
            limit.rest_s = number(rest)?;
            limit.trips = number(trips)?;
            limit.window_s = number(window)?;
            Ok(())
        })(),
        ["reconnect", "press"] => {
            reconnect.press = true;
            Ok(())
        }
        ["reconnect", "after", delay, "s", "spread", spread, "s"] => (|| {
            reconnect.delay_s = number(delay)?;
            reconnect.spread_s = number(spread)?;
            Ok(())
        })(),
        _ => return None,
    };
    Some(outcome)
}

/// Why the node holds its switch, in the words of a sheet.
fn why(words: &[&str]) -> Option<SwitchReason> {
    Some(match words {
        ["supplied"] => SwitchReason::WithinLease,
        ["used-up"] => SwitchReason::LeaseExhausted,
        ["off"] => SwitchReason::ForcedOff,
        ["tripped"] => SwitchReason::LoadLimitTripped,
        ["latched"] => SwitchReason::OverloadLatched,
        ["ready"] => SwitchReason::WaitingForPress,
        ["delayed"] => SwitchReason::ReconnectDelay,
        _ => return None,
    })
}

/// The event of a step; nothing for steps that are not about guards.
pub fn event(register: u64, words: &[&str]) -> Result<Option<Event>, String> {
    let usage_point = POINT;
    let by = || "clerk".to_owned();
    let command = match words {
        ["node", "says", words @ .., "trips", trips] => {
            let switch = NodeSwitch {
                why: why(words).ok_or("the node says no such thing")?,
                trips: number(trips)?,
            };
            return Ok(Some(said(register, switch)));
        }
        ["reset-overload"] => GuardCommand::ResetOverload {
            usage_point,
            by: by(),
        },
        ["close"] => GuardCommand::Close {
            usage_point,
            by: by(),
        },
        ["own-limit", watts, "W"] => GuardCommand::LimitLoad {
            usage_point,
            watts: number(watts)?,
            by: by(),
        },
        _ => return Ok(None),
    };
    Ok(Some(Event::Command(Command::Guard(command))))
}

fn said(register: u64, switch: NodeSwitch) -> Event {
    let status = NodeStatus {
        switch,
        wait_s: 0,
        echo: None,
        pressed: false,
        evidence: None,
    };
    let relay = match switch.why.is_closed() {
        true => Relay::Closed,
        false => Relay::Open,
    };
    Event::Reading(Reading {
        relay: Some(relay),
        status: Some(Box::new(status)),
        ..Reading::of(NODE, WattHours(register))
    })
}

fn told(site: &Site, node: NodeId) -> Result<NodeTerms, String> {
    let now = Moment {
        at: UtcSeconds(site.now),
        clock_trusted: true,
    };
    terms(&site.state, &site.rules, node, now).ok_or("nothing is told".into())
}

fn reason(name: &str) -> Option<Reason> {
    Some(match name {
        "credit-exhausted" => Reason::CreditExhausted,
        "operator-off" => Reason::OperatorOff,
        "load-limit-tripped" => Reason::LoadLimitTripped,
        "overload-latched" => Reason::OverloadLatched,
        "awaits-press" => Reason::AwaitsPress,
        "reconnect-delay" => Reason::ReconnectDelay,
        _ => return None,
    })
}

/// An expectation about guards; nothing for others.
pub fn expect(site: &Site, words: &[&str]) -> Option<Outcome> {
    let found = match words {
        ["reasons", "none"] => Ok(site.point().supply.reasons.is_empty()),
        ["reasons", names @ ..] => {
            let reasons: Option<Vec<_>> = names.iter().map(|name| reason(name)).collect();
            let found: Vec<_> = site.point().supply.reasons.iter().collect();
            reasons.ok_or("no such reason".into()).map(|it| it == found)
        }
        ["control", expected] => Ok(*expected
            == match site.point().supply.control_state() {
                ControlState::Connected => "connected",
                ControlState::Disconnected => "disconnected",
                ControlState::ReadyForReconnection => "ready",
            }),
        ["told", what @ ..] => told(site, NODE).and_then(|terms| is_told(&terms, what)),
        ["node", node, "waits", seconds, "s"] => number(node).and_then(|node| {
            let seconds: u16 = number(seconds)?;
            let waits = site.rules.prepay.reconnect.delay_of(NodeId(node));
            (waits == seconds)
                .then_some(true)
                .ok_or(format!("it waits {waits} s"))
        }),
        _ => return None,
    };
    let failed = || format!("it is {:?}", site.point().supply.reasons.to_string());
    Some(found.and_then(|right| right.then_some(()).ok_or_else(failed)))
}

fn is_told(terms: &NodeTerms, what: &[&str]) -> Result<bool, String> {
    let directive = terms.directive.as_ref().ok_or("no lease is told")?;
    let (yes, settings) = (|is: bool| if is { "yes" } else { "no" }, &terms.settings);
    match what {
        ["limit", watts, "W"] => Ok(directive.load_limit_w == number::<u32>(watts)?),
        ["press", expected] => Ok(yes(directive.press_to_reconnect) == *expected),
        ["reset", expected] => Ok(yes(terms.reset_overload) == *expected),
        ["persistence", seconds, "s"] => Ok(settings.load_persistence_s == number::<u16>(seconds)?),
        ["rest", seconds, "s"] => Ok(settings.load_rest_s == number::<u16>(seconds)?),
        ["latch", trips, "in", seconds, "s"] => Ok(settings.trips_to_latch == number::<u8>(trips)?
            && settings.trip_window_s == number::<u16>(seconds)?),
        ["delay", seconds, "s"] => Ok(settings.reconnect_delay_s == number::<u16>(seconds)?),
        _ => Err("nothing like that is told".into()),
    }
}
