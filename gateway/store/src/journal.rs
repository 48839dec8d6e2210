//! The journal: append-only, gapless, hash-chained.
//!
//! `hash(n) = SHA-256(hash(n−1) ‖ number ‖ at ‖ body)`, numbers and times as eight bytes, most significant first;
//! `hash(0) = SHA-256(site id)`, so journals of two sites never continue each other. The hash covers the stored
//! bytes: a later version that writes a decision differently still verifies old ones.
//!
//! Terms: *head*: number, time and hash of the last record, kept in a row of its own so that missing records at
//! the end are noticed as well; *posting row*: a projection of the record's decision.

use crate::error::{Result, StoreError};
use crate::schema::NO_USAGE_POINT;
use gateway_core::{Record, UtcSeconds};
use rusqlite::{Connection, Transaction, params};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Number of the last record; 0: none.
    pub number: u64,
    /// Its time.
    pub at: UtcSeconds,
    /// Its hash.
    pub hash: Hash,
}

/// How many records at the end are checked whenever the database is opened: milliseconds of work, and more than a batch
/// that a power cut could have torn.
const TAIL: u64 = 64;

/// The hash of the record after `previous`.
pub(crate) fn chain(previous: &Hash, number: u64, at: UtcSeconds, body: &str) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(number.to_be_bytes());
    hasher.update(at.0.to_be_bytes());
    hasher.update(body.as_bytes());
    hasher.finalize().into()
}

/// The hash before the first record.
pub(crate) fn genesis(conn: &Connection) -> Result<Hash> {
    let site: Vec<u8> =
        conn.query_row("SELECT value FROM meta WHERE key = 'site_id'", [], |row| {
            row.get(0)
        })?;
    Ok(Sha256::digest(&site).into())
}

/// Writes the head of an empty journal.
pub(crate) fn begin(tx: &Transaction<'_>) -> Result<()> {
    let hash = genesis(tx)?;
    tx.execute("INSERT INTO head VALUES (1, 0, 0, ?1)", [hash])?;
    Ok(())
}

pub(crate) fn head(conn: &Connection) -> Result<Head> {
    let head = conn
        .prepare_cached("SELECT number, at, hash FROM head")?
        .query_row([], |row| {
            Ok(Head {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                at: UtcSeconds(row.get(1)?),
                hash: row.get(2)?,
            })
        });
    match head {
        Err(rusqlite::Error::QueryReturnedNoRows) => {
            Err(StoreError::damaged("the journal's head is missing"))
        }
        other => Ok(other?),
    }
}

/// A row of the journal as stored, nothing believed yet.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub number: u64,
    pub at: UtcSeconds,
    pub usage_point: Option<u32>,
    pub decision: String,
    pub body: String,
    pub hash: Vec<u8>,
}

/// Columns of [`Stored::read`].
pub(crate) const STORED: &str = "SELECT number, at, usage_point, decision, body, hash FROM journal";

impl Stored {
    pub(crate) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get::<_, i64>(0)?.cast_unsigned(),
            at: UtcSeconds(row.get(1)?),
            usage_point: row.get(2)?,
            decision: row.get(3)?,
            body: row.get(4)?,
            hash: row.get(5)?,
        })
    }

    pub(crate) fn record(&self) -> Result<Record> {
        serde_json::from_str(&self.body).map_err(|error| {
            StoreError::damaged(format!("record {} cannot be read ({error})", self.number))
        })
    }
}

#[derive(Deserialize)]
struct Kind {
    decision: String,
}

/// The name of a decision's kind, as stored beside its body.
pub(crate) fn kind(body: &str) -> Option<String> {
    let kind: Kind = serde_json::from_str(body).ok()?;
    Some(kind.decision)
}

/// Adds records with their postings; returns the new head. Nothing is true before the transaction commits.
pub(crate) fn append(tx: &Transaction<'_>, head: Head, records: &[Record]) -> Result<Head> {
    let mut head = head;
    for record in records {
        head = append_one(tx, head, record)?;
    }
    set_head(tx, head)?;
    Ok(head)
}

