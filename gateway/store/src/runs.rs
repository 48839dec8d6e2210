//! Where readings lie, oldest first: runs (blocks by node), rows of an earlier version, batches as they were committed.
//!
//! Decided here: which of the three says what. A run covers everything up to its last slot, so between its commit and the removal of what it covers
//! nothing is read twice. Not decided here: when a run is made ([`crate::packing`]).
//!
//! Terms: *slot*: a reading's second times 2^20 plus its place; they never go back. *Packed to*: the last slot that runs cover.

use crate::error::Result;
use crate::packed::{self, Unpacked};
use crate::telemetry::{self, first_slot};
use flate2::Compression;
use gateway_core::metering::LastReading;
use gateway_core::{NodeId, UtcSeconds};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

/// Readings in a batch: one commit's, unless it is a large one.
const BATCH: usize = 512;
/// What runs cover is removed in such portions: some milliseconds on a Raspberry Pi.
const TIDIED_BATCHES: u32 = 200;
/// The same for rows of an earlier version, and for readings that are given up.
pub(crate) const AT_ONCE: u32 = 5_000;
/// Where the place of a run's blocks begins.
const PLACES: i64 = 1 << 32;

/// The last slot that runs cover.
pub(crate) fn packed_to(conn: &Connection) -> Result<i64> {
    let sql = "SELECT value FROM meta WHERE key = 'readings_packed_to'";
    let found = conn.prepare_cached(sql)?.query_row([], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(i64::MIN))
}

