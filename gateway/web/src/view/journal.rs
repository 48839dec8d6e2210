//! Decisions in words.

use crate::format::{self, Money};
use askama::Template;
use gateway_core::account::Change;
use gateway_core::alarm::Subject;
use gateway_core::calendar::Calendar;
use gateway_core::case::AssessmentDecision;
use gateway_core::event::Role;
use gateway_core::metering::RegisterBreak;
use gateway_core::order::Outcome;
use gateway_core::supply::{Reason, Relay, SupplyOrder};
use gateway_core::tokens::{Effect, Entry};
use gateway_core::{Decision, Record, Rules, UtcSeconds, WattHours};

/// A decision for people.
pub(crate) struct JournalLine {
    pub number: u64,
    pub at: String,
    pub subject: Option<String>,
    pub href: Option<String>,
    pub words: String,
    /// Class of its mark.
    pub class: &'static str,
}

#[derive(Template)]
#[template(path = "journal.html")]
pub(crate) struct JournalView {
    pub events: Vec<JournalLine>,
    /// First number of the page of older records, if there are any.
    pub older: Option<u64>,
    /// Whether this is the newest page.
    pub is_newest: bool,
}

impl JournalView {
    /// Newest first.
    pub(crate) fn new(records: &[Record], rules: &Rules, currency: &str, page: u64) -> Self {
        let first = records.first().map_or(0, |record| record.number);
        Self {
            events: lines(records, rules, currency),
            older: (first > 1).then(|| first.saturating_sub(page).max(1)),
            is_newest: true,
        }
    }
}

/// Lines of a journal, newest first.
pub(crate) fn lines(records: &[Record], rules: &Rules, currency: &str) -> Vec<JournalLine> {
    let line = |record: &Record| {
        let (class, words) = describe(&record.decision, currency);
        let point = record.decision.usage_point();
        let case = match &record.decision {
            Decision::CaseOpened { .. } => Some(record.number),
            decision => decision.case(),
        };
        JournalLine {
            number: record.number,
            at: format::date_time(rules.calendar, record.at),
            subject: point
                .map(|id| id.to_string())
                .or(case.map(|case| format!("case {case}"))),
            href: point
                .map(|id| format!("/usage-point/{id}"))
                .or(case.map(|case| format!("/cases/{case}"))),
            words,
            class,
        }
    };
    records.iter().rev().map(line).collect()
}

/// A decision in the journal's words, which are English as those of every staff page.
#[must_use]
pub fn in_words(decision: &Decision, currency: &str) -> String {
    describe(decision, currency).1
}

/// A decision's mark and its words.
pub(crate) fn describe(decision: &Decision, currency: &str) -> (&'static str, String) {
    let money = |amount| Money::new(amount, currency).text();
    match decision {
        Decision::Settled { settlement, .. } => {
            let closes = settlement.opens.map_or("", |_| "; billing period closed");
            let charged = money(settlement.charges.total());
            let words = match settlement.energy {
                WattHours(0) if settlement.band.is_some() && settlement.charges.is_zero() => {
                    "Another time of day begins".to_owned()
                }
                WattHours(0) => format!("Daily charge of {charged}{closes}"),
                energy => {
                    let energy = format::units_exact(energy);
                    let split = match settlement.uncertain {
                        WattHours(0) => String::new(),
                        uncertain => format!(
                            "; {} kWh around a change split in proportion to time",
                            format::units_exact(uncertain)
                        ),
                    };
                    format!("{energy} kWh settled for {charged}{closes}{split}")
                }
            };
            ("charge", words)
        }
        Decision::Vended { .. }
        | Decision::Debt { .. }
        | Decision::Correction { .. }
        | Decision::Agent(_) => super::money::describe(decision, &money),
        Decision::TokenEntered {
            entry, amount, by, ..
        } => describe_token(entry, money(*amount), by),
        Decision::SupplyOrdered { .. }
        | Decision::SupplyDesired { .. }
        | Decision::SupplyReported { .. } => describe_supply(decision),
        Decision::AlarmRaised { .. }
        | Decision::AlarmCleared { .. }
        | Decision::AlarmAcknowledged { .. } => describe_alarm(decision),
        Decision::Guard(decision) => ("supply", decision.words()),
        Decision::Prepay { what, .. } => super::prepay::describe(what, currency),
        Decision::CaseOpened { .. } => describe_case(decision, currency),
        Decision::Trial(decision) => (
            "supply",
            format!("Case {}: {}", decision.case(), decision.words()),
        ),
        decision if decision.case().is_some() => describe_case(decision, currency),
        Decision::Person(decision) => ("admin", super::people::describe(decision)),
        _ => describe_cloud(decision)
            .or_else(|| super::office::describe(decision))
            .unwrap_or_else(|| describe_administration(decision)),
    }
}

