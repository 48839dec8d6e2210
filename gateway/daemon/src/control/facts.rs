//! What the daemon tells about itself: flat, readable by scripts, with units in the names.
//!
//! Amounts are whole micro-units, energies watt-hours, times seconds since 1970 UTC with the site's local time beside them.

use gateway_core::alarm::{Alarm, AlarmKind};
use gateway_core::calendar::Calendar;
use gateway_core::loss::suggest::PhaseSuggestion;
use gateway_core::meter_link::FeederPhase;
use gateway_core::metering::RegisterBreak;
use gateway_core::prepay::{CreditStatus, PrepayState};
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::Phases;
use gateway_core::{Micro, NodeId, UtcSeconds, WattHours};
use gateway_store::UsagePointView;
use prepaid_common::wire::{Key, MqttName, topic_down, topic_up};
use serde::{Deserialize, Serialize};

/// A usage point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePointFacts {
    /// Number, for example `UP-0007`.
    pub usage_point: String,
    /// What people call it.
    pub label: String,
    /// Single or three phase.
    pub phases: Phases,
    /// Tariff id.
    pub tariff: String,
    /// Largest power of the connection, in watts.
    pub max_power_w: u32,
    /// Sanctioned load, in watts.
    pub sanctioned_load_w: u32,
    /// Credit now, what is not settled yet taken off.
    pub available_micro: Micro,
    /// Credit after the last settlement.
    pub balance_micro: Micro,
    /// Energy the credit pays for; absent if the tariff is unknown.
    pub left_wh: Option<WattHours>,
    /// Register.
    pub register_wh: WattHours,
    /// The supplier's order.
    pub order: SupplyOrder,
    /// What the relay should be.
    pub desired: Relay,
    /// What the node reports it is.
    pub reported: Option<Relay>,
    /// Why it is to be open, in words; empty if it is to be closed.
    pub reasons: Vec<String>,
    /// In shadow: the reasons are shown and not carried out.
    #[serde(default)]
    pub shadow: bool,
    /// Seconds until it closes by itself, after a trip of its load limit or an outage; 0: it does not, or is about to.
    #[serde(default)]
    pub wait_s: u16,
    /// Phase of the feeder it hangs on, as somebody set it.
    #[serde(default)]
    pub feeder_phase: Option<FeederPhase>,
    /// What the voltages suggest; only when one usage point is asked for.
    #[serde(default)]
    pub phase_suggestion: Option<PhaseSuggestion>,
    /// The node that meters it.
    pub node: Option<String>,
    /// When the node was heard last.
    pub last_heard: Option<UtcSeconds>,
    /// The same in the site's local time.
    pub last_heard_local: Option<String>,
    /// Power at that time, in watts.
    pub power_w: Option<i32>,
    /// First day of the billing period.
    pub period_first: String,
    /// Days of the billing period.
    pub period_days: u16,
    /// Energy settled in it.
    pub period_wh: WattHours,
    /// What was charged for it, by component.
    pub period_charges: Vec<ComponentFacts>,
    /// Energy in dispute.
    pub disputes: Vec<DisputeFacts>,
    /// What the prepayment rules have made of the account.
    #[serde(default)]
    pub prepay: PrepayFacts,
}

/// What the prepayment rules have made of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PrepayFacts {
    /// Where emergency credit stands (COSEM credit status).
    pub emergency: CreditStatus,
    /// How far below zero the credit may go; as offered, until it is activated.
    pub emergency_granted_micro: Micro,
    /// When its days are over, in the site's local time, if it is days.
    pub emergency_until_local: Option<String>,
    /// Until when friendly hours alone keep the supply on, in the site's local time.
    pub friendly_until_local: Option<String>,
    /// Whether the cut at their end has been announced.
    pub cut_announced: bool,
    /// The low-credit stage crossed last, in words, for example `3 days`.
    pub stage: Option<String>,
    /// Mean energy of the last valid days.
    pub usual_day_wh: Option<WattHours>,
    /// What was charged provisionally since the last reading.
    pub provisional_micro: Micro,
    /// For how many hours.
    pub provisional_hours: u32,
    /// Since when no energy is charged, in the site's local time.
    pub held_since_local: Option<String>,
}

