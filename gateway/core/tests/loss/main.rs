//! The watch over a feeder made here, whose truth is known to the watt-hour.

mod balance;
mod course;
mod feeder;
mod live;
mod suggest;

use feeder::{DAY, Feeder, Theft};
use gateway_core::loss::{Evidence, Finding, Interval, Kind, Phase, Settings, Watch};
use gateway_core::{UsagePointId, UtcSeconds};

/// Day the thefts begin.
const BEGINS: u64 = 9;
/// Days of a run.
const DAYS: u64 = 11;

/// What a run has to end with.
enum Says {
    Nothing,
    /// A loss within so many hours, on this phase if one is known; this meter first among the meters, if one.
    Loss {
        hours: i64,
        phase: Option<Phase>,
        first: Option<u32>,
    },
}

fn run(feeder: &Feeder) -> (Watch, Vec<Finding>) {
    let mut watch = Watch::new(feeder.site());
    let rounds = feeder.rounds(DAYS * DAY);
    let findings = rounds.iter().flat_map(|round| watch.step(round)).collect();
    (watch, findings)
}

fn best_meter(findings: &[Finding]) -> Option<u32> {
    let meter = |finding: &Finding| match finding.kind {
        Kind::Meter { meter } => Some((finding.confidence_permille, meter.0)),
        _ => None,
    };
    findings
        .iter()
        .filter_map(meter)
        .max()
        .map(|(_, meter)| meter)
}

fn check(name: &str, feeder: &Feeder, says: Says) {
    let (_, findings) = run(feeder);
    match says {
        // Wrong labels are told as such.
        Says::Nothing => assert!(
            !findings.iter().any(|finding| finding.kind.is_loss()),
            "{name}: {findings:?}"
        ),
        Says::Loss {
            hours,
            phase,
            first,
        } => {
            let begun = feeder.end_s(BEGINS * DAY);
            let is_loss = |finding: &&Finding| finding.kind.is_loss();
            let findings: Vec<Finding> = findings.iter().filter(is_loss).cloned().collect();
            assert!(!findings.is_empty(), "{name}: nothing found");
            let alarm = &findings[0];
            let after = (alarm.at.0 - begun) / 3600;
            assert!((0..=hours).contains(&after), "{name}: {after} h");
            assert_eq!(alarm.phase, phase, "{name}");
            assert!(
                alarm.since.0 <= alarm.at.0 && !alarm.evidence.is_empty(),
                "{name}"
            );
            if first.is_some() {
                assert_eq!(best_meter(&findings), first, "{name}: {findings:#?}");
            }
        }
    }
}

fn stolen(theft: Theft) -> Feeder {
    Feeder {
        theft: Some((BEGINS * DAY, theft)),
        ..Feeder::default()
    }
}