fn describe_case(decision: &Decision, currency: &str) -> (&'static str, String) {
    let number = decision.case().unwrap_or_default();
    let said = |text: &str| {
        if text.is_empty() {
            String::new()
        } else {
            format!(": {text}")
        }
    };
    match decision {
        Decision::CaseOpened { report, money, .. }
        | Decision::CaseEvidence { report, money, .. } => {
            let first = report.suspects.first().map(|s| s.usage_point.to_string());
            let state = if report.going { "going on" } else { "stopped" };
            let case = match decision.case() {
                Some(number) => format!("Case {number}, {state}"),
                None => "Case opened".to_owned(),
            };
            let what = report.verdict.words(first.as_deref());
            let worth = Money::new(*money, currency).text();
            let words = format!("{case}: {what}; {} kWh, about {worth}", report.energy);
            ("alarm", words)
        }
        Decision::CaseTamper {
            usage_point,
            details,
            ..
        } => (
            "alarm",
            format!("Case {number}: tampering at {usage_point}: {details}"),
        ),
        Decision::CaseNoted { text, by, .. } => {
            ("admin", format!("Case {number}, note by {by}: {text}"))
        }
        Decision::CaseFieldCheck {
            usage_point,
            found,
            text,
            by,
            ..
        } => {
            let place = usage_point.map_or_else(|| "the line".to_owned(), |id| id.to_string());
            let found = found.words();
            (
                "admin",
                format!(
                    "Case {number}, {place} checked by {by}: {found}{}",
                    said(text)
                ),
            )
        }
        Decision::CaseClosed {
            outcome, text, by, ..
        } => {
            let outcome = outcome.words();
            (
                "calm",
                format!("Case {number} closed as {outcome} by {by}{}", said(text)),
            )
        }
        Decision::ResidentTold { text, news, .. } => (
            "admin",
            format!(
                "Case {number}: the resident was told ({}): {text}",
                news.name()
            ),
        ),
        Decision::Assessment { what, .. } => ("charge", assessment(number, what, currency)),
        _ => ("admin", String::new()),
    }
}

fn assessment(case: u64, what: &AssessmentDecision, currency: &str) -> String {
    let (after, standing) = match what {
        AssessmentDecision::Made {
            amount,
            energy,
            by,
            standing,
            ..
        } => {
            let amount = Money::new(*amount, currency).text();
            (format!("{amount} for {energy} kWh by {by}, "), standing)
        }
        AssessmentDecision::Ended { standing, .. } => (String::new(), standing),
    };
    format!("Case {case} assessed: {after}{}", standing.words())
}

fn describe_token(entry: &Entry, amount: String, by: &str) -> (&'static str, String) {
    match &entry.outcome {
        Ok(effect @ Effect::Credit { .. }) => {
            ("vend", format!("Token: {effect}, worth {amount}, by {by}"))
        }
        Ok(effect) => ("admin", format!("Token: {effect}, by {by}")),
        Err(rejection) => ("alarm", format!("Token by {by} not taken: {rejection}")),
    }
}