impl PrepayFacts {
    fn of(prepay: &PrepayState, calendar: Calendar) -> Self {
        let local = |at| local_time(calendar, at);
        let stage = prepay.stages.current();
        Self {
            emergency: prepay.emergency.status,
            emergency_granted_micro: prepay.emergency.granted,
            emergency_until_local: prepay.emergency.until.map(local),
            friendly_until_local: prepay.friendly.map(|held| local(held.until)),
            cut_announced: prepay.friendly.is_some_and(|held| held.noticed.is_some()),
            stage: stage.map(|state| state.stage.words()),
            usual_day_wh: prepay.profile.energy_per_day(),
            provisional_micro: prepay.provisional(),
            provisional_hours: prepay.provisional.map_or(0, |it| it.hours),
            held_since_local: prepay.hold.map(|hold| local(hold.at)),
        }
    }
}

/// A component's amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentFacts {
    /// Its name.
    pub name: String,
    /// How much.
    pub amount_micro: Micro,
}

/// Energy a register showed that nobody could explain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFacts {
    /// Number, for `dispute resolve`.
    pub number: u64,
    /// When, in the site's local time.
    pub at_local: String,
    /// What the register did.
    pub cause: RegisterBreak,
    /// How much.
    pub energy_wh: WattHours,
}

impl UsagePointFacts {
    /// From the committed rows. A new node is known before its first reading makes it the meter in place.
    pub fn of(
        view: &UsagePointView,
        node: Option<NodeId>,
        (calendar, now): (Calendar, UtcSeconds),
    ) -> Self {
        let point = &view.usage_point;
        let period = &point.account.period;
        let (period_wh, charged) = period.settled();
        let charge =
            |(component, amount_micro): (gateway_core::rating::Component, Micro)| ComponentFacts {
                name: component.name().into(),
                amount_micro,
            };
        Self {
            usage_point: point.id.to_string(),
            label: point.label.clone(),
            phases: point.phases,
            tariff: point.account.tariff.clone(),
            max_power_w: point.max_power_w,
            sanctioned_load_w: point.sanctioned_load_w,
            available_micro: view.available,
            balance_micro: point.account.balance,
            left_wh: view
                .affordable
                .map(|last| last.since(view.register).unwrap_or_default()),
            register_wh: view.register,
            order: point.supply.order,
            desired: point.supply.desired(),
            reported: point.supply.reported,
            shadow: point.supply.shadow,
            wait_s: point.wait_s(now),
            reasons: point
                .supply
                .reasons
                .iter()
                .map(|reason| reason.words().into())
                .collect(),
            feeder_phase: point.feeder_phase,
            phase_suggestion: None,
            node: node.map(|node| node.to_string()),
            last_heard: view.last.as_ref().map(|last| last.at),
            last_heard_local: view.last.as_ref().map(|last| local_time(calendar, last.at)),
            power_w: view.last.as_ref().and_then(|last| last.reading.power_w),
            period_first: period.period.first.to_string(),
            period_days: period.period.days,
            period_wh,
            period_charges: charged.iter().map(charge).collect(),
            disputes: point
                .disputes
                .iter()
                .map(|d| DisputeFacts {
                    number: d.number,
                    at_local: local_time(calendar, d.at),
                    cause: d.cause,
                    energy_wh: d.energy,
                })
                .collect(),
            prepay: PrepayFacts::of(&point.prepay, calendar),
        }
    }
}

/// An open alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmFacts {
    /// Number, for `alarm ack`.
    pub number: u64,
    /// What it is about.
    pub kind: AlarmKind,
    /// The same in words.
    pub words: String,
    /// Whom it concerns, for example `UP-0007`.
    pub subject: String,
    /// When it was raised.
    pub raised_at: UtcSeconds,
    /// The same in the site's local time.
    pub raised_local: String,
    /// Evidence in words.
    pub details: String,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Whether its cause is gone.
    pub cleared: bool,
}

impl AlarmFacts {
    /// From the core's alarm.
    pub fn of(alarm: &Alarm, calendar: Calendar) -> Self {
        Self {
            number: alarm.number,
            kind: alarm.kind,
            words: alarm.kind.words().into(),
            subject: alarm.subject.to_string(),
            raised_at: alarm.raised_at,
            raised_local: local_time(calendar, alarm.raised_at),
            details: alarm.details.clone(),
            acknowledged_by: alarm.acknowledged_by.clone(),
            cleared: alarm.cleared,
        }
    }
}