#[test]
fn an_honest_feeder_is_silent_whatever_its_readings_are_like() {
    check("plain", &Feeder::default(), Says::Nothing);
    check(
        "another year",
        &Feeder {
            seed: 77,
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "many missing",
        &Feeder {
            missing_permille: 80,
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "offline a night",
        &Feeder {
            offline: Some((3, 850, 890)),
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "replaced",
        &Feeder {
            replaced: Some((4, 900)),
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "total only",
        &Feeder {
            total_only: true,
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "labels swapped",
        &Feeder {
            swapped: true,
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "no voltages",
        &Feeder {
            volts: false,
            ..Feeder::default()
        },
        Says::Nothing,
    );
    check(
        "late clock",
        &Feeder {
            late_s: 20,
            ..Feeder::default()
        },
        Says::Nothing,
    );
}

#[test]
fn a_tap_is_found_on_its_phase() {
    let tap = || stolen(Theft::Tap { wh: 75 });
    let on_b = Says::Loss {
        hours: 8,
        phase: Some(Phase::B),
        first: None,
    };
    check("300 W", &tap(), on_b);
    let anywhere = Says::Loss {
        hours: 24,
        phase: None,
        first: None,
    };
    check(
        "total only",
        &Feeder {
            total_only: true,
            ..tap()
        },
        anywhere,
    );
}

#[test]
fn the_meter_that_takes_a_part_is_named() {
    let half = || {
        stolen(Theft::Part {
            meter: 4,
            percent: 50,
        })
    };
    let named = || Says::Loss {
        hours: 24,
        phase: Some(Phase::B),
        first: Some(4),
    };
    check("plain", &half(), named());
    check(
        "no voltages",
        &Feeder {
            volts: false,
            ..half()
        },
        named(),
    );
    check(
        "labels swapped",
        &Feeder {
            swapped: true,
            ..half()
        },
        named(),
    );
    check(
        "late clock",
        &Feeder {
            late_s: 20,
            ..half()
        },
        named(),
    );
}

#[test]
fn a_register_that_stands_is_named() {
    let stuck = stolen(Theft::Part {
        meter: 7,
        percent: 0,
    });
    check(
        "stuck",
        &stuck,
        Says::Loss {
            hours: 24,
            phase: Some(Phase::B),
            first: Some(7),
        },
    );
    let (_, findings) = run(&stuck);
    let stands = |finding: &Finding| {
        finding
            .evidence
            .contains(&Evidence::LossWhileRegisterStands)
    };
    assert!(findings.iter().any(stands));
}

#[test]
fn wrong_and_absent_phase_labels_are_found_out() {
    let (watch, _) = run(&Feeder {
        swapped: true,
        ..Feeder::default()
    });
    let wrong: Vec<_> = watch
        .phases()
        .into_iter()
        .filter(|check| check.noted != Some(check.found))
        .collect();
    assert_eq!(
        wrong.iter().map(|check| check.meter.0).collect::<Vec<_>>(),
        [0, 1]
    );
    let feeder = Feeder {
        labels: false,
        ..Feeder::default()
    };
    let (watch, _) = run(&feeder);
    for (meter, check) in watch.phases().into_iter().enumerate() {
        assert_eq!(check.found.index(), meter % 3);
    }
}

#[test]
fn the_same_rounds_give_the_same_findings_and_later_ones_change_nothing_said() {
    let feeder = stolen(Theft::Tap { wh: 75 });
    let (_, whole) = run(&feeder);
    assert_eq!(whole, run(&feeder).1);
    let mut watch = Watch::new(feeder.site());
    let until = (BEGINS + 1) * DAY;
    let rounds = feeder.rounds(DAYS * DAY);
    let cut: Vec<Finding> = rounds
        .iter()
        .take_while(|round| round.end.0 < feeder.end_s(until))
        .flat_map(|round| watch.step(round))
        .collect();
    assert_eq!(cut, whole[..cut.len()]);
    assert!(!cut.is_empty());
}

#[test]
fn a_theft_after_more_than_a_month_with_a_second_learning_in_between_is_found() {
    let theft = Some((38 * DAY, Theft::Tap { wh: 75 }));
    let feeder = Feeder {
        theft,
        ..Feeder::default()
    };
    let mut watch = Watch::new(feeder.site());
    let rounds = feeder.rounds(39 * DAY);
    let findings: Vec<Finding> = rounds.iter().flat_map(|round| watch.step(round)).collect();
    let after = (findings[0].at.0 - feeder.end_s(38 * DAY)) / 3600;
    assert!((0..=8).contains(&after), "{after} h");
}

#[test]
fn nonsense_is_survived() {
    let feeder = Feeder::default();
    let mut watch = Watch::new(feeder.site());
    let mut rounds = feeder.rounds(8 * DAY);
    for (at, round) in rounds.iter_mut().enumerate() {
        match at % 97 {
            5 => round.meters.clear(),
            11 => round
                .meters
                .iter_mut()
                .for_each(|meter| meter.register = None),
            17 => round.meters[2].register = Some(gateway_core::WattHours(u64::MAX)),
            23 => round.end = UtcSeconds(i64::MIN),
            29 => round.meters[1].decivolts = Some(u32::MAX),
            31 => round.feeder = None,
            _ => {}
        }
    }
    for round in &rounds {
        watch.step(round);
    }
    let nobody = gateway_core::loss::Site {
        meters: Vec::new(),
        unmetered: Vec::new(),
        settings: Settings::default(),
    };
    let mut watch = Watch::new(nobody);
    for round in &rounds {
        watch.step(&Interval {
            meters: Vec::new(),
            ..round.clone()
        });
    }
    let never_read = Feeder {
        missing_permille: 1000,
        ..Feeder::default()
    };
    assert!(run(&never_read).1.is_empty());
    assert_eq!(feeder.site().meters[0].id, UsagePointId(0));
}
