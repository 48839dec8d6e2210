//! The watch over one feeder: rounds in, findings out, strictly in order of time.
//!
//! Decided here: when the site is learnt, when an alarm opens, when it is ranked again and when it
//! closes. A site is learnt from its first days; what is stolen all through them is part of it, and
//! unseen. Invariants: nothing is used before its time; the same rounds give the same findings on
//! every machine; memory is bounded by meters times days kept.

use super::align::{Align, Row};
use super::circuit::Circuit;
use super::columns::Columns;
use super::phases::{self, Found};
use super::rank::{self, Suspect};
use super::sequential::{self, Change};
use super::site::{Evidence, FeederReading, Finding, Interval, Kind, Phase, Site};
use super::volts::Offsets;
use crate::{UsagePointId, UtcSeconds};
use alloc::vec;
use alloc::vec::Vec;

/// History kept for ranking, days: four weeks show a month of bills.
const KEPT_DAYS: i64 = 28;
/// A site is learnt again after so many days without an open alarm: seasons change losses, premises
/// and the honest errors of meters.
const AGAIN_DAYS: i64 = 28;
/// Questions above the threshold in a row that make an alarm, hours: an odd hour is over by the
/// next.
const IN_A_ROW: u32 = 2;
/// A weight so many times the threshold is not waited for.
const OVERWHELMING: f64 = 2.0;
/// Ranked again so many hours after the alarm: half a day, a day and a half, half a week, a week.
const AGAIN_H: [i64; 4] = [12, 36, 84, 168];
/// An alarm closes after so many hours below half the threshold.
const QUIET_H: u32 = 24;
/// What a meter's confidence is worth if the loss is certainly a tap: every fourth tap belongs to
/// the nearest premises.
const NEAREST: f64 = 0.25;
/// Suspects named.
const NAMED: usize = 3;

/// An alarm on a circuit, or what may become one.
#[derive(Debug, Clone, Copy, Default)]
struct Case {
    above: u32,
    below: u32,
    opened_hour: Option<i64>,
    since_hour: i64,
    ranked: usize,
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
            }
            return Vec::new();
        }
        if self.stale(now) {
            self.circuits.clear();
            self.learn();
            return Vec::new();
        }
        if whole { self.ask(now) } else { Vec::new() }
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
            let here = |meter: &usize| slots == 1 || groups[*meter] == slot;
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
            self.circuits
                .push((Circuit::learn(columns, &self.rows), Case::default()));
        }
        self.offsets = Some(offsets);
        self.learnt_s = self.rows.last().map_or(0, |row| row.end_s);
    }

    fn ask(&mut self, now: i64) -> Vec<Finding> {
        let hour = now.div_euclid(3600);
        let mut findings = Vec::new();
        for (circuit, case) in &mut self.circuits {
            let honest = circuit.honest_now();
            let changes = sequential::ask(circuit, &honest, hour);
            let Some(best) = rank::strongest(&changes) else {
                continue;
            };
            let likely = best.weight > self.threshold / 2.0;
            circuit.settle(&honest, likely.then_some(&best));
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
            let Some(offsets) = &self.offsets else {
                continue;
            };
            let suspects = rank::rank(circuit, &honest, &changes, &self.rows, offsets);
            let report = Report {
                site: &self.site,
                circuit,
                best,
                now,
            };
            let phase = self.per_phase.then(|| Phase::ALL[circuit.columns.slot]);
            findings.extend(report.findings(&suspects, &self.found, phase));
        }
        findings
    }
}

impl Case {
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
                    .is_some_and(|after| hour - opened >= *after);
                self.ranked += usize::from(again);
                again
            }
        }
    }
}

/// What the findings of one circuit are made of.
struct Report<'a> {
    site: &'a Site,
    circuit: &'a Circuit,
    best: Change,
    now: i64,
}

impl Report<'_> {
    fn findings(
        &self,
        suspects: &[Suspect],
        found: &[Found],
        phase: Option<Phase>,
    ) -> Vec<Finding> {
        // In a week a change has been seen on every kind of day; before, only the shape so far is
        // known.
        let hours = (self.now / 3600 - self.best.since_hour) as f64;
        let seen = 0.5 + 0.5 * (hours / 168.0).min(1.0);
        let finding = |kind, share: f64, evidence| Finding {
            at: UtcSeconds(self.now),
            kind,
            phase,
            confidence_permille: permille(share * seen),
            since: UtcSeconds(self.best.since_hour * 3600),
            watts: self.watts(),
            evidence,
        };
        let nobody = suspects.iter().find(|suspect| suspect.member.is_none());
        let evidence = nobody.map_or_else(Vec::new, |suspect| suspect.evidence.clone());
        let share = nobody.map_or(0.0, |suspect| suspect.share);
        let mut findings = vec![finding(Kind::FeederLoss, share.max(0.3), evidence)];
        // Of the meters among themselves; if nobody's tap explains it better, they are only where
        // it hangs nearest.
        let meters = (1.0 - share).max(1e-12);
        let nearest = NEAREST + (1.0 - NEAREST) * meters;
        for suspect in suspects
            .iter()
            .filter(|suspect| suspect.member.is_some())
            .take(NAMED)
        {
            let Some(place) = suspect
                .member
                .and_then(|at| self.circuit.columns.members.get(at))
            else {
                continue;
            };
            let Some(meter) = self.site.meters.get(*place) else {
                continue;
            };
            let mut evidence = suspect.evidence.clone();
            if found.get(*place).is_some_and(|found| found.contradicts) {
                evidence.push(Evidence::PhaseLabelContradicted);
            }
            let among = (suspect.share / meters).min(1.0);
            findings.push(finding(
                Kind::Meter { meter: meter.id },
                among * nearest,
                evidence,
            ));
        }
        findings
    }

    fn watts(&self) -> u32 {
        let mean = self.circuit.mean_wh(&self.best);
        let watts = mean * 3600.0 / f64::from(self.site.settings.interval_s.max(1));
        u32::try_from(rounded(watts)).unwrap_or(0)
    }
}

fn permille(share: f64) -> u16 {
    u16::try_from(rounded(share * 1000.0))
        .unwrap_or(1000)
        .min(1000)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "saturates, and the values are small"
)]
fn rounded(value: f64) -> i64 {
    libm::round(value) as i64
}
