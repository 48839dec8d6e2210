//! Over one feeder: rounds of registers in, reports for people out.
//!
//! Decided here: which registers of a round belong to the feeder and its meters, and what the watch's findings amount to. Deliberately
//! not: whether energy is missing ([`crate::loss`]) and what becomes of a report (the dispatcher).
//!
//! Invariants: the same rounds give the same reports; a feeder that once counted its phases apart is balanced by phase, and its rounds
//! without them are not known.

use super::layout::{Layout, Metered};
use super::{Accused, Lesson, LossReport, MOST_SUSPECTS, Placed, Verdict};
use crate::loss::live::{Round, Sample};
use crate::loss::{
    Evidence, FeederReading, Finding, Interval, Kind, MeterReading, MeterSite, Phase, Settings,
    Site, Unmetered, Watch,
};
use crate::meter_link::FeederPhase;
use crate::tariff::Phases;
use crate::{FeederId, NodeId, UsagePointId, UtcSeconds, WattHours};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What a site tells about all its feeders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ground {
    /// How feeders are watched.
    pub settings: Settings,
    /// Known loads without a meter, each with its feeder; every feeder's if absent.
    pub unmetered: Vec<(Option<FeederId>, Unmetered)>,
}

/// One column of the balance: a meter, or one phase of a three-phase meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Column {
    node: NodeId,
    usage_point: UsagePointId,
    /// One phase of a three-phase meter.
    of: Option<usize>,
    /// The phase somebody noted, of a single-phase one.
    noted: Option<Phase>,
}

/// The watch over one feeder of a site.
#[derive(Debug, Clone)]
pub struct Observer {
    feeder: (FeederId, NodeId),
    per_phase: bool,
    columns: Vec<Column>,
    /// Meters that were replaced, and what they measured.
    former: BTreeMap<NodeId, UsagePointId>,
    /// What is still to be taught.
    lessons: Vec<Lesson>,
    /// The last report of each circuit whose loss goes on.
    last: BTreeMap<Option<Phase>, LossReport>,
    watch: Watch,
}

const DAY_S: i64 = 86_400;

impl Observer {
    /// An observer of `feeder` that has seen nothing yet. `sample` are rounds it is going to see, or some of them: they tell whose
    /// phases are counted apart. `former` are meters of before, so that the history of a replaced one is not lost.
    #[must_use]
    pub fn new(
        ground: &Ground,
        layout: &Layout,
        feeder: (FeederId, NodeId),
        former: BTreeMap<NodeId, UsagePointId>,
        sample: &[Round],
    ) -> Self {
        let counted = sample.iter().flat_map(|round| &round.samples);
        let apart = counted.filter(|(_, sample)| sample.phases.is_some());
        let apart: BTreeSet<NodeId> = apart.map(|(node, _)| *node).collect();
        let meters = layout.on(feeder.0);
        let three = |meter: &Metered| {
            meter.connection == Phases::Three || meter.phase == Some(FeederPhase::Three)
        };
        // One three-phase register for all phases together leaves only the feeder's total to be balanced.
        let told_apart = |meter: &Metered| !three(meter) || apart.contains(&meter.node);
        let per_phase = apart.contains(&feeder.1) && meters.iter().all(told_apart);
        let mut columns = Vec::new();
        let mut sites = Vec::new();
        for meter in &meters {
            let phases: &[Option<usize>] = match per_phase && three(meter) {
                true => &[Some(0), Some(1), Some(2)],
                false => &[None],
            };
            for of in phases {
                columns.push(Column {
                    node: meter.node,
                    usage_point: meter.usage_point,
                    of: *of,
                    noted: noted(meter.phase),
                });
                sites.push(MeterSite {
                    id: meter.usage_point,
                    phase: of.map(|phase| Phase::ALL[phase]).or(noted(meter.phase)),
                });
            }
        }
        let declared = ground.unmetered.iter();
        let here = declared.filter(|(of, _)| of.is_none_or(|of| of == feeder.0));
        let site = Site {
            meters: sites,
            unmetered: here.map(|(_, load)| *load).collect(),
            settings: ground.settings,
        };
        Self {
            feeder,
            per_phase,
            columns,
            former,
            lessons: {
                let here = |lesson: &&Lesson| lesson.feeder == feeder.0;
                layout.lessons.iter().filter(here).copied().collect()
            },
            last: BTreeMap::new(),
            watch: Watch::new(site),
        }
    }

    /// Whether it sees the phases apart.
    #[must_use]
    pub fn per_phase(&self) -> bool {
        self.per_phase
    }

    /// Takes one round and says what it shows.
    pub fn step(&mut self, round: &Round) -> Vec<LossReport> {
        while let Some(lesson) = self.lessons.first().filter(|l| l.at < round.end) {
            if let Some(known) = lesson.known() {
                self.watch.teach(known);
                self.last.remove(&lesson.phase);
            }
            if let Some((meter, nats)) = lesson.expects() {
                self.watch.expect(meter, nats);
            }
            self.lessons.remove(0);
        }
        let interval = self.interval(round);
        let findings = self.watch.step(&interval);
        let mut reports = Vec::new();
        for finding in &findings {
            let said = match finding.kind {
                Kind::FeederLoss => Some(report(self.feeder.0, finding, &findings)),
                Kind::Meter { .. } => None,
                Kind::Ended => self.ended(finding),
                kind => Some(fault(self.feeder.0, finding, kind)),
            };
            if let Some(mut said) = said.filter(|said| !said.verdict.is_technical() || said.going) {
                said.placed = self.placed(said.phase);
                self.last.insert(said.phase, said.clone());
                reports.push(said);
            }
        }
        reports.extend(self.goes_on(round.end));
        reports
    }

