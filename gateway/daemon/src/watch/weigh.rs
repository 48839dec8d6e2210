//! The readings around an opening, read from the store and given to the core.

use super::{Due, Layout};
use gateway_core::case::trial::{Around, EDGE_S, Sample, reckon};
use gateway_core::case::{CaseCommand, Finding};
use gateway_core::{NodeId, UtcSeconds};
use gateway_store::{Reader, ReadingRow, StoreError};
use std::path::Path;

/// Reads and compares.
///
/// # Errors
/// The database cannot be read.
pub(super) fn weigh(
    database: &Path,
    layout: &Layout,
    due: &Due,
) -> Result<CaseCommand, StoreError> {
    let reader = Reader::open(database)?;
    let from = UtcSeconds(due.opened.0 - due.around.0 - EDGE_S);
    let to = UtcSeconds(due.closed.0 + due.around.0 + EDGE_S);
    let rows = |node: NodeId| reader.readings(node, from, to);
    let mut around = Around::default();
    for (feeder, node) in &layout.feeders {
        if *feeder == due.feeder {
            around.feeder = samples(&rows(*node)?);
        }
    }
    for meter in layout.on(due.feeder) {
        let read = rows(meter.node)?;
        if meter.usage_point != due.usage_point {
            around.others.push(samples(&read));
            continue;
        }
        around.own = samples(&read);
        let is_open = |row: &&ReadingRow| (due.opened.0 + EDGE_S..due.closed.0).contains(&row.at.0);
        let open: Vec<&ReadingRow> = read.iter().filter(is_open).collect();
        around.voltage_out_dv = open.iter().filter_map(|row| row.voltage_out_dv).collect();
        around.current_ma = open.iter().filter_map(|row| row.current_ma).collect();
    }
    if due.natural {
        // It stays open: what is after it is not like before.
        around.feeder.retain(|sample| sample.at < due.closed);
        around.own.retain(|sample| sample.at < due.closed);
    }
    Ok(CaseCommand::Found {
        case: due.case,
        number: due.number,
        finding: Finding {
            at: due.opened,
            usage_point: due.usage_point,
            natural: due.natural,
            reckoned: reckon(due.opened, due.closed, &around),
        },
    })
}

fn samples(rows: &[ReadingRow]) -> Vec<Sample> {
    let sample = |row: &ReadingRow| {
        Some(Sample {
            at: row.at,
            watts: row.power_w?,
        })
    };
    rows.iter().filter_map(sample).collect()
}
