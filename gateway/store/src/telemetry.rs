//! Readings, the last reading of each node, and load profiles. Not journalled, but committed with the journal.
//!
//! Decided here: what of a reading is kept, and the profile's register at each boundary. *Exact*: the node remembered it.
//! *Estimated*: the last register known at or before the boundary, when the next reading comes after it. An exact
//! value replaces an estimated one, nothing replaces an exact one. A boundary without a row lies inside a silence: nobody
//! knows how its energy was spread, so nothing is padded.
//!
//! A reading is written with those it is committed with ([`crate::runs`]), and that is all a restart needs. The *last readings* are derived: the newest one of
//! each node since the last *copy*, else its row in the table of last readings, which a copy brings up to date. Readings before the copy
//! may be removed or packed otherwise.
//!
//! Terms: *boundary*: a multiple of [`INTERVAL_S`]; the profile's registers are the node's raw ones.

use crate::error::Result;
use crate::{phases, runs};
use gateway_core::event::IntervalEnd;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{NodeId, Reading, UtcSeconds, WattHours};
use rusqlite::{Connection, Row, Transaction, params};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Length of a load profile interval: what Indian smart meters record and the head-end expects.
pub const INTERVAL_S: i64 = 1_800;
/// After a longer silence the boundary is not estimated: the clock may have been set, and the value would say nothing.
const LONGEST_SILENCE_S: i64 = 3 * 86_400;
/// Nodes remember hours. An interval older than a billing period and a half is a fault of the node and is not kept, so that
/// one node cannot fill the table.
const OLDEST_INTERVAL_S: i64 = 45 * 86_400;

/// The table of last readings is brought up to date after so many readings for each node: the copy then costs a few bytes per
/// reading, and a restart reads about an hour of a site that is read every minute.
const COPY_AFTER: usize = 64;

/// Last reading of each node.
pub(crate) type Latest = BTreeMap<NodeId, LastReading>;

/// What the writer remembers between commits.
#[derive(Debug)]
pub(crate) struct Memory {
    latest: Latest,
    /// Up to when the table of last readings is complete.
    copied_at: UtcSeconds,
    /// Readings since then.
    since: usize,
    /// The newest reading's slot.
    slot: i64,
}

/// What a transaction changes in [`Memory`], once it is committed.
pub(crate) struct Written<'a> {
    newest: BTreeMap<NodeId, &'a LastReading>,
    copied_at: Option<UtcSeconds>,
    count: usize,
    slot: i64,
}

impl Memory {
    /// What was committed; `latest` is what [`last_readings`] says.
    pub(crate) fn open(conn: &Connection, latest: Latest) -> Result<Self> {
        let copied_at = copied_at(conn)?;
        let since: i64 = conn
            .prepare_cached("SELECT coalesce(sum(count), 0) FROM reading_batch WHERE last >= ?1")?
            .query_row([first_slot(copied_at)], |row| row.get(0))?;
        Ok(Self {
            latest,
            copied_at,
            since: usize::try_from(since).unwrap_or_default(),
            slot: runs::newest_slot(conn)?,
        })
    }

    /// Writes readings in the order they were accepted, the times never backwards.
    pub(crate) fn write<'a>(
        &self,
        tx: &Transaction<'_>,
        readings: &'a [LastReading],
    ) -> Result<Written<'a>> {
        let mut newest: BTreeMap<NodeId, &LastReading> = BTreeMap::new();
        let mut slot = self.slot;
        let mut slots = Vec::with_capacity(readings.len());
        for last in readings {
            let node = last.reading.node;
            // Behind every other one, also within one second.
            slot = slot.saturating_add(1).max(first_slot(last.at));
            slots.push(slot);
            let before = newest
                .get(&node)
                .copied()
                .or_else(|| self.latest.get(&node));
            write_profile(tx, before, last, slot)?;
            newest.insert(node, last);
        }
        runs::write(tx, readings, &slots)?;
        let mut written = Written {
            newest,
            copied_at: None,
            count: readings.len(),
            slot,
        };
        let nodes = self.latest.len().max(written.newest.len());
        if self.since + written.count >= COPY_AFTER * nodes.max(1) {
            written.copied_at = Some(self.copy(tx, &written.newest)?);
        }
        Ok(written)
    }

    /// Copies the last readings that have changed since the last copy.
    fn copy(
        &self,
        tx: &Transaction<'_>,
        newest: &BTreeMap<NodeId, &LastReading>,
    ) -> Result<UtcSeconds> {
        let older = self.latest.iter();
        let older = older.filter(|(node, _)| !newest.contains_key(node));
        let all = older.map(|(_, last)| last).chain(newest.values().copied());
        let mut copied_at = self.copied_at;
        for last in all.filter(|last| last.at >= self.copied_at) {
            write_row(tx, last)?;
            copied_at = copied_at.max(last.at);
        }
        tx.prepare_cached("REPLACE INTO meta VALUES ('readings_copied_at', ?1)")?
            .execute([copied_at.0])?;
        Ok(copied_at)
    }

    /// Takes note of what was committed.
    pub(crate) fn committed(&mut self, written: Written<'_>) {
        (self.since, self.slot) = (self.since + written.count, written.slot);
        if let Some(copied_at) = written.copied_at {
            (self.copied_at, self.since) = (copied_at, 0);
        }
        for (node, last) in written.newest {
            self.latest.insert(node, last.clone());
        }
    }

    /// Readings before this moment are not needed for a restart.
    pub(crate) fn copied_at(&self) -> UtcSeconds {
        self.copied_at
    }
}

