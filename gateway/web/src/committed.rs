//! What the page reads: committed rows, never the state inside the cycle.
//!
//! Decided here: which rows a page needs. The implementation over the database is [`crate::Database`]; tests and the
//! preview have their own.
//!
//! Calls block on the disk; handlers make them on the blocking pool.

use gateway_core::agent::AgentId;
use gateway_core::alarm::Alarm;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::case::{Case, Estimate, Ground, Layout};
use gateway_core::event::Role;
use gateway_core::ledger::LedgerAccount;
use gateway_core::loss::live::Round;
use gateway_core::loss::suggest::PhaseSuggestion;
use gateway_core::meter_link::Node;
use gateway_core::metering::LastReading;
use gateway_core::person::Person;
use gateway_core::rating::Component;
use gateway_core::tariff::Tariff;
use gateway_core::{
    FeederId, Micro, NodeId, Record, UsagePoint, UsagePointId, UtcSeconds, WattHours,
};
use gateway_store::day_end::{AgentView, DayEnd};
use gateway_store::losses::LossMonth;
use gateway_store::{AccountStatement, PersonSecret};
use std::collections::BTreeMap;

/// The rows could not be read; plain words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// A person and what they prove to be themselves with, if anything.
pub type Known = (Person, Option<PersonSecret>);

/// Read side of the store. What one call returns may be of two commits when one falls in between; each part is of one.
pub trait Committed: Send + Sync {
    /// Everything the first page shows.
    ///
    /// # Errors
    /// The rows could not be read.
    fn neighbourhood(&self) -> Result<Neighbourhood, ReadError>;

    /// One usage point with what belongs to it; `None` if there is none with this number.
    ///
    /// # Errors
    /// The rows could not be read.
    fn usage_point(&self, id: UsagePointId) -> Result<Option<UsagePointRows>, ReadError>;

    /// Postings to or from a usage point's credit with `from <= at < to`, oldest first.
    ///
    /// # Errors
    /// The rows could not be read.
    fn statement(&self, query: &StatementQuery) -> Result<Statement, ReadError>;

    /// A usage point's statement for the span, line by line with what each is made of; `None` if there is no such usage point.
    /// Reads its whole journal.
    ///
    /// # Errors
    /// The rows could not be read.
    fn account_statement(
        &self,
        query: &StatementQuery,
    ) -> Result<Option<AccountStatement>, ReadError>;

    /// Every vending agent with its float, by number.
    ///
    /// # Errors
    /// The rows could not be read.
    fn agents(&self) -> Result<Vec<AgentView>, ReadError>;

    /// What an agent did in a span; `None` if there is no such agent. Looks through every posting.
    ///
    /// # Errors
    /// The rows could not be read.
    fn day_end(&self, agent: AgentId, span: Span) -> Result<Option<DayEnd>, ReadError>;

    /// Registers of a node at half-hour boundaries with `from <= end <= to`, oldest first.
    ///
    /// # Errors
    /// The rows could not be read.
    fn profile(&self, node: NodeId, span: Span) -> Result<Vec<ProfileRow>, ReadError>;

    /// Journal records, oldest first.
    ///
    /// # Errors
    /// The rows could not be read.
    fn journal(&self, query: &JournalQuery) -> Result<Vec<Record>, ReadError>;

    /// Currency code of the site's tariffs; empty without a tariff.
    ///
    /// # Errors
    /// The rows could not be read.
    fn currency(&self) -> Result<String, ReadError>;

    /// Everybody who may use the gateway, by name.
    ///
    /// # Errors
    /// The rows could not be read.
    fn people(&self) -> Result<Vec<Person>, ReadError>;

    /// Somebody by name, whatever its case, and what they prove to be themselves with.
    ///
    /// # Errors
    /// The rows could not be read.
    fn person(&self, name: &str) -> Result<Option<Known>, ReadError>;

    /// The program whose bearer secret has this hash.
    ///
    /// # Errors
    /// The rows could not be read.
    fn program(&self, hash: &str) -> Result<Option<Person>, ReadError>;

    /// Open alarms, oldest first.
    ///
    /// # Errors
    /// The rows could not be read.
    fn alarms(&self) -> Result<Vec<Alarm>, ReadError>;

    /// Which phase a usage point hangs on, as the voltages of the last days suggest; `None` where there is nothing to compare.
    ///
    /// # Errors
    /// The rows could not be read.
    fn phase_suggestion(
        &self,
        id: UsagePointId,
        now: UtcSeconds,
    ) -> Result<Option<PhaseSuggestion>, ReadError>;

    /// Every meter in use, by number.
    ///
    /// # Errors
    /// The rows could not be read.
    fn meters(&self) -> Result<Vec<MeterRows>, ReadError>;

