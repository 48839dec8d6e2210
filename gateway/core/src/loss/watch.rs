//! The watch over one feeder: rounds in, findings out, strictly in order of time.
//!
//! Decided here: when the site is learnt, when an alarm opens, when it is ranked again and when it
//! closes. A site is learnt from its first days; what is stolen all through them is part of it, and
//! unseen. Invariants: nothing is used before its time; the same rounds give the same findings on
//! every machine; memory is bounded by meters times days kept.

mod turns;

use super::align::{Align, Row};
use super::circuit::{Circuit, Honest};
use super::columns::Columns;
use super::course;
use super::faults::{self, Suspicion};
use super::known::{self, Explained, Known};
use super::phases::{self, Found};
use super::rank;
use super::sequential::{self, Change};
use super::site::{Evidence, FeederReading, Finding, Interval, Kind, Phase, Site};
use super::statement::Report;
use super::volts::Offsets;
use crate::UsagePointId;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// History kept for ranking, days: four weeks show a month of bills.
const KEPT_DAYS: i64 = 28;
/// A site is learnt again after so many days without an open alarm: seasons change losses, premises
/// and the honest errors of meters.
const AGAIN_DAYS: i64 = 28;
/// Questions above the threshold in a row that make an alarm, hours: an odd hour is over by the
/// next.
const IN_A_ROW: u32 = 2;
/// Faults of meters and papers are asked for so often, hours: nobody steals meanwhile.
const FAULTS_EVERY_H: i64 = 6;
/// A weight so many times the threshold is not waited for.
const OVERWHELMING: f64 = 2.0;
/// Ranked again so many hours after the alarm: half a day, a day and a half, half a week, a week.
const AGAIN_H: [i64; 4] = [12, 36, 84, 168];
/// An alarm closes after so many hours below half the threshold.
const QUIET_H: u32 = 24;
/// An alarm on a circuit, or what may become one.
#[derive(Debug, Clone, Copy, Default)]
struct Case {
    above: u32,
    odd: u32,
    below: u32,
    opened_hour: Option<i64>,
    since_hour: i64,
    ranked: usize,
    change: Option<Change>,
}

/// What the watch knows about the phase of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseCheck {
    /// The premises.
    pub meter: UsagePointId,
    /// The label in the site.
    pub noted: Option<Phase>,
    /// The phase its energies, or its voltages, appear on.
    pub found: Phase,
}

/// Watches one feeder.
#[derive(Debug, Clone)]
pub struct Watch {
    site: Site,
    align: Align,
    rows: Vec<Row>,
    per_phase: bool,
    threshold: f64,
    known: Vec<Known>,
    told: Vec<Kind>,
    expected: BTreeMap<UsagePointId, f64>,
    found: Vec<Found>,
    offsets: Option<Offsets>,
    learnt_s: i64,
    circuits: Vec<(Circuit, Case)>,
}

impl Watch {
    /// A watch that knows the site and nothing of its behaviour.
    #[must_use]
    pub fn new(site: Site) -> Self {
        let shapes = 2 * site.meters.len() + 3 * super::columns::TAPS;
        Self {
            align: Align::new(&site),
            threshold: sequential::threshold(&site.settings, shapes),
            site,
            rows: Vec::new(),
            known: Vec::new(),
            told: Vec::new(),
            expected: BTreeMap::new(),
            per_phase: false,
            found: Vec::new(),
            offsets: None,
            learnt_s: 0,
            circuits: Vec::new(),
        }
    }

    /// Takes one reading round and says what it shows. Rounds come in order of time; one that does
    /// not is ignored.
    pub fn step(&mut self, interval: &Interval) -> Vec<Finding> {
        if self
            .rows
            .last()
            .is_some_and(|last| last.end_s >= interval.end.0)
        {
            return Vec::new();
        }
        self.per_phase |= matches!(interval.feeder, Some(FeederReading::PerPhase(_)));
        let row = self.align.step(interval);
        let now = row.end_s;
        let mut whole = false;
        for (circuit, _) in &mut self.circuits {
            whole = circuit.step(&row);
        }
        self.rows.push(row);
        self.forget(now);
        let first = self.rows.first().map_or(now, |row| row.end_s);
        if self.circuits.is_empty() {
            if now - first >= i64::from(self.site.settings.learn_days.max(1)) * 86_400 {
                self.learn();
                return self.learnt(now);
            }
            return Vec::new();
        }
        if self.stale(now) {
            self.circuits.clear();
            self.learn();
            return self.learnt(now);
        }
        if whole { self.ask(now) } else { Vec::new() }
    }

