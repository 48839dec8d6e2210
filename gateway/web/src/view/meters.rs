//! Meters: the list, one of them, and what is in shadow.

use super::facts::PointFacts;
use crate::committed::MeterRows;
use crate::desk::LinkFacts;
use crate::format;
use askama::Template;
use gateway_core::event::Role;
use gateway_core::meter_link::{MeterLink, Switch};
use gateway_core::{NodeId, Rules, UtcSeconds};
use std::collections::BTreeMap;

/// A meter in the list.
pub(crate) struct MeterLine {
    pub node: String,
    pub meters: String,
    pub reached: String,
    pub link_words: Option<String>,
    pub is_bad: bool,
    pub register: Option<String>,
    pub heard: Option<String>,
}

/// A usage point in shadow.
pub(crate) struct ShadowLine {
    pub id: String,
    pub label: String,
    /// Why it would be off if it were armed; empty: it would not.
    pub would_cut: String,
}

#[derive(Template)]
#[template(path = "meters.html")]
pub(crate) struct MetersView {
    pub notice: Option<&'static str>,
    pub meters: Vec<MeterLine>,
    pub shadows: Vec<ShadowLine>,
    /// Usage points that arming all of them switches off.
    pub would_cut: usize,
    pub points: usize,
}

/// What has just been done, in words.
fn notice(done: &str) -> Option<&'static str> {
    Some(match done {
        "add" => "Installed. Its first reading begins the count.",
        "replace" => "Replaced. The old meter's last energy is charged; the account stays.",
        "move" => "Moved: it is reached another way now.",
        "undone" => "Moved back.",
        "retire" => "Taken away. Its usage point has no meter now.",
        "armed" => "Armed: cuts are carried out everywhere.",
        "shadow" => "In shadow everywhere: cuts are shown, not carried out.",
        "site" => "Everywhere as the site's configuration says.",
        _ => return None,
    })
}

/// What a meter is for, in words.
pub(crate) fn meters_words(rows: &MeterRows) -> String {
    match (rows.node.role, &rows.label) {
        (Some(Role::UsagePoint(id)), Some(label)) => format!("{label} ({id})"),
        (Some(Role::UsagePoint(id)), None) => id.to_string(),
        (Some(Role::Feeder(id)), _) => format!("feeder {id}"),
        (None, _) => "nothing any more".to_owned(),
    }
}

impl MetersView {
    pub(crate) fn new(
        meters: &[MeterRows],
        links: &BTreeMap<NodeId, LinkFacts>,
        facts: &[PointFacts],
        (done, now): (&str, UtcSeconds),
    ) -> Self {
        let line = |rows: &MeterRows| {
            let quality = links.get(&rows.node.id);
            let reading = rows.last.as_ref();
            MeterLine {
                node: rows.node.id.to_string(),
                meters: meters_words(rows),
                reached: rows.node.link.words(),
                link_words: quality.map(|quality| quality.words.clone()),
                is_bad: quality.is_some_and(|quality| !quality.words.starts_with("good")),
                register: reading.map(|last| format::units_exact(last.reading.register)),
                heard: reading.map(|last| format::ago(last.at, now)),
            }
        };
        let shadow = |facts: &PointFacts| ShadowLine {
            id: facts.id.to_string(),
            label: facts.label.clone(),
            would_cut: facts.would_cut.to_string(),
        };
        let shadows = facts.iter().filter(|facts| facts.is_shadow);
        let shadows: Vec<_> = shadows.map(shadow).collect();
        Self {
            notice: notice(done),
            meters: meters.iter().map(line).collect(),
            would_cut: shadows.iter().filter(|s| !s.would_cut.is_empty()).count(),
            shadows,
            points: facts.len(),
        }
    }
}

/// The way back of a move.
pub(crate) struct Undo {
    pub was: String,
    pub words: String,
}

impl Undo {
    pub(crate) fn new((link, switch): (MeterLink, Option<Switch>)) -> Self {
        Self {
            words: link.words(),
            was: serde_json::to_string(&(link, switch)).unwrap_or_default(),
        }
    }
}

