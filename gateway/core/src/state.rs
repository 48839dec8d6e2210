//! The state: a fold of the journal, plus the last reading of each node.
//!
//! [`State::apply`] is the only way journalled state changes, [`State::observe`] the only way telemetry does. Both are pure
//! and never fail: whatever could fail was refused by [`crate::decide`].
//!
//! Each entity has a [`Key`], and [`State::touched`] names the entities a record changes, so that a store can keep one
//! row per entity current in the same transaction as the journal.

use crate::account::Account;
use crate::agent::{self, AgentId, Agents};
use crate::alarm::{Alarm, AlarmKind, Subject};
use crate::calendar::LocalDay;
use crate::case::Case;
use crate::cloud::Cloud;
use crate::debt::Debts;
use crate::decision::{Decision, Record};
use crate::event::{Moment, Role};
use crate::guard::{Guard, GuardDecision};
use crate::ledger::LedgerAccount;
use crate::meter_link::Arming;
pub use crate::meter_link::Node;
use crate::metering::{LastReading, MeterFit};
use crate::order::{Ring, place};
use crate::person::{self, Person};
use crate::prepay::{PrepayDecision, PrepayState, VendParts};
use crate::supply::Supply;
use crate::tariff::{SMALLEST_LOAD_W, Tariff};
use crate::tokens::{Effect, PointTokens};
use crate::usage_point::{Dispute, UsagePoint};
use crate::{FeederId, Micro, NodeId, UsagePointId, UtcSeconds, WattHours};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A vend that was made: what its idempotency key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vend {
    /// Idempotency key.
    pub key: String,
    /// The usage point.
    pub usage_point: UsagePointId,
    /// How much.
    pub amount: Micro,
    /// Receipt number.
    pub receipt: u64,
    /// When.
    pub at: UtcSeconds,
    /// What of it went to debts, and from whose float it came.
    #[serde(default, skip_serializing_if = "VendParts::is_plain")]
    pub parts: VendParts,
    /// Number of the record that took it back, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversed: Option<u64>,
}

/// Names one entity of the state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A tariff.
    Tariff(String),
    /// A usage point.
    UsagePoint(UsagePointId),
    /// A node.
    Node(NodeId),
    /// A ledger account's balance.
    Ledger(LedgerAccount),
    /// A vend.
    Vend(String),
    /// A usage point's token state.
    Tokens(UsagePointId),
    /// An alarm.
    Alarm(AlarmKind, Subject),
    /// The head-end and the hold on money.
    Cloud,
    /// An order taken, by its place in the ring.
    Order(u64),
    /// A case.
    Case(u64),
    /// A vending agent.
    Agent(AgentId),
    /// A person, by the key of their name.
    Person(String),
}

/// Everything that is true at the site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Number of the last record.
    pub number: u64,
    /// Time of the last record.
    pub at: UtcSeconds,
    /// Tariffs in use.
    pub tariffs: BTreeMap<String, Tariff>,
    /// Usage points.
    pub usage_points: BTreeMap<UsagePointId, UsagePoint>,
    /// Nodes.
    pub nodes: BTreeMap<NodeId, Node>,
    /// Ledger balances; they sum to zero.
    pub ledger: BTreeMap<LedgerAccount, Micro>,
    /// Vends by idempotency key.
    pub vends: BTreeMap<String, Vend>,
    /// Token states of the usage points that have been given a key.
    pub tokens: BTreeMap<UsagePointId, PointTokens>,
    /// Open alarms.
    pub alarms: BTreeMap<(AlarmKind, Subject), Alarm>,
    /// The head-end and the hold on money.
    pub cloud: Cloud,
    /// Orders taken, as far back as they are known one by one.
    pub orders: Ring,
    /// Cases by number, also closed ones.
    pub cases: BTreeMap<u64, Case>,
    /// Vending agents.
    pub agents: Agents,
    /// People by the key of their name.
    pub people: BTreeMap<String, Person>,
    /// Last accepted reading of each node: telemetry.
    pub readings: BTreeMap<NodeId, LastReading>,
    /// Time of the latest accepted reading: telemetry.
    pub observed_at: UtcSeconds,
}