/// Places in a second: a thousand times what a site can send.
const SLOTS: i64 = 1 << 20;

/// Where the readings of a second begin.
pub(crate) fn first_slot(at: UtcSeconds) -> i64 {
    at.0.saturating_mul(SLOTS)
}

/// The second of a slot.
pub(crate) fn second(slot: i64) -> UtcSeconds {
    UtcSeconds(slot.div_euclid(SLOTS))
}

/// The columns of [`last_reading`] behind the first, in both tables.
macro_rules! columns {
    () => {
        "node, register, export, power_w, voltage_dv, voltage_out_dv, current_ma, neutral_ma, \
         frequency_chz, relay, lease_id, cutoff, uptime_s, boot_count, tamper, frame_counter, \
         intervals, phases"
    };
}

const WRITE_LAST: &str = concat!(
    "REPLACE INTO last_reading (at, ",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
);

/// Replaces the table of last readings; where there are no other readings.
pub(crate) fn write_last(tx: &Transaction<'_>, latest: &Latest) -> Result<()> {
    for last in latest.values() {
        write_row(tx, last)?;
    }
    let copied_at = latest.values().map(|last| last.at.0).max();
    tx.prepare_cached("REPLACE INTO meta VALUES ('readings_copied_at', ?1)")?
        .execute([copied_at.unwrap_or_default()])?;
    Ok(())
}

fn write_row(tx: &Transaction<'_>, last: &LastReading) -> Result<()> {
    let reading = &last.reading;
    tx.prepare_cached(WRITE_LAST)?.execute(params![
        last.at.0,
        reading.node.0,
        reading.register.0.cast_signed(),
        reading.export.0.cast_signed(),
        reading.power_w,
        reading.voltage_dv,
        reading.voltage_out_dv,
        reading.current_ma,
        reading.neutral_ma,
        reading.frequency_chz,
        reading.relay.map(relay_number),
        reading.lease_id,
        reading.cutoff.map(|register| register.0.cast_signed()),
        reading.uptime_s,
        reading.boot_count,
        reading.tamper,
        reading.frame_counter.map(u64::cast_signed),
        pack(&reading.intervals),
        reading.phases.as_ref().map(phases::pack),
    ])?;
    Ok(())
}

fn write_profile(
    tx: &Transaction<'_>,
    before: Option<&LastReading>,
    last: &LastReading,
    slot: i64,
) -> Result<()> {
    let node = last.reading.node.0;
    let seen = before.map_or(&[][..], |before| &before.reading.intervals);
    let on_grid = |interval: &&IntervalEnd| {
        let age = last.at.0.saturating_sub(interval.end.0);
        interval.end.0.rem_euclid(INTERVAL_S) == 0 && (0..=OLDEST_INTERVAL_S).contains(&age)
    };
    for interval in last.reading.intervals.iter().filter(on_grid) {
        if !seen.contains(interval) {
            tx.prepare_cached(
                "INSERT INTO profile VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT DO UPDATE \
                 SET register = excluded.register, exact = 1, written = excluded.written \
                 WHERE exact = 0",
            )?
            .execute(params![
                interval.end.0,
                node,
                interval.register.0.cast_signed(),
                slot
            ])?;
        }
    }
    if let Some((boundary, register)) = before.and_then(|before| estimate(before, last)) {
        tx.prepare_cached("INSERT INTO profile VALUES (?1, ?2, ?3, 0, ?4) ON CONFLICT DO NOTHING")?
            .execute(params![boundary.0, node, register.0.cast_signed(), slot])?;
    }
    Ok(())
}

/// The first boundary passed between two readings, and the last register known there.
fn estimate(before: &LastReading, last: &LastReading) -> Option<(UtcSeconds, WattHours)> {
    let next = before.at.0.div_euclid(INTERVAL_S).checked_add(1)?;
    let boundary = UtcSeconds(next.checked_mul(INTERVAL_S)?);
    let silence = last.at.0.saturating_sub(before.at.0);
    if boundary > last.at || silence > LONGEST_SILENCE_S {
        return None;
    }
    let known = if boundary == last.at { last } else { before };
    Some((boundary, known.reading.register))
}

