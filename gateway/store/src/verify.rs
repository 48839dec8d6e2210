//! Whether the database is what its journal says it is.
//!
//! The journal is walked from the first record: numbers, times, hashes, contents. Each record is applied to an empty state, and
//! everything derived from it (postings, ledger, entity rows) is compared with the rows. It works beside the running
//! gateway, on one moment of it, and changes nothing.
//!
//! Not decided here: what to do about findings. A damaged database is never repaired in place; a backup is restored.
//!
//! Invariant: damage is a finding, whatever its form; an error means the file could not be opened at all.

use crate::error::Result;
use crate::finding::Finding;
use crate::journal::{self, Head, STORED, Stored};
use crate::read::{Reader, account_sums};
use crate::rows::{self, Table};
use crate::{migrate, packed, runs, schema, telemetry};
use gateway_core::cloud::Cloud;
use gateway_core::ledger::{LedgerAccount, Posting};
use gateway_core::{Micro, State, UsagePointId};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Findings kept; more of them say nothing new.
const MOST_FINDINGS: usize = 200;

/// The result of a verification.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records walked.
    pub records: u64,
    /// Postings compared.
    pub postings: u64,
    /// Usage points compared.
    pub usage_points: u64,
    /// What was found, at most 200.
    pub findings: Vec<Finding>,
    /// Findings beyond those.
    pub further: u64,
}

impl Report {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.further += 1;
        }
    }

    /// Runs a part of the check; if it cannot be read, that is a finding.
    fn part(&mut self, part: &'static str, check: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(error) = check(self) {
            let reason = error.to_string();
            self.find(Finding::Unreadable { part, reason });
        }
    }
}

/// Verifies a database, also one in use.
///
/// # Errors
/// There is no database, it is not ours, or has another schema. Damage is not an error but a finding.
pub fn verify(path: &Path) -> Result<Report> {
    let reader = Reader::open(path)?;
    let conn = &reader.conn;
    let _snapshot = conn.unchecked_transaction()?;
    let mut report = Report::default();
    report.part("the file", |report| check_file(conn, report));
    report.part("the schema", |report| check_schema(conn, report));
    let mut replayed = State::default();
    report.part("the journal", |report| {
        check_journal(conn, report, &mut replayed)
    });
    report.part("the postings", |report| check_orphans(conn, report));
    report.part("the ledger", |report| check_ledger(conn, report, &replayed));
    report.part("the state", |report| check_rows(conn, report, &replayed));
    report.part("the readings", |report| check_bodies(conn, report));
    report.part("the last readings", |report| {
        check_readings(conn, report, &replayed)
    });
    Ok(report)
}

fn check_file(conn: &Connection, report: &mut Report) -> Result<()> {
    let mut query = conn.prepare("PRAGMA integrity_check(20)")?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    for line in rows {
        let line = line?;
        if line != "ok" {
            report.find(Finding::File(line));
        }
    }
    Ok(())
}

/// Against a fresh database of the same version.
fn check_schema(conn: &Connection, report: &mut Report) -> Result<()> {
    let mut fresh = Connection::open_in_memory()?;
    migrate::to_newest(&mut fresh, Path::new(":memory:"))?;
    let (expected, mut found) = (schema_of(&fresh)?, schema_of(conn)?);
    for (name, sql) in expected {
        if found.remove(&name) != Some(sql) {
            report.find(Finding::SchemaDiffers { name });
        }
    }
    for name in found.into_keys() {
        report.find(Finding::SchemaDiffers { name });
    }
    Ok(())
}

fn schema_of(conn: &Connection) -> Result<BTreeMap<String, String>> {
    let mut query = conn.prepare(
        "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
    )?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn check_journal(conn: &Connection, report: &mut Report, state: &mut State) -> Result<()> {
    let mut end = Head {
        number: 0,
        at: gateway_core::UtcSeconds(0),
        hash: journal::genesis(conn)?,
    };
    let mut query = conn.prepare(&format!("{STORED} ORDER BY number"))?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let stored = Stored::read(row)?;
        let missing = end.number + 1..stored.number;
        for number in missing.take(MOST_FINDINGS) {
            report.find(Finding::RecordMissing { number });
        }
        end = check_record(conn, report, state, end, &stored)?;
        report.records += 1;
    }
    let head = journal::head(conn)?;
    if (head.number, head.hash, head.at) != (end.number, end.hash, end.at) {
        report.find(Finding::EndDiffers {
            head: head.number,
            last: end.number,
        });
    }
    Ok(())
}

