//! What a [`crate::Reader`] returns where no type of the core fits. Data only.

use gateway_core::ledger::LedgerAccount;
use gateway_core::metering::LastReading;
use gateway_core::state::Node;
use gateway_core::supply::Relay;
use gateway_core::{Micro, UsagePoint, UtcSeconds, WattHours};

/// A usage point with what is known of its meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePointView {
    /// The usage point with its account, switch and disputes.
    pub usage_point: UsagePoint,
    /// Last accepted reading of its meter.
    pub last: Option<LastReading>,
    /// Its register now: the meter's last value, or what is settled if that is more.
    pub register: WattHours,
    /// Credit left at that register; the balance if its tariff is unknown.
    pub available: Micro,
    /// Register up to which the credit lasts.
    pub affordable: Option<WattHours>,
}

/// A node with what was last heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// The node.
    pub node: Node,
    /// Its last accepted reading.
    pub last: Option<LastReading>,
}

/// One movement of a usage point's credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLine {
    /// Journal number; of a vend, its receipt number.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// Where the money came from or went.
    pub counterpart: LedgerAccount,
    /// Change of the credit: vends above zero, charges below.
    pub amount: Micro,
    /// Credit after it.
    pub balance: Micro,
}

/// A usage point's credit over a time range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Credit before the first line.
    pub opening: Micro,
    /// Movements, oldest first.
    pub lines: Vec<StatementLine>,
    /// Credit after the last line.
    pub closing: Micro,
    /// Whether the range has more lines than one call returns.
    pub more: bool,
}

/// A stored reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingRow {
    /// When it was accepted.
    pub at: UtcSeconds,
    /// Raw cumulative import.
    pub register: WattHours,
    /// Raw cumulative export.
    pub export: WattHours,
    /// Active power in watts.
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
    /// Event and tamper bits.
    pub tamper: u32,
}

/// A point of a load profile. The energy of an interval is the difference of two points; where a point is missing the
/// node was silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfilePoint {
    /// The boundary, a multiple of [`crate::INTERVAL_S`].
    pub end: UtcSeconds,
    /// The node's raw register there.
    pub register: WattHours,
    /// Whether the node measured it; else it is the last register known before the boundary.
    pub exact: bool,
}

/// Counts over the whole database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Records in the journal.
    pub records: u64,
    /// Postings.
    pub postings: u64,
    /// All postings' effects on all accounts together; anything but zero is damage.
    pub postings_sum: Micro,
    /// All ledger balances together; anything but zero is damage.
    pub ledger_sum: Micro,
    /// Stored readings. Grows with every reading and shrinks when old ones are pruned.
    pub readings: u64,
}
