//! What guards a supply besides credit and orders: the load limit, tampering, a reconnection that waits for a press.
//!
//! Our node guards by itself, from settings it keeps ([`terms`]); what it says of its switch becomes reasons of the supply, so that people see why
//! it is off. For a switch without a node the gateway guards ([`kept`]). Decided here: what a person may do about a guard, and what is remembered of it. Not decided here: thresholds
//! ([`crate::tamper_policy`], [`crate::prepay`]), how often a node is told (level, not edge).
//!
//! Terms: a guard *latches* when only a person (or, where the site says so, a press) ends it.
//!
//! Invariants: acknowledging an alarm ends no guard; in shadow no guard opens a supply.

pub mod kept;
mod lines;
mod terms;

pub use terms::{NodeTerms, terms};

use crate::case::trial::Stage;
use crate::case::{Trial, TrialDecision};
use crate::prepay::allowance::Day;
use crate::supply::{Reason, Reasons, SupplyOrder};
use crate::tariff::Tariff;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds, WattHours};
use alloc::string::String;
use kept::{Overload, Wait};
use prepaid_common::wire::{Echo, Events, Evidence, SwitchReason};
use serde::{Deserialize, Serialize};

/// What our node says of its switch, settings and sensors beside its registers. What matters of it is in the journal; it is not
/// stored with the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its switch.
    pub switch: NodeSwitch,
    /// Seconds until it closes by itself; 0: it does not.
    pub wait_s: u16,
    /// Settings and plan in force; `None` from a node that knows neither.
    pub echo: Option<Echo>,
    /// Its button was pressed while credit or allowance was used up.
    pub pressed: bool,
    /// What its sensors said when tampering became an event.
    pub evidence: Option<Evidence>,
}

/// Why a node holds its switch as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSwitch {
    /// Why.
    pub why: SwitchReason,
    /// Trips of the load limit since it started.
    #[serde(default)]
    pub trips: u16,
}

impl NodeSwitch {
    /// The reason for which it is open, if that is the node's own and not what it was told.
    #[must_use]
    pub fn guard(self) -> Option<Reason> {
        match self.why {
            SwitchReason::LoadLimitTripped => Some(Reason::LoadLimitTripped),
            SwitchReason::OverloadLatched => Some(Reason::OverloadLatched),
            SwitchReason::TamperLatched => Some(Reason::TamperLatched),
            SwitchReason::WaitingForPress => Some(Reason::AwaitsPress),
            SwitchReason::ReconnectDelay => Some(Reason::ReconnectDelay),
            SwitchReason::AllowanceUsed => Some(Reason::AllowanceUsed),
            SwitchReason::Trial => Some(Reason::Trial),
            SwitchReason::NoLease
            | SwitchReason::WithinLease
            | SwitchReason::LeaseExhausted
            | SwitchReason::ForcedOff
            | SwitchReason::ForcedOn
            | SwitchReason::Friendly => None,
        }
    }
}

/// What is remembered of a usage point's guards. Journalled state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guard {
    /// The node's switch as last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeSwitch>,
    /// A latched load limit was reset, and the node does not show it yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resets: bool,
    /// The day of the allowance that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Day>,
    /// Tampering the node has latched, as last reported.
    #[serde(default, skip_serializing_if = "no_events")]
    pub tampered: Events,
    /// Of these, what a person has cleared and the node still shows.
    #[serde(default, skip_serializing_if = "no_events")]
    pub clears: Events,
    /// Until when the node's switch closes by itself, as it said when it opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Trips of a load limit the gateway keeps.
    #[serde(default, skip_serializing_if = "Overload::is_new")]
    pub overload: Overload,
    /// Power has returned to a switch the gateway guards, and it waits for its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejoins: Option<Wait>,
    /// A switch test that is planned, runs or is weighed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn no_events(events: &Events) -> bool {
    events.is_empty()
}

impl Guard {
    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is remembered when another meter takes the place of the one before.
    #[must_use]
    pub(crate) fn of_next_meter(self) -> Self {
        Self {
            day: self.day,
            trial: self.trial,
            ..Self::default()
        }
    }

    pub(crate) fn apply(&mut self, decision: &GuardDecision) {
        match decision {
            GuardDecision::OverloadReset { .. } if self.overload.latched => {
                self.overload = self.overload.reset();
            }
            GuardDecision::OverloadReset { .. } => self.resets = true,
            GuardDecision::Tripped { overload, .. } => self.overload = *overload,
            GuardDecision::PowerReturned { wait, .. } => self.rejoins = Some(*wait),
            GuardDecision::Pressed { .. } => {}
            GuardDecision::TamperReported { events, .. } => {
                self.tampered = *events;
                self.clears = self.clears & *events;
            }
            GuardDecision::TamperCleared { events, .. } => self.clears |= *events,
            GuardDecision::DayBegun {
                began, register, ..
            } => {
                self.day = Some(Day {
                    began: *began,
                    register: *register,
                });
            }
            GuardDecision::LoadLimitSet { .. } => {}
        }
    }