fn describe_supply(decision: &Decision) -> (&'static str, String) {
    match decision {
        Decision::SupplyOrdered { order, by, .. } => {
            let words = match order {
                SupplyOrder::Auto => "automatic",
                SupplyOrder::On => "on",
                SupplyOrder::Off => "off",
            };
            ("supply", format!("Supply ordered {words} by {by}"))
        }
        Decision::SupplyDesired { reasons, .. } if reasons.is_empty() => {
            ("on", "To be connected".to_owned())
        }
        Decision::SupplyDesired {
            reasons,
            shadow: true,
            ..
        } if !reasons.has(Reason::OperatorOff) => {
            let words = format!("In shadow, not carried out: would be disconnected, {reasons}");
            ("supply", words)
        }
        Decision::SupplyDesired { reasons, .. } => {
            ("off", format!("To be disconnected: {reasons}"))
        }
        Decision::SupplyReported { relay, .. } => match relay {
            Relay::Closed => ("on", "Connected, says the meter".to_owned()),
            Relay::Open => ("off", "Disconnected, says the meter".to_owned()),
        },
        _ => ("supply", String::new()),
    }
}

fn describe_alarm(decision: &Decision) -> (&'static str, String) {
    match decision {
        Decision::AlarmRaised {
            kind,
            subject,
            details,
        } => {
            let whom = whom(*subject);
            (
                "alarm",
                format!("Alarm{whom}: {} ({details})", kind.words()),
            )
        }
        Decision::AlarmCleared { kind, subject } => {
            ("calm", format!("Over{}: {}", whom(*subject), kind.words()))
        }
        Decision::AlarmAcknowledged { kind, subject, by } => {
            let whom = whom(*subject);
            ("calm", format!("Seen by {by}{whom}: {}", kind.words()))
        }
        _ => ("alarm", String::new()),
    }
}

fn describe_cloud(decision: &Decision) -> Option<(&'static str, String)> {
    Some(match decision {
        Decision::CloudEnrolled { cloud_key, by, .. } => (
            "admin",
            format!("Head-end with key {cloud_key} obeyed from now on, by {by}"),
        ),
        Decision::CloudKeyRolled { key } => ("admin", format!("Head-end has key {key} now")),
        Decision::OrderTaken {
            order,
            act,
            result: Outcome::Done { .. },
            ..
        } => (
            "admin",
            format!("Order {order} of the head-end done: {act}"),
        ),
        Decision::OrderTaken {
            order,
            act,
            result: Outcome::Refused { refusal },
            ..
        } => {
            let words = format!("Order {order} of the head-end refused: {act}; {refusal}");
            ("alarm", words)
        }
        Decision::MoneyHeld { evidence, .. } => (
            "alarm",
            format!("No money is taken from now on: {evidence}"),
        ),
        Decision::ClockSet { from, to, by } => ("admin", clock_set(*from, *to, by)),
        Decision::MoneyReleased { note, by } => {
            ("calm", format!("Money is taken again, by {by}: {note}"))
        }
        Decision::BranchBegun { branch, after, .. } => {
            let words = format!("Reconciled as branch {branch}, from record {after}");
            ("admin", words)
        }
        _ => return None,
    })
}

/// Both times in UTC, because that is what a clock is set in.
fn clock_set(from: UtcSeconds, to: UtcSeconds, by: &str) -> String {
    let calendar = Calendar {
        utc_offset_s: 0,
        period_start_day: 1,
    };
    let utc = |at| format::date_time_to_second(calendar, at);
    let (from, to) = (utc(from), utc(to));
    format!("Clock set from {from} to {to} (UTC) by {by}")
}

