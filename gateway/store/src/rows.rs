//! Entity rows: the state as of the journal's head, one row per entity.
//!
//! They are written in the transaction of the records that changed them and are never the truth by themselves: the journal is, and
//! [`crate::verify`] rebuilds them from it.

use crate::error::{Result, StoreError};
use crate::{journal, telemetry};
use gateway_core::agent::{Agent, AgentId};
use gateway_core::alarm::{Alarm, AlarmKind, Subject};
use gateway_core::case::Case;
use gateway_core::cloud::Cloud;
use gateway_core::ledger::LedgerAccount;
use gateway_core::order::{Taken, place};
use gateway_core::person::{Person, key};
use gateway_core::state::{Key, State, Vend};
use gateway_core::tokens::PointTokens;
use gateway_core::{Micro, NodeId, UsagePointId};
use rusqlite::{Connection, Params, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

/// Brings the rows of some entities in line with the state.
pub(crate) fn write(tx: &Transaction<'_>, state: &State, keys: &BTreeSet<Key>) -> Result<()> {
    keys.iter().try_for_each(|key| write_one(tx, state, key))
}

fn write_one(tx: &Transaction<'_>, state: &State, key: &Key) -> Result<()> {
    match key {
        Key::Tariff(id) => {
            let body = json(state, state.tariffs.get(id))?;
            put(tx, "REPLACE INTO tariff VALUES (?1, ?2)", params![id, body])
        }
        Key::UsagePoint(id) => match state.usage_points.get(id) {
            // An alarm may name a usage point that does not exist; there is no row for it.
            None => Ok(()),
            point => {
                let body = json(state, point)?;
                let sql = "REPLACE INTO usage_point VALUES (?1, ?2)";
                put(tx, sql, params![id.0, body])
            }
        },
        Key::Node(id) => match state.nodes.get(id) {
            None => Ok(()),
            node => {
                let body = json(state, node)?;
                put(tx, "REPLACE INTO node VALUES (?1, ?2)", params![id.0, body])
            }
        },
        Key::Ledger(account) => {
            let balance = state.ledger.get(account).copied().unwrap_or_default();
            let sql = "REPLACE INTO ledger VALUES (?1, ?2)";
            put(tx, sql, params![account.to_string(), balance.0])
        }
        Key::Vend(key) => {
            let vend = state.vends.get(key);
            let (body, receipt) = (json(state, vend)?, vend.map(|vend| vend.receipt));
            let sql = "REPLACE INTO vend VALUES (?1, ?2, ?3)";
            put(tx, sql, params![receipt.map(u64::cast_signed), key, body])
        }
        Key::Tokens(id) => {
            let body = json(state, state.tokens.get(id))?;
            put(
                tx,
                "REPLACE INTO token_state VALUES (?1, ?2)",
                params![id.0, body],
            )
        }
        Key::Cloud => {
            let body = json(state, Some(&state.cloud))?;
            put(tx, "REPLACE INTO cloud VALUES (1, ?1)", params![body])
        }
        Key::Order(place) => {
            let body = json(state, state.orders.get(place))?;
            let sql = "REPLACE INTO order_taken VALUES (?1, ?2)";
            put(tx, sql, params![place.cast_signed(), body])
        }
        Key::Case(number) => write_case(tx, state, *number),
        Key::Agent(id) => write_agent(tx, state, *id),
        Key::Person(name) => write_person(tx, state, name),
        Key::Alarm(kind, subject) => {
            let (name, whom) = (kind_name(*kind), subject.to_string());
            match state.alarms.get(&(*kind, *subject)) {
                None => {
                    let sql = "DELETE FROM alarm WHERE kind = ?1 AND subject = ?2";
                    put(tx, sql, params![name, whom])
                }
                alarm => {
                    let body = json(state, alarm)?;
                    let sql = "REPLACE INTO alarm VALUES (?1, ?2, ?3)";
                    put(tx, sql, params![name, whom, body])
                }
            }
        }
    }
}

fn write_agent(tx: &Transaction<'_>, state: &State, id: AgentId) -> Result<()> {
    let body = json(state, state.agents.get(&id))?;
    put(
        tx,
        "REPLACE INTO agent VALUES (?1, ?2)",
        params![id.0, body],
    )
}

/// A case that made room for another has no row any more.
fn write_case(tx: &Transaction<'_>, state: &State, number: u64) -> Result<()> {
    let key = number.cast_signed();
    match state.cases.get(&number) {
        None => put(tx, "DELETE FROM loss_case WHERE number = ?1", params![key]),
        case => {
            let body = json(state, case)?;
            put(
                tx,
                "REPLACE INTO loss_case VALUES (?1, ?2)",
                params![key, body],
            )
        }
    }
}

fn write_person(tx: &Transaction<'_>, state: &State, name: &str) -> Result<()> {
    match state.people.get(name) {
        None => put(tx, "DELETE FROM person WHERE name = ?1", params![name]),
        person => {
            let body = json(state, person)?;
            put(
                tx,
                "REPLACE INTO person VALUES (?1, ?2)",
                params![name, body],
            )
        }
    }
}

fn put(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<()> {
    tx.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn json<T: Serialize>(state: &State, entity: Option<&T>) -> Result<String> {
    let contradicts = |what| StoreError::Contradicts {
        number: state.number,
        what,
    };
    let entity = entity.ok_or_else(|| contradicts("the state lacks what it changed"))?;
    serde_json::to_string(entity).map_err(|_| contradicts("its state cannot be written as JSON"))
}

/// Stable name of an alarm's kind: the one in the journal.
pub(crate) fn kind_name(kind: AlarmKind) -> String {
    let name = serde_json::to_value(kind);
    name.ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// An entity row as stored: key in words, body unread.
pub(crate) type Bodies = Vec<(String, String)>;

/// The tables whose rows are a key and a JSON body, with the key as text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Tariff,
    UsagePoint,
    Node,
    Vend,
    Tokens,
    Alarm,
    Cloud,
    Order,
    Case,
    Agent,
    Person,
}

impl Table {
    fn sql(self) -> &'static str {
        match self {
            Self::Tariff => "SELECT id, body FROM tariff ORDER BY id",
            Self::UsagePoint => {
                "SELECT CAST(id AS TEXT), body FROM usage_point ORDER BY usage_point.id"
            }
            Self::Node => "SELECT CAST(id AS TEXT), body FROM node ORDER BY node.id",
            Self::Vend => "SELECT key, body FROM vend ORDER BY key",
            Self::Tokens => {
                "SELECT CAST(usage_point AS TEXT), body FROM token_state ORDER BY token_state.usage_point"
            }
            Self::Case => {
                "SELECT CAST(number AS TEXT), body FROM loss_case ORDER BY loss_case.number"
            }
            Self::Agent => "SELECT CAST(id AS TEXT), body FROM agent ORDER BY agent.id",
            Self::Person => "SELECT name, body FROM person ORDER BY name",
            Self::Alarm => "SELECT kind || ' ' || subject, body FROM alarm ORDER BY 1",
            Self::Cloud => "SELECT CAST(one AS TEXT), body FROM cloud",
            Self::Order => {
                "SELECT CAST(place AS TEXT), body FROM order_taken ORDER BY order_taken.place"
            }
        }
    }

    /// What its rows are called.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Tariff => "tariff",
            Self::UsagePoint => "usage point",
            Self::Node => "node",
            Self::Vend => "vend",
            Self::Tokens => "token state",
            Self::Alarm => "alarm",
            Self::Cloud => "head-end",
            Self::Order => "order",
            Self::Case => "case",
            Self::Agent => "agent",
            Self::Person => "person",
        }
    }
}

