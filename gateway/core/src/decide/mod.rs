//! From an event to decisions: this module only dispatches; each noun decides for itself.
//!
//! A [`Draft`] collects decisions for one event. It applies each one to its own copy of the usage point at once, and keeps that copy while
//! another usage point is in hand, so that a later step sees what an earlier one decided; it leaves the state alone.

mod agents;
mod assess;
mod bands;
mod cases;
mod clock;
mod commands;
mod corrections;
mod debts;
mod guard;
mod kept;
mod meters;
mod neighbours;
mod orders;
mod people;
mod points;
mod prepay;
mod questions;
mod readings;
mod residents;
mod supply;
mod switches;
mod time;
mod tokens;
mod trials;
mod vends;
mod versions;

use crate::alarm::{AlarmKind, Subject};
use crate::decision::{Decision, Record};
use crate::event::{Answer, Command, Event, Moment};
use crate::metering::LastReading;
use crate::prepay::PrepayRules;
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::state::State;
use crate::tariff::Tariff;
use crate::tokens::TokenRules;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds, WattHours};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bands::Known;

/// What an event leads to. Nothing of it is true before it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Decisions for the journal, in order. There can be some even when the answer is a refusal (an alarm).
    pub decisions: Vec<Decision>,
    /// The reading that was accepted, for [`State::observe`] and the readings table.
    pub accepted: Option<LastReading>,
    /// The answer to whoever asked.
    pub answer: Result<Answer, Refusal>,
}

/// Decides what an event leads to. Pure: the same arguments give the same ruling. No token is known.
#[must_use]
pub fn decide(state: &State, rules: &Rules, clock: Moment, event: &Event) -> Ruling {
    decide_with_tokens(state, rules, &TokenRules::default(), clock, event)
}

/// The same at a site that takes transfer tokens. Their keys come in here and go out nowhere.
#[must_use]
pub fn decide_with_tokens(
    state: &State,
    rules: &Rules,
    tokens: &TokenRules,
    clock: Moment,
    event: &Event,
) -> Ruling {
    let mut draft = Draft::new(state, rules, clock);
    let answer = match event {
        Event::Reading(reading) => readings::accept(&mut draft, reading),
        Event::Metered(reading) => meters::metered(&mut draft, reading),
        Event::Switched { node, relay } => meters::switched(&mut draft, *node, *relay),
        Event::Tick => time::pass(&mut draft),
        Event::Command(Command::EnterToken {
            usage_point,
            token,
            by,
        }) => tokens::enter(&mut draft, tokens, (*usage_point, token, by)),
        Event::Command(Command::MakeToken(order)) => tokens::make(&mut draft, tokens, order),
        Event::Command(Command::TakeOrder { order }) => orders::take(&mut draft, tokens, order),
        Event::Command(command) => commanded(&mut draft, command),
    };
    Ruling {
        decisions: draft.decisions,
        accepted: draft.accepted,
        answer,
    }
}

fn commanded(draft: &mut Draft<'_>, command: &Command) -> Result<Answer, Refusal> {
    match command {
        Command::AdoptTariff { tariff } => commands::adopt_tariff(draft, tariff),
        Command::AddUsagePoint { .. } => commands::add_usage_point(draft, command),
        Command::SetSanctionedLoad {
            usage_point,
            load_w,
            by,
        } => commands::set_sanctioned_load(draft, *usage_point, *load_w, by),
        Command::AddNode { node, role } => commands::add_node(draft, *node, *role),
        Command::WorkOnMeter { work, by } => meters::work(draft, work, by),
        Command::SetPoint {
            usage_point,
            setting,
            by,
        } => meters::set_point(draft, *usage_point, *setting, by),
        Command::Vend { .. } | Command::QuoteVend { .. } => vends::ask(draft, command),
        Command::Correct(command) => corrections::ask(draft, command),
        Command::Agent(command) => agents::ask(draft, command),
        Command::OrderSupply {
            usage_point,
            order,
            by,
        } => supply::order(draft, *usage_point, *order, by),
        Command::AcknowledgeAlarm { number, by } => commands::acknowledge(draft, *number, by),
        Command::ResolveDispute {
            usage_point,
            number,
            charge,
            by,
        } => commands::resolve_dispute(draft, *usage_point, *number, *charge, by),
        Command::Case(command) => cases::ask(draft, command),
        Command::Question(command) => questions::ask(draft, command),
        Command::Person(command) => people::ask(draft, command),
        Command::Guard(command) => guard::ask(draft, command),
        Command::Prepay(command) => prepay::ask(draft, command),
        Command::Report {
            kind,
            node,
            details,
        } => {
            draft.raise(
                *kind,
                node.map_or(Subject::Site, Subject::Node),
                details.clone(),
            );
            Ok(Answer::Done)
        }
        Command::ReportEnd { kind, node } => {
            draft.clear(*kind, node.map_or(Subject::Site, Subject::Node));
            Ok(Answer::Done)
        }
        Command::EnrolCloud {
            cloud_key,
            gateway_key,
            by,
        } => orders::enrol(draft, *cloud_key, *gateway_key, by),
        Command::HoldMoney { cause, evidence } => orders::hold(draft, *cause, evidence),
        Command::ReleaseMoney { note, by } => orders::release(draft, note, by),
        Command::SetClock(order) => clock::set(draft, order),
        Command::QuoteClock(order) => clock::quote(draft, order),
        Command::ChangeUsagePoint(change) => points::change(draft, change),
        Command::UndoSettings { change, why } => orders::undo_settings(draft, *change, why),
        // Handled with the keys.
        Command::EnterToken { .. } | Command::MakeToken(_) | Command::TakeOrder { .. } => {
            Ok(Answer::Done)
        }
    }
}

