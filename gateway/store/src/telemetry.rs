//! Readings, the last reading of each node, and load profiles. Not journalled, but committed with the journal.
//!
//! Decided here: what of a reading is kept, and the profile's register at each boundary. *Exact*: the node remembered it.
//! *Estimated*: the last register known at or before the boundary, when the next reading comes after it. An exact
//! value replaces an estimated one, nothing replaces an exact one. A boundary without a row lies inside a silence: nobody
//! knows how its energy was spread, so nothing is padded.
//!
//! Terms: *boundary*: a multiple of [`INTERVAL_S`]; the profile's registers are the node's raw ones.

use crate::error::Result;
use gateway_core::event::IntervalEnd;
use gateway_core::metering::LastReading;
use gateway_core::supply::Relay;
use gateway_core::{NodeId, Reading, UtcSeconds, WattHours};
use rusqlite::{Connection, Row, Transaction, params};
use std::collections::BTreeMap;

/// Length of a load profile interval: what Indian smart meters record and the head-end expects.
pub const INTERVAL_S: i64 = 1_800;
/// After a longer silence the boundary is not estimated: the clock may have been set, and the value would say nothing.
const LONGEST_SILENCE_S: i64 = 3 * 86_400;
/// Nodes remember hours. An interval older than a billing period and a half is a fault of the node and is not kept, so that
/// one node cannot fill the table.
const OLDEST_INTERVAL_S: i64 = 45 * 86_400;

/// Last reading of each node.
pub(crate) type Latest = BTreeMap<NodeId, LastReading>;

/// Writes readings in the order they were accepted; returns the newest of each node.
pub(crate) fn write<'a>(
    tx: &Transaction<'_>,
    known: &Latest,
    readings: &'a [LastReading],
) -> Result<BTreeMap<NodeId, &'a LastReading>> {
    let mut newest: BTreeMap<NodeId, &LastReading> = BTreeMap::new();
    for last in readings {
        let node = last.reading.node;
        write_reading(tx, last)?;
        let before = newest.get(&node).copied().or_else(|| known.get(&node));
        write_profile(tx, before, last)?;
        newest.insert(node, last);
    }
    for last in newest.values() {
        write_last(tx, last)?;
    }
    Ok(newest)
}

fn write_reading(tx: &Transaction<'_>, last: &LastReading) -> Result<()> {
    let reading = &last.reading;
    tx.prepare_cached(
        "REPLACE INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
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
        reading.tamper,
    ])?;
    Ok(())
}

fn write_last(tx: &Transaction<'_>, last: &LastReading) -> Result<()> {
    let reading = &last.reading;
    tx.prepare_cached(
        "REPLACE INTO last_reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, \
         ?13, ?14, ?15, ?16, ?17, ?18)",
    )?
    .execute(params![
        reading.node.0,
        last.at.0,
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
    ])?;
    Ok(())
}

fn write_profile(
    tx: &Transaction<'_>,
    before: Option<&LastReading>,
    last: &LastReading,
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
                "INSERT INTO profile VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE \
                 SET register = excluded.register, exact = 1 WHERE exact = 0",
            )?
            .execute(params![
                interval.end.0,
                node,
                interval.register.0.cast_signed()
            ])?;
        }
    }
    if let Some((boundary, register)) = before.and_then(|before| estimate(before, last)) {
        tx.prepare_cached("INSERT INTO profile VALUES (?1, ?2, ?3, 0) ON CONFLICT DO NOTHING")?
            .execute(params![boundary.0, node, register.0.cast_signed()])?;
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

/// Sixteen bytes an interval: a JSON text would be four times as long and is rewritten with every batch.
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

fn last_reading(row: &Row<'_>) -> rusqlite::Result<LastReading> {
    let unsigned = |column| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(column)?.map(i64::cast_unsigned))
    };
    Ok(LastReading {
        at: UtcSeconds(row.get(1)?),
        reading: Reading {
            node: NodeId(row.get(0)?),
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
            intervals: unpack(&row.get::<_, Vec<u8>>(17)?),
        },
    })
}

/// The last reading of every node.
pub(crate) fn last_readings(conn: &Connection) -> Result<Latest> {
    let mut query = conn.prepare_cached("SELECT * FROM last_reading")?;
    let rows = query.query_map([], last_reading)?;
    let by_node = |last: LastReading| (last.reading.node, last);
    Ok(rows
        .map(|row| row.map(by_node))
        .collect::<rusqlite::Result<_>>()?)
}

/// The last reading of one node.
pub(crate) fn last_reading_of(conn: &Connection, node: NodeId) -> Result<Option<LastReading>> {
    let mut query = conn.prepare_cached("SELECT * FROM last_reading WHERE node = ?1")?;
    let mut rows = query.query_map([node.0], last_reading)?;
    Ok(rows.next().transpose()?)
}