/// The newest slot in use; 0: none was.
pub(crate) fn newest_slot(conn: &Connection) -> Result<i64> {
    let sql = "SELECT max(coalesce((SELECT max(slot) FROM reading), 0), \
               coalesce((SELECT last FROM reading_batch ORDER BY first DESC LIMIT 1), 0), \
               coalesce((SELECT value FROM meta WHERE key = 'readings_packed_to'), 0))";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// The second of the oldest reading.
pub(crate) fn oldest(conn: &Connection) -> Result<Option<UtcSeconds>> {
    let sql = "SELECT coalesce((SELECT first FROM reading_run ORDER BY run LIMIT 1), \
               (SELECT min(slot) FROM reading WHERE slot > ?1), \
               (SELECT min(first) FROM reading_batch WHERE first > ?1))";
    let slot: Option<i64> = conn.query_row(sql, [packed_to(conn)?], |row| row.get(0))?;
    Ok(slot.map(telemetry::second))
}

/// How many readings there are.
pub(crate) fn count(conn: &Connection) -> Result<u64> {
    let sql = "SELECT (SELECT coalesce(sum(count), 0) FROM reading_run) \
               + (SELECT count(*) FROM reading WHERE slot > ?1) \
               + (SELECT coalesce(sum(count), 0) FROM reading_batch WHERE first > ?1)";
    let count: i64 = conn.query_row(sql, [packed_to(conn)?], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Writes readings in the order they were accepted; the first one's slot, and the last one's, as [`telemetry`] numbers them.
pub(crate) fn write(tx: &Transaction<'_>, readings: &[LastReading], slots: &[i64]) -> Result<()> {
    let mut insert = tx.prepare_cached("INSERT INTO reading_batch VALUES (?1, ?2, ?3, ?4)")?;
    for (readings, slots) in readings.chunks(BATCH).zip(slots.chunks(BATCH)) {
        let body = packed::pack(readings, Compression::default())?;
        let (first, last) = (slots.first(), slots.last());
        let count = u32::try_from(readings.len()).unwrap_or(u32::MAX);
        insert.execute(params![first, last, count, body])?;
    }
    Ok(())
}

/// Brings the rows of an earlier version that a restart needs into batches.
pub(crate) fn take_tail(tx: &Transaction<'_>) -> Result<()> {
    let begin = first_slot(telemetry::copied_at(tx)?);
    let (mut readings, mut slots) = (Vec::new(), Vec::new());
    telemetry::each_row(tx, (begin, i64::MAX), None, |slot, last| {
        slots.push(slot);
        readings.push(last);
        Ok(true)
    })?;
    write(tx, &readings, &slots)?;
    tx.execute("DELETE FROM reading WHERE slot >= ?1", [begin])?;
    Ok(())
}

/// A batch, and what was said of it beside its body.
pub(crate) struct Batch {
    pub(crate) last: i64,
    pub(crate) count: u32,
    pub(crate) body: Vec<u8>,
}

fn batch(row: &rusqlite::Row<'_>) -> rusqlite::Result<Batch> {
    Ok(Batch {
        last: row.get(0)?,
        count: row.get(1)?,
        body: row.get(2)?,
    })
}

/// Some batches behind a slot, oldest first.
pub(crate) fn batches_after(
    conn: &Connection,
    slot: i64,
    until: i64,
    most: u32,
) -> Result<Vec<Batch>> {
    let sql = "SELECT last, count, body FROM reading_batch WHERE first > ?1 AND first <= ?2 ORDER BY first LIMIT ?3";
    let mut query = conn.prepare_cached(sql)?;
    let rows = query.query_map(params![slot, until, most], batch)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Readings in batches from a moment on, newest first, until `take` has enough: it says whether to go on.
pub(crate) fn newest_first(
    conn: &Connection,
    since: UtcSeconds,
    mut take: impl FnMut(&Unpacked, usize, NodeId) -> Result<bool>,
) -> Result<()> {
    let sql = "SELECT last, count, body FROM reading_batch WHERE last >= ?1 AND first > ?2 ORDER BY first DESC";
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query(params![first_slot(since), packed_to(conn)?])?;
    while let Some(row) = rows.next()? {
        let batch = batch(row)?;
        if batch.last < first_slot(since) {
            break;
        }
        let unpacked = packed::unpack(&batch.body)?;
        for row in (0..unpacked.len()).rev() {
            if let Some(node) = unpacked.node(row)
                && !take(&unpacked, row, node)?
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whose readings, and of what time: from the first moment on, before the second one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) from: UtcSeconds,
    pub(crate) to: UtcSeconds,
    /// `None`: every node's.
    pub(crate) node: Option<NodeId>,
}

impl Wanted {
    /// Gives what is wanted of a body to `take`, until that has enough.
    fn of(&self, body: &[u8], take: &mut impl FnMut(LastReading) -> Result<bool>) -> Result<bool> {
        let unpacked = packed::unpack(body)?;
        for row in 0..unpacked.len() {
            if self.node.is_some() && unpacked.node(row) != self.node {
                continue;
            }
            let last = unpacked.reading(row)?;
            if (self.from..self.to).contains(&last.at) && !take(last)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What is wanted in order of time, but within a run node by node. Until `take` has enough: it says whether to go on.
pub(crate) fn each(
    conn: &Connection,
    wanted: Wanted,
    mut take: impl FnMut(LastReading) -> Result<bool>,
) -> Result<()> {
    let (begin, end) = (first_slot(wanted.from), first_slot(wanted.to));
    let sql = "SELECT body FROM reading_run CROSS JOIN reading_block \
               ON place >= run * ?1 + ?2 AND place <= run * ?1 + ?3 \
               WHERE reading_run.last >= ?4 AND reading_run.first < ?5 ORDER BY run, place";
    let places = match wanted.node {
        Some(node) => (i64::from(node.0), i64::from(node.0)),
        None => (0, PLACES - 1),
    };
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query(params![PLACES, places.0, places.1, begin, end])?;
    while let Some(row) = rows.next()? {
        if !wanted.of(&row.get::<_, Vec<u8>>(0)?, &mut take)? {
            return Ok(());
        }
    }
    let after = packed_to(conn)?;
    let unpacked_from = begin.max(after.saturating_add(1));
    if !telemetry::each_row(conn, (unpacked_from, end), wanted.node, |_, last| {
        take(last)
    })? {
        return Ok(());
    }
    let sql = "SELECT last, count, body FROM reading_batch \
               WHERE first > ?1 AND last >= ?2 AND first < ?3 ORDER BY first";
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query(params![after, begin, end])?;
    while let Some(row) = rows.next()? {
        if !wanted.of(&batch(row)?.body, &mut take)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Every body there is, with what it is called and how many readings it should have.
pub(crate) fn each_body(
    conn: &Connection,
    mut look: impl FnMut(String, Option<u32>, &[u8]),
) -> Result<()> {
    let mut query = conn.prepare("SELECT place, body FROM reading_block")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let place: i64 = row.get(0)?;
        let node = NodeId(u32::try_from(place % PLACES).unwrap_or_default());
        look(
            format!("the readings of {node} in run {}", place / PLACES),
            None,
            &row.get::<_, Vec<u8>>(1)?,
        );
    }
    let sql = "SELECT last, count, body FROM reading_batch WHERE first > ?1";
    let mut query = conn.prepare(sql)?;
    let mut rows = query.query([packed_to(conn)?])?;
    while let Some(row) = rows.next()? {
        let batch = batch(row)?;
        let at = telemetry::second(batch.last).0;
        look(
            format!("the readings committed at second {at}"),
            Some(batch.count),
            &batch.body,
        );
    }
    Ok(())
}

/// A run and its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) run: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u32,
}

/// The number of the next run.
pub(crate) fn next_run(conn: &Connection) -> Result<i64> {
    let sql = "SELECT coalesce(max(run), 0) + 1 FROM reading_run";
    Ok(conn.query_row(sql, [], |row| row.get(0))?)
}

/// Forgets blocks of a run that was not finished.
pub(crate) fn begin_run(tx: &Transaction<'_>, run: i64) -> Result<()> {
    let sql = "DELETE FROM reading_block WHERE place >= ?1";
    tx.prepare_cached(sql)?
        .execute([run.saturating_mul(PLACES)])?;
    Ok(())
}

/// Writes a node's block of a run.
pub(crate) fn write_block(tx: &Transaction<'_>, run: i64, node: NodeId, body: &[u8]) -> Result<()> {
    let place = run.saturating_mul(PLACES).saturating_add(node.0.into());
    let sql = "INSERT INTO reading_block VALUES (?1, ?2)";
    tx.prepare_cached(sql)?.execute(params![place, body])?;
    Ok(())
}

/// From now on the run says what it covers.
pub(crate) fn end_run(tx: &Transaction<'_>, run: &Run) -> Result<()> {
    let sql = "INSERT INTO reading_run VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, params![run.run, run.first, run.last, run.count])?;
    let sql = "REPLACE INTO meta VALUES ('readings_packed_to', ?1)";
    tx.execute(sql, [run.last])?;
    Ok(())
}

/// Removes a portion of what runs cover; how many readings those were.
pub(crate) fn tidy(conn: &Connection) -> Result<usize> {
    let packed_to = packed_to(conn)?;
    let rows = conn
        .prepare_cached(
            "DELETE FROM reading WHERE slot <= ?1 AND slot < \
             coalesce((SELECT slot FROM reading ORDER BY slot LIMIT 1 OFFSET ?2), ?1 + 1)",
        )?
        .execute(params![packed_to, AT_ONCE])?;
    let batches = conn
        .prepare_cached(
            "DELETE FROM reading_batch WHERE first IN (SELECT first FROM reading_batch \
             WHERE first <= ?1 ORDER BY first LIMIT ?2)",
        )?
        .execute(params![packed_to, TIDIED_BATCHES])?;
    Ok(rows + batches)
}

/// Removes the oldest readings before a slot: a run, or a portion of rows or of batches; how many readings those were. A run or a batch goes as a
/// whole, when its last reading may go.
pub(crate) fn prune(tx: &Transaction<'_>, before: i64) -> Result<usize> {
    let sql = "SELECT run, count FROM reading_run WHERE last < ?1 ORDER BY run LIMIT 1";
    let run = tx
        .prepare_cached(sql)?
        .query_row([before], |row| Ok((row.get(0)?, row.get(1)?)));
    if let Some((run, count)) = run.optional()? {
        let count: u32 = count;
        let _: usize = tx
            .prepare_cached("DELETE FROM reading_block WHERE place >= ?1 AND place < ?1 + ?2")?
            .execute([i64::saturating_mul(run, PLACES), PLACES])?;
        tx.prepare_cached("DELETE FROM reading_run WHERE run = ?1")?
            .execute([run])?;
        return Ok(count as usize);
    }
    let packed_to = packed_to(tx)?;
    let removed = tx
        .prepare_cached(
            "DELETE FROM reading WHERE slot > ?3 AND slot < coalesce( \
             (SELECT min(slot, ?1) FROM reading WHERE slot > ?3 ORDER BY slot LIMIT 1 OFFSET ?2), ?1)",
        )?
        .execute(params![before, AT_ONCE, packed_to])?;
    if removed > 0 {
        return Ok(removed);
    }
    let sql =
        "SELECT first, count FROM reading_batch WHERE first > ?1 AND last < ?2 ORDER BY first";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(params![packed_to, before])?;
    let (mut removed, mut last) = (0_u32, None);
    while let Some(row) = rows.next()? {
        let count: u32 = row.get(1)?;
        if last.is_some() && removed + count > AT_ONCE {
            break;
        }
        removed += count;
        last = Some(row.get::<_, i64>(0)?);
    }
    tx.prepare_cached("DELETE FROM reading_batch WHERE first > ?1 AND first <= ?2")?
        .execute(params![packed_to, last])?;
    Ok(removed as usize)
}