    /// Who is counted on this phase, or not, against what is noted.
    fn placed(&self, phase: Option<Phase>) -> Option<Placed> {
        let phase = phase.filter(|_| self.per_phase)?;
        let mut placed = Placed::default();
        for (column, check) in self.columns.iter().zip(self.watch.phases()) {
            let is_here = check.found == phase && !check.absent;
            match (is_here, column.noted == Some(phase)) {
                _ if column.of.is_some() => {}
                (true, false) => placed.here.push(column.usage_point),
                (false, true) => placed.elsewhere.push(column.usage_point),
                _ => {}
            }
        }
        Some(placed)
    }

    /// A loss is over: its last report, ended.
    fn ended(&mut self, finding: &Finding) -> Option<LossReport> {
        let mut last = self.last.remove(&finding.phase)?;
        last.going = false;
        last.at = finding.at;
        last.energy = energy(last.watts, last.since, finding.since);
        Some(last)
    }

    /// Once a day, how much is gone by now.
    fn goes_on(&mut self, now: UtcSeconds) -> Vec<LossReport> {
        let mut reports = Vec::new();
        for (phase, last) in &mut self.last {
            let due = last.going && now.0 - last.at.0 >= DAY_S && self.watch.is_open(*phase);
            if due && !last.verdict.is_technical() {
                last.at = now;
                last.energy = energy(last.watts, last.since, now);
                reports.push(last.clone());
            }
        }
        reports
    }

    fn interval(&self, round: &Round) -> Interval {
        let samples: BTreeMap<NodeId, Sample> = round.samples.iter().copied().collect();
        let before: BTreeMap<UsagePointId, Sample> = samples
            .iter()
            .filter_map(|(node, sample)| Some((*self.former.get(node)?, *sample)))
            .collect();
        let meter = |column: &Column| {
            let sample = samples.get(&column.node);
            let sample = sample.or_else(|| before.get(&column.usage_point));
            let register = match column.of {
                None => sample.map(|sample| sample.register),
                Some(phase) => sample
                    .and_then(|sample| sample.phases)
                    .map(|all| all[phase]),
            };
            MeterReading {
                register,
                decivolts: sample.and_then(|sample| sample.decivolts).map(u32::from),
            }
        };
        let feeder = samples.get(&self.feeder.1);
        let feeder = match self.per_phase {
            true => feeder
                .and_then(|sample| sample.phases)
                .map(FeederReading::PerPhase),
            false => feeder.map(|sample| FeederReading::Total(sample.register)),
        };
        Interval {
            end: round.end,
            feeder,
            meters: self.columns.iter().map(meter).collect(),
        }
    }
}

fn noted(phase: Option<FeederPhase>) -> Option<Phase> {
    match phase? {
        FeederPhase::A => Some(Phase::A),
        FeederPhase::B => Some(Phase::B),
        FeederPhase::C => Some(Phase::C),
        FeederPhase::Three => None,
    }
}

fn report(feeder: FeederId, loss: &Finding, findings: &[Finding]) -> LossReport {
    let beside = findings
        .iter()
        .filter(|finding| finding.phase == loss.phase);
    let mut suspects: Vec<Accused> = Vec::new();
    for finding in beside {
        if let Kind::Meter { meter } = finding.kind
            && suspects.len() < MOST_SUSPECTS
            && suspects.iter().all(|known| known.usage_point != meter)
        {
            suspects.push(Accused {
                usage_point: meter,
                confidence_permille: finding.confidence_permille,
                evidence: finding.evidence.clone(),
            });
        }
    }
    let first = suspects.first();
    let meter = first.filter(|first| first.confidence_permille > loss.confidence_permille);
    let verdict = match meter {
        _ if loss.evidence.contains(&Evidence::FollowsEverything) => Verdict::FeederMeter,
        None => Verdict::Tap,
        Some(first) if first.evidence.contains(&Evidence::LossFollowsRegister) => {
            Verdict::PartlyRegistered
        }
        Some(_) => Verdict::Bypassed,
    };
    LossReport {
        feeder,
        phase: loss.phase,
        at: loss.at,
        since: loss.since,
        going: true,
        watts: loss.watts,
        energy: energy(loss.watts, loss.since, loss.at),
        verdict,
        confidence_permille: meter.map_or(loss.confidence_permille, |m| m.confidence_permille),
        suspects,
        evidence: loss.evidence.clone(),
        placed: None,
    }
}

fn energy(watts: u32, since: UtcSeconds, until: UtcSeconds) -> WattHours {
    let seconds = until.0.saturating_sub(since.0).max(0).unsigned_abs();
    WattHours(u64::from(watts) * seconds / 3_600)
}

/// Something is wrong with equipment or papers.
fn fault(feeder: FeederId, finding: &Finding, kind: Kind) -> LossReport {
    let (verdict, meter) = match kind {
        Kind::Misplaced { meter, to: Some(_) } => (Verdict::WrongPhase, Some(meter)),
        Kind::Misplaced { meter, to: None } => (Verdict::WrongFeeder, Some(meter)),
        Kind::CountsTooMuch { meter } => (Verdict::CountsTooMuch, Some(meter)),
        _ => (Verdict::FeederMeter, None),
    };
    let accused = |usage_point| Accused {
        usage_point,
        confidence_permille: finding.confidence_permille,
        evidence: finding.evidence.clone(),
    };
    LossReport {
        feeder,
        phase: finding.phase,
        at: finding.at,
        since: finding.since,
        going: true,
        watts: finding.watts,
        energy: WattHours(0),
        verdict,
        confidence_permille: finding.confidence_permille,
        suspects: meter.map(accused).into_iter().collect(),
        evidence: finding.evidence.clone(),
        placed: None,
    }
}