impl State {
    /// The time to decide by: never before anything already recorded, and frozen at the last trusted time while the
    /// clock is not trusted.
    #[must_use]
    pub fn moment(&self, clock: Moment) -> Moment {
        let floor = self.floor();
        let at = if clock.clock_trusted {
            clock.at.max(floor)
        } else {
            floor
        };
        Moment {
            at,
            clock_trusted: clock.clock_trusted,
        }
    }

    /// The latest moment anything was recorded or read.
    #[must_use]
    pub fn floor(&self) -> UtcSeconds {
        self.at.max(self.observed_at)
    }

    /// The tariff of a usage point's account.
    #[must_use]
    pub fn tariff_of(&self, usage_point: &UsagePoint) -> Option<&Tariff> {
        self.tariffs.get(&usage_point.account.tariff)
    }

    /// The tariff of a name on a day: of a family the version of that day, the earliest if none has begun; of a version's id that
    /// version, or a later one of its family that has begun.
    #[must_use]
    pub fn tariff_named(&self, name: &str, day: LocalDay) -> Option<&Tariff> {
        let named = self.tariffs.get(name);
        let family = named.map_or(Some(name), |tariff| tariff.family.as_deref());
        let Some(family) = family else { return named };
        let newest = self
            .versions(family)
            .filter(|tariff| tariff.first_day() <= day)
            .max_by_key(|tariff| tariff.first_day());
        match (named, newest) {
            (Some(named), Some(newest)) if newest.first_day() > named.first_day() => Some(newest),
            (Some(named), _) => Some(named),
            (None, Some(newest)) => Some(newest),
            (None, None) => self.versions(family).min_by_key(|t| t.first_day()),
        }
    }