fn describe_administration(decision: &Decision) -> (&'static str, String) {
    match decision {
        Decision::TariffAdopted { tariff } => ("admin", format!("Tariff {} adopted", tariff.id)),
        Decision::TokenProvisioned { terms, check, .. } => (
            "admin",
            format!(
                "Token key {check} provisioned: supply group {:06}, tariff index {:02}, revision {}",
                terms.supply_group, terms.tariff_index, terms.revision
            ),
        ),
        Decision::TokensOutdated { .. } => (
            "admin",
            "Tokens bought before a backup was restored are refused".to_owned(),
        ),
        Decision::TariffChanged {
            from, to, change, ..
        } => {
            let how = describe_change(change);
            ("admin", format!("Tariff {to} in place of {from} {how}"))
        }
        Decision::SanctionedLoadSet { load_w, by, .. } => (
            "admin",
            format!("Sanctioned load set to {load_w} W by {by}"),
        ),
        Decision::UsagePointAdded { label, tariff, .. } => (
            "admin",
            format!("Usage point “{label}” added with tariff {tariff}"),
        ),
        Decision::MeterFitted {
            fit,
            cause,
            set_aside,
            ..
        } => {
            let why = cause.map_or("first reading", break_words);
            let aside = if *set_aside == WattHours(0) {
                String::new()
            } else {
                format!(
                    "; {} kWh set aside for a decision",
                    format::units_exact(*set_aside)
                )
            };
            (
                "meter",
                format!("Meter {} taken over: {why}{aside}", fit.node),
            )
        }
        Decision::DisputeResolved {
            number,
            charged,
            by,
            ..
        } => {
            let outcome = if *charged { "charged" } else { "let go" };
            (
                "admin",
                format!("Dispute {number} decided by {by}: energy {outcome}"),
            )
        }
        _ => describe_meters(decision),
    }
}

fn describe_meters(decision: &Decision) -> (&'static str, String) {
    match decision {
        Decision::NodeAdded {
            node,
            role,
            replaces,
            ..
        } => {
            let instead = replaces.map_or_else(String::new, |old| format!(" in place of {old}"));
            let meters = match role {
                Role::UsagePoint(id) => id.to_string(),
                Role::Feeder(id) => format!("feeder {id}"),
            };
            ("admin", format!("Node {node} meters {meters}{instead}"))
        }
        Decision::NodeLinked { node, by, .. } => (
            "meter",
            format!("Meter {node} is reached another way, by {by}"),
        ),
        Decision::NodeRetired { node, by, .. } => {
            ("meter", format!("Meter {node} taken away by {by}"))
        }
        Decision::PhaseSet { phase, by, .. } => (
            "admin",
            match phase {
                Some(phase) => format!("On phase {} of the feeder, set by {by}", phase.words()),
                None => format!("Phase on the feeder not known, set by {by}"),
            },
        ),
        Decision::FeederSet { feeder, by, .. } => (
            "admin",
            match feeder {
                Some(feeder) => format!("On feeder {feeder}, set by {by}"),
                None => format!("Feeder not known, set by {by}"),
            },
        ),
        Decision::ArmingSet {
            armed: true, by, ..
        } => ("admin", format!("Armed by {by}: cuts are carried out")),
        Decision::ArmingSet { by, .. } => (
            "admin",
            format!("In shadow by {by}: cuts are shown, not carried out"),
        ),
        _ => ("admin", String::new()),
    }
}

fn describe_change(change: &Change) -> String {
    match change {
        Change::Period => "for the whole period".to_owned(),
        Change::AtRegister { day } => format!("from {day}, the period cut at its register"),
        Change::ByDays { earlier } => {
            format!("after {}, the period's units split by days", earlier.last)
        }
    }
}

/// The subject in words unless it is the usage point the line stands under anyway.
fn whom(subject: Subject) -> String {
    match subject {
        Subject::UsagePoint(_) => String::new(),
        Subject::Node(node) => format!(" for {node}"),
        Subject::Site => " for the site".to_owned(),
        Subject::Case(number) => format!(" for case {number}"),
    }
}

/// What a register did, in words.
pub(crate) fn break_words(cause: RegisterBreak) -> &'static str {
    match cause {
        RegisterBreak::RolledOver => "register rolled over",
        RegisterBreak::Restarted => "node restarted",
        RegisterBreak::Jumped => "register jumped",
        RegisterBreak::WentBackwards => "register went backwards",
    }
}