/// What the label and the firmware of a node need. Secret: `Debug` shows the number only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Number, for example `N-00000007`.
    pub node: String,
    /// The key, 32 hexadecimal digits.
    pub key: String,
    /// MQTT user name and client id.
    pub mqtt_user: String,
    /// MQTT password; follows from the key.
    pub mqtt_password: String,
    /// Topic of the node's frames.
    pub topic_up: String,
    /// Topic of the frames to the node.
    pub topic_down: String,
    /// Text of the QR code on the label.
    pub label: String,
}

impl NodeFacts {
    /// From a node's number and key.
    pub fn of(node: NodeId, key: &Key) -> Self {
        let text = |digits: [u8; 32]| digits.iter().map(|digit| char::from(*digit)).collect();
        let hex: String = text(key.to_hex());
        Self {
            node: node.to_string(),
            label: format!("PG1:N{:08}:{hex}", node.0),
            key: hex,
            mqtt_user: MqttName(node).to_string(),
            mqtt_password: text(key.mqtt_password()),
            topic_up: topic_up(node).to_string(),
            topic_down: topic_down(node).to_string(),
        }
    }
}

impl std::fmt::Debug for NodeFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeFacts")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyFacts {
    /// Whether nothing was found.
    pub clean: bool,
    /// Journal records walked.
    pub records: u64,
    /// Postings compared.
    pub postings: u64,
    /// Usage points compared.
    pub usage_points: u64,
    /// What was found, in plain words.
    pub findings: Vec<String>,
    /// Findings beyond those.
    pub further: u64,
}

impl From<gateway_store::Report> for VerifyFacts {
    fn from(report: gateway_store::Report) -> Self {
        Self {
            clean: report.is_clean(),
            records: report.records,
            postings: report.postings,
            usage_points: report.usage_points,
            findings: report.findings.iter().map(ToString::to_string).collect(),
            further: report.further,
        }
    }
}

/// How the gateway is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusFacts {
    /// Version of the daemon.
    pub version: String,
    /// Whether it does its work.
    pub working: bool,
    /// What is wrong, most serious first.
    pub problems: Vec<ProblemFacts>,
    /// The gateway's time.
    pub at: UtcSeconds,
    /// The same in the site's local time.
    pub at_local: String,
    /// Whether its clock is to be believed.
    pub clock_trusted: bool,
    /// Number of the journal's last record; absent while the database cannot be read.
    #[serde(default)]
    pub journal_number: Option<u64>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemFacts {
    /// Whether decisions cannot be made or stored because of it.
    pub serious: bool,
    /// What is wrong and what to do.
    pub words: String,
}

/// A moment as the site's people read it: `2026-11-23 12:40:05`.
pub fn local_time(calendar: Calendar, at: UtcSeconds) -> String {
    let day = calendar.day_of(at);
    let second =
        at.0.saturating_sub(calendar.start_of(day).0)
            .clamp(0, 86_399);
    format!(
        "{day} {:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::{NodeFacts, local_time};
    use gateway_core::calendar::Calendar;
    use gateway_core::{NodeId, UtcSeconds};
    use prepaid_common::wire::Key;

    #[test]
    fn local_time_follows_the_site() {
        for (offset, at, expected) in [
            (0, 0, "1970-01-01 00:00:00"),
            (19_800, 1_795_417_805, "2026-11-23 12:40:05"),
            (-3_600, 1_795_417_805, "2026-11-23 06:10:05"),
            (19_800, 1_795_458_599, "2026-11-23 23:59:59"),
        ] {
            let calendar = Calendar {
                utc_offset_s: offset,
                period_start_day: 1,
            };
            assert_eq!(local_time(calendar, UtcSeconds(at)), expected);
        }
    }

    #[test]
    fn a_label_says_what_a_node_needs_and_debug_hides_it() {
        let facts = NodeFacts::of(NodeId(7), &Key([0xab; 16]));
        assert_eq!(facts.label, format!("PG1:N00000007:{}", "ab".repeat(16)));
        assert_eq!(
            (facts.mqtt_user.as_str(), facts.topic_up.as_str()),
            ("00000007", "pg/1/00000007/up")
        );
        assert!(!format!("{facts:?}").contains("abab"));
    }
}
