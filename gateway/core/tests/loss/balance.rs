//! What a feeder delivered against what its meters took.

use gateway_core::loss::Phase;
use gateway_core::loss::balance::{Counter, Registers};
use gateway_core::loss::live::{Round, Sample};
use gateway_core::{NodeId, UtcSeconds, WattHours};

const FEEDER: NodeId = NodeId(9);
const METERS: [NodeId; 2] = [NodeId(1), NodeId(2)];

/// Rounds as (moment, registers of feeder and meters with their export; nothing where missing).
type Line = (i64, [Option<(u64, u64)>; 3]);

/// The spans of an hour as (delivered, metered, guessed, missing).
#[track_caller]
fn check(lines: &[Line], expected: &[(Option<i64>, i64, i64, u32)]) {
    let round = |(end, registers): &Line| Round {
        end: UtcSeconds(*end),
        samples: [FEEDER, METERS[0], METERS[1]]
            .into_iter()
            .zip(registers)
            .filter_map(|(node, register)| {
                let (import, export) = (*register)?;
                let sample = Sample {
                    phases: None,
                    phase_decivolts: None,
                    register: WattHours(import),
                    export: WattHours(export),
                    decivolts: None,
                };
                Some((node, sample))
            })
            .collect(),
    };
    let rounds: Vec<_> = lines.iter().map(round).collect();
    let to = UtcSeconds(3_600 * i64::try_from(expected.len()).expect("few"));
    let (feeder, meters) = (Counter::whole(FEEDER), METERS.map(Counter::whole));
    let spans = Registers::of(&rounds).spans((feeder, &meters), (UtcSeconds(0), to), 3_600);
    let found: Vec<_> = spans
        .iter()
        .map(|s| (s.delivered, s.metered, s.guessed, s.missing))
        .collect();
    assert_eq!(found, expected);
}

fn all(feeder: u64, one: u64, two: u64) -> [Option<(u64, u64)>; 3] {
    [feeder, one, two].map(|register| Some((register, 0)))
}

#[test]
fn what_is_known_adds_up_and_what_is_not_is_named() {
    check(&[], &[(None, 0, 0, 2)]);
    check(
        &[(0, all(100, 10, 20)), (3_600, all(400, 110, 170))],
        &[(Some(300), 250, 0, 0)],
    );
    // Read off the line between rounds that lie close together, and not across a long gap.
    check(
        &[
            (0, all(0, 0, 0)),
            (3_000, all(300, 100, 150)),
            (4_200, all(420, 160, 210)),
        ],
        &[(Some(360), 310, 0, 0)],
    );
    check(
        &[(0, all(0, 0, 0)), (7_200, all(700, 100, 150))],
        &[(None, 0, 0, 2), (None, 0, 0, 2)],
    );
    // A meter that is missing counts with its mean; a replaced one is not known.
    let no_second = [Some((900, 0)), Some((300, 0)), None];
    check(
        &[
            (0, all(0, 0, 0)),
            (3_600, all(300, 100, 150)),
            (7_200, no_second),
        ],
        &[(Some(300), 250, 0, 0), (Some(600), 200, 150, 1)],
    );
    check(
        &[(0, all(500, 900, 0)), (3_600, all(800, 3, 100))],
        &[(Some(300), 100, 0, 1)],
    );
    // Sunshine counts negative.
    let sun = [Some((10, 40)), Some((0, 90)), Some((20, 0))];
    let dark = [Some((0, 0)), Some((0, 0)), Some((0, 0))];
    check(&[(0, dark), (3_600, sun)], &[(Some(-30), -70, 0, 0)]);
}

#[test]
fn a_phase_is_balanced_against_what_hangs_on_it() {
    let round = |end: i64, feeder: [u64; 3], three: [u64; 3], single: u64| {
        let sample = |phases: Option<[u64; 3]>, whole: u64| Sample {
            phases: phases.map(|all| all.map(WattHours)),
            phase_decivolts: None,
            register: WattHours(whole),
            export: WattHours(0),
            decivolts: None,
        };
        let samples = vec![
            (FEEDER, sample(Some(feeder), feeder.iter().sum())),
            (METERS[0], sample(Some(three), three.iter().sum())),
            (METERS[1], sample(None, single)),
        ];
        Round {
            end: UtcSeconds(end),
            samples,
        }
    };
    let rounds = [
        round(0, [500, 600, 700], [10, 20, 30], 40),
        round(3_600, [600, 900, 700], [20, 120, 30], 190),
    ];
    let on = |node, phase| Counter {
        node,
        phase: Some(phase),
    };
    let meters = [on(METERS[0], Phase::B), Counter::whole(METERS[1])];
    let span = (UtcSeconds(0), UtcSeconds(3_600));
    let spans = Registers::of(&rounds).spans((on(FEEDER, Phase::B), &meters), span, 3_600);
    assert_eq!((spans[0].delivered, spans[0].metered), (Some(300), 250));
}
