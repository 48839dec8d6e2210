//! From any earlier schema to the newest, one step per transaction.
//!
//! `user_version` counts the steps taken. A step and its count commit together, so a power cut leaves a database between two steps,
//! never inside one.

use crate::error::{Result, StoreError};
use crate::journal;
use crate::{runs, schema};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

type Step = fn(&Transaction<'_>) -> Result<()>;

const STEPS: &[Step] = &[
    create,
    write_once,
    add_tokens,
    add_cloud,
    add_cases,
    add_phases,
    add_agents,
    add_people,
    pack_readings,
];

/// The newest schema this version knows.
pub const SCHEMA: u32 = 9;

const _: () = assert!(STEPS.len() == SCHEMA as usize, "one step per schema");

fn create(tx: &Transaction<'_>) -> Result<()> {
    tx.execute_batch(schema::STEP_1)?;
    tx.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    tx.execute_batch("INSERT INTO meta VALUES ('site_id', randomblob(16)), ('gateway_epoch', 0);")?;
    journal::begin(tx)
}

fn write_once(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_2)?)
}

fn add_tokens(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_3)?)
}

fn add_cloud(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_4)?)
}

fn add_cases(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_5)?)
}

fn add_phases(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_6)?)
}

fn add_agents(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_7)?)
}

fn add_people(tx: &Transaction<'_>) -> Result<()> {
    Ok(tx.execute_batch(schema::STEP_8)?)
}

/// Only what a restart needs: an hour of readings. The rest is packed beside the running gateway.
fn pack_readings(tx: &Transaction<'_>) -> Result<()> {
    tx.execute_batch(schema::STEP_9)?;
    runs::take_tail(tx)
}

fn version(conn: &Connection) -> Result<u32> {
    Ok(conn.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses files that are not ours or too new, without changing them; returns the schema.
pub(crate) fn recognise(conn: &Connection, path: &Path) -> Result<u32> {
    let application = conn
        .pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0))
        .map_err(|error| StoreError::opening(path, error))?;
    let version = version(conn)?;
    let tables: u32 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = application == 0 && version == 0 && tables == 0;
    if !fresh && application != schema::APPLICATION_ID {
        return Err(StoreError::NotOurs {
            path: path.to_owned(),
        });
    }
    if version > SCHEMA {
        return Err(StoreError::NewerSchema {
            found: version,
            known: SCHEMA,
        });
    }
    Ok(version)
}

/// Takes every step that is missing.
pub(crate) fn to_newest(conn: &mut Connection, path: &Path) -> Result<()> {
    let mut at = recognise(conn, path)?;
    for step in STEPS.iter().skip(at as usize) {
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step(&tx)?;
        at += 1;
        tx.pragma_update(None, "user_version", at)?;
        tx.commit()?;
    }
    Ok(())
}

/// Whether a reader understands the database; it changes nothing.
pub(crate) fn readable(conn: &Connection, path: &Path) -> Result<()> {
    let found = recognise(conn, path)?;
    if found < SCHEMA {
        return Err(StoreError::OlderSchema {
            found,
            known: SCHEMA,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Reader, Store, StoreError, verify};
    use gateway_core::alarm::{AlarmKind, Subject};
    use gateway_core::{Decision, Record, UtcSeconds};

    /// A database as schema 1 left it, with something in its journal.
    fn schema_1(path: &Path) {
        let mut conn = Connection::open(path).unwrap();
        let tx = conn.transaction().unwrap();
        create(&tx).unwrap();
        tx.pragma_update(None, "user_version", 1).unwrap();
        let record = Record {
            number: 1,
            at: UtcSeconds(1_800_000_000),
            decision: Decision::AlarmRaised {
                kind: AlarmKind::Tamper,
                subject: Subject::Site,
                details: "before".into(),
            },
        };
        let mut state = gateway_core::State::default();
        state.apply(&record);
        let keys = gateway_core::State::touched(&record).into_iter().collect();
        let head = journal::head(&tx).unwrap();
        journal::append(&tx, head, &[record]).unwrap();
        crate::rows::write(&tx, &state, &keys).unwrap();
        tx.commit().unwrap();
    }

    #[test]
    fn a_database_of_schema_1_goes_on_with_everything_it_had() {
        let name = format!("gateway-store-migrate-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("site.db");
        schema_1(&path);
        let older = Reader::open(&path).unwrap_err();
        assert!(
            matches!(
                older,
                StoreError::OlderSchema {
                    found: 1,
                    known: SCHEMA
                }
            ),
            "{older}"
        );
        let (mut store, mut state) = Store::open(&path).unwrap();
        assert_eq!(
            (state.number, state.alarms.len(), state.tokens.len()),
            (1, 1, 0)
        );
        let report = verify(&path).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        let record = Record {
            number: 2,
            at: UtcSeconds(1_800_000_001),
            decision: Decision::AlarmCleared {
                kind: AlarmKind::Tamper,
                subject: Subject::Site,
            },
        };
        state.apply(&record);
        let batch = Batch {
            records: vec![record],
            ..Batch::default()
        };
        store.commit(&batch, &state).unwrap();
        drop(store);
        assert_eq!(Store::open(&path).unwrap().1, state);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