    /// The versions of a tariff.
    pub(crate) fn versions<'a>(&'a self, family: &str) -> impl Iterator<Item = &'a Tariff> {
        let tariffs = self.tariffs.values();
        tariffs.filter(move |tariff| tariff.family.as_deref() == Some(family))
    }

    /// The raw register last reported by the meter of a usage point.
    #[must_use]
    pub fn raw_register(&self, usage_point: &UsagePoint) -> Option<WattHours> {
        let fit = usage_point.meter?;
        self.readings
            .get(&fit.node)
            .map(|last| last.reading.register)
    }

    /// Credit available at a usage point now; its balance if its tariff is unknown.
    #[must_use]
    pub fn available(&self, usage_point: &UsagePoint) -> Micro {
        let register = usage_point.register_for(self.raw_register(usage_point));
        self.tariff_of(usage_point)
            .map_or(usage_point.account.balance, |tariff| {
                usage_point.available(tariff, register)
            })
    }

    /// The node that meters something.
    #[must_use]
    pub fn node_for(&self, role: Role) -> Option<NodeId> {
        self.nodes
            .values()
            .find(|node| node.role == Some(role))
            .map(|node| node.id)
    }

    /// Feeders with their nodes.
    pub fn feeders(&self) -> impl Iterator<Item = (FeederId, NodeId)> + '_ {
        self.nodes.values().filter_map(|node| match node.role {
            Some(Role::Feeder(feeder)) => Some((feeder, node.id)),
            _ => None,
        })
    }

    /// Makes a record true. Records come in the order of their numbers.
    pub fn apply(&mut self, record: &Record) {
        self.number = record.number;
        self.at = self.at.max(record.at);
        for posting in record.decision.postings() {
            *self.ledger.entry(posting.from).or_default() -= posting.amount;
            *self.ledger.entry(posting.to).or_default() += posting.amount;
        }
        crate::case::apply(&mut self.cases, record);
        person::apply(&mut self.people, &record.decision);
        match &record.decision {
            Decision::TariffAdopted { tariff } => {
                self.tariffs.insert(tariff.id.clone(), (**tariff).clone());
            }
            Decision::UsagePointAdded { usage_point, .. } => {
                if let Some(point) = added_usage_point(&record.decision) {
                    self.usage_points.insert(*usage_point, point);
                }
            }
            Decision::NodeAdded { .. }
            | Decision::NodeLinked { .. }
            | Decision::NodeRetired { .. } => self.apply_node(record),
            Decision::AlarmRaised { .. }
            | Decision::AlarmCleared { .. }
            | Decision::AlarmAcknowledged { .. } => self.apply_alarm(record),
            Decision::Vended {
                usage_point,
                amount,
                key,
                parts,
                ..
            } => {
                let vend = Vend {
                    parts: parts.clone(),
                    reversed: None,
                    key: key.clone(),
                    usage_point: *usage_point,
                    amount: *amount,
                    receipt: record.number,
                    at: record.at,
                };
                self.vends.insert(key.clone(), vend);
            }
            Decision::TokenProvisioned { .. }
            | Decision::TokensOutdated { .. }
            | Decision::TokenMade { .. }
            | Decision::TokenEntered { .. } => {
                self.apply_token(&record.decision);
            }
            Decision::Correction { .. } => self.apply_correction(record),
            Decision::Agent(what) => agent::apply(&mut self.agents, what),
            _ => self.apply_cloud(record),
        }
        if let Some(id) = record.decision.usage_point()
            && let Some(point) = self.usage_points.get_mut(&id)
        {
            point.apply(record);
        }
    }

    /// Takes note of an accepted reading.
    pub fn observe(&mut self, last: LastReading) {
        self.observed_at = self.observed_at.max(last.at);
        self.readings.insert(last.reading.node, last);
    }

    /// The entities a record has changed.
    #[must_use]
    pub fn touched(record: &Record) -> Vec<Key> {
        let mut keys = Vec::new();
        for posting in record.decision.postings() {
            keys.push(Key::Ledger(posting.from));
            keys.push(Key::Ledger(posting.to));
        }
        match &record.decision {
            Decision::TariffAdopted { tariff } => keys.push(Key::Tariff(tariff.id.clone())),
            Decision::NodeAdded { node, replaces, .. } => {
                keys.push(Key::Node(*node));
                keys.extend(replaces.map(Key::Node));
            }
            Decision::NodeLinked { node, .. } | Decision::NodeRetired { node, .. } => {
                keys.push(Key::Node(*node));
            }
            Decision::Vended { key, .. } => keys.push(Key::Vend(key.clone())),
            Decision::Correction { what, .. } => keys.extend(what.vend().map(Key::Vend)),
            Decision::Agent(what) => keys.push(Key::Agent(what.id())),
            Decision::TokenProvisioned { usage_point, .. }
            | Decision::TokensOutdated { usage_point, .. }
            | Decision::TokenEntered { usage_point, .. }
            | Decision::TokenMade { usage_point, .. } => keys.push(Key::Tokens(*usage_point)),
            Decision::CloudEnrolled { .. }
            | Decision::CloudKeyRolled { .. }
            | Decision::Settings(_)
            | Decision::MoneyHeld { .. }
            | Decision::MoneyReleased { .. }
            | Decision::BranchBegun { .. } => keys.push(Key::Cloud),
            Decision::Person(of) => keys.push(Key::Person(person::key(of.name()))),
            Decision::OrderTaken { sequence, .. } => keys.push(Key::Order(place(*sequence))),
            Decision::AlarmRaised { kind, subject, .. }
            | Decision::AlarmCleared { kind, subject }
            | Decision::AlarmAcknowledged { kind, subject, .. } => {
                keys.push(Key::Alarm(*kind, *subject));
            }
            _ => {}
        }
        keys.extend(record.decision.usage_point().map(Key::UsagePoint));
        keys.extend(record.decision.case().map(Key::Case));
        if let Decision::CaseOpened { forgets, .. } = &record.decision {
            keys.push(Key::Case(record.number));
            keys.extend(forgets.map(Key::Case));
        }
        keys
    }

    fn apply_token(&mut self, decision: &Decision) {
        match decision {
            Decision::TokenProvisioned {
                usage_point,
                check,
                terms,
                expiry,
            } => {
                let known = self.tokens.remove(usage_point);
                let tokens = PointTokens::provision(known, *usage_point, (*check, *terms, *expiry));
                // What could fail was refused when it was decided.
                self.tokens.extend(tokens.ok().map(|t| (*usage_point, t)));
            }
            Decision::TokenMade {
                usage_point, made, ..
            } => {
                if let Some(tokens) = self.tokens.get_mut(usage_point) {
                    tokens.made(made);
                }
            }
            Decision::TokenEntered {
                usage_point, entry, ..
            } => {
                if let Some(tokens) = self.tokens.get_mut(usage_point) {
                    tokens.acceptance.apply(entry);
                }
            }
            Decision::TokensOutdated { usage_point, until } => {
                if let Some(tokens) = self.tokens.get_mut(usage_point) {
                    tokens.acceptance.refuse_up_to(*until);
                }
            }
            _ => {}
        }
    }

    fn apply_alarm(&mut self, record: &Record) {
        match &record.decision {
            Decision::AlarmRaised {
                kind,
                subject,
                details,
            } => {
                let alarm = Alarm {
                    number: record.number,
                    kind: *kind,
                    subject: *subject,
                    raised_at: record.at,
                    details: details.clone(),
                    acknowledged_by: None,
                    cleared: false,
                };
                self.alarms.insert((*kind, *subject), alarm);
            }
            Decision::AlarmCleared { kind, subject } => {
                self.close_alarm((*kind, *subject), |alarm| alarm.cleared = true);
            }
            Decision::AlarmAcknowledged { kind, subject, by } => {
                self.close_alarm((*kind, *subject), |alarm| {
                    alarm.acknowledged_by = Some(by.to_string());
                });
            }
            _ => {}
        }
    }

    fn close_alarm(&mut self, key: (AlarmKind, Subject), change: impl FnOnce(&mut Alarm)) {
        if let Some(alarm) = self.alarms.get_mut(&key) {
            change(alarm);
            let seen = alarm.acknowledged_by.is_some() || !alarm.kind.needs_a_person();
            if alarm.cleared && seen {
                self.alarms.remove(&key);
            }
        }
    }
}

