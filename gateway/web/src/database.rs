//! [`Committed`] over the database.

use crate::committed::{
    Committed, FeederRows, JournalQuery, Known, MeterRows, Neighbourhood, ProfileRow, ReadError,
    RoundRows, Span, Statement, StatementLine, StatementQuery, UsagePointRows,
};
use crate::failure::sentence;
use gateway_core::agent::AgentId;
use gateway_core::alarm::Alarm;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::case::{self, Case, Estimate, Ground, Layout};
use gateway_core::event::Role;
use gateway_core::loss::suggest::PhaseSuggestion;
use gateway_core::meter_link::Node;
use gateway_core::metering::LastReading;
use gateway_core::person::Person;
use gateway_core::tariff::Tariff;
use gateway_core::{
    Decision, NodeId, Record, State, UsagePoint, UsagePointId, UtcSeconds, WattHours,
};
use gateway_store::day_end::{AgentView, DayEnd};
use gateway_store::losses::LossMonth;
use gateway_store::{AccountStatement, NodeView, Reader, StoreError};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Connections kept open between calls.
const MOST_IDLE: usize = 4;
/// Records per look-up of a statement's settled energy.
const PAGE: u32 = 1_000;

/// The committed rows of a database file. Opens connections as they are needed.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Database {
    /// The database at a path; it is opened by the first call.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            idle: Mutex::default(),
        }
    }

    fn with<T>(&self, read: impl FnOnce(&Reader) -> Result<T, StoreError>) -> Result<T, ReadError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let reader = match kept {
            Some(reader) => reader,
            None => Reader::open(&self.path).map_err(in_words)?,
        };
        // A connection that failed is dropped: the next call opens a fresh one.
        let rows = read(&reader).map_err(in_words)?;
        let mut idle = idle();
        if idle.len() < MOST_IDLE {
            idle.push(reader);
        }
        Ok(rows)
    }
}

fn in_words(error: StoreError) -> ReadError {
    ReadError(sentence(&error.to_string()))
}

impl Committed for Database {
    fn neighbourhood(&self) -> Result<Neighbourhood, ReadError> {
        self.with(|reader| {
            let number = reader.head()?.number;
            let nodes = reader.nodes()?;
            let by_role = nodes_by_usage_point(&nodes);
            let points = reader.usage_points()?.into_iter();
            let point_rows = |view: gateway_store::UsagePointView| UsagePointRows {
                node: by_role.get(&view.usage_point.id).copied(),
                last: view.last,
                point: view.usage_point,
                tariff: None,
            };
            let mut rejections = BTreeMap::new();
            for rejection in reader.rejections()? {
                *rejections.entry(rejection.reason).or_default() += rejection.count;
            }
            Ok(Neighbourhood {
                number,
                usage_points: points.map(point_rows).collect(),
                tariffs: tariffs(reader)?,
                feeders: feeders(&nodes),
                alarms: reader.alarms()?,
                rejections,
            })
        })
    }

    fn usage_point(&self, id: UsagePointId) -> Result<Option<UsagePointRows>, ReadError> {
        self.with(|reader| {
            let Some(view) = reader.usage_point(id)? else {
                return Ok(None);
            };
            let node = nodes_by_usage_point(&reader.nodes()?).get(&id).copied();
            let tariff = tariffs(reader)?.remove(&view.usage_point.account.tariff);
            let (point, last): (UsagePoint, Option<LastReading>) = (view.usage_point, view.last);
            Ok(Some(UsagePointRows {
                point,
                node,
                last,
                tariff,
            }))
        })
    }

    fn statement(&self, query: &StatementQuery) -> Result<Statement, ReadError> {
        self.with(|reader| {
            let span = query.span;
            let found = reader.statement(query.usage_point, span.from, span.to)?;
            let numbers = found.lines.first().zip(found.lines.last());
            let energies = match numbers {
                Some((first, last)) => {
                    settled_energies(reader, query.usage_point, (first.number, last.number))?
                }
                None => BTreeMap::new(),
            };
            let line = |line: &gateway_store::StatementLine| StatementLine {
                number: line.number,
                at: line.at,
                other: line.counterpart,
                amount: line.amount,
                balance: line.balance,
                energy: energies.get(&line.number).copied().unwrap_or_default(),
            };
            Ok(Statement {
                opening: found.opening,
                lines: found.lines.iter().map(line).collect(),
                truncated: found.more,
            })
        })
    }

    fn account_statement(
        &self,
        query: &StatementQuery,
    ) -> Result<Option<AccountStatement>, ReadError> {
        let (id, span) = (query.usage_point, query.span);
        self.with(|reader| reader.account_statement(id, span.from, span.to))
    }

    fn agents(&self) -> Result<Vec<AgentView>, ReadError> {
        self.with(Reader::agents)
    }

    fn day_end(&self, agent: AgentId, span: Span) -> Result<Option<DayEnd>, ReadError> {
        self.with(|reader| reader.day_end(agent, span.from, span.to))
    }

    fn profile(&self, node: NodeId, span: Span) -> Result<Vec<ProfileRow>, ReadError> {
        let row = |point: gateway_store::ProfilePoint| ProfileRow {
            end: point.end,
            register: point.register,
            exact: point.exact,
        };
        let points = self.with(|reader| reader.profile(node, span.from, span.to))?;
        Ok(points.into_iter().map(row).collect())
    }

