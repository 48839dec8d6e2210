//! Phases suggested from voltages.

use gateway_core::loss::Phase;
use gateway_core::loss::live::{Round, Sample};
use gateway_core::loss::suggest::{PhaseSuggestion, suggest};
use gateway_core::{NodeId, UtcSeconds, WattHours};

/// Numbers that look random and are always the same.
struct Noise(u64);

impl Noise {
    /// From -100 to 100.
    fn next(&mut self) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33).cast_signed() % 201 - 100
    }
}

/// Voltages of meters, each on a phase, with what they share (in percent) and their own fluctuation.
fn rounds(count: u32, phases: &[Phase], shared_percent: i64) -> Vec<Round> {
    let mut noise = Noise(7);
    let mut level = [2_300_i64; 3];
    (0..count)
        .map(|number| {
            for level in &mut level {
                *level = 2_300 + noise.next() / 3;
            }
            let sample = |(meter, phase): (u32, &Phase)| {
                let own = noise.next() / 3;
                let common = level[phase.index()] - 2_300;
                let volts =
                    2_300 + common * shared_percent / 100 + own * (100 - shared_percent) / 100;
                let sample = Sample {
                    register: WattHours(0),
                    export: WattHours(0),
                    decivolts: u16::try_from(volts).ok(),
                    phases: None,
                    phase_decivolts: None,
                };
                (NodeId(meter), sample)
            };
            Round {
                end: UtcSeconds(1_800_000_000 + i64::from(number) * 900),
                samples: (1..).zip(phases).map(sample).collect(),
            }
        })
        .collect()
}

const PHASES: [Phase; 6] = [Phase::A, Phase::B, Phase::C, Phase::A, Phase::B, Phase::C];

fn references(of: &[u32]) -> Vec<(NodeId, Phase)> {
    of.iter()
        .map(|node| (NodeId(*node), PHASES[*node as usize - 1]))
        .collect()
}

#[test]
fn the_phase_whose_meters_move_alike_is_suggested() {
    let rounds = rounds(400, &PHASES, 80);
    for (meter, expected) in PHASES.iter().enumerate().skip(3) {
        let meter = NodeId(u32::try_from(meter).unwrap() + 1);
        let found = suggest(&rounds, meter, &references(&[1, 2, 3]), None);
        let PhaseSuggestion::Likely {
            phase,
            likeness,
            changes,
        } = found
        else {
            panic!("{meter}: {found:?}");
        };
        assert_eq!((phase, changes), (*expected, 399), "{likeness:?}");
        assert_eq!(
            suggest(&rounds, meter, &references(&[1, 2, 3]), None),
            found
        );
        // Its own label is no evidence for itself.
        let with_itself = references(&[1, 2, 3, meter.0]);
        assert_eq!(suggest(&rounds, meter, &with_itself, None), found);
    }
}

#[test]
fn what_is_not_clear_is_not_suggested() {
    let clear = rounds(400, &PHASES, 80);
    let all = references(&[1, 2, 3]);
    // Voltages that have nothing to do with each other.
    let unrelated = suggest(&rounds(400, &PHASES, 0), NodeId(4), &all, None);
    assert!(
        matches!(unrelated, PhaseSuggestion::NotClear { .. }),
        "{unrelated:?}"
    );
    // Less than a day.
    let early = suggest(&clear[..60], NodeId(4), &all, None);
    assert_eq!(early, PhaseSuggestion::TooEarly { changes: 59 });
    // Nobody to compare with, or nobody to tell apart.
    assert_eq!(
        suggest(&clear, NodeId(4), &[], None),
        PhaseSuggestion::NoReferences
    );
    let one = references(&[1, 4]);
    assert_eq!(
        suggest(&clear, NodeId(4), &one, None),
        PhaseSuggestion::NoReferences
    );
    // A meter that tells no voltage.
    let silent = suggest(&clear, NodeId(99), &all, None);
    assert_eq!(silent, PhaseSuggestion::TooEarly { changes: 0 });
    // Two phases are enough to tell two apart; the third may be meant, so a weak likeness says nothing.
    let two = suggest(&clear, NodeId(6), &references(&[1, 2]), None);
    assert!(matches!(two, PhaseSuggestion::NotClear { .. }), "{two:?}");
    let two = suggest(&clear, NodeId(4), &references(&[1, 2]), None);
    assert!(
        matches!(
            two,
            PhaseSuggestion::Likely {
                phase: Phase::A,
                ..
            }
        ),
        "{two:?}"
    );
}

/// The same rounds with a feeder meter, number 90, that tells its phases; its register of phases is nobody's matter here.
fn with_feeder(rounds: &[Round], shared_percent: i64) -> Vec<Round> {
    let mut noise = Noise(11);
    let with = |round: &Round| {
        let volts = |meter: usize| i64::from(round.samples[meter].1.decivolts.expect("volts"));
        let mut tell = |meter: usize| {
            let common = (volts(meter) - 2_300) * shared_percent / 100;
            u16::try_from(2_310 + common + noise.next() / 20).expect("volts")
        };
        // The meters 1, 2 and 3 hang on A, B and C.
        let phases = [tell(0), tell(1), tell(2)];
        let sample = Sample {
            phase_decivolts: Some(phases),
            ..round.samples[0].1
        };
        let mut round = round.clone();
        round.samples.push((NodeId(90), sample));
        round
    };
    rounds.iter().map(with).collect()
}

#[test]
fn a_feeder_meter_that_tells_its_three_voltages_needs_nobody_whose_phase_is_set() {
    let rounds = with_feeder(&rounds(400, &PHASES, 80), 90);
    for (place, expected) in PHASES.iter().enumerate().skip(3) {
        let meter = NodeId(u32::try_from(place).unwrap() + 1);
        let alone = suggest(&rounds, meter, &[], Some(NodeId(90)));
        assert!(
            matches!(alone, PhaseSuggestion::Likely { phase, .. } if phase == *expected),
            "{meter}: {alone:?}"
        );
        let together = suggest(&rounds, meter, &references(&[1, 2, 3]), Some(NodeId(90)));
        assert_eq!(together.phase(), alone.phase());
    }
    let none = suggest(&rounds, NodeId(4), &[], Some(NodeId(1)));
    assert_eq!(none, PhaseSuggestion::NoReferences, "it tells one voltage");
}