/// Rows an earlier version wrote with slots from the first on, before the second, in order of time: of one node, or of all. Until `take` has enough: it
/// says whether to go on, and so does this.
pub(crate) fn each_row(
    conn: &Connection,
    (begin, end): (i64, i64),
    node: Option<NodeId>,
    mut take: impl FnMut(i64, LastReading) -> Result<bool>,
) -> Result<bool> {
    let mut query = conn.prepare_cached(concat!(
        "SELECT slot >> 20, ",
        columns!(),
        ", slot FROM reading WHERE slot >= ?1 AND slot < ?2 AND (?3 IS NULL OR node = ?3) ORDER BY slot"
    ))?;
    let mut rows = query.query(params![begin, end, node.map(|node| node.0)])?;
    while let Some(row) = rows.next()? {
        if !take(row.get(19)?, last_reading(row)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn relay_number(relay: Relay) -> u8 {
    match relay {
        Relay::Open => 0,
        Relay::Closed => 1,
    }
}

pub(crate) fn relay(number: Option<u8>) -> Option<Relay> {
    number.map(|number| match number {
        0 => Relay::Open,
        _ => Relay::Closed,
    })
}

/// Sixteen bytes an interval, a quarter of a JSON text.
fn pack(intervals: &[IntervalEnd]) -> Vec<u8> {
    let bytes = intervals.iter().flat_map(|interval| {
        [
            interval.end.0.to_le_bytes(),
            interval.register.0.to_le_bytes(),
        ]
    });
    bytes.flatten().collect()
}

fn unpack(bytes: &[u8]) -> Vec<IntervalEnd> {
    let (pairs, _) = bytes.as_chunks::<8>();
    let pairs = pairs.chunks_exact(2);
    let interval = |pair: &[[u8; 8]]| IntervalEnd {
        end: UtcSeconds(i64::from_le_bytes(pair[0])),
        register: WattHours(u64::from_le_bytes(pair[1])),
    };
    pairs.map(interval).collect()
}

/// A register column: 64 unsigned bits.
pub(crate) fn register(row: &Row<'_>, column: usize) -> rusqlite::Result<WattHours> {
    Ok(WattHours(row.get::<_, i64>(column)?.cast_unsigned()))
}

/// From a time (not a slot) and [`columns`].
fn last_reading(row: &Row<'_>) -> rusqlite::Result<LastReading> {
    let unsigned = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    Ok(LastReading {
        at: UtcSeconds(row.get(0)?),
        over: None,
        dark_since: None,
        reading: Reading {
            node: NodeId(row.get(1)?),
            register: register(row, 2)?,
            export: register(row, 3)?,
            power_w: row.get(4)?,
            voltage_dv: row.get(5)?,
            voltage_out_dv: row.get(6)?,
            current_ma: row.get(7)?,
            neutral_ma: row.get(8)?,
            frequency_chz: row.get(9)?,
            relay: relay(row.get(10)?),
            lease_id: row.get(11)?,
            cutoff: unsigned(12)?.map(WattHours),
            uptime_s: row.get(13)?,
            boot_count: row.get(14)?,
            tamper: row.get(15)?,
            frame_counter: unsigned(16)?,
            intervals: unpack(&row.get::<_, Option<Vec<u8>>>(17)?.unwrap_or_default()),
            phases: row
                .get::<_, Option<Vec<u8>>>(18)?
                .and_then(|bytes| phases::unpack(&bytes)),
            status: None,
            wraps_at: None,
        },
    })
}

/// Up to when the table of last readings is complete.
pub(crate) fn copied_at(conn: &Connection) -> Result<UtcSeconds> {
    let sql =
        "SELECT coalesce((SELECT value FROM meta WHERE key = 'readings_copied_at'), -1 << 63)";
    Ok(UtcSeconds(
        conn.prepare_cached(sql)?.query_row([], |row| row.get(0))?,
    ))
}

/// The last reading of every node: the newest since the copy, else the copied one.
pub(crate) fn last_readings(conn: &Connection) -> Result<Latest> {
    let mut latest = Latest::new();
    runs::newest_first(conn, copied_at(conn)?, |batch, row, node| {
        if let Entry::Vacant(unseen) = latest.entry(node) {
            unseen.insert(batch.reading(row)?);
        }
        Ok(true)
    })?;
    let sql = concat!("SELECT at, ", columns!(), " FROM last_reading");
    let mut copied = conn.prepare_cached(sql)?;
    for last in copied.query_map([], last_reading)? {
        let last = last?;
        latest.entry(last.reading.node).or_insert(last);
    }
    Ok(latest)
}

/// The last reading of one node.
pub(crate) fn last_reading_of(conn: &Connection, node: NodeId) -> Result<Option<LastReading>> {
    let mut newest = None;
    runs::newest_first(conn, copied_at(conn)?, |batch, row, of| {
        if of == node {
            newest = Some(batch.reading(row)?);
        }
        Ok(newest.is_none())
    })?;
    if newest.is_some() {
        return Ok(newest);
    }
    let sql = concat!(
        "SELECT at, ",
        columns!(),
        " FROM last_reading WHERE node = ?1"
    );
    let mut query = conn.prepare_cached(sql)?;
    let mut rows = query.query_map([node.0], last_reading)?;
    Ok(rows.next().transpose()?)
}