pub(crate) fn added_usage_point(decision: &Decision) -> Option<UsagePoint> {
    let Decision::UsagePointAdded {
        usage_point,
        label,
        phases,
        tariff,
        max_power_w,
        period,
        day,
    } = decision
    else {
        return None;
    };
    Some(UsagePoint {
        id: *usage_point,
        label: label.clone(),
        phases: *phases,
        max_power_w: *max_power_w,
        sanctioned_load_w: SMALLEST_LOAD_W,
        account: Account::open(tariff.clone(), *period, *day, WattHours(0)),
        meter: None,
        supply: Supply::default(),
        load_limit_w: 0,
        disputes: Vec::new(),
        debts: Debts::default(),
        proposals: Vec::new(),
        asked: Vec::new(),
        questions: Vec::new(),
        feeder_phase: None,
        next_tariff: None,
        message: None,
        feeder: None,
        guard: Guard::default(),
        prepay: PrepayState::default(),
    })
}

impl UsagePoint {
    /// Makes a record true for this usage point; records of others are not passed to it.
    pub fn apply(&mut self, record: &Record) {
        match &record.decision {
            Decision::NodeAdded { .. } | Decision::NodeRetired { .. } => {
                (self.meter, self.guard) = (None, self.guard.of_next_meter());
            }
            Decision::MeterFitted {
                fit,
                cause,
                set_aside,
                ..
            } => {
                self.meter = Some(*fit);
                self.prepay.profile.interrupted();
                if let (Some(cause), true) = (cause, set_aside.0 > 0) {
                    let (number, at) = (record.number, record.at);
                    self.disputes.push(Dispute {
                        number,
                        at,
                        cause: *cause,
                        energy: *set_aside,
                    });
                }
            }
            Decision::DisputeResolved { number, fit, .. } => {
                self.disputes.retain(|dispute| dispute.number != *number);
                if let Some(MeterFit { .. }) = fit {
                    self.meter = *fit;
                }
            }
            Decision::Settled { settlement, .. } => {
                let through = self.account.period.through;
                self.prepay.profile.settled(through, settlement);
                self.account.apply(settlement);
            }
            Decision::Prepay { what, .. } => self.apply_prepay(record, what),
            Decision::TariffChanged {
                to, change, band, ..
            } => {
                self.account.change(to, change, *band);
                self.next_tariff.take_if(|next| next.id == *to);
            }
            Decision::UsagePointChanged(change) => self.change(record.at, change),
            Decision::SanctionedLoadSet { load_w, .. } => self.sanctioned_load_w = *load_w,
            Decision::Vended { amount, parts, .. } => {
                self.account.balance += *amount - parts.to_debts();
                self.debts.take(&parts.debts);
            }
            Decision::Debt { what, .. } => {
                self.account.balance -= what.collected();
                self.debts.apply(what);
            }
            Decision::Correction { what, .. } => self.correct(record, what),
            Decision::Question { what, .. } => self.question(record, what),
            Decision::TokenEntered { entry, amount, .. } => {
                self.account.balance += *amount;
                if let Ok(Effect::PowerLimit { watts, .. }) = &entry.outcome {
                    self.load_limit_w = *watts;
                }
            }
            Decision::SupplyOrdered { .. }
            | Decision::SupplyDesired { .. }
            | Decision::SupplyReported { .. }
            | Decision::Guard(_)
            | Decision::Trial(_) => self.apply_supply(&record.decision),
            Decision::PhaseSet { phase, .. } => self.feeder_phase = *phase,
            Decision::FeederSet { feeder, .. } => self.feeder = *feeder,
            Decision::ArmingSet { arming, armed, .. } => {
                self.set_arming(*arming, *armed);
            }
            _ => {}
        }
    }

