//! The safe copy: journal and state once more, in a file of its own beside the database, without readings and profiles.
//!
//! It is not copied but made: each record is read from the database, its hash checked, and applied to the copy's own state. So it is verified
//! as far as it reaches, it never takes over a damaged row, and it costs what the journal costs once more, however large the database is.
//!
//! Decided here: what is in it, and whether the database still continues it. Not decided here: when it is brought up (the daemon), and what is
//! made of it ([`crate::rescue`]).
//!
//! Invariant: the copy is a beginning of the database's journal. A database that ends before its copy, or differs from it, has lost something.

use crate::error::{Result, StoreError};
use crate::journal::{self, Hash, Head, STORED, Stored};
use crate::lock::beside;
use crate::read::Reader;
use crate::store::Store;
use crate::{rows, telemetry};
use gateway_core::{Record, State};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params_from_iter};
use std::collections::BTreeSet;
use std::path::Path;

/// Records per transaction: a fraction of a second, and some hundred kilobytes of memory.
const PORTION: u32 = 500;

/// What came of bringing the copy up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// Where the copy ends now.
    pub head: Head,
    /// Records added.
    pub added: u64,
    /// Whether the database's rows are those of its journal.
    pub rows_fit: bool,
}

/// Brings the copy up to the database, beside its writer. A copy of another site, or one a later version wrote, is begun anew.
///
/// # Errors
/// The database is damaged or has lost records the copy has; or one of the two cannot be read or written.
pub fn follow(database: &Path, copy: &Path) -> Result<Followed> {
    let from = Reader::open(database)?;
    from.together(|from| {
        let (mut to, mut state) = open(copy, from.site_id()?)?;
        continues(&from.conn, to.head())?;
        let before = to.head().number;
        if let Some(trouble) = to.take_over(&from.conn, &mut state) {
            return Err(trouble);
        }
        let head = to.head();
        if head != from.head()? {
            return Err(ends_early(from.head()?.number, head.number));
        }
        let mut rows = rows::load(&from.conn)?;
        to.take_secrets(&from.conn)?;
        to.take_readings(&rows.readings)?;
        let epoch: u32 = epoch(&from.conn)?;
        if epoch != to.epoch()? {
            to.set_epoch(epoch)?;
        }
        (rows.readings, rows.observed_at) = (state.readings.clone(), state.observed_at);
        Ok(Followed {
            head,
            added: head.number - before,
            rows_fit: rows == state,
        })
    })
}

/// Whether a database still continues its copy; true where there is no copy yet, or one that cannot be read.
///
/// # Errors
/// The database has lost records the copy has, or cannot be read.
pub fn is_continued(database: &Path, copy: &Path) -> Result<()> {
    let from = Reader::open(database)?;
    let Ok(to) = Reader::open(copy) else {
        return Ok(());
    };
    match (to.site_id(), to.head()) {
        (Ok(site), Ok(head)) if site == from.site_id()? => continues(&from.conn, head),
        _ => Ok(()),
    }
}

/// Reads the whole file: its structure, table by table, and the journal's hashes. Calls are short, so that the log can be emptied in between.
///
/// # Errors
/// It is damaged, or cannot be read.
pub fn check(database: &Path) -> Result<()> {
    let reader = Reader::open(database)?;
    let mut tables = reader
        .conn
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables = tables.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables.collect::<rusqlite::Result<Vec<_>>>()? {
        let sql = format!("PRAGMA quick_check('{}')", table.replace('\'', "''"));
        let said: String = reader.conn.query_row(&sql, [], |row| row.get(0))?;
        if said != "ok" {
            return Err(StoreError::damaged(format!("table {table}: {said}")));
        }
    }
    let mut end = Head {
        number: 0,
        at: gateway_core::UtcSeconds(0),
        hash: journal::genesis(&reader.conn)?,
    };
    loop {
        let (portion, trouble) = next(&reader.conn, end);
        match (portion.last(), trouble) {
            (_, Some(trouble)) => return Err(trouble),
            (None, None) => return Ok(()),
            (Some((stored, _)), None) => end = stored.end(),
        }
    }
}

fn open(copy: &Path, site: [u8; 16]) -> Result<(Store, State)> {
    let opened = match Store::open(copy) {
        // It can be made again, and is worth nothing as it is.
        Err(
            StoreError::NewerSchema { .. }
            | StoreError::Damaged { .. }
            | StoreError::NotOurs { .. },
        ) => None,
        other => Some(other?),
    };
    let is_of = |store: &Store| {
        let sql = "SELECT value FROM meta WHERE key = 'site_id'";
        let found: rusqlite::Result<[u8; 16]> = store.conn.query_row(sql, [], |row| row.get(0));
        found.is_ok_and(|found| found == site)
    };
    if let Some((mut store, state)) = opened {
        if is_of(&store) {
            return Ok((store, state));
        }
        if store.head().number == 0 {
            store.belong_to(site)?;
            return Ok((store, state));
        }
    }
    remove(copy)?;
    let (mut store, state) = Store::open(copy)?;
    store.belong_to(site)?;
    Ok((store, state))
}

fn remove(copy: &Path) -> Result<()> {
    for ending in [".lock", "", "-wal", "-shm"] {
        let name = beside(copy, ending);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let reason = error.to_string();
                return Err(StoreError::CannotOpen { path: name, reason });
            }
            _ => {}
        }
    }
    Ok(())
}

fn ends_early(last: u64, known: u64) -> StoreError {
    StoreError::damaged(format!(
        "it ends with record {last}, and its safe copy knows record {known}"
    ))
}

