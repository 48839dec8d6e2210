//! What enters the core: readings, commands, and the passing of time.

use crate::agent::{AgentCommand, AgentId};
use crate::alarm::AlarmKind;
use crate::case::CaseCommand;
use crate::correction::CorrectionCommand;
use crate::debt::Take;
use crate::guard::{GuardCommand, NodeStatus};
use crate::meter_link::{MeterOrder, MeterReading, PointSetting};
use crate::person::PersonCommand;
use crate::point_change::PointChange;
use crate::prepay::PrepayCommand;
use crate::question::QuestionCommand;
use crate::supply::{Relay, SupplyOrder};
use crate::tariff::{Phases, Tariff};
use crate::tokens::MakeToken;
use crate::{FeederId, Micro, NodeId, UsagePointId, UtcSeconds, WattHours};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The time of an event, as far as it can be believed.
///
/// While the clock is not trusted nothing time-based is charged or cut; the state keeps the last trusted time and
/// never lets it run backwards ([`crate::State::moment`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// What the clock shows.
    pub at: UtcSeconds,
    /// Whether it is to be believed (synchronised, or set by a person).
    pub clock_trusted: bool,
}

/// A register value at the end of a load profile interval, remembered by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalEnd {
    /// End of the interval, a multiple of 30 minutes.
    pub end: UtcSeconds,
    /// The raw register at that moment.
    pub register: WattHours,
}

/// What a three-phase meter tells of one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseReading {
    /// Voltage to neutral, in tenths of a volt.
    pub voltage_dv: Option<u16>,
    /// Current in milliamperes.
    pub current_ma: Option<u32>,
    /// Active power in watts, negative when exporting.
    pub power_w: Option<i32>,
    /// Raw cumulative import of this phase.
    pub import: Option<WattHours>,
}

/// One reading of a meter. What the meter does not measure is `None`.
///
/// Of a three-phase meter `voltage_dv` is the mean of the phases and `current_ma` their sum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The node it comes from.
    pub node: NodeId,
    /// Raw cumulative import, `import_active_energy`.
    pub register: WattHours,
    /// Raw cumulative export.
    pub export: WattHours,
    /// Active power in watts, negative when exporting.
    pub power_w: Option<i32>,
    /// Supply voltage, in tenths of a volt.
    pub voltage_dv: Option<u16>,
    /// Voltage on the load side of the relay, in tenths of a volt.
    pub voltage_out_dv: Option<u16>,
    /// Phase current in milliamperes.
    pub current_ma: Option<u32>,
    /// Neutral current in milliamperes.
    pub neutral_ma: Option<u32>,
    /// Frequency in hundredths of a hertz.
    pub frequency_chz: Option<u16>,
    /// The relay as sensed.
    pub relay: Option<Relay>,
    /// Number of the lease in force at the node.
    pub lease_id: Option<u32>,
    /// Cut-off register of that lease.
    pub cutoff: Option<WattHours>,
    /// Seconds since the node started.
    pub uptime_s: Option<u32>,
    /// How often the node has started.
    pub boot_count: Option<u32>,
    /// Event and tamper bits of the node protocol.
    pub tamper: u32,
    /// Counter of the sealed frame it came in; stored with it so that the frame is never accepted again.
    pub frame_counter: Option<u64>,
    /// Interval registers the node remembered, oldest first.
    pub intervals: Vec<IntervalEnd>,
    /// The phases of a three-phase meter: A, B and C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<[PhaseReading; 3]>,
    /// What our node says of its switch. Not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<NodeStatus>>,
    /// Where the raw register begins again at zero, if the meter model says so. Not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wraps_at: Option<WattHours>,
}

impl Reading {
    /// A reading of a register and nothing else.
    #[must_use]
    pub fn of(node: NodeId, register: WattHours) -> Self {
        Self {
            node,
            register,
            export: WattHours(0),
            power_w: None,
            voltage_dv: None,
            voltage_out_dv: None,
            current_ma: None,
            neutral_ma: None,
            frequency_chz: None,
            relay: None,
            lease_id: None,
            cutoff: None,
            uptime_s: None,
            boot_count: None,
            tamper: 0,
            frame_counter: None,
            intervals: Vec::new(),
            phases: None,
            status: None,
            wraps_at: None,
        }
    }
}