    fn set_arming(&mut self, arming: Arming, armed: bool) {
        (self.supply.arming, self.supply.shadow) = (arming, !armed);
        if !armed {
            self.guard.disarmed();
        }
    }

    fn apply_supply(&mut self, decision: &Decision) {
        match decision {
            Decision::SupplyOrdered { order, .. } => self.supply.order = *order,
            Decision::SupplyDesired { reasons, since, .. } => {
                (self.supply.reasons, self.supply.since) = (*reasons, *since);
            }
            Decision::SupplyReported {
                relay,
                since,
                node,
                wait,
                ..
            } => {
                if self.supply.reported != Some(*relay) {
                    (self.supply.reported, self.supply.reported_since) = (Some(*relay), *since);
                }
                if let Some(node) = node {
                    self.guard.heard(*node, *wait);
                }
            }
            Decision::Trial(decision) => self.guard.tried(decision),
            Decision::Guard(decision) => {
                if let GuardDecision::LoadLimitSet { watts, .. } = decision {
                    self.load_limit_w = *watts;
                }
                self.guard.apply(decision);
            }
            _ => {}
        }
    }

    fn apply_prepay(&mut self, record: &Record, what: &PrepayDecision) {
        match what {
            PrepayDecision::ProvisionalCharged { amount, .. } => self.account.balance -= *amount,
            PrepayDecision::ProvisionalReversed { amount } => self.account.balance += *amount,
            PrepayDecision::HoldCleared { fit: Some(fit), .. } => self.meter = Some(*fit),
            _ => {}
        }
        self.prepay.apply(record.number, record.at, what);
    }
}
