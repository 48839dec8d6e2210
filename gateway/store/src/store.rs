//! The writer.

use crate::batch::{Batch, NodeKey, Rejection};
use crate::error::{Result, StoreError};
use crate::journal::{self, Head};
use crate::lock::{Lock, create_private};
use crate::telemetry::{self, Memory};
use crate::{migrate, rounds, rows, runs, secrets};
use gateway_core::{NodeId, State, UtcSeconds};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::time::Duration;

/// Largest value of the counter of daemon starts: its 24 bits share a frame counter with the frames of one start.
const LARGEST_EPOCH: u32 = (1 << 24) - 1;
/// Page size of a new database. A commit writes whole pages: a quarter of the usual 4,096 bytes takes a third off the bytes of
/// twenty-five readings and three fifths off a vend's; half of it again gains a tenth and makes the file a tenth larger
/// (`examples/bytes.rs`).
const PAGE_BYTES: u32 = 1_024;
/// Bytes in the write-ahead log between two checkpoints. Pages changed twice in between are copied once; a larger log gained nothing.
const LOG_BYTES: u32 = 4 << 20;
/// A log of which so much was written once holds what comes between two checkpoints, its frames' headers included, without growing.
const WRITTEN_LOG: u32 = LOG_BYTES + LOG_BYTES / 8;
/// The write-ahead log is cut back to this size after a burst.
const LARGEST_IDLE_LOG: u32 = 2 * LOG_BYTES;
/// How long to wait for another connection's lock. In write-ahead mode only recovery after a crash holds one.
const PATIENCE: Duration = Duration::from_secs(5);
/// Node number that stands for "unknown" in the table of rejections.
const NO_NODE: i64 = -1;

/// The one writer of a database. Dropping it releases the database.
///
/// A commit takes milliseconds to fractions of a second (an SD card's flush): keep the store on a thread of its own.
#[derive(Debug)]
pub struct Store {
    pub(crate) conn: Connection,
    pub(crate) head: Head,
    pub(crate) telemetry: Memory,
    lock: Lock,
}

impl Drop for Store {
    /// Readers may still be there: the log is brought into the database all the same, and only then it need not be found again.
    fn drop(&mut self) {
        if self.log_brought_in("PASSIVE") {
            self.lock.closing();
            // Empty or not: nothing is in it that the database lacks.
            let _ = self.log_brought_in("TRUNCATE");
        }
    }
}

impl Store {
    /// Opens or creates the database and reads the committed state.
    ///
    /// # Errors
    /// Another process has it open; it is not ours, too new or damaged; the disk is full, read-only or failing.
    pub fn open(path: &Path) -> Result<(Self, State)> {
        let mut lock = Lock::take(path)?;
        create_private(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)
            .map_err(|error| StoreError::opening(path, error))?;
        migrate::recognise(&conn, path)?;
        prepare(&conn).map_err(|error| StoreError::opening(path, error))?;
        migrate::to_newest(&mut conn, path)?;
        let head = journal::head(&conn)?;
        journal::check_tail(&conn, head)?;
        let state = rows::load(&conn)?;
        let telemetry = Memory::open(&conn, state.readings.clone())?;
        lock.opened();
        let store = Self {
            conn,
            head,
            telemetry,
            lock,
        };
        Ok((store, state))
    }

