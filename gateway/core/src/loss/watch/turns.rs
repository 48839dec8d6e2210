//! When a site turns out to be another than it was taken for: a loss that is over, a meter that hangs elsewhere, a wrong feeder meter.
//!
//! Decided here: what is said then, and what the watch forgets. Deliberately not: whether it is so ([`crate::loss::course`],
//! [`crate::loss::faults`], [`crate::loss::phases`]).

use super::{Case, Watch, alike};
use crate::UtcSeconds;
use crate::loss::align::Row;
use crate::loss::circuit::Circuit;
use crate::loss::faults::{self, Fault, Suspicion};
use crate::loss::known::{Form, Known};
use crate::loss::phases;
use crate::loss::rank;
use crate::loss::sequential::{self, Change, Shape};
use crate::loss::site::{Evidence, Finding, Kind, Phase};
use crate::loss::statement::rounded;
use alloc::vec;
use alloc::vec::Vec;

/// A meter most of whose energy is not delivered here hangs elsewhere; below that it is here and counts too much.
const PRESENT: f64 = 0.7;
/// A meter that is moved is gone from one phase and there on the other at once; beginnings are known to a few hours.
const SAME_TIME_H: i64 = 24;
/// No line loses so large a share in proportion to what it carries, on top of what grows with the square.
const LOSSY: f64 = 0.08;

impl Watch {
    /// What learning the site showed: meters that are not where they are noted, and a feeder meter that is wrong. Each is said once.
    pub(super) fn learnt(&mut self, now: i64) -> Vec<Finding> {
        let first = self.rows.first().map_or(now, |row| row.end_s);
        let mut kinds = Vec::new();
        for (site, found) in self.site.meters.iter().zip(&self.found) {
            let meter = site.id;
            if found.absent {
                let kind = Kind::Misplaced { meter, to: None };
                kinds.push((site.phase, kind, Evidence::AppearsOnNoPhase));
            } else if found.contradicts {
                let to = Some(found.phase);
                let kind = Kind::Misplaced { meter, to };
                kinds.push((site.phase, kind, Evidence::AppearsOnAnotherPhase));
            }
        }
        for (circuit, _) in &self.circuits {
            let (gain, variance) = circuit.feeder_gain();
            let sure = libm::fabs(gain) > 5.0 * libm::sqrt(variance * sequential::INFLATION);
            let phase = self.per_phase.then(|| Phase::ALL[circuit.columns.slot]);
            if sure && !(-faults::LEAST_RATIO..=LOSSY).contains(&gain) {
                kinds.push((phase, Kind::FeederMeter, Evidence::FollowsEverything));
            }
        }
        let mut findings = Vec::new();
        for (phase, kind, evidence) in kinds {
            if !self.told.contains(&kind) {
                self.told.push(kind);
                findings.push(Finding {
                    at: UtcSeconds(now),
                    kind,
                    phase: phase.filter(|_| self.per_phase),
                    confidence_permille: 990,
                    since: UtcSeconds(first),
                    watts: 0,
                    evidence: vec![evidence],
                });
            }
        }
        findings
    }

    /// A loss is over: from now on it is known, so that the next one is seen.
    pub(super) fn end(
        &mut self,
        now: i64,
        phase: Option<Phase>,
        change: &Change,
        (ended, mean_wh): (i64, f64),
    ) -> Finding {
        let slot = phase.map_or(0, Phase::index);
        let member = |place: usize| {
            let circuit = self
                .circuits
                .iter()
                .find(|(circuit, _)| circuit.columns.slot == slot);
            let at = circuit.and_then(|(circuit, _)| circuit.columns.members.get(place));
            at.and_then(|at| self.site.meters.get(*at))
                .map(|meter| meter.id)
        };
        let form = match change.shape {
            Shape::Tap(1) => Form::Evening,
            Shape::Tap(2) => Form::Night,
            Shape::Tap(_) => Form::AroundTheClock,
            Shape::Gain(place) => member(place).map_or(Form::AroundTheClock, Form::PartOf),
            Shape::Silence(place) => member(place).map_or(Form::AroundTheClock, Form::Standing),
        };
        let watts = mean_wh * 3600.0 / f64::from(self.site.settings.interval_s.max(1));
        // The mean was taken until now; all of it was before the end.
        let share =
            (now / 3600 - change.since_hour) as f64 / (ended - change.since_hour).max(1) as f64;
        let known = Known {
            phase,
            form,
            from: UtcSeconds(change.since_hour * 3600),
            until: Some(UtcSeconds(ended * 3600)),
            watts: rounded(watts * share),
            seen: UtcSeconds(ended * 3600),
        };
        self.spoilt.push((slot, known.from.0, ended * 3600));
        self.teach(known);
        Finding {
            at: UtcSeconds(now),
            kind: Kind::Ended,
            phase,
            confidence_permille: 990,
            since: known.until.unwrap_or(UtcSeconds(now)),
            watts: 0,
            evidence: Vec::new(),
        }
    }