    pub(crate) fn tried(&mut self, decision: &TrialDecision) {
        self.trial = match decision {
            TrialDecision::Planned { planned: to, .. } | TrialDecision::Advanced { to, .. } => {
                Some(*to)
            }
            TrialDecision::Ended { .. } | TrialDecision::Found { .. } => None,
        };
    }

    /// In shadow nothing stays open, neither what latched before.
    pub(crate) fn disarmed(&mut self) {
        (self.overload, self.rejoins) = (self.overload.reset(), None);
    }

    /// Trips of the load limit, since the node started or the shop-bought meter was installed.
    #[must_use]
    pub fn trips(&self) -> u16 {
        self.node.map_or(self.overload.trips, |node| node.trips)
    }

    /// Takes note of what the node says of its switch.
    pub(crate) fn heard(&mut self, node: NodeSwitch, wait: Option<Wait>) {
        (self.node, self.wait) = (Some(node), wait);
        self.resets &= node.why == SwitchReason::OverloadLatched;
    }
}

impl UsagePoint {
    /// The register at which the running day's energy is used; `None` without an allowance.
    #[must_use]
    pub fn day_ends(&self, tariff: &Tariff) -> Option<WattHours> {
        let (day, allowance) = self.guard.day.zip(tariff.allowance)?;
        Some(day.ends_at(allowance))
    }

    /// Seconds until its supply closes by itself after a trip or an outage, by the gateway's own clock; 0: it does not, or the moment has
    /// passed and the switch has not said so yet.
    #[must_use]
    pub fn wait_s(&self, clock: UtcSeconds) -> u16 {
        let reasons = self.supply.reasons;
        let wait = match self.guard.node {
            Some(_) => self.guard.wait,
            None if reasons.has(Reason::LoadLimitTripped) => self.guard.overload.rest,
            None if reasons.has(Reason::Trial) => match self.guard.trial.map(|trial| trial.stage) {
                Some(Stage::Open { wait, .. }) => Some(wait),
                _ => None,
            },
            None => self.guard.rejoins,
        };
        let for_a_while = [
            Reason::LoadLimitTripped,
            Reason::ReconnectDelay,
            Reason::Trial,
        ];
        let waits = for_a_while.into_iter().any(|reason| reasons.has(reason));
        wait.filter(|_| waits).map_or(0, |wait| wait.left_s(clock))
    }

    /// The register up to which it may be supplied: what its credit pays for, no further than the day's energy.
    #[must_use]
    pub fn supplied_until(&self, tariff: &Tariff) -> WattHours {
        let credit = self.affordable(tariff);
        self.day_ends(tariff).map_or(credit, |end| credit.min(end))
    }

    /// The reasons besides credit and order for which its supply is open.
    #[must_use]
    pub fn guard_reasons(&self, tariff: &Tariff, register: WattHours) -> Reasons {
        let node = self.guard.node.and_then(NodeSwitch::guard);
        let reasons = node.map_or(Reasons::NONE, |reason| Reasons::NONE.with(reason));
        let used = self.day_ends(tariff).is_some_and(|end| register >= end);
        if used && self.supply.order == SupplyOrder::Auto {
            reasons.with(Reason::AllowanceUsed)
        } else {
            reasons
        }
    }
}

/// What people ask for about guards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum GuardCommand {
    /// Set a usage point's own load limit.
    LimitLoad {
        /// The usage point.
        usage_point: UsagePointId,
        /// Watts; 0: none of its own, that of its class holds.
        watts: u32,
        /// Who.
        by: String,
    },
    /// End the latch of the load limit.
    ResetOverload {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who.
        by: String,
    },
    /// Close a supply that is ready for reconnection, in place of a press at the node.
    Close {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who.
        by: String,
    },
    /// Clear tampering, and with it a supply that is latched off for it.
    ClearTamper {
        /// The usage point.
        usage_point: UsagePointId,
        /// What was found there.
        note: String,
        /// Who.
        by: String,
    },
}

impl GuardCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::LimitLoad { by, .. }
            | Self::ResetOverload { by, .. }
            | Self::Close { by, .. }
            | Self::ClearTamper { by, .. } => *by = who.into(),
        }
        self
    }

    /// Who asks.
    #[must_use]
    pub fn by(&self) -> &str {
        match self {
            Self::LimitLoad { by, .. }
            | Self::ResetOverload { by, .. }
            | Self::Close { by, .. }
            | Self::ClearTamper { by, .. } => by,
        }
    }

    /// The usage point it concerns.
    #[must_use]
    pub fn usage_point(&self) -> UsagePointId {
        match self {
            Self::LimitLoad { usage_point, .. }
            | Self::ResetOverload { usage_point, .. }
            | Self::Close { usage_point, .. }
            | Self::ClearTamper { usage_point, .. } => *usage_point,
        }
    }
}