/// The decisions of one event in the making.
struct Draft<'a> {
    state: &'a State,
    rules: &'a Rules,
    now: Moment,
    /// What the gateway's own clock shows, believed or not: for waits of seconds.
    clock: UtcSeconds,
    decisions: Vec<Decision>,
    accepted: Option<LastReading>,
    /// The usage point in hand, with this draft's decisions applied.
    point: Option<UsagePoint>,
    /// The others this draft has decided something about, likewise.
    changed: BTreeMap<UsagePointId, UsagePoint>,
    /// What is known of its register between the reading before and the one in hand.
    known: Option<Known>,
    /// A payment has been added to the usage point in hand.
    recharged: bool,
    /// Somebody presses for the usage point in hand to be reconnected.
    pressed: bool,
}

impl<'a> Draft<'a> {
    fn new(state: &'a State, rules: &'a Rules, clock: Moment) -> Self {
        Self {
            state,
            rules,
            now: state.moment(clock),
            clock: clock.at,
            decisions: Vec::new(),
            accepted: None,
            point: None,
            changed: BTreeMap::new(),
            known: None,
            recharged: false,
            pressed: false,
        }
    }

    /// A usage point as it is with what this draft has decided.
    fn with_decisions(&mut self, id: UsagePointId) -> Option<UsagePoint> {
        let known = self.changed.remove(&id);
        known.or_else(|| self.state.usage_points.get(&id).cloned())
    }

    /// Takes a usage point in hand.
    fn take(&mut self, id: UsagePointId) -> Result<(), Refusal> {
        self.put_down();
        let point = self.with_decisions(id).ok_or(Refusal::NoSuchUsagePoint)?;
        self.point = Some(point);
        Ok(())
    }

    /// Takes the usage point in hand out of it, and keeps what was decided about it.
    fn put_down(&mut self) {
        self.known = None;
        (self.recharged, self.pressed) = (false, false);
        let Some(point) = self.point.take() else {
            return;
        };
        if self.state.usage_points.get(&point.id) != Some(&point) {
            self.changed.insert(point.id, point);
        }
    }

    /// Adds a decision and applies it to the usage point it concerns.
    fn push(&mut self, decision: Decision) {
        if let Some(id) = decision.usage_point() {
            let record = Record {
                number: self.next_number(),
                at: self.now.at,
                decision: decision.clone(),
            };
            if let Some(point) = self.point.as_mut().filter(|point| point.id == id) {
                point.apply(&record);
            } else if let Some(mut point) = self.with_decisions(id) {
                point.apply(&record);
                self.changed.insert(id, point);
            }
        }
        self.decisions.push(decision);
    }

    /// Number the next decision gets in the journal.
    fn next_number(&self) -> u64 {
        number_after(self.state, self.decisions.len())
    }

    /// The prepayment rules of the usage point in hand.
    fn prepay(&self) -> &'a PrepayRules {
        self.rules.prepay_of(self.tariff())
    }

    fn tariff(&self) -> Option<&'a Tariff> {
        self.point
            .as_ref()
            .and_then(|point| self.state.tariff_of(point))
    }

    /// The register of the usage point in hand: from the reading just accepted, else the last one known.
    fn register(&self) -> WattHours {
        let Some(point) = &self.point else {
            return WattHours(0);
        };
        let node = point.meter.map(|fit| fit.node);
        let fresh = self
            .accepted
            .as_ref()
            .filter(|last| Some(last.reading.node) == node);
        let raw = fresh
            .map(|last| last.reading.register)
            .or_else(|| self.state.raw_register(point));
        point.register_for(raw)
    }

    /// Whether an alarm is open, with what this draft has decided.
    fn is_open(&self, kind: AlarmKind, subject: Subject) -> bool {
        let known = self.state.alarms.get(&(kind, subject));
        let open = known.is_some_and(|alarm| !alarm.cleared);
        let decided = self.decisions.iter().rev();
        let mut decided = decided.filter_map(|decision| match decision {
            Decision::AlarmRaised {
                kind: k,
                subject: s,
                ..
            } if (*k, *s) == (kind, subject) => Some(true),
            Decision::AlarmCleared {
                kind: k,
                subject: s,
            } if (*k, *s) == (kind, subject) => Some(false),
            _ => None,
        });
        decided.next().unwrap_or(open)
    }

    /// Raises an alarm unless it is open already.
    fn raise(&mut self, kind: AlarmKind, subject: Subject, details: String) {
        if !self.is_open(kind, subject) {
            self.decisions.push(Decision::AlarmRaised {
                kind,
                subject,
                details,
            });
        }
    }

    /// Clears an alarm if it is open.
    fn clear(&mut self, kind: AlarmKind, subject: Subject) {
        if self.is_open(kind, subject) {
            self.decisions
                .push(Decision::AlarmCleared { kind, subject });
        }
    }
}

/// The journal number of the next decision, after some of this draft.
fn number_after(state: &State, decisions: usize) -> u64 {
    state.number.saturating_add(decisions as u64 + 1)
}

/// Longest text taken from outside (labels, names, keys), in bytes: fits a line on a phone and a receipt.
const LONGEST_TEXT: usize = 64;

fn usable(text: &str) -> Result<(), Refusal> {
    let bad =
        text.trim().is_empty() || text.len() > LONGEST_TEXT || text.chars().any(char::is_control);
    if bad {
        Err(Refusal::TextUnusable)
    } else {
        Ok(())
    }
}