    /// Writes a batch: all of it or nothing. `state` is the state after its records were applied and its readings observed.
    ///
    /// When it returns, the batch has reached the disk. Nothing is written for an empty batch.
    ///
    /// # Errors
    /// The disk is full, read-only or failing, or the records do not follow the journal. The database is then as before: the caller
    /// goes back to [`Store::load`]. (After a failing flush, a crash can still make the batch true; keys make a repeated vend
    /// harmless, registers make a repeated reading so.)
    pub fn commit(&mut self, batch: &Batch, state: &State) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut head = self.head;
        if !batch.records.is_empty() {
            head = journal::append(&tx, head, &batch.records)?;
            if state.number != head.number {
                let (number, what) = (head.number, "the state is not the one after it");
                return Err(StoreError::Contradicts { number, what });
            }
            let keys = batch.records.iter().flat_map(State::touched).collect();
            rows::write(&tx, state, &keys)?;
        }
        let written = self.telemetry.write(&tx, &batch.readings)?;
        rounds::write(&tx, &batch.rounds)?;
        write_keys(&tx, &batch.node_keys)?;
        secrets::write(&tx, &batch.person_secrets)?;
        write_rejections(&tx, state, &batch.rejections)?;
        write_test(&tx, batch.tested_at)?;
        tx.commit()?;
        self.head = head;
        self.telemetry.committed(written);
        Ok(())
    }

    /// The committed state, read again: what to go on from after a commit that failed.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn load(&self) -> Result<State> {
        rows::load(&self.conn)
    }

    /// Whether the log of what was written last before a crash is gone: confirmed decisions may be missing, and nothing else shows it.
    /// Until [`Store::begin_epoch`].
    #[must_use]
    pub fn has_lost_log(&self) -> bool {
        self.lock.has_lost_log()
    }

    /// Brings the log into the database; whether that is done.
    fn log_brought_in(&self, how: &str) -> bool {
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let done = self.conn.busy_timeout(Duration::ZERO).and_then(|()| {
            let sql = format!("PRAGMA wal_checkpoint({how})");
            self.conn.query_row(&sql, [], pages)
        });
        done.is_ok_and(|(busy, log, copied): (i64, i64, i64)| busy == 0 && log == copied)
    }

    /// The end of the journal.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The keys of all nodes.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn node_keys(&self) -> Result<Vec<(NodeId, NodeKey)>> {
        let mut query = self.conn.prepare("SELECT node, key FROM node_key")?;
        let rows = query.query_map([], |row| Ok((NodeId(row.get(0)?), row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts a start of the daemon and returns the new count, from 1. It is on the disk before this returns, so no two
    /// starts ever have the same one.
    ///
    /// # Errors
    /// The database cannot be written, or the 24 bits are used up.
    pub fn begin_epoch(&mut self) -> Result<u32> {
        let next = self.epoch()? + 1;
        if next > LARGEST_EPOCH {
            return Err(StoreError::EpochUsedUp);
        }
        self.set_epoch(next)?;
        self.lock.in_use()?;
        if let Some(path) = self.conn.path() {
            let _ = Lock::lengthen_log(Path::new(path), u64::from(WRITTEN_LOG));
        }
        Ok(next)
    }

    /// Raises the count of starts to at least this: the nodes have seen a later gateway (a restored backup). Returns the count
    /// after it; the running daemon needs [`Store::begin_epoch`] to have one of its own again.
    ///
    /// # Errors
    /// The database cannot be written, or the value has more than 24 bits.
    pub fn raise_epoch(&mut self, at_least: u32) -> Result<u32> {
        if at_least > LARGEST_EPOCH {
            return Err(StoreError::EpochUsedUp);
        }
        let now = self.epoch()?;
        if at_least > now {
            self.set_epoch(at_least)?;
        }
        Ok(now.max(at_least))
    }

    pub(crate) fn epoch(&self) -> Result<u32> {
        let sql = "SELECT value FROM meta WHERE key = 'gateway_epoch'";
        Ok(self.conn.query_row(sql, [], |row| row.get(0))?)
    }

    pub(crate) fn set_epoch(&mut self, epoch: u32) -> Result<()> {
        let sql = "UPDATE meta SET value = ?1 WHERE key = 'gateway_epoch'";
        self.conn.execute(sql, [epoch])?;
        Ok(())
    }

    /// Removes the oldest readings before a moment, some thousands or one packed run per call; returns how many, 0 when none are left. Last
    /// readings and load profiles stay, and so do the newest readings that a restart needs, however old.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn prune_readings(&mut self, before: UtcSeconds) -> Result<usize> {
        let before = before.min(self.telemetry.copied_at());
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let removed = runs::prune(&tx, telemetry::first_slot(before))?;
        tx.commit()?;
        Ok(removed)
    }
}

fn prepare(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    // An existing database keeps its page size.
    conn.pragma_update(None, "page_size", PAGE_BYTES)?;
    conn.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let page: u32 = conn.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = LOG_BYTES / page.max(1);
    conn.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update_and_check(None, "journal_size_limit", LARGEST_IDLE_LOG, |_| Ok(()))
}

fn write_keys(tx: &Transaction<'_>, keys: &[(NodeId, NodeKey)]) -> Result<()> {
    for (node, key) in keys {
        tx.prepare_cached("REPLACE INTO node_key VALUES (?1, ?2)")?
            .execute(params![node.0, key])?;
    }
    Ok(())
}

fn write_rejections(tx: &Transaction<'_>, state: &State, rejections: &[Rejection]) -> Result<()> {
    for rejection in rejections {
        let known = rejection
            .node
            .filter(|node| state.nodes.contains_key(node))
            .map_or(NO_NODE, |node| i64::from(node.0));
        let count = i64::try_from(rejection.count).unwrap_or(i64::MAX);
        tx.prepare_cached(
            "INSERT INTO rejection VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE \
             SET count = count + excluded.count, last_at = max(last_at, excluded.last_at)",
        )?
        .execute(params![known, rejection.reason, count, rejection.last_at.0])?;
    }
    Ok(())
}

fn write_test(tx: &Transaction<'_>, at: Option<UtcSeconds>) -> Result<()> {
    if let Some(at) = at {
        tx.prepare_cached(
            "INSERT INTO meta VALUES ('tested_at', ?1) ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute([at.0])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::alarm::{AlarmKind, Subject};
    use gateway_core::{Decision, Record};

    /// A batch that needs some pages.
    fn alarm(state: &mut State) -> Batch {
        let record = Record {
            number: state.number + 1,
            at: UtcSeconds(1_800_000_000),
            decision: Decision::AlarmRaised {
                kind: AlarmKind::Tamper,
                subject: Subject::Site,
                details: "x".repeat(100_000),
            },
        };
        state.apply(&record);
        Batch {
            records: vec![record],
            ..Batch::default()
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_state_and_the_store_goes_on_when_there_is_space() {
        let name = format!("gateway-store-full-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let (mut store, mut state) = Store::open(&directory.join("site.db")).unwrap();
        store.commit(&alarm(&mut state), &state).unwrap();
        let committed = (store.head(), state.clone());
        let limit = |store: &Store, pages: u32| {
            let set = |_: &rusqlite::Row<'_>| Ok(());
            let name = "max_page_count";
            store.conn.pragma_update_and_check(None, name, pages, set)
        };
        limit(&store, 1).unwrap();
        let batch = alarm(&mut state);
        for _ in 0..2 {
            let error = store.commit(&batch, &state).unwrap_err();
            assert!(matches!(error, StoreError::DiskFull), "{error}");
            assert!(error.is_temporary());
            assert_eq!((store.head(), store.load().unwrap()), committed);
        }
        limit(&store, 1_000_000).unwrap();
        store.commit(&batch, &state).unwrap();
        assert_eq!(store.load().unwrap(), state);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
