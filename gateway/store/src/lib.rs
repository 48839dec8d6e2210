//! The gateway's memory: one SQLite file that holds the journal, the state as of its head, and the readings.
//!
//! | module | decides |
//! |---|---|
//! | [`Store`] | the one writer: opens, migrates, commits a batch whole or not at all |
//! | [`Reader`] | what others may read, committed rows only |
//! | [`mod@verify`] | whether the database is what the journal says it is |
//! | `journal` | numbers, hash chain, postings |
//! | [`backup`] | a copy beside the running gateway, and what a restore of it would undo |
//! | [`safe`] | a second copy of journal and state, made by replaying, so that it is verified |
//! | [`rescue`] | a whole database again, from the copy and what a damaged file still tells |
//! | `lock` | who uses the database, and what has to be found when it is opened |
//! | `rows` | one row per entity of the state |
//! | [`statement`] | what a usage point was charged, line by line, and whether it adds up |
//! | [`losses`] | a month's losses, feeder by feeder |
//! | `outgoing` | rows as a head-end gets them |
//! | `telemetry` | readings, last readings, load profiles |
//! | `runs` | where readings lie: batches as they were committed, runs of blocks by node |
//! | [`packing`] | from batches to runs, beside the running gateway |
//! | `packed`, `columns` | readings as bytes |
//!
//! Not decided here: what is true ([`gateway_core`]); when to commit (the daemon's cycle).
//!
//! Invariants: one process writes at a time; a commit that fails leaves everything as it was; a restart reads rows and replays
//! nothing; node keys and people's hashes are in no journal; nothing here reads a clock.

pub mod backup;
mod batch;
mod columns;
pub mod day_end;
mod error;
mod finding;
mod journal;
mod lock;
pub mod losses;
mod migrate;
mod outgoing;
mod packed;
pub mod packing;
mod phases;
mod read;
pub mod rescue;
mod rounds;
mod rows;
mod runs;
pub mod safe;
mod schema;
mod secrets;
mod shed;
pub mod statement;
mod store;
mod suggest;
mod telemetry;
pub mod verify;
mod view;

pub use batch::{Batch, NodeKey, PersonSecret, Rejection};
pub use error::StoreError;
pub use finding::Finding;
pub use journal::{Hash, Head};
pub use migrate::SCHEMA;
pub use outgoing::{OutgoingProfile, OutgoingRow};
pub use read::{MOST_ROWS, Reader};
pub use shed::{Room, Shed};
pub use statement::AccountStatement;
pub use store::Store;
pub use telemetry::INTERVAL_S;
pub use verify::{Report, verify};
pub use view::{
    NodeView, ProfilePoint, ReadingRow, Statement, StatementLine, Totals, UsagePointView,
};
