//! What can go wrong with the database, in words an operator can act on.
//!
//! Every text fits after "failed to …:". A database that cannot be written is not a reason to change anybody's supply:
//! nothing of a failed commit is true.

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use std::path::{Path, PathBuf};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the lock file.
    #[error(
        "another gateway is using {path}; stop it first (`systemctl stop prepaid-gateway`) or give this one its own data directory"
    )]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// There is no database at this path.
    #[error(
        "there is no database at {path}; check the data directory, or start the gateway once to create it"
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file or its directory cannot be opened.
    #[error(
        "{path} cannot be opened ({reason}); check that its directory exists and belongs to the gateway's user"
    )]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is a database, but of another program.
    #[error("{path} is not a database of this gateway; point the data directory somewhere else")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "the database has schema {found} and this version knows {known}; install the version that wrote it, or a later one"
    )]
    NewerSchema {
        /// Its schema.
        found: u32,
        /// The newest schema this version knows.
        known: u32,
    },
    /// It was written by an earlier version and has not been migrated; only the daemon migrates.
    #[error(
        "the database has schema {found} and this version reads {known}; start the gateway once to bring it up to date"
    )]
    OlderSchema {
        /// Its schema.
        found: u32,
        /// The schema this version reads.
        known: u32,
    },
    /// Its content contradicts itself or cannot be read.
    #[error(
        "the database is damaged: {what}; run `verify` for the whole list and restore the last good backup"
    )]
    Damaged {
        /// What was found.
        what: String,
    },
    /// No space.
    #[error("the disk is full; free some space, the gateway goes on by itself")]
    DiskFull,
    /// The file or the card is write-protected.
    #[error(
        "the database cannot be written, its disk or file is read-only; remount it or replace the card (`dmesg` says why)"
    )]
    ReadOnly,
    /// The device failed.
    #[error(
        "the disk reports an error ({detail}); replace the card and restore the last good backup"
    )]
    Io {
        /// What SQLite said.
        detail: String,
    },
    /// A lock was not released in time.
    #[error("the database is busy; close other programs that have it open and try again")]
    Busy,
    /// A record's number does not follow the last one. A fault of the caller; nothing was written.
    #[error(
        "record {found} does not follow, {expected} is next; nothing was written, restart the gateway and report this"
    )]
    NumberNotNext {
        /// The next number.
        expected: u64,
        /// The number given.
        found: u64,
    },
    /// A record is earlier than the last one, or the state is not the one after the records. A fault of the caller.
    #[error(
        "record {number} contradicts the journal ({what}); nothing was written, restart the gateway and report this"
    )]
    Contradicts {
        /// The record's number.
        number: u64,
        /// How.
        what: &'static str,
    },
    /// The 24-bit counter of daemon starts has reached its end.
    #[error(
        "the gateway has started 16777215 times and its nodes accept no more; give the site new node keys"
    )]
    EpochUsedUp,
    /// Anything else SQLite reports.
    #[error("the database reports: {0}; restart the gateway, and run `verify` if it happens again")]
    Database(rusqlite::Error),
}

impl StoreError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// An error while opening a file, with its path.
    pub(crate) fn opening(path: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::CannotOpen {
                path: path.to_owned(),
                reason: error.to_string(),
            },
            _ => error.into(),
        }
    }

    /// Whether trying the same again later can succeed without a restart.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::DiskFull | Self::ReadOnly | Self::Busy)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        if matches!(
            error,
            E::FromSqlConversionFailure(..)
                | E::IntegralValueOutOfRange(..)
                | E::InvalidColumnType(..)
                | E::Utf8Error(..)
        ) {
            return Self::damaged(error.to_string());
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            // The index of the log could not grow: SQLite calls that an error of the device.
            Some(ErrorCode::SystemIoFailure) if extended(&error) == SQLITE_IOERR_SHMSIZE => {
                Self::DiskFull
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::damaged(error.to_string())
            }
            Some(ErrorCode::SystemIoFailure) => Self::Io {
                detail: error.to_string(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}

/// SQLite's own number of an error.
fn extended(error: &rusqlite::Error) -> i32 {
    error.sqlite_error().map_or(0, |error| error.extended_code)
}

/// Shorthand within the crate.
pub(crate) type Result<T> = std::result::Result<T, StoreError>;

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    /// What becomes of one of SQLite's numbers.
    fn named(number: i32) -> StoreError {
        rusqlite::Error::SqliteFailure(ffi::Error::new(number), None).into()
    }

    #[test]
    fn a_log_whose_index_cannot_grow_is_a_full_disk_and_not_a_broken_one() {
        assert!(matches!(named(SQLITE_IOERR_SHMSIZE), StoreError::DiskFull));
        assert!(matches!(named(ffi::SQLITE_FULL), StoreError::DiskFull));
        let broken = named(ffi::SQLITE_IOERR_FSYNC);
        assert!(matches!(broken, StoreError::Io { .. }), "{broken}");
    }
}
