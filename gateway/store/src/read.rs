//! The read side: what the page, the command line and the cloud may see. Committed rows only; never writes.
//!
//! Each call sees one moment; [`Reader::together`] lets several calls see the same one. A reader does not wait for the writer, nor
//! the writer for a reader; but while one call lasts the log cannot be emptied, so calls are kept short by limits.

use crate::batch::Rejection;
use crate::error::{Result, StoreError};
use crate::journal::{self, Head, STORED, Stored};
use crate::rows::{self, Table};
use crate::runs::{self, Wanted};
use crate::view::{
    NodeView, ProfilePoint, ReadingRow, Statement, StatementLine, Totals, UsagePointView,
};
use crate::{migrate, telemetry};
use gateway_core::alarm::Alarm;
use gateway_core::case::Case;
use gateway_core::ledger::LedgerAccount;
use gateway_core::metering::LastReading;
use gateway_core::person::Person;
use gateway_core::state::Node;
use gateway_core::tariff::Tariff;
use gateway_core::{Micro, NodeId, Record, State, UsagePoint, UsagePointId, UtcSeconds};
use rusqlite::{Connection, OpenFlags, Row, Transaction, params};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Most rows one call returns: a long page, a few hundred kilobytes.
pub const MOST_ROWS: u32 = 5_000;
/// How long to wait for recovery after a crash, the only time a reader waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// A read-only connection. Not shared between threads; open one for each.
#[derive(Debug)]
pub struct Reader {
    pub(crate) conn: Connection,
}