/// Whether a journal has the record another one ends with.
fn continues(journal: &Connection, end: Head) -> Result<()> {
    if end.number == 0 {
        return Ok(());
    }
    let sql = "SELECT hash FROM journal WHERE number = ?1";
    let found: Option<Vec<u8>> = journal
        .query_row(sql, [end.number.cast_signed()], |row| row.get(0))
        .optional()?;
    match found {
        None => Err(ends_early(journal::head(journal)?.number, end.number)),
        Some(hash) if hash != end.hash => {
            let what = format!("record {} is not the one of its safe copy", end.number);
            Err(StoreError::damaged(what))
        }
        Some(_) => Ok(()),
    }
}

pub(crate) fn epoch(conn: &Connection) -> Result<u32> {
    let sql = "SELECT value FROM meta WHERE key = 'gateway_epoch'";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

impl Stored {
    /// The end of a journal whose last record it is. Only of one whose hash was checked.
    fn end(&self) -> Head {
        Head {
            number: self.number,
            at: self.at,
            hash: Hash::try_from(self.hash.as_slice()).unwrap_or_default(),
        }
    }

    /// Reads it, if it is the record after `before`.
    fn after(&self, before: Head) -> Result<Record> {
        let number = self.number;
        let changed = || StoreError::damaged(format!("record {number} was changed"));
        if number != before.number + 1 {
            let what = format!("record {} is missing", before.number + 1);
            return Err(StoreError::damaged(what));
        }
        if self.hash != journal::chain(&before.hash, number, self.at, &self.body) {
            return Err(changed());
        }
        let record = self.record()?;
        let same = record.number == number && record.at == self.at && self.at >= before.at;
        same.then_some(record).ok_or_else(changed)
    }
}

/// The records after an end, as far as they continue it, and why there are no more.
fn next(from: &Connection, end: Head) -> (Vec<(Stored, Record)>, Option<StoreError>) {
    let mut good: Vec<(Stored, Record)> = Vec::new();
    let read = |good: &mut Vec<(Stored, Record)>| -> Result<()> {
        let sql = format!("{STORED} WHERE number > ?1 ORDER BY number LIMIT ?2");
        let mut query = from.prepare_cached(&sql)?;
        let mut rows = query.query([end.number.cast_signed(), PORTION.into()])?;
        while let Some(row) = rows.next()? {
            let stored = Stored::read(row)?;
            let before = good.last().map_or(end, |(last, _)| last.end());
            let record = stored.after(before)?;
            good.push((stored, record));
        }
        Ok(())
    };
    let trouble = read(&mut good).err();
    (good, trouble)
}

impl Store {
    /// Makes an empty journal that of a site.
    pub(crate) fn belong_to(&mut self, site: [u8; 16]) -> Result<()> {
        let tx = self.conn.transaction()?;
        tx.execute("UPDATE meta SET value = ?1 WHERE key = 'site_id'", [site])?;
        tx.execute("DELETE FROM head", [])?;
        journal::begin(&tx)?;
        tx.commit()?;
        self.head = journal::head(&self.conn)?;
        Ok(())
    }

    /// Adds the records of another journal that continue this one, byte for byte, until its end or until it goes wrong.
    pub(crate) fn take_over(&mut self, from: &Connection, state: &mut State) -> Option<StoreError> {
        loop {
            let (portion, trouble) = next(from, self.head);
            if let Err(error) = self.add(&portion, state) {
                return Some(error);
            }
            if trouble.is_some() || portion.is_empty() {
                return trouble;
            }
        }
    }

    fn add(&mut self, portion: &[(Stored, Record)], state: &mut State) -> Result<()> {
        let Some((last, _)) = portion.last() else {
            return Ok(());
        };
        let tx = self.conn.transaction()?;
        let mut keys = BTreeSet::new();
        for (stored, record) in portion {
            journal::insert(&tx, stored, record)?;
            state.apply(record);
            keys.extend(State::touched(record));
        }
        rows::write(&tx, state, &keys)?;
        journal::set_head(&tx, last.end())?;
        tx.commit()?;
        self.head = last.end();
        Ok(())
    }

    /// Takes over the nodes' keys and the people's hashes.
    pub(crate) fn take_secrets(&mut self, from: &Connection) -> Result<()> {
        let tx = self.conn.transaction()?;
        take_table(&tx, from, "node_key", "node", 2)?;
        take_table(&tx, from, "person_secret", "name", 3)?;
        Ok(tx.commit()?)
    }

    /// Replaces the last readings.
    pub(crate) fn take_readings(&mut self, latest: &telemetry::Latest) -> Result<()> {
        let tx = self.conn.transaction()?;
        telemetry::write_last(&tx, latest)?;
        Ok(tx.commit()?)
    }
}

/// Makes a small table like another one; rows that are the same are not written.
fn take_table(
    tx: &Transaction<'_>,
    from: &Connection,
    table: &str,
    key: &str,
    columns: usize,
) -> Result<()> {
    let all = |conn: &Connection| -> Result<Vec<Vec<Value>>> {
        let mut query = conn.prepare(&format!("SELECT * FROM {table} ORDER BY {key}"))?;
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect();
        Ok(query.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
    };
    let (wanted, present) = (all(from)?, all(tx)?);
    for gone in present.iter().filter(|row| !wanted.contains(row)) {
        let sql = format!("DELETE FROM {table} WHERE {key} = ?1");
        tx.execute(&sql, params_from_iter(gone.first()))?;
    }
    let places: Vec<String> = (1..=columns).map(|place| format!("?{place}")).collect();
    let sql = format!("INSERT INTO {table} VALUES ({})", places.join(", "));
    for new in wanted.iter().filter(|row| !present.contains(row)) {
        tx.execute(&sql, params_from_iter(new))?;
    }
    Ok(())
}
