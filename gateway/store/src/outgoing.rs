//! Rows for a head-end: the journal byte for byte, and profile rows in the order in which they were written.
//!
//! Decided here: nothing about what is sent when. Both calls are bounded by rows and bytes, and read neighbours only.

use crate::error::{Result, StoreError};
use crate::journal::{self, Hash};
use crate::read::{MOST_ROWS, Reader};
use crate::rows::{self, Table};
use crate::telemetry;
use gateway_core::cloud::Cloud;
use gateway_core::order::Taken;
use gateway_core::{NodeId, UtcSeconds, WattHours};
use rusqlite::{OptionalExtension as _, params};

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRow {
    /// Its number.
    pub number: u64,
    /// Its time.
    pub at: UtcSeconds,
    /// Its body, as its hash covers it.
    pub body: String,
    /// Its hash.
    pub hash: Hash,
}

/// A row of a load profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingProfile {
    /// When it was written: only the order matters.
    pub written: u64,
    /// End of the interval.
    pub end: UtcSeconds,
    /// The node.
    pub node: NodeId,
    /// Its raw register.
    pub register: WattHours,
    /// Whether the node measured it there.
    pub exact: bool,
}

impl Reader {
    /// Rows after a number, oldest first, until their bodies together pass so many bytes: at least one if there is one.
    ///
    /// # Errors
    /// The database cannot be read; so for the calls below.
    pub fn outgoing_rows(&self, after: u64, bytes: usize) -> Result<Vec<OutgoingRow>> {
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let mut query = self.conn.prepare_cached(
            "SELECT number, at, body, hash FROM journal WHERE number > ?1 ORDER BY number LIMIT ?2",
        )?;
        let mut found = query.query(params![after, MOST_ROWS])?;
        let (mut rows, mut total) = (Vec::new(), 0);
        while let Some(row) = found.next()? {
            let row = OutgoingRow {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                at: UtcSeconds(row.get(1)?),
                body: row.get(2)?,
                hash: row.get(3)?,
            };
            total += row.body.len();
            rows.push(row);
            if total >= bytes {
                break;
            }
        }
        Ok(rows)
    }

    /// The hash of a record; of number 0 the hash before the first one.
    ///
    /// # Errors
    /// See above.
    pub fn hash_of(&self, number: u64) -> Result<Option<Hash>> {
        if number == 0 {
            return Ok(Some(journal::genesis(&self.conn)?));
        }
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let sql = "SELECT hash FROM journal WHERE number = ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row([number], |row| row.get(0)).optional()?)
    }

    /// Profile rows written after a moment of writing, in that order; all that were written at one moment come together.
    ///
    /// # Errors
    /// See above.
    pub fn outgoing_profile(&self, after: u64, most: u32) -> Result<Vec<OutgoingProfile>> {
        let after = i64::try_from(after).map_err(|_| StoreError::damaged("a cursor beyond all"))?;
        let until: Option<i64> = self
            .conn
            .prepare_cached(
                "SELECT max(written) FROM (SELECT written FROM profile WHERE written > ?1 \
                 ORDER BY written LIMIT ?2)",
            )?
            .query_row(params![after, most.clamp(1, MOST_ROWS)], |row| row.get(0))?;
        let mut query = self.conn.prepare_cached(
            "SELECT written, boundary, node, register, exact FROM profile \
             WHERE written > ?1 AND written <= ?2 ORDER BY written, boundary, node",
        )?;
        let rows = query.query_map(params![after, until], |row| {
            Ok(OutgoingProfile {
                written: row.get::<_, i64>(0)?.cast_unsigned(),
                end: UtcSeconds(row.get(1)?),
                node: NodeId(row.get(2)?),
                register: telemetry::register(row, 3)?,
                exact: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The head-end, and whether money is held.
    ///
    /// # Errors
    /// See above.
    pub fn cloud(&self) -> Result<Cloud> {
        let found: Option<Cloud> = rows::entities(&self.conn, Table::Cloud)?.pop();
        Ok(found.unwrap_or_default())
    }

    /// The orders known one by one, by the number of the record that says so.
    ///
    /// # Errors
    /// See above.
    pub fn orders(&self) -> Result<Vec<Taken>> {
        let mut orders: Vec<Taken> = rows::entities(&self.conn, Table::Order)?;
        orders.sort_by_key(|taken| taken.number);
        Ok(orders)
    }

    /// How many usage points there are.
    ///
    /// # Errors
    /// See above.
    pub fn usage_point_count(&self) -> Result<u32> {
        let sql = "SELECT count(*) FROM usage_point";
        let mut query = self.conn.prepare_cached(sql)?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// How many profile rows were written after a moment of writing.
    ///
    /// # Errors
    /// See above.
    pub fn profile_backlog(&self, after: u64) -> Result<u64> {
        let after = i64::try_from(after).map_err(|_| StoreError::damaged("a cursor beyond all"))?;
        let sql = "SELECT count(*) FROM profile WHERE written > ?1";
        let mut query = self.conn.prepare_cached(sql)?;
        let rows: i64 = query.query_row([after], |row| row.get(0))?;
        Ok(rows.cast_unsigned())
    }

    /// The moment the newest profile row was written; 0: there is none.
    ///
    /// # Errors
    /// See above.
    pub fn profile_head(&self) -> Result<u64> {
        let sql = "SELECT coalesce(max(written), 0) FROM profile";
        let head: i64 = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(head.cast_unsigned())
    }
}
