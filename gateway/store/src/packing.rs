//! From batches to runs, beside the running gateway: half a day of readings, once more and by node.
//!
//! A batch lies as its commit left it: a page or two for a few dozen nodes. By node the same readings take a third, because each differs little from the one
//! before. The work is done in three parts, so that no commit waits long: [`Store::to_pack`] says what, [`Work::pack`] reads and packs on a thread of its own,
//! [`Store::write_packed`] writes a portion at a time. A run counts when all of it is written; one that a crash interrupted is begun anew.
//!
//! Decided here: what a run is made of. Not decided here: when there is time for it (the daemon).
//!
//! Invariant: what a restart needs, readings since the last copy, is never packed.

use crate::error::Result;
use crate::packed;
use crate::read::Reader;
use crate::runs::{self, Run};
use crate::store::Store;
use crate::telemetry::{self, first_slot};
use flate2::Compression;
use gateway_core::NodeId;
use gateway_core::metering::LastReading;
use rusqlite::{Connection, TransactionBehavior, params};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

/// A run ends with half a day, UTC: a block then fills some pages, and little of its last one is empty.
const RUN_S: i64 = 43_200;
/// Readings held in memory at once while a run is packed: some 12 MB.
const IN_MEMORY: u32 = 1 << 15;
/// Readings in a run: one node's block holds as many.
const MOST: u32 = 1 << 18;
const _: () = assert!(
    MOST as usize == packed::MOST_READINGS,
    "a block holds a run"
);
/// Batches read in one go, so that the log can be emptied in between.
const BATCHES_AT_ONCE: u32 = 64;
/// Bytes written in one go: a quarter of a second of a slow card.
const BYTES_AT_ONCE: usize = 512 << 10;

/// What is to be packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    run: Run,
    /// Slots up to here are in runs already.
    after: i64,
    /// Whether rows of an earlier version are packed, not batches.
    rows: bool,
}

/// A run that waits to be written.
#[derive(Debug)]
pub struct Packed {
    run: Run,
    blocks: VecDeque<(NodeId, Vec<u8>)>,
    has_begun: bool,
    /// Readings that could not be read any more.
    pub lost: u32,
}

impl Store {
    /// The next run, if half a day has passed that is not packed; whatever an earlier version wrote comes first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn to_pack(&self) -> Result<Option<Work>> {
        let after = runs::packed_to(&self.conn)?;
        let copied = first_slot(self.telemetry.copied_at());
        let run = runs::next_run(&self.conn)?;
        let found = match rows(&self.conn, after, copied)? {
            Some(found) => Some((found, true)),
            None => batches(&self.conn, after, copied)?.map(|found| (found, false)),
        };
        Ok(found.map(|((first, last, count), rows)| Work {
            run: Run {
                run,
                first,
                last,
                count,
            },
            after,
            rows,
        }))
    }

    /// Writes a portion of a run; whether that was the last one.
    ///
    /// # Errors
    /// The database cannot be written. Nothing of the portion is; the whole run may be packed again.
    pub fn write_packed(&mut self, packed: &mut Packed) -> Result<bool> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !packed.has_begun {
            runs::begin_run(&tx, packed.run.run)?;
            packed.has_begun = true;
        }
        let mut bytes = 0;
        while bytes < BYTES_AT_ONCE
            && let Some((node, body)) = packed.blocks.pop_front()
        {
            bytes += body.len();
            runs::write_block(&tx, packed.run.run, node, &body)?;
        }
        let is_done = packed.blocks.is_empty();
        if is_done {
            runs::end_run(&tx, &packed.run)?;
        }
        tx.commit()?;
        Ok(is_done)
    }

    /// Removes a portion of what was packed; how many rows or batches those were. Call it now and then, also where nothing was packed lately.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn tidy_packed(&mut self) -> Result<usize> {
        let tx = self.conn.unchecked_transaction()?;
        let removed = runs::tidy(&tx)?;
        tx.commit()?;
        Ok(removed)
    }
}

type Span = (i64, i64, u32);

/// The slot after the half day of another slot.
fn end_of_run(slot: i64) -> i64 {
    let end = (telemetry::second(slot).0.div_euclid(RUN_S) + 1).saturating_mul(RUN_S);
    first_slot(gateway_core::UtcSeconds(end))
}

