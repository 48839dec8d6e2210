//! A month's losses: each feeder's balance and what was billed on it.
//!
//! Decided here: which rows the balance is made of. Quarter-hours are kept for five weeks and know exports and phases; of a time before them
//! there are half hours of imports. Not decided here: the balance itself ([`gateway_core::case::Months`]).
//!
//! Invariant: rows are folded as they are read; memory grows with the meters, not with the month.

use crate::error::Result;
use crate::journal::{STORED, Stored};
use crate::read::Reader;
use gateway_core::calendar::{Calendar, LocalDay};
use gateway_core::case::{FeederMonth, Ground, Installed, Layout, Months};
use gateway_core::loss::live::{Round, Sample};
use gateway_core::{Decision, Micro, NodeId, UsagePointId, UtcSeconds, WattHours};
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rounds read in one go: a day's.
const AT_ONCE_S: i64 = 86_400;

/// What the balances are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Registers at quarter-hours.
    QuarterHours,
    /// Registers at half hours: imports only, no phases.
    HalfHours,
}

/// A feeder's month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederLoss {
    /// Its balance.
    #[serde(flatten)]
    pub month: FeederMonth,
    /// Energy settled in the month at the usage points on it, Wh.
    pub billed_wh: u64,
    /// What it was charged.
    pub billed_micro: Micro,
}

/// A month's losses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossMonth {
    /// Its first local day.
    pub first: LocalDay,
    /// Its last local day.
    pub last: LocalDay,
    /// What the balances are made of.
    pub source: Source,
    /// The feeders, by number.
    pub feeders: Vec<FeederLoss>,
    /// Usage points that hang on none of several feeders; their energy is on none.
    pub unassigned: Vec<UsagePointId>,
}

impl Reader {
    /// The losses of the calendar month that holds a local day.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn loss_month(
        &self,
        day: LocalDay,
        (calendar, now): (Calendar, UtcSeconds),
        ground: &Ground,
    ) -> Result<LossMonth> {
        let months = Calendar {
            period_start_day: 1,
            ..calendar
        };
        let month = months.period_of(day);
        let span = (
            calendar.start_of(month.first),
            calendar.start_of(month.first_of_next()),
        );
        let state = self.state()?;
        let layout = Layout::of(&state);
        let mut fold = Months::new(&layout, &self.installed()?, span);
        let source = self.source(span)?;
        match source {
            Source::QuarterHours => self.fold_rounds(&mut fold, span)?,
            Source::HalfHours => self.fold_profile(&mut fold, span)?,
        }
        let billed = self.billed(span)?;
        let feeder = |month: FeederMonth| {
            let on = layout.on(month.feeder).into_iter();
            let of = on.filter_map(|meter| billed.get(&meter.usage_point));
            let sum = of.fold((0, Micro::ZERO), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            FeederLoss {
                month,
                billed_wh: sum.0,
                billed_micro: sum.1,
            }
        };
        let balances = fold.finish(ground, &state.cases, (calendar.utc_offset_s, now));
        Ok(LossMonth {
            first: month.first,
            last: month.last(),
            source,
            feeders: balances.into_iter().map(feeder).collect(),
            unassigned: layout.unassigned(),
        })
    }

    /// Half hours where quarter-hours do not reach back to the first day and half hours do.
    fn source(&self, (from, to): (UtcSeconds, UtcSeconds)) -> Result<Source> {
        let first = |sql: &str| -> Result<Option<i64>> {
            let row = |row: &rusqlite::Row<'_>| row.get(0);
            Ok(self.conn.query_row(sql, params![from.0, to.0], row)?)
        };
        let round = first("SELECT min(at) FROM loss_round WHERE at >= ?1 AND at <= ?2")?;
        let half =
            first("SELECT min(boundary) FROM profile WHERE boundary >= ?1 AND boundary <= ?2")?;
        let late = |half: i64| round.is_none_or(|round| round > half + AT_ONCE_S);
        Ok(match half {
            Some(half) if late(half) => Source::HalfHours,
            _ => Source::QuarterHours,
        })
    }

    fn fold_rounds(&self, fold: &mut Months, (from, to): (UtcSeconds, UtcSeconds)) -> Result<()> {
        let mut begin = from.0;
        while begin <= to.0 {
            let end = (begin + AT_ONCE_S - 1).min(to.0);
            let rounds = self.rounds(UtcSeconds(begin), UtcSeconds(end))?;
            rounds.iter().for_each(|round| fold.take(round));
            begin = end + 1;
        }
        Ok(())
    }

    fn fold_profile(&self, fold: &mut Months, (from, to): (UtcSeconds, UtcSeconds)) -> Result<()> {
        let mut query = self.conn.prepare_cached(
            "SELECT boundary, node, register FROM profile \
             WHERE boundary >= ?1 AND boundary <= ?2 ORDER BY boundary, node",
        )?;
        let mut rows = query.query(params![from.0, to.0])?;
        let mut round: Option<Round> = None;
        while let Some(row) = rows.next()? {
            let end = UtcSeconds(row.get(0)?);
            let sample = Sample {
                register: WattHours(row.get::<_, i64>(2)?.cast_unsigned()),
                export: WattHours(0),
                decivolts: None,
                phases: None,
                phase_decivolts: None,
            };
            if let Some(before) = round.take_if(|before| before.end != end) {
                fold.take(&before);
            }
            let samples = Vec::new();
            let round = round.get_or_insert(Round { end, samples });
            round.samples.push((NodeId(row.get(1)?), sample));
        }
        if let Some(last) = round {
            fold.take(&last);
        }
        Ok(())
    }

    /// Every meter there ever was, and when it was in place. Reads the records of meters only.
    fn installed(&self) -> Result<Vec<Installed>> {
        let sql =
            format!("{STORED} WHERE decision IN ('node-added', 'node-retired') ORDER BY number");
        let mut query = self.conn.prepare_cached(&sql)?;
        let mut installed: Vec<Installed> = Vec::new();
        let leaves = |node: Option<NodeId>, at, installed: &mut Vec<Installed>| {
            for of in installed.iter_mut().filter(|of| Some(of.node) == node) {
                of.until.get_or_insert(at);
            }
        };
        for row in query.query_map([], Stored::read)? {
            let record = row?.record()?;
            match record.decision {
                Decision::NodeAdded {
                    node,
                    role,
                    replaces,
                    ..
                } => {
                    leaves(replaces, record.at, &mut installed);
                    leaves(Some(node), record.at, &mut installed);
                    installed.push(Installed {
                        node,
                        role,
                        from: record.at,
                        until: None,
                    });
                }
                Decision::NodeRetired { node, .. } => {
                    leaves(Some(node), record.at, &mut installed);
                }
                _ => {}
            }
        }
        Ok(installed)
    }

    /// Energy and money settled at each usage point in a span.
    fn billed(
        &self,
        (from, to): (UtcSeconds, UtcSeconds),
    ) -> Result<BTreeMap<UsagePointId, (u64, Micro)>> {
        let sql = format!("{STORED} WHERE decision = 'settled' AND at >= ?1 AND at < ?2");
        let mut query = self.conn.prepare_cached(&sql)?;
        let mut billed = BTreeMap::new();
        for row in query.query_map(params![from.0, to.0], Stored::read)? {
            if let Decision::Settled {
                usage_point,
                settlement,
            } = row?.record()?.decision
            {
                let sum: &mut (u64, Micro) = billed.entry(usage_point).or_default();
                sum.0 += settlement.energy.0;
                sum.1 += settlement.charges.total();
            }
        }
        Ok(billed)
    }
}
