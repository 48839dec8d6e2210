//! The control socket: how the subcommands talk to the running daemon.
//!
//! One request per line, one response per line, JSON both. The file's permissions are the login; the user behind the connection has a
//! role ([`peer`]), and is recorded as the one who did it.
//!
//! Decided here: the vocabulary ([`Request`], [`Response`]) and its bounds. Not decided here: what a command does (the core, behind
//! [`gateway_web::Desk`]) or how an answer is shown ([`crate::cli`]).
//!
//! Client and daemon are the same binary, so the vocabulary has no version; what one side does not know it names.

mod client;
mod cloud;
mod facts;
mod meters;
mod money;
mod notify;
mod paper;
mod peer;
mod people;
mod server;

#[cfg(test)]
use client::ClientError;
pub use client::ask;
pub use cloud::{CloudFacts, OrderFacts};
pub use facts::{
    AlarmFacts, DisputeFacts, NodeFacts, StatusFacts, UsagePointFacts, VerifyFacts, local_time,
};
pub use meters::MeterFacts;
pub use money::OwedFacts;
pub use server::{Office, listen, serve};

use crate::notify::ChannelFacts;
use gateway_core::calendar::LocalDay;
use gateway_core::case::{Case, Estimate};
use gateway_core::meter_link::MeterLink;
use gateway_core::person::Person;
use gateway_core::{Answer, Command, NodeId, Refusal, UsagePointId};
use gateway_store::day_end::AgentView;
use gateway_web::bus_work::{BusFacts, BusJob, BusOrder};
use gateway_web::clock::ClockFacts;
use gateway_web::paper::{DayEndPaper, LossPaper, ReceiptPaper, StatementPaper};
use gateway_web::{MeterShown, PinFacts};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest request line, in bytes: a tariff of a hundred blocks fits many times.
const LONGEST_REQUEST: usize = 64 * 1024;
/// Longest response line, in bytes: 10,000 usage points fit.
const LONGEST_RESPONSE: usize = 16 * 1024 * 1024;
/// How long the daemon may take to answer. A commit on a worn card takes seconds, never this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long a verification may take: it replays years of journal on a Raspberry Pi.
const VERIFY_WITHIN: Duration = Duration::from_secs(600);

/// How long enrolling may take: a broker and a head-end over a slow link.
const ENROL_WITHIN: Duration = Duration::from_secs(120);

/// What a subcommand asks. Variants without content have braces, so that unknown fields are refused there too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who stands behind the requests that follow on this connection, when sudo was asked to make them. Believed from root only; has no
    /// answer.
    OnBehalfOf {
        /// Their user name.
        user: String,
    },
    /// Do something. Who asks is taken from the connection, not from the command.
    Command {
        /// What.
        command: Command,
    },
    /// Every usage point.
    UsagePoints {},
    /// One usage point.
    UsagePoint {
        /// Its number.
        id: UsagePointId,
    },
    /// A usage point's statement; of the billing period so far if no day is named.
    Statement {
        /// The usage point.
        id: UsagePointId,
        /// First local day.
        #[serde(default)]
        from: Option<LocalDay>,
        /// Last local day.
        #[serde(default)]
        to: Option<LocalDay>,
        /// The billing period before.
        #[serde(default)]
        last: bool,
    },
    /// The receipt of a payment or token.
    Receipt {
        /// Its number.
        number: u64,
        /// Whether it is the first print, right after the payment.
        original: bool,
    },
    /// Debts, and corrections that wait for a second person.
    Owed {
        /// The usage point; every one that has some if absent.
        #[serde(default)]
        id: Option<UsagePointId>,
    },
    /// Every vending agent.
    Agents {},
    /// An agent's day.
    DayEnd {
        /// Its name or number.
        agent: String,
        /// The local day; today if absent.
        #[serde(default)]
        day: Option<LocalDay>,
    },
    /// A month's losses.
    LossMonth {
        /// A local day in it; today's if absent.
        #[serde(default)]
        day: Option<LocalDay>,
    },
    /// Open alarms.
    Alarms {},
    /// Cases of missing energy; also closed ones if asked.
    Cases {
        /// Also closed ones.
        all: bool,
    },
    /// What a case's energy would have cost, at the tariff of whom it was about.
    CaseWorth {
        /// Its number.
        case: u64,
    },
    /// The secret of a node, for its label.
    NodeKey {
        /// The node.
        node: NodeId,
    },
    /// Whether the database is what its journal says.
    Verify {},
    /// Every meter in use.
    Meters {},
    /// What a meter shows now, before or after it is saved.
    TestMeter {
        /// How it is reached.
        link: MeterLink,
    },
    /// Every Modbus bus.
    Buses {},
    /// What hangs on pins.
    Pins {},
    /// Work on a bus between its own requests.
    BusWork {
        /// What.
        order: BusOrder,
    },
    /// How the gateway is doing.
    Status {},
    /// How the gateway knows the time.
    Clock {},
    /// Everybody who may use the gateway.
    People {},
    /// How the link to the head-end is.
    CloudStatus {},
    /// How the channels of notices are doing.
    NotifyStatus {},
    /// Send a test by each channel.
    NotifyTest {
        /// Only by those whose name contains this.
        channel: String,
    },
    /// Orders of the head-end.
    CloudOrders {},
    /// Enrol with a head-end.
    CloudEnrol {
        /// The one-time code.
        code: String,
        /// The broker, if the configuration names none.
        url: Option<String>,
    },
}