    fn journal(&self, query: &JournalQuery) -> Result<Vec<Record>, ReadError> {
        let limit = u32::try_from(query.limit).unwrap_or(u32::MAX);
        self.with(|reader| match query.from {
            Some(from) => reader.journal_after(from.saturating_sub(1), limit, query.usage_point),
            None => {
                let mut newest = reader.journal_before(u64::MAX, limit, query.usage_point)?;
                newest.reverse();
                Ok(newest)
            }
        })
    }

    fn currency(&self) -> Result<String, ReadError> {
        let tariffs = self.with(tariffs)?;
        let currency = tariffs.into_values().next().map(|tariff| tariff.currency);
        Ok(currency.unwrap_or_default())
    }

    fn people(&self) -> Result<Vec<Person>, ReadError> {
        self.with(Reader::people)
    }

    fn person(&self, name: &str) -> Result<Option<Known>, ReadError> {
        self.with(|reader| reader.person(name))
    }

    fn program(&self, hash: &str) -> Result<Option<Person>, ReadError> {
        self.with(|reader| reader.program(hash))
    }

    fn alarms(&self) -> Result<Vec<Alarm>, ReadError> {
        self.with(Reader::alarms)
    }

    fn phase_suggestion(
        &self,
        id: UsagePointId,
        now: UtcSeconds,
    ) -> Result<Option<PhaseSuggestion>, ReadError> {
        self.with(|reader| reader.phase_suggestion(id, now))
    }

    fn meters(&self) -> Result<Vec<MeterRows>, ReadError> {
        self.with(|reader| {
            let points = reader.usage_points()?.into_iter();
            let labels: BTreeMap<_, _> = points
                .map(|view| (view.usage_point.id, view.usage_point.label))
                .collect();
            let used = reader.nodes()?.into_iter();
            let used = used.filter(|view| view.node.role.is_some());
            let rows = |view: NodeView| MeterRows {
                label: match view.node.role {
                    Some(Role::UsagePoint(id)) => labels.get(&id).cloned(),
                    _ => None,
                },
                node: view.node,
                last: view.last,
            };
            Ok(used.map(rows).collect())
        })
    }

    fn cases(&self) -> Result<Vec<Case>, ReadError> {
        self.with(Reader::cases)
    }

    fn estimate(
        &self,
        case: &Case,
        whose: UsagePointId,
        calendar: Calendar,
    ) -> Result<Option<Estimate>, ReadError> {
        let state = self.with(Reader::state)?;
        Ok(case::estimate(&state, calendar, &case.report, whose))
    }

    fn loss_month(
        &self,
        day: LocalDay,
        at: (Calendar, UtcSeconds),
        ground: &Ground,
    ) -> Result<LossMonth, ReadError> {
        self.with(|reader| reader.together(|reader| reader.loss_month(day, at, ground)))
    }

    fn rounds(&self, span: Span) -> Result<RoundRows, ReadError> {
        self.with(|reader| {
            let nodes = reader.nodes()?.into_iter().map(|view| view.node);
            let points = reader.usage_points()?.into_iter();
            let points = points.map(|view| view.usage_point);
            let site = State {
                nodes: nodes.map(|node| (node.id, node)).collect(),
                usage_points: points.map(|point| (point.id, point)).collect(),
                ..State::default()
            };
            let role = |node: &Node| Some((node.id, node.role?));
            let label = |point: &UsagePoint| (point.id, point.label.clone());
            Ok(RoundRows {
                rounds: reader.rounds(span.from, span.to)?,
                roles: site.nodes.values().filter_map(role).collect(),
                labels: site.usage_points.values().map(label).collect(),
                layout: Layout::of(&site),
            })
        })
    }
}

fn tariffs(reader: &Reader) -> Result<BTreeMap<String, Tariff>, StoreError> {
    let tariffs = reader.tariffs()?.into_iter();
    Ok(tariffs.map(|tariff| (tariff.id.clone(), tariff)).collect())
}

fn nodes_by_usage_point(nodes: &[NodeView]) -> BTreeMap<UsagePointId, NodeId> {
    let meters = nodes.iter().filter_map(|view| match view.node.role {
        Some(Role::UsagePoint(id)) => Some((id, view.node.id)),
        _ => None,
    });
    meters.collect()
}

fn feeders(nodes: &[NodeView]) -> Vec<FeederRows> {
    let feeders = nodes.iter().filter_map(|view| match view.node.role {
        Some(Role::Feeder(feeder)) => Some(FeederRows {
            feeder,
            node: view.node.id,
            last: view.last.clone(),
        }),
        _ => None,
    });
    feeders.collect()
}

/// Energy of each settlement of a usage point between two journal numbers, both included.
fn settled_energies(
    reader: &Reader,
    usage_point: UsagePointId,
    (first, last): (u64, u64),
) -> Result<BTreeMap<u64, WattHours>, StoreError> {
    let mut energies = BTreeMap::new();
    let mut after = first.saturating_sub(1);
    while after < last {
        let records = reader.journal_after(after, PAGE, Some(usage_point))?;
        let Some(newest) = records.last() else {
            break;
        };
        after = newest.number;
        for record in records {
            if let Decision::Settled { settlement, .. } = record.decision {
                energies.insert(record.number, settlement.energy);
            }
        }
    }
    Ok(energies)
}
