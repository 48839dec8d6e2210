//! Registers at quarter-hours: what the watch over the feeders is restored from.
//!
//! Decided here: how a round is packed and how long it is kept. A round's body is one entry of 24 bytes per node: node (4), the
//! decivolts (2; zero if not measured), flags (2), import (8), export (8), little-endian. Flag 1: the import of the three phases follows as
//! another 24 bytes. Flag 2: their decivolts follow (2 each) in 24 bytes more.

use crate::error::Result;
use crate::journal::{STORED, Stored};
use crate::read::Reader;
use gateway_core::event::Role;
use gateway_core::loss::live::{Round, Sample};
use gateway_core::{Decision, NodeId, UtcSeconds, WattHours};
use rusqlite::{Transaction, params};
use std::collections::BTreeMap;

/// Days for which rounds are kept: the watch remembers four weeks.
const KEPT_DAYS: i64 = 35;
/// Bytes of an entry.
const ENTRY: usize = 24;
/// The imports of the phases follow.
const PHASES: u16 = 1;
/// The voltages of the phases follow.
const VOLTS: u16 = 2;

pub(crate) fn write(tx: &Transaction<'_>, rounds: &[Round]) -> Result<()> {
    for round in rounds {
        tx.prepare_cached("REPLACE INTO loss_round VALUES (?1, ?2)")?
            .execute(params![round.end.0, pack(round)])?;
        tx.prepare_cached("DELETE FROM loss_round WHERE at < ?1")?
            .execute([round.end.0 - KEPT_DAYS * 86_400])?;
    }
    Ok(())
}

impl Reader {
    /// The rounds from a moment on, oldest first. At most five weeks are kept.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn rounds(&self, from: UtcSeconds, to: UtcSeconds) -> Result<Vec<Round>> {
        let sql = "SELECT at, body FROM loss_round WHERE at >= ?1 AND at <= ?2 ORDER BY at";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows = query.query_map(params![from.0, to.0], |row| {
            let body: Vec<u8> = row.get(1)?;
            Ok(Round {
                end: UtcSeconds(row.get(0)?),
                samples: unpack(&body),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Reader {
    /// What every node was last installed to meter, those that are gone included. Reads through the whole journal.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn roles_ever(&self) -> Result<BTreeMap<NodeId, Role>> {
        let sql = format!("{STORED} WHERE decision = 'node-added' ORDER BY number");
        let mut query = self.conn.prepare_cached(&sql)?;
        let rows = query.query_map([], Stored::read)?;
        let mut roles = BTreeMap::new();
        for row in rows {
            if let Decision::NodeAdded { node, role, .. } = row?.record()?.decision {
                roles.insert(node, role);
            }
        }
        Ok(roles)
    }
}

fn pack(round: &Round) -> Vec<u8> {
    let mut body = Vec::with_capacity(round.samples.len() * ENTRY);
    for (node, sample) in &round.samples {
        body.extend_from_slice(&node.0.to_le_bytes());
        body.extend_from_slice(&sample.decivolts.unwrap_or(0).to_le_bytes());
        let phases = if sample.phases.is_some() { PHASES } else { 0 };
        let volts = if sample.phase_decivolts.is_some() {
            VOLTS
        } else {
            0
        };
        body.extend_from_slice(&(phases | volts).to_le_bytes());
        body.extend_from_slice(&sample.register.0.to_le_bytes());
        body.extend_from_slice(&sample.export.0.to_le_bytes());
        for import in sample.phases.iter().flatten() {
            body.extend_from_slice(&import.0.to_le_bytes());
        }
        if let Some(volts) = sample.phase_decivolts {
            for volts in volts {
                body.extend_from_slice(&volts.to_le_bytes());
            }
            body.extend_from_slice(&[0; ENTRY - 6]);
        }
    }
    body
}

fn unpack(body: &[u8]) -> Vec<(NodeId, Sample)> {
    let (entries, _) = body.as_chunks::<ENTRY>();
    let number = |bytes: &[u8]| {
        let byte = |(at, byte): (usize, &u8)| u64::from(*byte) << (8 * at);
        bytes.iter().enumerate().map(byte).sum::<u64>()
    };
    let mut samples = Vec::new();
    let mut entries = entries.iter();
    while let Some(entry) = entries.next() {
        let node = NodeId(u32::try_from(number(&entry[..4])).unwrap_or_default());
        let decivolts = u16::try_from(number(&entry[4..6])).unwrap_or_default();
        let has = |flag: u16| entry[6] & flag.to_le_bytes()[0] != 0;
        let phases = if has(PHASES) { entries.next() } else { None };
        let volts = if has(VOLTS) { entries.next() } else { None };
        let import = |phases: &[u8; ENTRY]| {
            core::array::from_fn(|phase| WattHours(number(&phases[8 * phase..8 * phase + 8])))
        };
        let sample = Sample {
            register: WattHours(number(&entry[8..16])),
            export: WattHours(number(&entry[16..24])),
            decivolts: Some(decivolts).filter(|dv| *dv > 0),
            phases: phases.map(import),
            phase_decivolts: volts.map(|volts| {
                core::array::from_fn(|phase| {
                    u16::try_from(number(&volts[2 * phase..2 * phase + 2])).unwrap_or_default()
                })
            }),
        };
        samples.push((node, sample));
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_comes_back_as_it_was() {
        let sample = |register, export, decivolts| Sample {
            register: WattHours(register),
            export: WattHours(export),
            decivolts,
            phases: None,
            phase_decivolts: None,
        };
        let three = Sample {
            phases: Some([WattHours(1), WattHours(u64::MAX), WattHours(3)]),
            ..sample(9, 1, Some(2_299))
        };
        let round = Round {
            end: UtcSeconds(1_800_000_000),
            samples: vec![
                (NodeId(1), sample(u64::MAX, 0, None)),
                (NodeId(2), three),
                (
                    NodeId(3),
                    Sample {
                        phase_decivolts: Some([2_301, 2_315, u16::MAX]),
                        ..three
                    },
                ),
                (
                    NodeId(4),
                    Sample {
                        phase_decivolts: Some([2_301, 0, 2_299]),
                        ..sample(7, 0, None)
                    },
                ),
                (NodeId(u32::MAX), sample(5, 7, Some(2_301))),
            ],
        };
        assert_eq!(unpack(&pack(&round)), round.samples);
    }
}