impl Reader {
    /// Opens the database read-only, beside the running gateway or without it.
    ///
    /// # Errors
    /// There is none, it is not ours, or it has another schema than this version reads.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            let path = path.to_owned();
            return Err(StoreError::Missing { path });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opening = |error| StoreError::opening(path, error);
        let conn = Connection::open_with_flags(path, flags).map_err(opening)?;
        conn.busy_timeout(PATIENCE)?;
        conn.pragma_update(None, "trusted_schema", false)
            .map_err(opening)?;
        migrate::readable(&conn, path)?;
        Ok(Self { conn })
    }

    /// Lets several calls see the same moment.
    ///
    /// # Errors
    /// Those of the calls.
    pub fn together<T>(&self, calls: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let _snapshot = self.snapshot()?;
        calls(self)
    }

    fn snapshot(&self) -> Result<Option<Transaction<'_>>> {
        let alone = self.conn.is_autocommit();
        Ok(alone
            .then(|| self.conn.unchecked_transaction())
            .transpose()?)
    }

    /// The end of the journal.
    ///
    /// # Errors
    /// The database cannot be read; so for every call below.
    pub fn head(&self) -> Result<Head> {
        journal::head(&self.conn)
    }

    /// The random number that names this site's journal.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn site_id(&self) -> Result<[u8; 16]> {
        let sql = "SELECT value FROM meta WHERE key = 'site_id'";
        Ok(self.conn.query_row(sql, [], |row| row.get(0))?)
    }

    /// The whole committed state, as the daemon would start with it.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn state(&self) -> Result<State> {
        self.together(|reader| rows::load(&reader.conn))
    }

    /// Tariffs in use.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn tariffs(&self) -> Result<Vec<Tariff>> {
        rows::entities(&self.conn, Table::Tariff)
    }

    /// Every usage point, by number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn usage_points(&self) -> Result<Vec<UsagePointView>> {
        let _snapshot = self.snapshot()?;
        let tariffs = self.tariffs_by_id()?;
        let mut last = telemetry::last_readings(&self.conn)?;
        let points: Vec<UsagePoint> = rows::entities(&self.conn, Table::UsagePoint)?;
        let view = |point: UsagePoint| {
            let heard = point.meter.and_then(|fit| last.remove(&fit.node));
            view(point, heard, &tariffs)
        };
        Ok(points.into_iter().map(view).collect())
    }

    /// One usage point.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn usage_point(&self, id: UsagePointId) -> Result<Option<UsagePointView>> {
        let _snapshot = self.snapshot()?;
        let mut query = self
            .conn
            .prepare_cached("SELECT body FROM usage_point WHERE id = ?1")?;
        let mut found = query.query_map([id.0], |row| row.get::<_, String>(0))?;
        let Some(body) = found.next().transpose()? else {
            return Ok(None);
        };
        let point: UsagePoint = rows::entity(Table::UsagePoint, &id.to_string(), &body)?;
        let heard = match point.meter {
            Some(fit) => telemetry::last_reading_of(&self.conn, fit.node)?,
            None => None,
        };
        Ok(Some(view(point, heard, &self.tariffs_by_id()?)))
    }

    fn tariffs_by_id(&self) -> Result<BTreeMap<String, Tariff>> {
        let by_id = |tariff: Tariff| (tariff.id.clone(), tariff);
        Ok(self.tariffs()?.into_iter().map(by_id).collect())
    }

    /// Every node, by number.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn nodes(&self) -> Result<Vec<NodeView>> {
        let _snapshot = self.snapshot()?;
        let mut last = telemetry::last_readings(&self.conn)?;
        let nodes: Vec<Node> = rows::entities(&self.conn, Table::Node)?;
        let view = |node: Node| NodeView {
            last: last.remove(&node.id),
            node,
        };
        Ok(nodes.into_iter().map(view).collect())
    }

    /// Open alarms, oldest first.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn alarms(&self) -> Result<Vec<Alarm>> {
        let mut alarms: Vec<Alarm> = rows::entities(&self.conn, Table::Alarm)?;
        alarms.sort_by_key(|alarm| alarm.number);
        Ok(alarms)
    }

    /// Cases of missing energy, oldest first, also closed ones.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn cases(&self) -> Result<Vec<Case>> {
        rows::entities(&self.conn, Table::Case)
    }

    /// Everybody who may use the gateway, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn people(&self) -> Result<Vec<Person>> {
        rows::entities(&self.conn, Table::Person)
    }

    /// A usage point's statement for `from ≤ at < to`; an unknown usage point has an empty one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn statement(
        &self,
        usage_point: UsagePointId,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Result<Statement> {
        let _snapshot = self.snapshot()?;
        let credit = LedgerAccount::Credit(usage_point).to_string();
        let opening = self
            .conn
            .prepare_cached(
                "SELECT coalesce(sum(CASE ?1 WHEN to_account THEN amount \
                 WHEN from_account THEN -amount ELSE 0 END), 0) \
                 FROM posting WHERE usage_point = ?2 AND at < ?3",
            )?
            .query_row(params![credit, usage_point.0, from.0], |row| row.get(0))?;
        let mut balance = Micro(opening);
        let mut query = self.conn.prepare_cached(
            "SELECT number, at, from_account, to_account, amount FROM posting \
             WHERE usage_point = ?1 AND at >= ?2 AND at < ?3 ORDER BY number, line LIMIT ?4",
        )?;
        let mut found = query.query(params![usage_point.0, from.0, to.0, MOST_ROWS + 1])?;
        let mut lines = Vec::new();
        while let Some(row) = found.next()? {
            let line = statement_line(row, &credit, balance)?;
            balance = line.balance;
            lines.push(line);
        }
        let more = lines.len() > MOST_ROWS as usize;
        lines.truncate(MOST_ROWS as usize);
        let opening = Micro(opening);
        Ok(Statement {
            opening,
            closing: lines.last().map_or(opening, |line| line.balance),
            lines,
            more,
        })
    }

    /// Records after a number, oldest first; of one usage point if given. What a follower of the journal asks for.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn journal_after(
        &self,
        number: u64,
        limit: u32,
        usage_point: Option<UsagePointId>,
    ) -> Result<Vec<Record>> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.records("number > ?1", "ASC", number, limit, usage_point)
    }

    /// Records before a number, newest first; of one usage point if given. What a page that scrolls back asks for, beginning
    /// with `u64::MAX`.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn journal_before(
        &self,
        number: u64,
        limit: u32,
        usage_point: Option<UsagePointId>,
    ) -> Result<Vec<Record>> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        self.records("number < ?1", "DESC", number, limit, usage_point)
    }

    /// One record.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn record(&self, number: u64) -> Result<Option<Record>> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let found = self.records("number = ?1", "ASC", number, 1, None)?;
        Ok(found.into_iter().next())
    }

    fn records(
        &self,
        range: &'static str,
        order: &'static str,
        number: i64,
        limit: u32,
        usage_point: Option<UsagePointId>,
    ) -> Result<Vec<Record>> {
        let filter = match usage_point {
            Some(_) => "usage_point = ?3",
            None => "?3 IS NULL",
        };
        let sql = format!("{STORED} WHERE {range} AND {filter} ORDER BY number {order} LIMIT ?2");
        let mut query = self.conn.prepare_cached(&sql)?;
        let of = usage_point.map(|id| id.0);
        let rows = query.query_map(params![number, limit.min(MOST_ROWS), of], Stored::read)?;
        rows.map(|row| row?.record()).collect()
    }

    /// A node's readings for `from ≤ at < to`, oldest first, of one second the last one. Of the last half day the readings of all nodes in
    /// the range are read: ask for hours there. Of half hours there is [`Reader::profile`].
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn readings(
        &self,
        node: NodeId,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Result<Vec<ReadingRow>> {
        let mut found: Vec<ReadingRow> = Vec::new();
        let wanted = Wanted {
            from,
            to,
            node: Some(node),
        };
        let _snapshot = self.snapshot()?;
        runs::each(&self.conn, wanted, |last| {
            found.pop_if(|earlier| earlier.at == last.at);
            found.push(reading_row(&last));
            Ok(found.len() < MOST_ROWS as usize)
        })?;
        Ok(found)
    }

    /// When the newest reading was taken; 0: there never was one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn newest_reading(&self) -> Result<UtcSeconds> {
        Ok(telemetry::second(runs::newest_slot(&self.conn)?))
    }

    /// Gives every reading from one moment on, before another, to `take`: in order of time for each node. Each call sees one moment, so its length is
    /// what `take` makes of it: for exports and tests.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn each_reading(
        &self,
        (from, to): (UtcSeconds, UtcSeconds),
        node: Option<NodeId>,
        mut take: impl FnMut(LastReading),
    ) -> Result<()> {
        let _snapshot = self.snapshot()?;
        runs::each(&self.conn, Wanted { from, to, node }, |last| {
            take(last);
            Ok(true)
        })
    }

    /// A node's load profile for the boundaries in `from ≤ end ≤ to`, at most [`MOST_ROWS`] of them (104 days). Costs a look-up per boundary,
    /// however many nodes there are.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn profile(
        &self,
        node: NodeId,
        from: UtcSeconds,
        to: UtcSeconds,
    ) -> Result<Vec<ProfilePoint>> {
        let step = telemetry::INTERVAL_S;
        let first = from.0.max(0).saturating_add(step - 1) / step * step;
        let last =
            to.0.min(first.saturating_add(step * i64::from(MOST_ROWS - 1)));
        let mut query = self.conn.prepare_cached(
            "SELECT boundary, register, exact FROM profile WHERE boundary = ?1 AND node = ?2",
        )?;
        let mut points = Vec::new();
        let mut boundary = first;
        while boundary <= last {
            let mut rows = query.query_map(params![boundary, node.0], |row| {
                Ok(ProfilePoint {
                    end: UtcSeconds(row.get(0)?),
                    register: telemetry::register(row, 1)?,
                    exact: row.get(2)?,
                })
            })?;
            points.extend(rows.next().transpose()?);
            boundary += step;
        }
        Ok(points)
    }

    /// Rejected frames by node and reason, counted since the database was created.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn rejections(&self) -> Result<Vec<Rejection>> {
        let mut query = self.conn.prepare_cached("SELECT * FROM rejection")?;
        let rows = query.query_map([], |row| {
            Ok(Rejection {
                node: u32::try_from(row.get::<_, i64>(0)?).ok().map(NodeId),
                reason: row.get(1)?,
                count: row.get::<_, i64>(2)?.cast_unsigned(),
                last_at: UtcSeconds(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts over the whole database. Reads every posting and counts every reading: for reports, not for every page.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn totals(&self) -> Result<Totals> {
        let _snapshot = self.snapshot()?;
        let one = |sql: &str| -> Result<i64> { Ok(self.conn.query_row(sql, [], |r| r.get(0))?) };
        let sums = account_sums(&self.conn)?;
        Ok(Totals {
            records: one("SELECT count(*) FROM journal")?.cast_unsigned(),
            postings: one("SELECT count(*) FROM posting")?.cast_unsigned(),
            postings_sum: sums.values().copied().sum(),
            ledger_sum: Micro(one("SELECT coalesce(sum(balance), 0) FROM ledger")?),
            readings: runs::count(&self.conn)?,
        })
    }
}

/// Balances that follow from the postings, by account as stored.
pub(crate) fn account_sums(conn: &Connection) -> Result<BTreeMap<String, Micro>> {
    let mut query = conn.prepare_cached(
        "SELECT account, sum(amount) FROM ( \
         SELECT to_account AS account, amount FROM posting UNION ALL \
         SELECT from_account, -amount FROM posting) GROUP BY account",
    )?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, Micro(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn view(
    usage_point: UsagePoint,
    last: Option<LastReading>,
    tariffs: &BTreeMap<String, Tariff>,
) -> UsagePointView {
    let register = usage_point.register_for(last.as_ref().map(|last| last.reading.register));
    let tariff = tariffs.get(&usage_point.account.tariff);
    UsagePointView {
        available: tariff.map_or(usage_point.account.balance, |tariff| {
            usage_point.available(tariff, register)
        }),
        affordable: tariff.map(|tariff| usage_point.affordable(tariff)),
        register,
        last,
        usage_point,
    }
}

fn statement_line(row: &Row<'_>, credit: &str, before: Micro) -> Result<StatementLine> {
    let (from, to): (String, String) = (row.get(2)?, row.get(3)?);
    let moved = Micro(row.get(4)?);
    let (amount, counterpart) = if to == credit {
        (moved, from)
    } else {
        (-moved, to)
    };
    let number = row.get::<_, i64>(0)?.cast_unsigned();
    let unknown = |_| StoreError::damaged(format!("posting {number} names no ledger account"));
    Ok(StatementLine {
        number,
        at: UtcSeconds(row.get(1)?),
        counterpart: counterpart.parse().map_err(unknown)?,
        amount,
        balance: before + amount,
    })
}

fn reading_row(last: &LastReading) -> ReadingRow {
    let reading = &last.reading;
    ReadingRow {
        at: last.at,
        register: reading.register,
        export: reading.export,
        power_w: reading.power_w,
        voltage_dv: reading.voltage_dv,
        voltage_out_dv: reading.voltage_out_dv,
        current_ma: reading.current_ma,
        neutral_ma: reading.neutral_ma,
        frequency_chz: reading.frequency_chz,
        relay: reading.relay,
        tamper: reading.tamper,
    }
}