/// What became of a guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "guard", rename_all = "kebab-case")]
pub enum GuardDecision {
    /// A usage point's own load limit was set.
    LoadLimitSet {
        /// The usage point.
        usage_point: UsagePointId,
        /// Watts; 0: none of its own.
        watts: u32,
        /// Who.
        by: String,
    },
    /// The latch of the load limit was ended.
    OverloadReset {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who.
        by: String,
    },
    /// The load stayed above the limit the gateway keeps for a switch without a node.
    Tripped {
        /// The usage point.
        usage_point: UsagePointId,
        /// The power in the last reading, in watts.
        watts: u32,
        /// The limit, in watts.
        limit_w: u32,
        /// What follows.
        overload: Overload,
    },
    /// A switch without a node opened though nobody told it: power was away. It waits for its turn.
    PowerReturned {
        /// The usage point.
        usage_point: UsagePointId,
        /// How long.
        wait: Wait,
    },
    /// Somebody closed a supply that was ready for reconnection. The node is told for a minute; then the press is stale.
    Pressed {
        /// The usage point.
        usage_point: UsagePointId,
        /// Who.
        by: String,
    },
    /// A day of the energy allowance began.
    DayBegun {
        /// The usage point.
        usage_point: UsagePointId,
        /// The reset it began with.
        began: UtcSeconds,
        /// The usage point's register then.
        register: WattHours,
    },
    /// The node reported other tampering than before.
    TamperReported {
        /// The usage point.
        usage_point: UsagePointId,
        /// What it has latched now.
        events: Events,
        /// What its sensors said when something new was latched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<Evidence>,
    },
    /// Tampering was cleared.
    TamperCleared {
        /// The usage point.
        usage_point: UsagePointId,
        /// What.
        events: Events,
        /// What was found there.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
        /// Who.
        by: String,
    },
}

impl GuardDecision {
    /// The usage point it concerns.
    #[must_use]
    pub fn usage_point(&self) -> UsagePointId {
        match self {
            Self::LoadLimitSet { usage_point, .. }
            | Self::OverloadReset { usage_point, .. }
            | Self::Tripped { usage_point, .. }
            | Self::PowerReturned { usage_point, .. }
            | Self::Pressed { usage_point, .. }
            | Self::DayBegun { usage_point, .. }
            | Self::TamperReported { usage_point, .. }
            | Self::TamperCleared { usage_point, .. } => *usage_point,
        }
    }

    /// Words for the journal's readers.
    #[must_use]
    pub fn words(&self) -> String {
        use alloc::format;
        let names = |events: Events| {
            let names: alloc::vec::Vec<_> = events.names().collect();
            names.join(", ")
        };
        match self {
            Self::LoadLimitSet { watts: 0, by, .. } => {
                format!("Own load limit taken away by {by}; that of the class holds")
            }
            Self::LoadLimitSet { watts, by, .. } => format!("Load limit set to {watts} W by {by}"),
            Self::OverloadReset { by, .. } => format!("Latched load limit reset by {by}"),
            Self::Tripped {
                watts,
                limit_w,
                overload,
                ..
            } => {
                let rest = overload.rest.map_or(0, |rest| rest.seconds);
                let then = match overload.latched {
                    true => format!("off until it is reset, after trip {}", overload.in_window),
                    false => format!("off for {rest} s"),
                };
                format!("Load of {watts} W above the limit of {limit_w} W: {then}")
            }
            Self::PowerReturned { wait, .. } => {
                let seconds = wait.seconds;
                format!("The switch opened by itself, power was away; closes in {seconds} s")
            }
            Self::Pressed { by, .. } => format!("Told to reconnect by {by}"),
            Self::DayBegun { register, .. } => {
                format!("A day of the energy allowance begins at {register} kWh")
            }
            Self::TamperReported { events, .. } if events.is_empty() => {
                "Tampering no longer reported".into()
            }
            Self::TamperReported {
                events,
                evidence: Some(evidence),
                ..
            } => format!("Tampering: {}; {}", names(*events), measured(evidence)),
            Self::TamperReported { events, .. } => format!("Tampering: {}", names(*events)),
            Self::TamperCleared {
                events, note, by, ..
            } if note.is_empty() => format!("Tampering cleared by {by}: {}", names(*events)),
            Self::TamperCleared {
                events, note, by, ..
            } => format!("Tampering cleared by {by}: {}; {note}", names(*events)),
        }
    }
}

/// What sensors said, in words.
pub(crate) fn measured(evidence: &Evidence) -> String {
    let ampere = |ma: u32| f64::from(ma) / 1000.0;
    let volt = |dv: u16| f64::from(dv) / 10.0;
    alloc::format!(
        "phase {:.2} A, neutral {:.2} A, in {:.1} V, out {:.1} V, {} W",
        ampere(evidence.phase_current_ma),
        ampere(evidence.neutral_current_ma),
        volt(evidence.voltage_in_dv),
        volt(evidence.voltage_out_dv),
        evidence.active_power_w,
    )
}