/// What the page of a meter is made of.
pub(crate) struct MeterInputs<'a> {
    pub rows: &'a MeterRows,
    pub quality: Option<&'a LinkFacts>,
    pub done: &'a str,
    pub undo: Option<Undo>,
}

/// A name and its value.
pub(crate) struct Fact {
    pub name: &'static str,
    pub value: String,
}

#[derive(Template)]
#[template(path = "meter.html")]
pub(crate) struct MeterView {
    pub notice: Option<&'static str>,
    pub undo: Option<Undo>,
    pub node: String,
    pub meters: String,
    /// Page of its usage point.
    pub href: Option<String>,
    pub is_used: bool,
    pub is_ours: bool,
    pub facts: Vec<Fact>,
    pub link_words: Option<String>,
    pub link: Vec<Fact>,
}

impl MeterView {
    pub(crate) fn new(inputs: MeterInputs<'_>, rules: &Rules, now: UtcSeconds) -> Self {
        let rows = inputs.rows;
        let node = &rows.node;
        let href = match node.role {
            Some(Role::UsagePoint(id)) => Some(format!("/usage-point/{id}")),
            _ => None,
        };
        Self {
            notice: notice(inputs.done),
            undo: inputs.undo,
            node: node.id.to_string(),
            meters: meters_words(rows),
            href,
            is_used: node.role.is_some(),
            is_ours: node.link.is_node(),
            facts: facts(rows, rules, now),
            link_words: inputs.quality.map(|quality| quality.words.clone()),
            link: inputs.quality.map(link_facts).unwrap_or_default(),
        }
    }
}

fn facts(rows: &MeterRows, rules: &Rules, now: UtcSeconds) -> Vec<Fact> {
    let node = &rows.node;
    let fact = |name, value| Fact { name, value };
    let sealed = match node.link.is_sealed() {
        true => "yes: sealed frames",
        false => "no: believed as far as its bus or login",
    };
    let switch = match (&node.switch, node.link.is_sealed()) {
        (Some(switch), _) => switch.words(),
        (None, true) => "the node's own".to_owned(),
        (None, false) => "none".to_owned(),
    };
    let mut facts = vec![
        fact("Reached by", node.link.words()),
        fact("Authenticated", sealed.to_owned()),
        fact("Switch", switch),
    ];
    if let Some(serial) = node.link.serial() {
        facts.push(fact("Serial number", serial.to_owned()));
    }
    if let Some(initial) = node.initial {
        let at = format::date_time(rules.calendar, initial.at);
        let value = format!("{} kWh, {at}", format::units_exact(initial.register));
        facts.push(fact("At installation", value));
    }
    if let Some(last) = &rows.last {
        let reading = &last.reading;
        let register = format::units_exact(reading.register);
        facts.push(fact("Register", format!("{register} kWh")));
        if let Some(watts) = reading.power_w {
            facts.push(fact("Power", format::power(i64::from(watts))));
        }
        if let Some(dv) = reading.voltage_dv {
            let volts = format!("{}.{}\u{a0}V", dv / 10, dv % 10);
            facts.push(fact("Voltage", volts));
        }
    }
    let read = rows.last.as_ref();
    let read = read.map_or_else(|| "never".to_owned(), |last| format::ago(last.at, now));
    facts.push(fact("Last reading", read));
    facts
}

fn link_facts(quality: &LinkFacts) -> Vec<Fact> {
    let fact = |name, value| Fact { name, value };
    let heard = match quality.heard_ago_s {
        Some(seconds) => format!("{seconds} s ago"),
        None => "never".to_owned(),
    };
    let latency = quality.latency_ms.map(|ms| match quality.slowest_ms {
        Some(slowest) => format!("{ms} ms, slowest lately {slowest} ms"),
        None => format!("{ms} ms"),
    });
    let mut facts = vec![fact("Last heard", heard)];
    facts.extend(latency.map(|latency| fact("Answers in", latency)));
    facts.push(fact("Messages used", quality.good.to_string()));
    let errors = quality.errors.iter();
    let errors: Vec<_> = errors
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let errors = match errors.is_empty() {
        true => "none".to_owned(),
        false => errors.join(", "),
    };
    facts.push(fact("Not used", errors));
    facts
}