fn check_record(
    conn: &Connection,
    report: &mut Report,
    state: &mut State,
    before: Head,
    stored: &Stored,
) -> Result<Head> {
    let number = stored.number;
    let hash = journal::chain(&before.hash, number, stored.at, &stored.body);
    if stored.hash != hash {
        report.find(Finding::HashDoesNotFit { number });
    }
    if stored.at < before.at {
        report.find(Finding::TimeRunsBackwards { number });
    }
    match stored.record() {
        Err(error) => {
            let reason = error.to_string();
            report.find(Finding::RecordUnreadable { number, reason });
        }
        Ok(record) => {
            let columns = [
                ("number", record.number == number),
                ("at", record.at == stored.at),
                (
                    "usage_point",
                    record.decision.usage_point().map(|id| id.0) == stored.usage_point,
                ),
                (
                    "decision",
                    journal::kind(&stored.body).as_ref() == Some(&stored.decision),
                ),
            ];
            for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
                report.find(Finding::ColumnDiffers { number, column });
            }
            let postings = record.decision.postings();
            report.postings += postings.len() as u64;
            let of = record.decision.usage_point();
            if posting_rows(conn, number, of)? != expected_postings(stored, &postings) {
                report.find(Finding::PostingsDiffer { number });
            }
            state.apply(&record);
        }
    }
    // The chain goes on from the stored hash, so that one change is one finding.
    let hash = journal::Hash::try_from(stored.hash.as_slice()).unwrap_or(hash);
    Ok(Head {
        number,
        at: stored.at,
        hash,
    })
}

/// A posting's row: line, from, to, amount, time, usage point.
type PostingRow = (i64, String, String, i64, i64, i64);

