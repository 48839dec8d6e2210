//! The daemon's own half of the watch: who is watched, and what a tap in stored rounds amounts to.

use super::*;
use gateway_core::case::{Compared, MOST_SUSPECTS, Metered, Verdict};
use gateway_core::loss::Phase;
use gateway_core::loss::live::Sample;
use gateway_core::meter_link::FeederPhase;
use gateway_core::tariff::Phases;
use gateway_core::{FeederId, WattHours};

const METERS: u32 = 6;
const START_S: i64 = 1_767_225_600;

/// Energy of a meter: a base, and something that comes and goes in its own rhythm.
fn energy(meter: u32, interval: u32) -> u64 {
    let busy = (interval / (3 + meter)).is_multiple_of(4 + meter);
    u64::from(20 + 5 * meter) + if busy { u64::from(300 + 40 * meter) } else { 0 }
}

fn layout() -> Layout {
    let meter = |meter: u32| Metered {
        node: NodeId(meter),
        usage_point: UsagePointId(meter + 100),
        feeder: None,
        phase: None,
        connection: Phases::Single,
    };
    Layout {
        feeders: vec![(FeederId(1), NodeId(99))],
        meters: (0..METERS).map(meter).collect(),
        lessons: Vec::new(),
    }
}

/// Twelve days of rounds; from the tenth on so much is taken past the meters.
fn reports(stolen_wh: u64) -> Vec<LossReport> {
    let former = BTreeMap::new();
    let mut watched = Watched::new(&Ground::default(), &layout(), &former, &[]);
    let (mut registers, mut feeder) = ([1_000_u64; METERS as usize], 5_000);
    let sample = |register| Sample {
        register: WattHours(register),
        export: WattHours(0),
        decivolts: None,
        phases: None,
        phase_decivolts: None,
    };
    let mut reports = Vec::new();
    for interval in 0..12 * 96 {
        for meter in 0..METERS {
            let wh = energy(meter, interval);
            registers[meter as usize] += wh;
            feeder += wh + wh / 50;
        }
        feeder += if interval >= 10 * 96 { stolen_wh } else { 0 };
        let nodes = registers.iter().zip(0..);
        let mut samples: Vec<_> = nodes.map(|(wh, n)| (NodeId(n), sample(*wh))).collect();
        samples.push((NodeId(99), sample(feeder)));
        let end = UtcSeconds(START_S + 900 * i64::from(interval));
        reports.extend(watched.step(&Round { end, samples }));
    }
    reports
}

#[test]
fn a_tap_is_reported_and_an_honest_feeder_is_not() {
    let found = reports(75);
    let first = found.first().expect("a report");
    let begun = START_S + 10 * 86_400;
    assert!((begun..begun + 86_400).contains(&first.at.0), "{first:?}");
    assert_eq!((first.feeder, first.going), (FeederId(1), true));
    assert!((150..600).contains(&first.watts), "{first:?}");
    assert!(first.suspects.len() <= MOST_SUSPECTS);
    assert!(reports(0).is_empty());
}

#[test]
fn a_feeder_that_counts_its_phases_apart_is_balanced_by_phase() {
    let mut layout = layout();
    let one = Sample {
        register: WattHours(9),
        export: WattHours(0),
        decivolts: None,
        phases: None,
        phase_decivolts: None,
    };
    let apart = Sample {
        phases: Some([WattHours(3); 3]),
        ..one
    };
    let per_phase = |layout: &Layout, samples: &[(NodeId, Sample)]| {
        let round = Round {
            end: UtcSeconds(START_S),
            samples: samples.to_vec(),
        };
        let former = BTreeMap::new();
        let watched = Watched::new(&Ground::default(), layout, &former, &[round]);
        watched.observers[0].per_phase()
    };
    assert!(!per_phase(&layout, &[(NodeId(99), one)]));
    assert!(per_phase(&layout, &[(NodeId(99), apart), (NodeId(1), one)]));
    // A three-phase connection with one register for everything leaves only the total.
    layout.meters[1].connection = Phases::Three;
    assert!(!per_phase(
        &layout,
        &[(NodeId(99), apart), (NodeId(1), one)]
    ));
    assert!(per_phase(
        &layout,
        &[(NodeId(99), apart), (NodeId(1), apart)]
    ));
}

