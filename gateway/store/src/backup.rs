//! A consistent copy of the database beside the running gateway, and what a restore of it would undo.
//!
//! Decided here: how a copy is made and compared. Not decided here: where it goes and how it is locked up (the daemon's `backup`).
//!
//! Invariant: two journals of one site are compared by their chains, so a common record means that all before it are common too.

use crate::error::{Result, StoreError};
use crate::journal::Head;
use crate::read::Reader;
use gateway_core::Micro;
use rusqlite::{OptionalExtension as _, params};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Copies the database as of one moment into a new file for its owner only, and waits until it is on the disk.
///
/// # Errors
/// The database cannot be read, the file is there already or cannot be written.
pub fn snapshot(database: &Path, to: &Path) -> Result<Head> {
    let unwritten = |error: std::io::Error| StoreError::CannotOpen {
        path: to.to_owned(),
        reason: error.to_string(),
    };
    let mut options = OpenOptions::new();
    let new = options.write(true).create_new(true).mode(0o600);
    new.open(to).map_err(unwritten)?;
    let from = Reader::open(database)?;
    // SQLite writes into a file that is empty.
    from.conn
        .execute("VACUUM INTO ?1", params![to.to_string_lossy()])?;
    let file = OpenOptions::new().write(true).open(to).map_err(unwritten)?;
    file.sync_all().map_err(unwritten)?;
    Reader::open(to)?.head()
}

/// What the present database knows and a backup does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// The last record both have; 0 if none.
    pub common: u64,
    /// The backup's last record.
    pub backup: Head,
    /// The present database's last record.
    pub present: Head,
    /// Records that only the present database has, by kind.
    pub records: Vec<(String, u64)>,
    /// What those recharges amount to.
    pub recharged: Micro,
}

/// Compares a backup with the present database. `None`: they are of two sites.
///
/// # Errors
/// One of them cannot be read.
pub fn undone(backup: &Path, present: &Path) -> Result<Option<Undone>> {
    let (old, new) = (Reader::open(backup)?, Reader::open(present)?);
    if old.site_id()? != new.site_id()? {
        return Ok(None);
    }
    let (backup, present) = (old.head()?, new.head()?);
    let common = last_common(&old, &new, backup.number.min(present.number))?;
    let sql = "SELECT decision, COUNT(*) FROM journal WHERE number > ?1 GROUP BY decision ORDER BY decision";
    let mut query = new.conn.prepare(sql)?;
    let rows = query.query_map([common.cast_signed()], |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
    })?;
    let records = rows.collect::<rusqlite::Result<_>>()?;
    let sql = "SELECT COALESCE(SUM(json_extract(body, '$.amount')), 0) FROM journal WHERE number > ?1 AND decision = 'vended'";
    let recharged: i64 = new
        .conn
        .query_row(sql, [common.cast_signed()], |row| row.get(0))?;
    Ok(Some(Undone {
        common,
        backup,
        present,
        records,
        recharged: Micro(recharged),
    }))
}

/// The largest number up to `most` whose record has the same hash in both, by halving.
fn last_common(one: &Reader, other: &Reader, most: u64) -> Result<u64> {
    let (mut same, mut differs) = (0, most + 1);
    while differs - same > 1 {
        let middle = same + (differs - same) / 2;
        let (left, right) = (hash(one, middle)?, hash(other, middle)?);
        if left.is_some() && left == right {
            same = middle;
        } else {
            differs = middle;
        }
    }
    Ok(same)
}

fn hash(reader: &Reader, number: u64) -> Result<Option<Vec<u8>>> {
    let sql = "SELECT hash FROM journal WHERE number = ?1";
    let found = reader
        .conn
        .query_row(sql, [number.cast_signed()], |row| row.get(0));
    Ok(found.optional()?)
}
