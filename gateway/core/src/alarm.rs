//! Alarms: what people must know. One alarm of a kind is open per subject at a time.
//!
//! An alarm is raised, acknowledged by a person, and cleared when its cause is gone; it leaves the list when it is
//! both. Low credit, silence and lost mains leave it by themselves.

use crate::{NodeId, UsagePointId, UtcSeconds};
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlarmKind {
    /// Little credit is left.
    LowCredit,
    /// A vend came with the key of an earlier one but other content.
    VendConflict,
    /// A register jumped further than the connection can carry; the energy is set aside.
    RegisterJumped,
    /// A register went backwards.
    RegisterWentBackwards,
    /// A node restarted and lost some watt-hours.
    RegisterRestarted,
    /// A node reports tampering; its evidence bits are in the details.
    Tamper,
    /// The feeder delivers more than its meters register; a case says more.
    EnergyMissing,
    /// A node has not been heard for longer than the site allows.
    NodeSilent,
    /// The relay is not as desired although the node has the right lease.
    SwitchDoesNotAnswer,
    /// The nodes have seen a later gateway than this one: an old backup was restored, or a copy is running.
    OlderThanItsNodes,
    /// No money is taken: this gateway may be an older copy of itself.
    MoneyHeld,
    /// The head-end used a sequence for two orders.
    OrderConflict,
    /// The gateway did not start with settings that were ordered; those before are in force.
    SettingsUndone,
    /// A meter with another serial number answers at a meter's address; its readings are refused.
    AnotherMeterAnswers,
    /// The switch says open, and yet current flows or energy is counted.
    SwitchWelded,
    /// The switch is open and no current passes the meter, and yet there is voltage on the load side.
    SuppliedFromElsewhere,
    /// No supply voltage at a connection while its neighbours have theirs.
    SupplyMissing,
    /// A device's counter was set from outside.
    RegisterSet,
    /// Nothing was heard of a meter for days.
    ReadingsMissing,
    /// The mains is gone where the gateway stands; it runs on its battery.
    MainsLost,
    /// The cabinet of the gateway is open.
    CabinetOpen,
    /// The clock is not trusted: days wait.
    ClockUntrusted,
    /// The disk had damaged the database; it was put together again, and nothing is missing.
    DatabaseMended,
    /// Backups are configured, and none was made for days.
    BackupOverdue,
    /// The gateway's machine is switched off because the mains is gone for long.
    SwitchedOff,
    /// A new version did not work; the one before is back.
    UpdateReturned,
}

impl AlarmKind {
    /// Whether it stays on the list after its cause is gone, until a person has seen it. What comes and goes by itself does not.
    #[must_use]
    pub fn needs_a_person(self) -> bool {
        !matches!(
            self,
            Self::LowCredit
                | Self::NodeSilent
                | Self::MainsLost
                | Self::ClockUntrusted
                | Self::BackupOverdue
                | Self::SwitchedOff
        )
    }

    /// Words for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::LowCredit => "low credit",
            Self::VendConflict => "vend key used again with other content",
            Self::RegisterJumped => "register jumped; the energy is set aside, not charged",
            Self::RegisterWentBackwards => {
                "register went backwards; no energy is charged until the hold is cleared"
            }
            Self::RegisterRestarted => "node restarted and lost some watt-hours",
            Self::Tamper => "tampering reported",
            Self::EnergyMissing => "energy is missing on the feeder",
            Self::NodeSilent => "node is silent",
            Self::SwitchDoesNotAnswer => "switch does not answer",
            Self::SettingsUndone => {
                "settings that were ordered do not work; those before are in force"
            }
            Self::AnotherMeterAnswers => {
                "another meter answers at this address; its readings are refused"
            }
            Self::SwitchWelded => "switch is open and yet current flows: welded or bypassed",
            Self::SuppliedFromElsewhere => {
                "switch is open and yet there is voltage: supplied from elsewhere"
            }
            Self::SupplyMissing => "no supply voltage while the neighbours have theirs",
            Self::DatabaseMended => {
                "the disk had damaged the database; it was put together again: replace the card"
            }
            Self::ReadingsMissing => "no readings for days; have the meter read",
            Self::MainsLost => "no mains: the gateway runs on its battery",
            Self::SwitchedOff => "no mains for long: the gateway's machine is switched off",
            Self::CabinetOpen => "the cabinet is open",
            Self::RegisterSet => "register was set from outside",
            Self::OlderThanItsNodes => {
                "the nodes know a later gateway than this one: restored backup or copied card"
            }
            Self::MoneyHeld => "no money is taken until a person has looked: see `cloud status`",
            Self::UpdateReturned => "an update went back to the version before",
            Self::BackupOverdue => {
                "no backup was made for days: look at the stick or the way to its place"
            }
            Self::ClockUntrusted => "the clock is not trusted: days wait until it is set",
            Self::OrderConflict => "two orders of the head-end with one sequence number",
        }
    }
}

/// Whom or what an alarm concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A usage point.
    UsagePoint(UsagePointId),
    /// A node.
    Node(NodeId),
    /// The whole site.
    Site,
    /// A case of missing energy.
    Case(u64),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsagePoint(id) => id.fmt(f),
            Self::Node(id) => id.fmt(f),
            Self::Site => f.write_str("site"),
            Self::Case(number) => write!(f, "case {number}"),
        }
    }
}

/// An open alarm. Its number is the journal number of the decision that raised it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// Number, for `alarm ack`.
    pub number: u64,
    /// What it is about.
    pub kind: AlarmKind,
    /// Whom it concerns.
    pub subject: Subject,
    /// When it was raised.
    pub raised_at: UtcSeconds,
    /// Evidence in words.
    pub details: String,
    /// Who has acknowledged it, if anybody.
    pub acknowledged_by: Option<String>,
    /// Whether its cause is gone.
    pub cleared: bool,
}