    /// Cases of missing energy, oldest first, also closed ones.
    ///
    /// # Errors
    /// The rows could not be read.
    fn cases(&self) -> Result<Vec<Case>, ReadError>;

    /// What the energy of a case would have cost somebody, and how that is reckoned; nothing without a tariff.
    ///
    /// # Errors
    /// The rows could not be read.
    fn estimate(
        &self,
        case: &Case,
        whose: UsagePointId,
        calendar: Calendar,
    ) -> Result<Option<Estimate>, ReadError>;

    /// The losses of the calendar month that holds a local day.
    ///
    /// # Errors
    /// The rows could not be read.
    fn loss_month(
        &self,
        day: LocalDay,
        at: (Calendar, UtcSeconds),
        ground: &Ground,
    ) -> Result<LossMonth, ReadError>;

    /// Registers at quarter-hours with `from <= end <= to`, and whose they are.
    ///
    /// # Errors
    /// The rows could not be read.
    fn rounds(&self, span: Span) -> Result<RoundRows, ReadError>;
}

/// A usage point and the last reading of its meter.
#[derive(Debug, Clone)]
pub struct UsagePointRows {
    /// The usage point.
    pub point: UsagePoint,
    /// Its node, also while it has not been read yet.
    pub node: Option<NodeId>,
    /// The last accepted reading of that node.
    pub last: Option<LastReading>,
    /// The tariff of its account.
    pub tariff: Option<Tariff>,
}

/// A meter in use and what is known of it.
#[derive(Debug, Clone)]
pub struct MeterRows {
    /// The meter.
    pub node: Node,
    /// Its last accepted reading.
    pub last: Option<LastReading>,
    /// What its usage point is called, if it meters one.
    pub label: Option<String>,
}

/// A feeder and the last reading of its meter.
#[derive(Debug, Clone)]
pub struct FeederRows {
    /// The feeder.
    pub feeder: FeederId,
    /// Its node.
    pub node: NodeId,
    /// The last accepted reading of that node.
    pub last: Option<LastReading>,
}

/// Everything the first page shows.
#[derive(Debug, Clone, Default)]
pub struct Neighbourhood {
    /// Number of the last journal record.
    pub number: u64,
    /// Tariffs in use, by id.
    pub tariffs: BTreeMap<String, Tariff>,
    /// Usage points by number, without their tariffs, which stand in `tariffs`.
    pub usage_points: Vec<UsagePointRows>,
    /// Feeders by number.
    pub feeders: Vec<FeederRows>,
    /// Open alarms, oldest first.
    pub alarms: Vec<Alarm>,
    /// Rejected frames by reason, since the database was made.
    pub rejections: BTreeMap<String, u64>,
}

/// Registers at quarter-hours.
#[derive(Debug, Clone, Default)]
pub struct RoundRows {
    /// The rounds, oldest first.
    pub rounds: Vec<Round>,
    /// What each node meters now.
    pub roles: BTreeMap<NodeId, Role>,
    /// What each usage point is called.
    pub labels: BTreeMap<UsagePointId, String>,
    /// Who hangs on which feeder.
    pub layout: Layout,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First moment in it.
    pub from: UtcSeconds,
    /// First moment after it (last moment in it for profile boundaries).
    pub to: UtcSeconds,
}

/// Which part of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementQuery {
    /// Whose.
    pub usage_point: UsagePointId,
    /// When.
    pub span: Span,
}

/// Postings with the balance they led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statement {
    /// Balance before the first line.
    pub opening: Micro,
    /// The postings, oldest first.
    pub lines: Vec<StatementLine>,
    /// Whether later lines of the span were left out because there are too many.
    pub truncated: bool,
}

/// One posting, seen from the usage point's credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementLine {
    /// Journal number of its decision.
    pub number: u64,
    /// When it was decided.
    pub at: UtcSeconds,
    /// The other account: payments, tokens, a debt, corrections, an agent's float, or revenue by component.
    pub other: LedgerAccount,
    /// How much the credit grew; negative for a charge.
    pub amount: Micro,
    /// The credit after it.
    pub balance: Micro,
    /// Energy the decision settled; zero for a vend.
    pub energy: WattHours,
}

impl StatementLine {
    /// The component it charges; nothing for a vend, a token, a debt or a correction.
    #[must_use]
    pub fn component(&self) -> Option<Component> {
        match self.other {
            LedgerAccount::Revenue(component) => Some(component),
            _ => None,
        }
    }
}

/// A register at a half-hour boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileRow {
    /// The boundary.
    pub end: UtcSeconds,
    /// The node's raw register there.
    pub register: WattHours,
    /// Whether the node reported it for that moment, or it is the last one known before.
    pub exact: bool,
}

/// Which journal records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalQuery {
    /// First number; with `None` the newest `limit` records.
    pub from: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// Only those that concern this usage point.
    pub usage_point: Option<UsagePointId>,
}