/// What a node meters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A usage point.
    UsagePoint(UsagePointId),
    /// A feeder.
    Feeder(FeederId),
}

/// Something a person, a program or the cloud asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Make a tariff usable. The same content again changes nothing; the same prices with later fuel adjustments, or with another
    /// name or document, take its place.
    AdoptTariff {
        /// The tariff.
        tariff: Box<Tariff>,
    },
    /// Create a usage point with an empty account; it stays disconnected until it has a meter and credit.
    AddUsagePoint {
        /// Its number; the next free one if absent.
        id: Option<UsagePointId>,
        /// What people call it.
        label: String,
        /// Single or three phase.
        phases: Phases,
        /// A tariff's family, or the id of a version; the version of the day is taken.
        tariff: String,
        /// Largest power of the connection in watts; the site's default if absent.
        max_power_w: Option<u32>,
    },
    /// Set the sanctioned load of a usage point, by which per-kW charges are reckoned.
    SetSanctionedLoad {
        /// The usage point.
        usage_point: UsagePointId,
        /// Watts, at least 1.
        load_w: u32,
        /// Who sets it.
        by: String,
    },
    /// Create a node and say what it meters. At a usage point that has one it replaces it; the account stays.
    AddNode {
        /// Its number; the next free one if absent.
        node: Option<NodeId>,
        /// What it meters.
        role: Role,
    },
    /// Work on a meter: install, replace, move, retire.
    WorkOnMeter {
        /// What is done.
        work: Box<MeterOrder>,
        /// Who does it.
        by: String,
    },
    /// Set a usage point's phase, or whether its cuts are carried out.
    SetPoint {
        /// The usage point; every one of them if absent.
        usage_point: Option<UsagePointId>,
        /// What is set.
        setting: PointSetting,
        /// Who sets it.
        by: String,
    },
    /// Recharge an account.
    Vend {
        /// Idempotency key, unique per payment: the same key and content again is the same vend.
        key: String,
        /// The account's usage point.
        usage_point: UsagePointId,
        /// How much, in micro-currency units.
        amount: Micro,
        /// Who took the money.
        by: String,
    },
    /// Say what a vend would do. Changes nothing.
    QuoteVend {
        /// The account's usage point.
        usage_point: UsagePointId,
        /// How much, in micro-currency units.
        amount: Micro,
        /// Who would take the money.
        by: String,
    },
    /// Set money right: a credit, a mistaken vend, a debt.
    Correct(CorrectionCommand),
    /// Set up a vending agent, or move its float.
    Agent(AgentCommand),
    /// Take a transfer token.
    EnterToken {
        /// The usage point.
        usage_point: UsagePointId,
        /// 20 digits; spaces and hyphens are ignored.
        token: String,
        /// Who entered it.
        by: String,
    },
    /// Make a transfer token of the site's own supply group.
    MakeToken(MakeToken),
    /// Order the supply of a usage point on, off, or back to automatic.
    OrderSupply {
        /// The usage point.
        usage_point: UsagePointId,
        /// The order.
        order: SupplyOrder,
        /// Who ordered it.
        by: String,
    },
    /// A person has seen an alarm.
    AcknowledgeAlarm {
        /// The alarm's number.
        number: u64,
        /// Who.
        by: String,
    },
    /// Settle a dispute about energy a register showed: charge it, or let it go.
    ResolveDispute {
        /// The usage point.
        usage_point: UsagePointId,
        /// The dispute's number.
        number: u64,
        /// Whether the energy is charged.
        charge: bool,
        /// Who decided.
        by: String,
    },
    /// Take an order of the head-end. Its signature was checked.
    TakeOrder {
        /// It.
        order: Box<crate::order::Order>,
    },
    /// Obey a head-end from now on.
    EnrolCloud {
        /// Its public key.
        cloud_key: crate::order::Hex32,
        /// This gateway's public key.
        gateway_key: crate::order::Hex32,
        /// Who did it.
        by: String,
    },
    /// Stop taking money: there is evidence that this gateway is an older copy of itself.
    HoldMoney {
        /// Why.
        cause: crate::cloud::HoldCause,
        /// What exactly, up to 200 bytes; the same text is the same evidence.
        evidence: String,
    },
    /// Take money again.
    ReleaseMoney {
        /// What was found out.
        note: String,
        /// Who decided.
        by: String,
    },
    /// Set the clock.
    SetClock(crate::clock::ClockOrder),
    /// Say what setting the clock would do. Changes nothing.
    QuoteClock(crate::clock::ClockOrder),
    /// Change something at a usage point.
    ChangeUsagePoint(PointChange),
    /// Go back to the settings before the last change: the gateway did not start with it, or a person wants it.
    UndoSettings {
        /// The record that made the change.
        change: u64,
        /// Why.
        why: String,
    },
    /// Advance a case of missing energy.
    Case(CaseCommand),
    /// Ask about a bill or a reading, or answer.
    Question(QuestionCommand),
    /// Add, change or remove people, or set their secrets.
    Person(PersonCommand),
    /// Set or end a guard of a supply.
    Guard(GuardCommand),
    /// Ask something of the prepayment rules.
    Prepay(PrepayCommand),
    /// Something the gateway itself noticed and people must know.
    Report {
        /// What.
        kind: AlarmKind,
        /// The node it concerns, or the site.
        node: Option<NodeId>,
        /// Evidence in words.
        details: String,
    },
    /// What was reported is over. Of what is not open nothing becomes.
    ReportEnd {
        /// What.
        kind: AlarmKind,
        /// The node it concerned, or the site.
        node: Option<NodeId>,
    },
}