    /// Takes a change for known from now on: it is not found again and teaches the site nothing wrong.
    pub fn teach(&mut self, known: Known) {
        self.known.push(known);
        if let Some((circuit, case)) = self.circuits.iter_mut().find(|(circuit, _)| {
            self.per_phase.then(|| Phase::ALL[circuit.columns.slot]) == known.phase
        }) {
            *case = Case::default();
            let columns = circuit.columns.clone();
            *circuit = relearn(columns, &self.site, &self.known, &self.rows, known.phase);
        }
    }

    /// Lets premises rank higher or lower by so many nats: what people found there before is evidence too.
    pub fn expect(&mut self, meter: UsagePointId, nats: f64) {
        *self.expected.entry(meter).or_default() += nats;
    }

    /// Whether there is an alarm on this circuit.
    #[must_use]
    pub fn is_open(&self, phase: Option<Phase>) -> bool {
        let slot = phase.map_or(0, Phase::index);
        let here = |(circuit, _): &&(Circuit, Case)| circuit.columns.slot == slot;
        let found = self.circuits.iter().find(here);
        found.is_some_and(|(_, case)| case.opened_hour.is_some())
    }

    /// The phases of the meters as learnt; empty before.
    #[must_use]
    pub fn phases(&self) -> Vec<PhaseCheck> {
        let check = |(site, found): (&super::site::MeterSite, &Found)| PhaseCheck {
            meter: site.id,
            noted: site.phase,
            found: found.phase,
        };
        self.site
            .meters
            .iter()
            .zip(&self.found)
            .map(check)
            .collect()
    }

    /// The site was learnt long ago, and nothing speaks against learning it from the days kept.
    fn stale(&self, now: i64) -> bool {
        let calm = |(_, case): &(Circuit, Case)| case.opened_hour.is_none() && case.above == 0;
        now - self.learnt_s >= AGAIN_DAYS * 86_400 && self.circuits.iter().all(calm)
    }

    fn forget(&mut self, now: i64) {
        let old = |row: &Row| now - row.end_s > (KEPT_DAYS + 1) * 86_400;
        if self.rows.first().is_some_and(old) {
            self.rows
                .retain(|row| now - row.end_s <= KEPT_DAYS * 86_400);
        }
    }

    fn learn(&mut self) {
        let labels: Vec<_> = self.site.meters.iter().map(|meter| meter.phase).collect();
        self.found = phases::find(&self.rows, &labels, self.per_phase);
        let groups: Vec<usize> = self.found.iter().map(|found| found.phase.index()).collect();
        let offsets = Offsets::learn(&self.rows, groups.clone());
        let slots = if self.per_phase { 3 } else { 1 };
        for slot in 0..slots {
            let found = &self.found;
            let here =
                |meter: &usize| !found[*meter].absent && (slots == 1 || groups[*meter] == slot);
            let members = (0..groups.len()).filter(here).collect();
            let declared = self.site.unmetered.iter();
            let declared = declared
                .filter(|load| slots == 1 || load.phase.is_none_or(|phase| phase.index() == slot))
                .copied()
                .collect();
            let interval_s = self.site.settings.interval_s;
            let columns = Columns::new(
                slot,
                members,
                &self.rows,
                offsets.clone(),
                declared,
                interval_s,
            );
            let phase = self.per_phase.then(|| Phase::ALL[slot]);
            let circuit = relearn(columns, &self.site, &self.known, &self.rows, phase);
            self.circuits.push((circuit, Case::default()));
        }
        self.offsets = Some(offsets);
        self.learnt_s = self.rows.last().map_or(0, |row| row.end_s);
    }