fn append_one(tx: &Transaction<'_>, head: Head, record: &Record) -> Result<Head> {
    let (number, at) = (record.number, record.at);
    if number != head.number + 1 {
        let (expected, found) = (head.number + 1, number);
        return Err(StoreError::NumberNotNext { expected, found });
    }
    if at < head.at {
        let what = "it is earlier than the record before";
        return Err(StoreError::Contradicts { number, what });
    }
    let unwritable = |_| StoreError::Contradicts {
        number,
        what: "it cannot be written as JSON",
    };
    let body = serde_json::to_string(record).map_err(unwritable)?;
    let kind = kind(&body).unwrap_or_default();
    let hash = chain(&head.hash, number, at, &body);
    let usage_point = record.decision.usage_point().map(|id| id.0);
    let stored = Stored {
        number,
        at,
        usage_point,
        decision: kind,
        body,
        hash: hash.to_vec(),
    };
    insert(tx, &stored, record)?;
    Ok(Head { number, at, hash })
}

/// Writes a record as it is stored, and its postings. The head follows.
pub(crate) fn insert(tx: &Transaction<'_>, stored: &Stored, record: &Record) -> Result<()> {
    let number = stored.number.cast_signed();
    tx.prepare_cached("INSERT INTO journal VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![
            number,
            stored.at.0,
            stored.usage_point,
            stored.decision,
            stored.body,
            stored.hash
        ])?;
    for (line, posting) in (0_i64..).zip(record.decision.postings()) {
        tx.prepare_cached("INSERT INTO posting VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
            .execute(params![
                number,
                line,
                posting.from.to_string(),
                posting.to.to_string(),
                posting.amount.0,
                stored.at.0,
                stored.usage_point.map_or(NO_USAGE_POINT, i64::from)
            ])?;
    }
    Ok(())
}

/// Writes where the journal ends.
pub(crate) fn set_head(tx: &Transaction<'_>, head: Head) -> Result<()> {
    tx.prepare_cached("UPDATE head SET number = ?1, at = ?2, hash = ?3")?
        .execute(params![head.number.cast_signed(), head.at.0, head.hash])?;
    Ok(())
}

/// Checks the head against the last records: numbers without a gap, hashes that continue each other.
pub(crate) fn check_tail(conn: &Connection, head: Head) -> Result<()> {
    let mut query = conn.prepare(&format!("{STORED} ORDER BY number DESC LIMIT ?1"))?;
    let newest_first = query.query_map([(TAIL + 1).cast_signed()], Stored::read)?;
    let mut rows = newest_first.collect::<rusqlite::Result<Vec<_>>>()?;
    rows.reverse();
    let last = rows.last().map_or(0, |row| row.number);
    if last != head.number {
        return Err(StoreError::damaged(format!(
            "the journal should end with record {} and ends with {last}",
            head.number
        )));
    }
    let mut previous = if rows.len() as u64 <= TAIL {
        Some((0, genesis(conn)?))
    } else {
        None
    };
    for row in &rows {
        if let Some((number, hash)) = previous {
            if row.number != number + 1 {
                let what = format!("record {} is missing", number + 1);
                return Err(StoreError::damaged(what));
            }
            if row.hash != chain(&hash, row.number, row.at, &row.body) {
                let what = format!("record {} was changed", row.number);
                return Err(StoreError::damaged(what));
            }
        }
        let hash = Hash::try_from(row.hash.as_slice());
        let bad = |_| StoreError::damaged(format!("record {} was changed", row.number));
        previous = Some((row.number, hash.map_err(bad)?));
    }
    match previous {
        Some((_, hash)) if hash != head.hash => {
            Err(StoreError::damaged("the journal's head was changed"))
        }
        _ => Ok(()),
    }
}
