//! What a verification can find, in plain words. Data only; [`mod@crate::verify`] decides what is a finding.

use gateway_core::Micro;

/// One thing that is not as it should be, in plain words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// SQLite's own check of the file.
    #[error("the file is damaged: {0}")]
    File(String),
    /// A table, index or trigger is not as this version makes it.
    #[error("the table, index or trigger \"{name}\" is missing or was changed")]
    SchemaDiffers {
        /// Its name.
        name: String,
    },
    /// A part could not be read at all.
    #[error("{part} cannot be read: {reason}")]
    Unreadable {
        /// Which part.
        part: &'static str,
        /// What SQLite said.
        reason: String,
    },
    /// A debt register does not match the ledger.
    #[error("the debt in {account} is {remaining} and the ledger says {ledger}")]
    DebtDiffers {
        /// Its ledger account.
        account: String,
        /// What the register says is owed.
        remaining: Micro,
        /// What the ledger says is owed.
        ledger: Micro,
    },
    /// A number is missing in the journal.
    #[error("the journal has no record {number}")]
    RecordMissing {
        /// The number.
        number: u64,
    },
    /// The hash does not follow from the record and the one before.
    #[error(
        "record {number} was changed, or a record before it was exchanged: its hash does not fit"
    )]
    HashDoesNotFit {
        /// The record.
        number: u64,
    },
    /// The body cannot be read.
    #[error("record {number} cannot be read: {reason}")]
    RecordUnreadable {
        /// The record.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A column beside the body says something else.
    #[error("record {number}: the column \"{column}\" differs from the record itself")]
    ColumnDiffers {
        /// The record.
        number: u64,
        /// The column.
        column: &'static str,
    },
    /// A record is earlier than the one before.
    #[error("record {number} is earlier than the record before it")]
    TimeRunsBackwards {
        /// The record.
        number: u64,
    },
    /// The journal does not end where its head says.
    #[error(
        "the journal should end with record {head} and ends with {last}, or the hash of its end differs"
    )]
    EndDiffers {
        /// Number in the head.
        head: u64,
        /// Number of the last record.
        last: u64,
    },
    /// Postings differ from their record's.
    #[error("the postings of record {number} differ from the record")]
    PostingsDiffer {
        /// The record.
        number: u64,
    },
    /// There are postings without a record of their usage point.
    #[error(
        "a posting names record {number}, which is not in the journal or not of its usage point"
    )]
    PostingWithoutRecord {
        /// The number.
        number: u64,
    },
    /// All ledger balances together.
    #[error("the ledger balances add up to {sum} instead of zero")]
    LedgerDoesNotSumToZero {
        /// Their sum.
        sum: Micro,
    },
    /// A ledger balance differs from its postings.
    #[error("ledger account {account} shows {balance}, its postings add up to {postings}")]
    BalanceDiffers {
        /// The account.
        account: String,
        /// The stored balance.
        balance: Micro,
        /// What follows from the postings.
        postings: Micro,
    },
    /// A usage point's balance differs from its ledger account.
    #[error("usage point {usage_point} shows {balance}, its ledger account shows {ledger}")]
    AccountDiffers {
        /// The usage point.
        usage_point: String,
        /// Balance of its account.
        balance: Micro,
        /// Balance in the ledger.
        ledger: Micro,
    },
    /// An entity's row differs from the journal.
    #[error("{entity} {key} differs from what the journal says")]
    RowDiffers {
        /// What kind of entity.
        entity: &'static str,
        /// Which.
        key: String,
    },
    /// An entity's row is missing.
    #[error("{entity} {key} is in the journal and has no row")]
    RowMissing {
        /// What kind of entity.
        entity: &'static str,
        /// Which.
        key: String,
    },
    /// A row has no entity.
    #[error("{entity} {key} has a row and is not in the journal")]
    RowTooMany {
        /// What kind of entity.
        entity: &'static str,
        /// Which.
        key: String,
    },
    /// Packed readings are damaged. No decision depends on them, but those of the last hour are what a restart begins with.
    #[error("{what} cannot be read")]
    ReadingsUnreadable {
        /// Whose, and of when.
        what: String,
    },
    /// A usage point's meter has been read but its last reading is gone.
    #[error("the last reading of {node}, the meter of {usage_point}, is missing")]
    LastReadingMissing {
        /// The node.
        node: String,
        /// The usage point.
        usage_point: String,
    },
    /// A last reading lies before what was settled.
    #[error("the last reading of {node} lies before what {usage_point} has settled")]
    LastReadingBehind {
        /// The node.
        node: String,
        /// The usage point.
        usage_point: String,
    },
}
