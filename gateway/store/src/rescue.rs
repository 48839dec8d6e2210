//! A whole database again, after the disk has damaged one, or a later version has brought it to a schema this one does not know: the safe copy, then every record of the damaged file that continues it.
//!
//! A torn page is a few hundred bytes of a file in which everything else can still be read. A record's hash says whether it is the one that was
//! confirmed, so nothing is believed that was not written; what follows a gap is not taken.
//!
//! Decided here: what is taken over, and whether it is all there was. Not decided here: whether money is taken after it (the daemon).
//!
//! Invariant: what comes out is verified from its first record.

use crate::backup;
use crate::error::{Result, StoreError};
use crate::journal;
use crate::lock::lacks_log;
use crate::safe::epoch;
use crate::store::Store;
use crate::telemetry::{self, Latest};
use crate::verify::verify;
use gateway_core::metering::LastReading;
use gateway_core::{Reading, State};
use rusqlite::{Connection, OpenFlags, params};
use std::collections::btree_map::Entry;
use std::path::Path;

/// Load profiles taken over of a damaged file, in seconds back: what a billing period needs. Older ones stay in it.
const PROFILES_S: i64 = 45 * 86_400;

/// What is wrong with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The disk has damaged it: what is read of it is read at one's peril, and only what is needed.
    Damage,
    /// A later version wrote it: all load profiles are taken over.
    LaterVersion,
}

/// What a database was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Records of the safe copy; 0: there was none.
    pub copied: u64,
    /// Records that the damaged file still had beyond it.
    pub salvaged: u64,
    /// Whether these are all records the damaged file knew of.
    pub is_complete: bool,
}

/// Makes a database in a new file.
///
/// # Errors
/// Neither the copy nor the damaged file says whose database it was; the disk fails; what was made does not verify.
pub fn rescue(damaged: &Path, copy: &Path, to: &Path, cause: Cause) -> Result<Rescued> {
    let lacks_log = lacks_log(damaged);
    let old = Connection::open_with_flags(damaged, OpenFlags::SQLITE_OPEN_READ_WRITE).ok();
    let copied = begin(copy, to)?;
    let (mut store, mut state) = Store::open(to)?;
    if copied.is_none() {
        let site = old.as_ref().and_then(|old| site(old).ok());
        let nothing = "nothing of it can be read, and there is no safe copy";
        store.belong_to(site.ok_or_else(|| StoreError::damaged(nothing))?)?;
    }
    let begun = store.head().number;
    let mut latest = state.readings.clone();
    let mut is_complete = false;
    if let Some(old) = old.filter(|old| is_ours(old, &store)) {
        let trouble = store.take_over(&old, &mut state);
        let end = journal::head(&old);
        is_complete = !lacks_log && trouble.is_none() && end.is_ok_and(|end| end == store.head());
        // Each as far as it can be read. Keys are needed for nodes that were added since.
        let secrets = store.take_secrets(&old);
        is_complete &= secrets.is_ok();
        latest.extend(telemetry::last_readings(&old).unwrap_or_default());
        if let (Ok(epoch), Ok(known)) = (epoch(&old), store.epoch())
            && epoch > known
        {
            store.set_epoch(epoch)?;
        }
        let since = match cause {
            Cause::Damage => state.at.0 - PROFILES_S,
            Cause::LaterVersion => i64::MIN,
        };
        take_profiles(&mut store, &old, since)?;
    }
    catch_up(&mut latest, &state);
    store.take_readings(&latest)?;
    let salvaged = store.head().number - begun;
    drop(store);
    let report = verify(to)?;
    if let Some(finding) = report.findings.first() {
        return Err(StoreError::damaged(format!("what was saved: {finding}")));
    }
    Ok(Rescued {
        copied: copied.unwrap_or_default(),
        salvaged,
        is_complete,
    })
}

/// Begins with the copy if it is whole: how many records that is.
fn begin(copy: &Path, to: &Path) -> Result<Option<u64>> {
    if !copy.exists() {
        return Ok(None);
    }
    // Opening it finishes its log, and brings one of an earlier version up to date.
    let whole = Store::open(copy)
        .map(drop)
        .and_then(|()| verify(copy))
        .is_ok_and(|report| report.is_clean());
    if !whole {
        return Ok(None);
    }
    Ok(Some(backup::snapshot(copy, to)?.number))
}

fn site(conn: &Connection) -> Result<[u8; 16]> {
    let sql = "SELECT value FROM meta WHERE key = 'site_id'";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// A damaged file that does not say whose it is: the hashes do.
fn is_ours(old: &Connection, store: &Store) -> bool {
    let known = site(&store.conn).ok();
    site(old).ok().is_none_or(|found| Some(found) == known)
}

fn take_profiles(store: &mut Store, old: &Connection, since: i64) -> Result<()> {
    let tx = store.conn.transaction()?;
    let read = || -> Result<()> {
        let sql = "SELECT boundary, node, register, exact, written FROM profile WHERE boundary >= ?1 ORDER BY boundary, node";
        let mut query = old.prepare(sql)?;
        let mut rows = query.query([since])?;
        let mut write = tx.prepare("INSERT OR IGNORE INTO profile VALUES (?1, ?2, ?3, ?4, ?5)")?;
        while let Some(row) = rows.next()? {
            let value = |at| row.get::<_, i64>(at);
            write.execute(params![
                value(0)?,
                value(1)?,
                value(2)?,
                value(3)?,
                value(4)?
            ])?;
        }
        Ok(())
    };
    // What cannot be read stays where it is.
    let _ = read();
    Ok(tx.commit()?)
}

/// A register that was charged was read, even if the reading is lost: without it, energy would be charged twice.
fn catch_up(latest: &mut Latest, state: &State) {
    latest.retain(|node, _| state.nodes.contains_key(node));
    for point in state.usage_points.values() {
        let Some(fit) = point.meter else { continue };
        let settled = fit.to_raw(point.account.settled_to);
        match latest.entry(fit.node) {
            Entry::Vacant(unread) => {
                unread.insert(LastReading {
                    at: state.at,
                    reading: Reading::of(fit.node, settled),
                    over: None,
                    dark_since: None,
                });
            }
            Entry::Occupied(mut last) => {
                let last = last.get_mut();
                if last.reading.register < settled {
                    (last.reading.register, last.at) = (settled, last.at.max(state.at));
                }
            }
        }
    }
}
