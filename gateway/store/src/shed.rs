//! Room: how much the database takes, and what is given up first when that is too much.
//!
//! Decided here: the order. The finest telemetry goes first: single readings, then registers at quarter-hours, then the oldest half hours of load
//! profiles. Not decided here: how much is too much (the daemon).
//!
//! Invariants: a decision is never removed, nor a row of the state, nor what a restart needs; of quarter-hours and half hours the last day stays. The
//! file does not become smaller: pages given up are used again.

use crate::error::Result;
use crate::read::Reader;
use crate::runs;
use crate::store::Store;
use gateway_core::UtcSeconds;
use rusqlite::{Connection, OptionalExtension as _, params};

/// Registers at quarter-hours removed at once: five days.
const ROUNDS_AT_ONCE: u32 = 480;
/// Half hours removed at once: an hour of the largest site, some milliseconds.
const HALF_HOURS_AT_ONCE: u32 = 5_000;
/// Of both so much stays: the head-end and the watch see today.
const STAYS_S: i64 = 86_400;
/// Where it stands that readings were removed before their time.
const MARK: &str = "shed_readings_before";

/// What was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shed {
    /// Single readings.
    Readings,
    /// Registers at quarter-hours.
    Rounds,
    /// Half hours of load profiles.
    Profile,
    /// There is nothing left that may go.
    Nothing,
}

/// What the database takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// By rows.
    pub used: u64,
    /// By pages that wait to be used again.
    pub spare: u64,
}

impl Store {
    /// Copies the log into the database file, as far as no reader needs it, and syncs both: the next start has little to recover. Waits for
    /// nobody.
    ///
    /// # Errors
    /// The disk.
    pub fn checkpoint(&mut self) -> Result<()> {
        self.conn
            .pragma_update_and_check(None, "wal_checkpoint", "passive", |_| Ok(()))?;
        Ok(())
    }

    /// What the database takes.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn room(&self) -> Result<Room> {
        let pragma = |name: &str| -> Result<u64> {
            let value: i64 = self.conn.pragma_query_value(None, name, |row| row.get(0))?;
            Ok(value.cast_unsigned())
        };
        let (page, spare) = (pragma("page_size")?, pragma("freelist_count")?);
        let used = pragma("page_count")?.saturating_sub(spare);
        Ok(Room {
            used: used.saturating_mul(page),
            spare: spare.saturating_mul(page),
        })
    }

    /// Gives up a portion of the finest telemetry there is; call it again while that is not enough.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn shed(&mut self, now: UtcSeconds) -> Result<Shed> {
        if self.prune_readings(UtcSeconds(i64::MAX))? > 0 {
            let before = runs::oldest(&self.conn)?.unwrap_or(now);
            let mark = "REPLACE INTO meta VALUES (?1, ?2)";
            self.conn.execute(mark, params![MARK, before.0])?;
            return Ok(Shed::Readings);
        }
        let before = now.0.saturating_sub(STAYS_S);
        let rounds = "DELETE FROM loss_round WHERE at < ?1 AND at IN \
                      (SELECT at FROM loss_round ORDER BY at LIMIT ?2)";
        if self.conn.execute(rounds, params![before, ROUNDS_AT_ONCE])? > 0 {
            return Ok(Shed::Rounds);
        }
        let profile = "DELETE FROM profile WHERE boundary < ?1 AND boundary <= \
                       (SELECT max(boundary) FROM (SELECT boundary FROM profile ORDER BY boundary LIMIT ?2))";
        if self
            .conn
            .execute(profile, params![before, HALF_HOURS_AT_ONCE])?
            > 0
        {
            return Ok(Shed::Profile);
        }
        Ok(Shed::Nothing)
    }
}

impl Reader {
    /// Single readings before this moment were given up for want of room; 0: none were.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn shed_readings_before(&self) -> Result<UtcSeconds> {
        shed_before(&self.conn)
    }
}

fn shed_before(conn: &Connection) -> Result<UtcSeconds> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let found = conn.query_row(sql, [MARK], |row| row.get(0)).optional()?;
    Ok(UtcSeconds(found.unwrap_or(0)))
}