    fn ask(&mut self, now: i64) -> Vec<Finding> {
        let hour = now.div_euclid(3600);
        let mut findings = Vec::new();
        let mut over = Vec::new();
        let mut odd = None;
        for (circuit, case) in &mut self.circuits {
            let phase = self.per_phase.then(|| Phase::ALL[circuit.columns.slot]);
            let honest = circuit.honest_now();
            let changes = sequential::ask(circuit, &honest, hour);
            let Some(best) = rank::strongest(&changes) else {
                continue;
            };
            if let Some(suspicion) =
                case.fault(circuit, &honest, (best.weight, self.threshold), hour)
            {
                odd = Some((circuit.columns.slot, suspicion));
                continue;
            }
            let likely = best.weight > self.threshold / 2.0;
            circuit.settle(&honest, likely.then_some(&best));
            if let Some(change) = case.change.filter(|_| case.opened_hour.is_some())
                && let Some(ended) = course::ended(circuit, &honest, &change, hour)
            {
                over.push((phase, change, ended, circuit.mean_wh(&change)));
                continue;
            }
            let before = case.opened_hour;
            if !case.due(best.weight, self.threshold, hour) {
                continue;
            }
            if before.is_none() {
                case.since_hour = best.since_hour;
            }
            let changes = sequential::ask_about(circuit, &honest, hour, case.since_hour);
            let Some(best) = rank::strongest(&changes) else {
                continue;
            };
            case.change = Some(best);
            let Some(offsets) = &self.offsets else {
                continue;
            };
            let expected = expectations(circuit, &self.site, &self.expected);
            let suspects = rank::rank(circuit, &honest, &changes, &self.rows, offsets, &expected);
            let mut besides: Vec<Evidence> = course::trend(circuit, &honest, &best, hour)
                .into_iter()
                .collect();
            if faults::is_ratio(circuit, &honest, best.since_hour, best.ratio) {
                besides.push(Evidence::FollowsEverything);
            }
            let report = Report {
                site: &self.site,
                circuit,
                best,
                now,
                besides,
            };
            findings.extend(report.findings(&suspects, &self.found, phase));
        }
        for (phase, change, ended, mean_wh) in over {
            findings.push(self.end(now, phase, &change, (ended, mean_wh)));
        }
        if let Some((slot, suspicion)) = odd {
            findings.extend(self.fault(now, slot, &suspicion));
        }
        findings
    }
}

/// How much likelier than usual each member of a circuit is.
fn expectations(
    circuit: &Circuit,
    site: &Site,
    expected: &BTreeMap<UsagePointId, f64>,
) -> Vec<f64> {
    let meter = |at: &usize| site.meters.get(*at);
    let of = |at: &usize| meter(at).and_then(|meter| expected.get(&meter.id));
    let members = circuit.columns.members.iter();
    members.map(|at| of(at).copied().unwrap_or(0.0)).collect()
}

/// Learns a circuit with what is known of it taken off.
fn relearn(
    mut columns: Columns,
    site: &Site,
    known: &[Known],
    rows: &[Row],
    phase: Option<Phase>,
) -> Circuit {
    let here = known::of_circuit(known, phase);
    columns.explain(Vec::new());
    if !here.is_empty() {
        let ids: Vec<UsagePointId> = columns
            .members
            .iter()
            .filter_map(|at| Some(site.meters.get(*at)?.id))
            .collect();
        let lines = columns.lines(rows);
        let ends: Vec<i64> = rows.iter().map(|row| row.end_s).collect();
        let of = |known: &Known| {
            Explained::of(
                known,
                &columns,
                &ids,
                (&lines, &ends),
                site.settings.interval_s,
            )
        };
        let explained = here.iter().filter_map(of).collect();
        columns.explain(explained);
    }
    Circuit::learn(columns, rows)
}

impl Case {
    /// A fault of meters or papers that is sure, where no loss is.
    fn fault(
        &mut self,
        circuit: &Circuit,
        honest: &Honest,
        (lost, threshold): (f64, f64),
        hour: i64,
    ) -> Option<Suspicion> {
        if hour % FAULTS_EVERY_H != 0 || self.opened_hour.is_some() {
            return None;
        }
        let suspicion = faults::ask(circuit, honest, hour);
        // What is lost since then makes the time before look better than it was.
        let clear = |s: &Suspicion| s.weight > threshold && lost < s.weight / 2.0;
        let suspicion = suspicion.filter(clear);
        self.odd = if suspicion.is_some() { self.odd + 1 } else { 0 };
        suspicion.filter(|_| self.odd >= IN_A_ROW)
    }

    /// True if findings are due.
    fn due(&mut self, weight: f64, threshold: f64, hour: i64) -> bool {
        self.above = if weight > threshold {
            self.above + 1
        } else {
            0
        };
        self.below = if weight < threshold / 2.0 {
            self.below + 1
        } else {
            0
        };
        match self.opened_hour {
            None => {
                let sure = self.above >= IN_A_ROW || weight > OVERWHELMING * threshold;
                if sure {
                    (self.opened_hour, self.ranked) = (Some(hour), 0);
                }
                sure
            }
            Some(_) if self.below >= QUIET_H => {
                *self = Self::default();
                false
            }
            Some(opened) => {
                let again = AGAIN_H
                    .get(self.ranked)
                    .map_or_else(|| self.later(), |after| *after)
                    <= hour - opened;
                self.ranked += usize::from(again);
                again
            }
        }
    }

    /// After the first week it is looked at once a week.
    fn later(&self) -> i64 {
        let weeks = self.ranked + 2 - AGAIN_H.len();
        168 * i64::try_from(weeks).unwrap_or(i64::MAX / 168)
    }
}