impl Request {
    /// How long an answer may take.
    fn within(&self) -> Duration {
        match self {
            Self::Verify {} => VERIFY_WITHIN,
            Self::CloudEnrol { .. } | Self::NotifyTest { .. } => ENROL_WITHIN,
            _ => ANSWER_WITHIN,
        }
    }
}

/// What the daemon answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "response", rename_all = "kebab-case")]
pub enum Response {
    /// The command is on disk.
    Done {
        /// What it achieved.
        answer: Answer,
    },
    /// Every usage point, by number.
    UsagePoints {
        /// They.
        usage_points: Vec<UsagePointFacts>,
    },
    /// One usage point.
    UsagePoint {
        /// It.
        usage_point: Box<UsagePointFacts>,
    },
    /// A statement.
    Statement {
        /// It.
        paper: Box<StatementPaper>,
    },
    /// A receipt.
    Receipt {
        /// It.
        paper: Box<ReceiptPaper>,
    },
    /// Debts and waiting corrections, by usage point.
    Owed {
        /// They.
        points: Vec<OwedFacts>,
    },
    /// Every vending agent, by number.
    Agents {
        /// They.
        agents: Vec<AgentView>,
    },
    /// An agent's day.
    DayEnd {
        /// The report.
        paper: Box<DayEndPaper>,
    },
    /// A month's losses.
    LossMonth {
        /// The report.
        paper: Box<LossPaper>,
    },
    /// Open alarms, oldest first.
    Alarms {
        /// They.
        alarms: Vec<AlarmFacts>,
    },
    /// Cases of missing energy, oldest first.
    Cases {
        /// They.
        cases: Vec<Case>,
    },
    /// What a case's energy would have cost, and how that is reckoned.
    CaseWorth {
        /// Absent where there is no tariff, or no energy is missing.
        estimate: Option<Estimate>,
    },
    /// A node's secret.
    NodeKey {
        /// What its label and its firmware need.
        node: NodeFacts,
    },
    /// What a verification found.
    Verified {
        /// It.
        report: VerifyFacts,
    },
    /// Every meter in use, by number.
    Meters {
        /// They.
        meters: Vec<MeterFacts>,
    },
    /// What a meter shows.
    MeterShows {
        /// It.
        shown: MeterShown,
    },
    /// Every Modbus bus.
    Buses {
        /// They.
        buses: Vec<BusFacts>,
    },
    /// Every pin in use, in the order of the configuration.
    Pins {
        /// They.
        pins: Vec<PinFacts>,
    },
    /// A job on a bus.
    BusJob {
        /// It.
        job: Box<BusJob>,
    },
    /// How the gateway is doing.
    Status {
        /// It.
        status: StatusFacts,
    },
    /// How the gateway knows the time.
    Clock {
        /// It.
        clock: ClockFacts,
    },
    /// Everybody who may use the gateway, by name.
    People {
        /// They.
        people: Vec<Person>,
    },
    /// How the link to the head-end is.
    Cloud {
        /// It.
        cloud: Box<CloudFacts>,
    },
    /// Channels of notices, by name.
    Channels {
        /// They.
        channels: Vec<ChannelFacts>,
    },
    /// What became of tests: channels, and why one was not taken.
    Tested {
        /// They.
        results: Vec<(String, Option<String>)>,
    },
    /// Orders of the head-end, oldest first.
    Orders {
        /// They.
        orders: Vec<OrderFacts>,
    },
    /// The head-end is obeyed from now on.
    CloudEnrolled {
        /// Its public key.
        cloud_key: String,
    },
    /// The rules refuse the command; nothing changed.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// The request could not be carried out; nothing is known to have changed.
    Failed {
        /// Why, and what to do next.
        message: String,
    },
}