#[test]
fn several_feeders_are_watched_once_everybody_is_assigned() {
    let mut layout = layout();
    layout.feeders.push((FeederId(2), NodeId(98)));
    assert_eq!(layout.unassigned().len(), METERS as usize);
    let watched = |layout: &Layout| {
        let former = BTreeMap::new();
        Watched::new(&Ground::default(), layout, &former, &[])
            .observers
            .len()
    };
    assert_eq!(watched(&layout), 0);
    for (meter, feeder) in layout.meters.iter_mut().zip([1, 1, 2, 2, 1, 3]) {
        meter.feeder = Some(FeederId(feeder));
    }
    assert_eq!(layout.unassigned(), [UsagePointId(105)]);
    layout.meters[5].feeder = Some(FeederId(2));
    assert_eq!(watched(&layout), 2);
    assert_eq!(layout.on(FeederId(2)).len(), 3);
    layout.feeders.clear();
    assert_eq!(watched(&layout), 0);
}

/// A feeder that counts its phases apart; meter n hangs on phase n mod 3. Nobody has noted the phase of the first, and that of the second is
/// noted wrongly.
#[test]
fn a_report_says_who_hangs_elsewhere_than_noted() {
    let mut layout = layout();
    let noted = [FeederPhase::A, FeederPhase::B, FeederPhase::C];
    for (place, meter) in layout.meters.iter_mut().enumerate() {
        meter.phase = match place {
            0 => None,
            1 => Some(FeederPhase::C),
            _ => Some(noted[place % 3]),
        };
    }
    let sample = |register, phases| Sample {
        register: WattHours(register),
        export: WattHours(0),
        decivolts: None,
        phases,
        phase_decivolts: None,
    };
    let (mut registers, mut feeder) = ([1_000_u64; METERS as usize], [5_000_u64; 3]);
    let mut rounds = Vec::new();
    for interval in 0..12 * 96 {
        for meter in 0..METERS {
            let wh = energy(meter, interval);
            registers[meter as usize] += wh;
            feeder[meter as usize % 3] += wh + wh / 50;
        }
        feeder[1] += if interval >= 10 * 96 { 75 } else { 0 };
        let nodes = registers.iter().zip(0..);
        let mut samples: Vec<_> = nodes
            .map(|(wh, n)| (NodeId(n), sample(*wh, None)))
            .collect();
        let all = sample(feeder.iter().sum(), Some(feeder.map(WattHours)));
        samples.push((NodeId(99), all));
        let end = UtcSeconds(START_S + 900 * i64::from(interval));
        rounds.push(Round { end, samples });
    }
    let former = BTreeMap::new();
    let mut watched = Watched::new(&Ground::default(), &layout, &former, &rounds);
    let found: Vec<_> = rounds
        .iter()
        .flat_map(|round| watched.step(round))
        .collect();
    let wrong = found
        .iter()
        .find(|report| report.verdict == Verdict::WrongPhase);
    let wrong = wrong.expect("a wrong label");
    let placed = wrong.placed.as_ref().expect("phases");
    assert_eq!(placed.elsewhere, [UsagePointId(101)]);
    let lost = found.iter().find(|report| report.phase == Some(Phase::B));
    let lost = lost.expect("a loss on phase B");
    let placed = lost.placed.as_ref().expect("phases");
    assert_eq!(placed.here, [UsagePointId(101)]);
    let ids = |report: &LossReport| -> Vec<u32> {
        let compared = Compared::of(&layout, report).expect("a feeder");
        compared.meters.iter().map(|(id, _)| id.0).collect()
    };
    assert_eq!((ids(lost), ids(wrong)), (vec![101, 104], vec![102, 105]));
}
