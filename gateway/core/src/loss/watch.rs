//! The watch over one feeder: rounds in, findings out, strictly in order of time.
//!
//! Decided here: when the site is learnt, when an alarm opens, when it is ranked again and when it
//! closes. A site is learnt from its first days; what is stolen all through them is part of it, and
//! unseen. Invariants: nothing is used before its time; the same rounds give the same findings on
//! every machine; memory is bounded by meters times days kept.

mod case;
mod turns;

use super::align::{Align, Row};
use super::circuit::{Circuit, Honest};
use super::columns::Columns;
use super::course;
use super::faults;
use super::known::{self, Explained, Form, Known};
use super::phases::{self, Found};
use super::rank;
use super::sequential::{self, Change};
use super::site::{Evidence, FeederReading, Finding, Interval, Kind, Phase, Site};
use super::statement::Report;
use super::volts::Offsets;
use crate::UsagePointId;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use case::Case;

/// History kept for ranking, days: four weeks show a month of bills.
const KEPT_DAYS: i64 = 28;
/// A site is learnt again after so many days without an open alarm: seasons change losses, premises
/// and the honest errors of meters.
const AGAIN_DAYS: i64 = 28;

/// What the watch knows about the phase of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhaseCheck {
    /// The premises.
    pub meter: UsagePointId,
    /// The label in the site.
    pub noted: Option<Phase>,
    /// The phase its energies, or its voltages, appear on.
    pub found: Phase,
    /// Its energy appears on none.
    pub absent: bool,
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
    /// Losses before: register, from, until, seconds.
    spoilt: Vec<(usize, i64, i64)>,
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
            spoilt: Vec::new(),
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
            absent: found.absent,
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
            let first = now - KEPT_DAYS * 86_400;
            self.rows.retain(|row| row.end_s >= first);
            self.spoilt.retain(|(_, _, until)| *until > first);
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
        let (mut over, mut odd) = (Vec::new(), None);
        let mut circuits = core::mem::take(&mut self.circuits);
        for at in 0..circuits.len() {
            let Some((circuit, case)) = circuits.get(at) else {
                continue;
            };
            let mut case = *case;
            let phase = self.per_phase.then(|| Phase::ALL[circuit.columns.slot]);
            let honest = circuit.honest_now();
            let changes = sequential::ask(circuit, &honest, hour);
            let Some(best) = rank::strongest(&changes) else {
                continue;
            };
            let fault = case.fault(circuit, &honest, (best.weight, self.threshold), hour);
            if let Some(suspicion) = fault {
                odd = Some((circuit.columns.slot, suspicion));
            } else if let Some((change, ended)) = case.ended(circuit, &honest, hour) {
                over.push((phase, change, ended, circuit.mean_wh(&change)));
            } else if !self.has_moved_here(&circuits, at, &case, &best, hour) {
                findings.extend(self.case(circuit, &honest, &mut case, best.weight, now));
            }
            if let Some((circuit, kept)) = circuits.get_mut(at) {
                let likely = best.weight > self.threshold / 2.0;
                circuit.settle(&honest, likely.then_some(&best));
                if kept.opened_hour.is_some() && case.opened_hour.is_none() {
                    let since_s = kept.since_hour * 3600;
                    self.spoilt.push((circuit.columns.slot, since_s, now));
                }
                *kept = case;
            }
        }
        self.circuits = circuits;
        for (phase, change, ended, mean_wh) in over {
            findings.push(self.end(now, phase, &change, (ended, mean_wh)));
        }
        if let Some((slot, suspicion)) = odd {
            findings.extend(self.fault(now, slot, &suspicion));
        }
        findings
    }

    /// Whether what seems lost on this circuit is a meter that has left another one at the same time, which is asked before an alarm.
    fn has_moved_here(
        &self,
        circuits: &[(Circuit, Case)],
        at: usize,
        case: &Case,
        best: &Change,
        hour: i64,
    ) -> bool {
        if case.opened_hour.is_some() || best.weight <= self.threshold {
            return false;
        }
        let Some((here, _)) = circuits.get(at) else {
            return false;
        };
        let lost = here.mean_wh(best);
        let others = circuits
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != at);
        others.into_iter().any(|(_, (other, _))| {
            faults::left(other, &other.honest_now(), best.since_hour, hour).is_some_and(|gone| {
                gone.weight > self.threshold / 4.0 && alike(-gone.mean_wh, lost)
            })
        })
    }

    /// What is said of one circuit now, if anything is due.
    fn case(
        &self,
        circuit: &Circuit,
        honest: &Honest,
        case: &mut Case,
        weight: f64,
        now: i64,
    ) -> Vec<Finding> {
        let hour = now.div_euclid(3600);
        let before = case.opened_hour;
        if !case.due(weight, self.threshold, hour) {
            return Vec::new();
        }
        if before.is_none() {
            let changes = sequential::ask(circuit, honest, hour);
            case.since_hour = rank::strongest(&changes).map_or(hour, |best| best.since_hour);
        }
        let changes = sequential::ask_about(circuit, honest, hour, case.since_hour);
        let (Some(best), Some(offsets)) = (rank::strongest(&changes), &self.offsets) else {
            return Vec::new();
        };
        case.change = Some(best);
        let here = |(slot, from, until): &(usize, i64, i64)| {
            (*slot == circuit.columns.slot).then_some((*from, *until))
        };
        let seen = rank::Seen {
            rows: &self.rows,
            offsets,
            expected: expectations(circuit, &self.site, &self.expected),
            spoilt: self.spoilt.iter().filter_map(here).collect(),
        };
        let suspects = rank::rank(circuit, honest, &changes, &seen);
        let trend = course::trend(circuit, honest, &best, hour);
        let mut besides: Vec<Evidence> = trend.into_iter().collect();
        if faults::is_ratio(circuit, honest, best.since_hour, best.ratio) {
            besides.push(Evidence::FollowsEverything);
        }
        let report = Report {
            site: &self.site,
            circuit,
            best,
            now,
            besides,
        };
        let phase = self.per_phase.then(|| Phase::ALL[circuit.columns.slot]);
        report.findings(&suspects, &self.found, phase)
    }
}

/// What a meter that moved took from one phase it brings to the other. A shape that is not the meter's own may explain a fourth of
/// it only, and none explains twice as much.
fn alike(gone: f64, lost: f64) -> bool {
    lost > gone / 4.0 && lost < gone * 2.0
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
    let wrong = |meter: &super::site::MeterSite| {
        let of = |known: &Known| known.until.is_none() && known.form == Form::PartOf(meter.id);
        here.iter().any(of)
    };
    let meters = site.meters.iter().enumerate();
    let doubted: Vec<usize> = meters.filter(|(_, m)| wrong(m)).map(|(at, _)| at).collect();
    columns.doubt(&doubted);
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
    // The first days teach; a change during them is not told apart from the site.
    let learnt = i64::from(site.settings.learn_days.max(1)) * 24;
    let first = rows.first().map_or(0, |row| row.end_s.div_euclid(3600));
    Circuit::learn(columns, rows, first + learnt)
}