pub(crate) fn bodies(conn: &Connection, table: Table) -> Result<Bodies> {
    let mut query = conn.prepare_cached(table.sql())?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Every entity of a table.
pub(crate) fn entities<T: DeserializeOwned>(conn: &Connection, table: Table) -> Result<Vec<T>> {
    bodies(conn, table)?
        .iter()
        .map(|(key, body)| entity(table, key, body))
        .collect()
}

/// Reads one body.
pub(crate) fn entity<T: DeserializeOwned>(table: Table, key: &str, body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|error| {
        StoreError::damaged(format!("{} {key} cannot be read ({error})", table.word()))
    })
}

/// Ledger rows as stored, accounts unread.
pub(crate) fn ledger_rows(conn: &Connection) -> Result<Vec<(String, Micro)>> {
    let mut query = conn.prepare_cached("SELECT account, balance FROM ledger ORDER BY account")?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, Micro(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn ledger(conn: &Connection) -> Result<BTreeMap<LedgerAccount, Micro>> {
    let read = |(account, balance): (String, Micro)| match account.parse() {
        Ok(account) => Ok((account, balance)),
        Err(_) => Err(StoreError::damaged(format!(
            "ledger account {account} cannot be read"
        ))),
    };
    ledger_rows(conn)?.into_iter().map(read).collect()
}

/// The whole committed state.
pub(crate) fn load(conn: &Connection) -> Result<State> {
    use gateway_core::{UsagePoint, state::Node, tariff::Tariff};
    let head = journal::head(conn)?;
    let tariffs: Vec<Tariff> = entities(conn, Table::Tariff)?;
    let usage_points: Vec<UsagePoint> = entities(conn, Table::UsagePoint)?;
    let nodes: Vec<Node> = entities(conn, Table::Node)?;
    let vends: Vec<Vend> = entities(conn, Table::Vend)?;
    let tokens: Vec<PointTokens> = entities(conn, Table::Tokens)?;
    let alarms: Vec<Alarm> = entities(conn, Table::Alarm)?;
    let cloud: Option<Cloud> = entities(conn, Table::Cloud)?.pop();
    let orders: Vec<Taken> = entities(conn, Table::Order)?;
    let cases: Vec<Case> = entities(conn, Table::Case)?;
    let agents: Vec<Agent> = entities(conn, Table::Agent)?;
    let people: Vec<Person> = entities(conn, Table::Person)?;
    let readings = telemetry::last_readings(conn)?;
    let observed_at = readings.values().map(|last| last.at).max();
    let by_subject = |alarm: Alarm| ((alarm.kind, alarm.subject), alarm);
    Ok(State {
        number: head.number,
        at: head.at,
        tariffs: tariffs.into_iter().map(|t| (t.id.clone(), t)).collect(),
        usage_points: usage_points
            .into_iter()
            .map(|p| (p.id, p))
            .collect::<BTreeMap<UsagePointId, _>>(),
        nodes: nodes
            .into_iter()
            .map(|n| (n.id, n))
            .collect::<BTreeMap<NodeId, _>>(),
        ledger: ledger(conn)?,
        vends: vends.into_iter().map(|v| (v.key.clone(), v)).collect(),
        tokens: tokens.into_iter().map(|t| (t.usage_point, t)).collect(),
        alarms: alarms
            .into_iter()
            .map(by_subject)
            .collect::<BTreeMap<(AlarmKind, Subject), _>>(),
        cloud: cloud.unwrap_or_default(),
        orders: orders.into_iter().map(|t| (place(t.sequence), t)).collect(),
        cases: cases.into_iter().map(|c| (c.number, c)).collect(),
        agents: agents.into_iter().map(|a| (a.id, a)).collect(),
        people: people.into_iter().map(|p| (key(&p.name), p)).collect(),
        readings,
        observed_at: observed_at.unwrap_or_default(),
    })
}