/// Rows of an earlier version: first and last slot, and how many. All are older than the copy.
fn rows(conn: &Connection, after: i64, copied: i64) -> Result<Option<Span>> {
    let sql = "SELECT min(slot) FROM reading WHERE slot > ?1";
    let first: Option<i64> = conn.query_row(sql, [after], |row| row.get(0))?;
    let Some(first) = first else { return Ok(None) };
    let end = end_of_run(first).min(copied);
    let sql = "SELECT max(slot), count(*) FROM (SELECT slot FROM reading \
               WHERE slot > ?1 AND slot < ?2 ORDER BY slot LIMIT ?3)";
    let found: (Option<i64>, u32) = conn.query_row(sql, params![after, end, MOST], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(found.0.map(|last| (first, last, found.1)))
}

/// Whole batches: first and last slot, and how many readings.
fn batches(conn: &Connection, after: i64, copied: i64) -> Result<Option<Span>> {
    let sql = "SELECT min(first) FROM reading_batch WHERE first > ?1";
    let first: Option<i64> = conn.query_row(sql, [after], |row| row.get(0))?;
    let Some(first) = first else { return Ok(None) };
    let end = end_of_run(first);
    if end > copied {
        return Ok(None);
    }
    let sql =
        "SELECT last, count FROM reading_batch WHERE first > ?1 AND first < ?2 ORDER BY first";
    let mut query = conn.prepare_cached(sql)?;
    let mut found = query.query(params![after, end])?;
    let (mut last, mut count) = (None, 0);
    while let Some(row) = found.next()? {
        let (batch_last, of_batch): (i64, u32) = (row.get(0)?, row.get(1)?);
        if batch_last >= copied || count + of_batch > MOST {
            break;
        }
        (last, count) = (Some(batch_last), count + of_batch);
    }
    Ok(last.map(|last| (first, last, count)))
}

impl Work {
    /// Reads what is to be packed, and packs it. Takes seconds on a slow machine: on a thread of its own.
    ///
    /// # Errors
    /// The database cannot be read. A batch that is damaged is left out and counted.
    pub fn pack(&self, database: &Path) -> Result<Packed> {
        let reader = Reader::open(database)?;
        let mut blocks = VecDeque::new();
        let mut lost = 0;
        let passes = self.run.count.div_ceil(IN_MEMORY);
        for pass in 0..passes.max(1) {
            let mut nodes: BTreeMap<NodeId, Vec<LastReading>> = BTreeMap::new();
            lost = self.collect(&reader.conn, |node| node.0 % passes == pass, &mut nodes)?;
            for (node, readings) in nodes {
                blocks.push_back((node, packed::pack(&readings, Compression::best())?));
            }
        }
        blocks.make_contiguous().sort_by_key(|(node, _)| *node);
        Ok(Packed {
            run: Run {
                count: self.run.count - lost,
                ..self.run.clone()
            },
            blocks,
            has_begun: false,
            lost,
        })
    }

    /// The readings of some nodes; returns how many could not be read.
    fn collect(
        &self,
        conn: &Connection,
        is_wanted: impl Fn(NodeId) -> bool,
        nodes: &mut BTreeMap<NodeId, Vec<LastReading>>,
    ) -> Result<u32> {
        let mut add = |mut last: LastReading| {
            // Load profiles have them.
            last.reading.intervals = Vec::new();
            nodes.entry(last.reading.node).or_default().push(last);
        };
        if self.rows {
            let span = (self.run.first, self.run.last.saturating_add(1));
            telemetry::each_row(conn, span, None, |_, last| {
                if is_wanted(last.reading.node) {
                    add(last);
                }
                Ok(true)
            })?;
            return Ok(0);
        }
        let (mut after, mut lost) = (self.after, 0);
        loop {
            let portion = runs::batches_after(conn, after, self.run.last, BATCHES_AT_ONCE)?;
            let Some(end) = portion.last() else {
                return Ok(lost);
            };
            after = end.last;
            for batch in &portion {
                let Ok(unpacked) = packed::unpack(&batch.body) else {
                    lost += batch.count;
                    continue;
                };
                for row in 0..unpacked.len() {
                    if unpacked.node(row).is_some_and(&is_wanted) {
                        add(unpacked.reading(row)?);
                    }
                }
            }
        }
    }
}