fn posting_rows(
    conn: &Connection,
    number: u64,
    usage_point: Option<UsagePointId>,
) -> Result<Vec<PostingRow>> {
    let mut query = conn.prepare_cached(
        "SELECT line, from_account, to_account, amount, at, usage_point FROM posting \
         WHERE number = ?1 AND usage_point = ?2 ORDER BY line",
    )?;
    let keys = params![number.cast_signed(), place(usage_point.map(|id| id.0))];
    let rows = query.query_map(keys, |row| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Where the postings of a record stand.
fn place(usage_point: Option<u32>) -> i64 {
    usage_point.map_or(schema::NO_USAGE_POINT, i64::from)
}

fn expected_postings(stored: &Stored, postings: &[Posting]) -> Vec<PostingRow> {
    let row = |(line, posting): (i64, &Posting)| {
        let (from, to) = (posting.from.to_string(), posting.to.to_string());
        let (amount, at) = (posting.amount.0, stored.at.0);
        (line, from, to, amount, at, place(stored.usage_point))
    };
    (0_i64..).zip(postings).map(row).collect()
}

fn check_orphans(conn: &Connection, report: &mut Report) -> Result<()> {
    let mut query = conn.prepare(
        "SELECT DISTINCT number FROM posting LEFT JOIN journal USING (number) \
         WHERE journal.number IS NULL \
         OR coalesce(journal.usage_point, -1) IS NOT posting.usage_point",
    )?;
    let rows = query.query_map([], |row| row.get::<_, i64>(0))?;
    for number in rows {
        let number = number?.cast_unsigned();
        report.find(Finding::PostingWithoutRecord { number });
    }
    Ok(())
}

fn check_ledger(conn: &Connection, report: &mut Report, replayed: &State) -> Result<()> {
    let rows: BTreeMap<String, Micro> = rows::ledger_rows(conn)?.into_iter().collect();
    let sum: i128 = rows.values().map(|balance| i128::from(balance.0)).sum();
    if sum != 0 {
        let sum = Micro(i64::try_from(sum).unwrap_or(i64::MAX));
        report.find(Finding::LedgerDoesNotSumToZero { sum });
    }
    let postings = account_sums(conn)?;
    let accounts: BTreeSet<&String> = rows.keys().chain(postings.keys()).collect();
    for account in accounts {
        let of = |sums: &BTreeMap<String, Micro>| sums.get(account).copied().unwrap_or_default();
        let (balance, postings) = (of(&rows), of(&postings));
        if balance != postings {
            let account = account.clone();
            report.find(Finding::BalanceDiffers {
                account,
                balance,
                postings,
            });
        }
    }
    let expected = replayed.ledger.iter();
    let expected = expected.map(|(account, balance)| (account.to_string(), balance));
    compare(
        report,
        "ledger account",
        expected,
        &rows,
        |found, balance| found == balance,
    );
    Ok(())
}

fn check_rows(conn: &Connection, report: &mut Report, replayed: &State) -> Result<()> {
    let word = |text: &dyn ToString| text.to_string();
    let tariffs = replayed.tariffs.iter().map(|(id, t)| (id.clone(), t));
    check_table(conn, report, Table::Tariff, tariffs)?;
    let points = replayed.usage_points.iter().map(|(id, p)| (word(&id.0), p));
    check_table(conn, report, Table::UsagePoint, points)?;
    let nodes = replayed.nodes.iter().map(|(id, n)| (word(&id.0), n));
    check_table(conn, report, Table::Node, nodes)?;
    let vends = replayed.vends.iter().map(|(key, v)| (key.clone(), v));
    check_table(conn, report, Table::Vend, vends)?;
    let tokens = replayed.tokens.iter().map(|(id, t)| (word(&id.0), t));
    check_table(conn, report, Table::Tokens, tokens)?;
    let alarms = replayed.alarms.iter().map(|((kind, subject), alarm)| {
        let key = format!("{} {subject}", rows::kind_name(*kind));
        (key, alarm)
    });
    check_table(conn, report, Table::Alarm, alarms)?;
    let cloud = Some(&replayed.cloud).filter(|cloud| **cloud != Cloud::default());
    let cloud = cloud.into_iter().map(|cloud| ("1".to_owned(), cloud));
    check_table(conn, report, Table::Cloud, cloud)?;
    let orders = replayed.orders.iter().map(|(place, t)| (word(place), t));
    check_table(conn, report, Table::Order, orders)?;
    let cases = replayed.cases.iter().map(|(number, c)| (word(number), c));
    check_table(conn, report, Table::Case, cases)?;
    let agents = replayed.agents.iter().map(|(id, a)| (word(id), a));
    check_table(conn, report, Table::Agent, agents)?;
    let people = replayed.people.iter().map(|(name, p)| (name.clone(), p));
    check_table(conn, report, Table::Person, people)?;
    report.usage_points = replayed.usage_points.len() as u64;
    check_accounts(conn, report)
}

fn check_table<'a, T: DeserializeOwned + PartialEq + 'a>(
    conn: &Connection,
    report: &mut Report,
    table: Table,
    expected: impl Iterator<Item = (String, &'a T)>,
) -> Result<()> {
    let found: BTreeMap<String, String> = rows::bodies(conn, table)?.into_iter().collect();
    let same = |body: &String, entity: &T| {
        serde_json::from_str::<T>(body).is_ok_and(|stored| stored == *entity)
    };
    compare(report, table.word(), expected, &found, same);
    Ok(())
}

fn compare<'a, T: 'a, R>(
    report: &mut Report,
    entity: &'static str,
    expected: impl Iterator<Item = (String, &'a T)>,
    found: &BTreeMap<String, R>,
    same: impl Fn(&R, &T) -> bool,
) {
    let mut unexpected: BTreeMap<&String, &R> = found.iter().collect();
    for (key, value) in expected {
        match unexpected.remove(&key) {
            None => report.find(Finding::RowMissing { entity, key }),
            Some(row) if !same(row, value) => report.find(Finding::RowDiffers { entity, key }),
            Some(_) => {}
        }
    }
    for key in unexpected.into_keys().cloned() {
        report.find(Finding::RowTooMany { entity, key });
    }
}

/// Each account's balance against its ledger account, both as stored.
fn check_accounts(conn: &Connection, report: &mut Report) -> Result<()> {
    let ledger: BTreeMap<String, Micro> = rows::ledger_rows(conn)?.into_iter().collect();
    let points: Vec<gateway_core::UsagePoint> = rows::entities(conn, Table::UsagePoint)?;
    for point in points {
        let account = LedgerAccount::Credit(point.id).to_string();
        let ledger_of = |account: &String| ledger.get(account).copied().unwrap_or_default();
        let (balance, ledger) = (point.account.balance, ledger_of(&account));
        if balance != ledger {
            report.find(Finding::AccountDiffers {
                usage_point: point.id.to_string(),
                balance,
                ledger,
            });
        }
        for debt in &point.debts.registers {
            let account = LedgerAccount::Debt(point.id, debt.kind).to_string();
            let owed = -ledger_of(&account);
            if owed != debt.remaining {
                report.find(Finding::DebtDiffers {
                    account,
                    remaining: debt.remaining,
                    ledger: owed,
                });
            }
        }
    }
    Ok(())
}

/// Every packed reading can be read, and there are as many as it says beside them.
fn check_bodies(conn: &Connection, report: &mut Report) -> Result<()> {
    runs::each_body(conn, |what, count, body| {
        let read = packed::unpack(body).and_then(|unpacked| {
            (0..unpacked.len()).try_for_each(|row| unpacked.reading(row).map(drop))?;
            Ok(unpacked.len())
        });
        let is_whole = read.is_ok_and(|found| count.is_none_or(|count| count as usize == found));
        if !is_whole {
            report.find(Finding::ReadingsUnreadable { what });
        }
    })
}

/// Last readings against what was settled: a reading that is gone or behind would let energy be charged twice.
fn check_readings(conn: &Connection, report: &mut Report, replayed: &State) -> Result<()> {
    let last = telemetry::last_readings(conn)?;
    for point in replayed.usage_points.values() {
        let Some(fit) = point.meter else { continue };
        let (node, usage_point) = (fit.node.to_string(), point.id.to_string());
        match last.get(&fit.node) {
            None => report.find(Finding::LastReadingMissing { node, usage_point }),
            Some(last) => {
                let register = fit.to_point(last.reading.register);
                if register.is_none_or(|register| register < point.account.settled_to) {
                    report.find(Finding::LastReadingBehind { node, usage_point });
                }
            }
        }
    }
    Ok(())
}