/// What enters the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A node was read.
    Reading(Reading),
    /// A shop-bought meter was read.
    Metered(Box<MeterReading>),
    /// A switch beside a shop-bought meter reports its contact.
    Switched {
        /// The meter it belongs to.
        node: NodeId,
        /// The contact.
        relay: Relay,
    },
    /// Somebody asks for something.
    Command(Command),
    /// Time has passed: collect what is due, notice who is silent.
    Tick,
}

/// What a command achieved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "done", rename_all = "kebab-case")]
pub enum Answer {
    /// Nothing more to say.
    Done,
    /// A usage point was added.
    UsagePointAdded {
        /// Its number.
        usage_point: UsagePointId,
    },
    /// A node was added.
    NodeAdded {
        /// Its number.
        node: NodeId,
    },
    /// The credit is on the account.
    Vended {
        /// Receipt number: the vend's number in the journal.
        receipt: u64,
        /// The account's usage point.
        usage_point: UsagePointId,
        /// How much.
        amount: Micro,
        /// Credit available after it.
        available: Micro,
        /// Whether this very vend had been made before and nothing was added now.
        repeated: bool,
        /// What of it went to debts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        debts: Vec<Take>,
    },
    /// What a vend would do.
    Quoted {
        /// The account's usage point.
        usage_point: UsagePointId,
        /// How much.
        amount: Micro,
        /// What of it would go to debts.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        debts: Vec<Take>,
        /// What would become credit.
        credit: Micro,
        /// Credit available after it.
        available: Micro,
    },
    /// What setting the clock would do.
    ClockQuoted(crate::clock::ClockQuote),
    /// Money was set right.
    Corrected {
        /// Number of the record that did it.
        number: u64,
    },
    /// The correction is above the limit and waits for a second person.
    Proposed {
        /// Its number.
        proposal: u64,
    },
    /// A vending agent.
    Agent {
        /// Its number.
        agent: AgentId,
        /// What its float holds.
        float: Micro,
    },
    /// The order was taken, now or before.
    Ordered {
        /// Number of the record that says so.
        number: u64,
        /// What became of it.
        outcome: crate::order::Outcome,
        /// Whether it was taken before and nothing was done now.
        repeated: bool,
    },
    /// A token was made.
    TokenMade {
        /// The usage point that takes it.
        usage_point: UsagePointId,
        /// Its 20 digits.
        token: String,
        /// Its energy, in 100 Wh.
        units_100wh: u32,
        /// Whether it had been made before with this key.
        repeated: bool,
    },
    /// The token was taken.
    TokenTaken {
        /// Receipt number: the entry's number in the journal.
        receipt: u64,
        /// The usage point.
        usage_point: UsagePointId,
        /// What has happened, in words.
        words: String,
        /// Energy on the token, in 100 Wh; zero if it is not a credit.
        units_100wh: u32,
        /// What it brought, negative if it cleared credit.
        amount: Micro,
        /// Credit available after it.
        available: Micro,
    },
}
