//! Which counters a report is about: the feeder's, and those it is compared with.
//!
//! Decided here: that a loss on a phase is shown as the phase's own balance, where the phase of every meter is known: noted by somebody, or found by
//! the watch. Else the whole feeder is. Deliberately not: where a meter hangs ([`crate::loss`]).

use super::{Layout, LossReport, Metered};
use crate::UsagePointId;
use crate::loss::Phase;
use crate::loss::balance::Counter;
use crate::meter_link::FeederPhase;
use crate::tariff::Phases;
use alloc::vec::Vec;

/// One side of a balance and the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The phase it is; absent: the whole feeder.
    pub phase: Option<Phase>,
    /// What counts everything.
    pub feeder: Counter,
    /// What hangs on it, by usage point.
    pub meters: Vec<(UsagePointId, Counter)>,
}

impl Compared {
    /// What `report` is about, as the site is now; nothing if its feeder has no meter any more.
    #[must_use]
    pub fn of(layout: &Layout, report: &LossReport) -> Option<Self> {
        let mut feeders = layout.feeders.iter();
        let (_, node) = *feeders.find(|(id, _)| *id == report.feeder)?;
        let meters = layout.on(report.feeder);
        let phase = report.phase.filter(|_| {
            let known = |meter: &Metered| is_three(meter) || meter.phase.is_some();
            report.placed.is_some() || meters.iter().all(known)
        });
        let here = meters.iter().filter_map(|meter| {
            let counter = match phase {
                None => Some(Counter::whole(meter.node)),
                Some(phase) => on_phase(meter, phase, report),
            };
            Some((meter.usage_point, counter?))
        });
        Some(Self {
            phase,
            feeder: Counter { node, phase },
            meters: here.collect(),
        })
    }

    /// The counter of a usage point; its whole meter if it does not hang here.
    #[must_use]
    pub fn counter(&self, usage_point: UsagePointId, layout: &Layout) -> Option<Counter> {
        let here = self.meters.iter().find(|(id, _)| *id == usage_point);
        let mut all = layout.meters.iter();
        here.map(|(_, counter)| *counter).or_else(|| {
            let elsewhere = all.find(|meter| meter.usage_point == usage_point)?;
            Some(Counter::whole(elsewhere.node))
        })
    }
}

fn on_phase(meter: &Metered, phase: Phase, report: &LossReport) -> Option<Counter> {
    if is_three(meter) {
        return Some(Counter {
            node: meter.node,
            phase: Some(phase),
        });
    }
    let noted = match meter.phase {
        Some(FeederPhase::A) => Some(Phase::A),
        Some(FeederPhase::B) => Some(Phase::B),
        Some(FeederPhase::C) => Some(Phase::C),
        Some(FeederPhase::Three) | None => None,
    };
    let id = meter.usage_point;
    let placed = report.placed.as_ref();
    let is_gone = placed.is_some_and(|placed| placed.elsewhere.contains(&id));
    let is_found = placed.is_some_and(|placed| placed.here.contains(&id));
    (is_found || noted == Some(phase) && !is_gone).then(|| Counter::whole(meter.node))
}

fn is_three(meter: &Metered) -> bool {
    meter.connection == Phases::Three || meter.phase == Some(FeederPhase::Three)
}

#[cfg(test)]
mod tests {
    use super::super::{Placed, Verdict};
    use super::*;
    use crate::{FeederId, NodeId, UtcSeconds, WattHours};
    use alloc::vec;

    fn layout(phases: &[Option<FeederPhase>]) -> Layout {
        let meter = |(id, phase): (u32, &Option<FeederPhase>)| Metered {
            node: NodeId(id),
            usage_point: UsagePointId(id),
            feeder: None,
            phase: *phase,
            connection: Phases::Single,
        };
        Layout {
            feeders: vec![(FeederId(1), NodeId(99))],
            meters: (1..).zip(phases).map(meter).collect(),
            lessons: Vec::new(),
        }
    }

    #[track_caller]
    fn check(
        phases: &[Option<FeederPhase>],
        placed: Option<(&[u32], &[u32])>,
        expected: (Option<Phase>, &[(u32, Option<Phase>)]),
    ) {
        let ids = |ids: &[u32]| ids.iter().map(|id| UsagePointId(*id)).collect();
        let report = LossReport {
            feeder: FeederId(1),
            phase: Some(Phase::B),
            at: UtcSeconds(0),
            since: UtcSeconds(0),
            going: true,
            watts: 0,
            energy: WattHours(0),
            verdict: Verdict::Tap,
            confidence_permille: 0,
            suspects: Vec::new(),
            evidence: Vec::new(),
            placed: placed.map(|(here, elsewhere)| Placed {
                here: ids(here),
                elsewhere: ids(elsewhere),
            }),
        };
        let compared = Compared::of(&layout(phases), &report).expect("the feeder has a meter");
        let meters = compared.meters.iter();
        let found: Vec<_> = meters.map(|(id, of)| (id.0, of.phase)).collect();
        assert_eq!((compared.phase, found.as_slice()), expected);
        assert_eq!(compared.feeder.phase, compared.phase);
    }

    #[test]
    fn a_phase_is_compared_with_what_hangs_on_it() {
        use FeederPhase::{A, B, Three};
        let b = Some(Phase::B);
        let noted = [Some(A), Some(B), Some(Three)];
        check(&noted, None, (b, &[(2, None), (3, b)]));
        // What the watch found goes before what is noted.
        check(&noted, Some((&[1], &[2])), (b, &[(1, None), (3, b)]));
        check(&[None, Some(B)], Some((&[], &[])), (b, &[(2, None)]));
        // Nobody knows where the first one hangs: the whole feeder.
        check(&[None, Some(B)], None, (None, &[(1, None), (2, None)]));
    }
}