    /// Something is not as the papers say. It is said once, and taken off from then on.
    pub(super) fn fault(&mut self, now: i64, slot: usize, suspicion: &Suspicion) -> Vec<Finding> {
        let since = UtcSeconds(suspicion.since_hour * 3600);
        let noted = self.per_phase.then(|| Phase::ALL[slot]);
        let watts = suspicion.mean_wh * 3600.0 / f64::from(self.site.settings.interval_s.max(1));
        let mut circuits = self.circuits.iter();
        let circuit = circuits.find(|(circuit, _)| circuit.columns.slot == slot);
        let place = |member: usize| {
            let members = circuit.map(|(circuit, _)| &circuit.columns.members);
            members.and_then(|members| members.get(member)).copied()
        };
        let place = match suspicion.fault {
            Fault::Ratio => None,
            Fault::Absent(member) => place(member),
        };
        let mut evidence = vec![Evidence::MoreCountedThanDelivered];
        let kind = match place.and_then(|at| Some((at, self.site.meters.get(at)?.id))) {
            None => {
                evidence.push(Evidence::FollowsEverything);
                Kind::FeederMeter
            }
            // It counts a part too much: its own ratio, or a fault.
            Some((_, meter)) if suspicion.size > -PRESENT => Kind::CountsTooMuch { meter },
            Some((at, meter)) => {
                let to = self.went_to(at, slot, suspicion, &self.since(since));
                evidence.push(match to {
                    Some(_) => Evidence::AppearsOnAnotherPhase,
                    None => Evidence::AppearsOnNoPhase,
                });
                Kind::Misplaced { meter, to }
            }
        };
        let finding = |kind, phase, since, evidence| Finding {
            at: UtcSeconds(now),
            kind,
            phase,
            confidence_permille: 990,
            since,
            watts: u32::try_from(rounded(libm::fabs(watts))).unwrap_or(0),
            evidence,
        };
        let mut findings = Vec::new();
        if !self.told.contains(&kind) {
            self.told.push(kind);
            findings.push(finding(kind, noted, since, evidence));
        }
        match kind {
            Kind::Misplaced { to: Some(to), .. } => {
                self.moved(place, to, since);
                // What looked like a loss on the phase it moved to was this.
                let ended = finding(Kind::Ended, Some(to), UtcSeconds(now), Vec::new());
                findings.push(ended);
            }
            _ => self.teach(Known {
                phase: noted,
                form: match kind {
                    Kind::CountsTooMuch { meter } | Kind::Misplaced { meter, .. } => {
                        Form::PartOf(meter)
                    }
                    _ => Form::Everything,
                },
                from: since,
                until: None,
                watts: rounded(watts),
                seen: UtcSeconds(now),
            }),
        }
        findings
    }

    fn since(&self, since: UtcSeconds) -> Vec<Row> {
        let rows = self.rows.iter().filter(|row| row.end_s > since.0);
        rows.cloned().collect()
    }

    /// Where it was found is where it is looked for from now on. What was before is not comparable: the feeder is learnt anew.
    fn moved(&mut self, place: Option<usize>, to: Phase, since: UtcSeconds) {
        if let Some(site) = place.and_then(|at| self.site.meters.get_mut(at)) {
            site.phase = Some(to);
        }
        self.rows = self.since(since);
        self.circuits.clear();
    }

    /// The phase a meter appears on that is missing on its own; nothing if none is known.
    fn went_to(
        &self,
        at: usize,
        slot: usize,
        suspicion: &Suspicion,
        after: &[Row],
    ) -> Option<Phase> {
        let labels: Vec<_> = self.found.iter().map(|found| Some(found.phase)).collect();
        let found = phases::find(after, &labels, self.per_phase);
        let found = found.get(at).filter(|found| found.contradicts);
        // Half a day may not tell; what one phase lost and another gained at the same time is the same.
        let gained = |(circuit, _): &&(Circuit, Case)| {
            let hour = self.rows.last().map_or(0, |row| row.end_s.div_euclid(3600));
            let changes = sequential::ask(circuit, &circuit.honest_now(), hour);
            rank::strongest(&changes).is_some_and(|best| {
                best.weight > self.threshold / 2.0
                    && (best.since_hour - suspicion.since_hour).abs() <= SAME_TIME_H
                    && alike(-suspicion.mean_wh, circuit.mean_wh(&best))
            })
        };
        let mut others = self.circuits.iter().filter(|(c, _)| c.columns.slot != slot);
        let gained = others.find(gained);
        let gained = gained.map(|(circuit, _)| Phase::ALL[circuit.columns.slot]);
        found
            .map(|found| found.phase)
            .or(gained)
            .filter(|_| self.per_phase)
    }
}
