//! What is told apart beside a theft: its end, its return, its hours; the feeder meter; meters on another phase or feeder; what is known.

use crate::feeder::{DAY, Fault, Feeder, Theft};
use gateway_core::loss::{Evidence, Finding, Form, Kind, Known, Phase, Watch};
use gateway_core::{UsagePointId, UtcSeconds};

fn run(feeder: &Feeder, days: u64) -> Vec<Finding> {
    let mut watch = Watch::new(feeder.site());
    let rounds = feeder.rounds(days * DAY);
    rounds.iter().flat_map(|round| watch.step(round)).collect()
}

fn kinds(findings: &[Finding], wanted: impl Fn(Kind) -> bool) -> Vec<Finding> {
    let wanted = |finding: &&Finding| wanted(finding.kind);
    findings.iter().filter(wanted).cloned().collect()
}

const TAP: Theft = Theft::Tap { wh: 75 };

#[test]
fn a_loss_that_ends_is_over_and_one_that_comes_back_is_seen_again() {
    let feeder = Feeder {
        theft: Some((9 * DAY, TAP)),
        ends: Some(12 * DAY),
        ..Feeder::default()
    };
    let findings = run(&feeder, 17);
    let over = kinds(&findings, |kind| kind == Kind::Ended);
    assert_eq!(over.len(), 1, "{over:?}");
    let after = (over[0].since.0 - feeder.end_s(12 * DAY)) / 3600;
    assert!((-12..=12).contains(&after), "ended {after} h after it did");
    let late = findings.iter().filter(|finding| finding.at > over[0].at);
    assert_eq!(late.count(), 0, "nothing is left of it");
    let again = Feeder {
        theft: Some((9 * DAY, TAP)),
        ..Feeder::default()
    };
    assert!(kinds(&run(&again, 14), |kind| kind == Kind::Ended).is_empty());
}

#[test]
fn a_loss_that_recurs_only_at_night_is_said_to() {
    let night = Feeder {
        theft: Some((9 * DAY, Theft::NightTap { wh: 120 })),
        ..Feeder::default()
    };
    let has = |feeder: &Feeder, evidence: Evidence| {
        let findings = run(feeder, 14);
        findings.iter().any(|f| f.evidence.contains(&evidence))
    };
    assert!(has(&night, Evidence::RecursAtNight));
    let always = Feeder {
        theft: Some((9 * DAY, TAP)),
        ..Feeder::default()
    };
    assert!(!has(&always, Evidence::RecursAtNight));
}

/// The fault is found, and named; nobody is accused of a theft for it afterwards.
#[track_caller]
fn check_fault(fault: Fault, named: impl Fn(Kind) -> bool, phase: Phase) {
    for from in [0, 9 * DAY] {
        let feeder = Feeder {
            fault: Some((from, fault)),
            ..Feeder::default()
        };
        let findings = run(&feeder, 18);
        let found = kinds(&findings, &named);
        assert_eq!(found.len(), 1, "once, {fault:?} from {from}: {findings:?}");
        assert_eq!(found[0].phase, Some(phase), "{fault:?} from {from}");
        // A small house that moves at night may look like a tap where it went, until the morning.
        let may_seem = from > 0 && matches!(fault, Fault::Moved { .. });
        let thefts = kinds(&findings, Kind::is_loss);
        assert!(
            may_seem || thefts.is_empty(),
            "{fault:?} from {from}: {thefts:?}"
        );
    }
}

#[test]
fn a_feeder_meter_that_shows_too_little_is_named() {
    // At half of it no meter counts as much as is short.
    for percent in [80, 50] {
        check_fault(
            Fault::Ratio { percent },
            |kind| kind == Kind::FeederMeter,
            Phase::B,
        );
    }
}

#[test]
fn a_meter_on_another_phase_is_named() {
    let moved = |kind| {
        let (meter, to) = (UsagePointId(4), Some(Phase::C));
        kind == Kind::Misplaced { meter, to }
    };
    check_fault(Fault::Moved { meter: 4 }, moved, Phase::B);
}

#[test]
fn a_meter_on_another_feeder_is_named() {
    let gone = |kind| {
        let (meter, to) = (UsagePointId(7), None);
        kind == Kind::Misplaced { meter, to }
    };
    check_fault(Fault::Elsewhere { meter: 7 }, gone, Phase::B);
}

#[test]
fn what_people_found_out_is_not_found_again() {
    let feeder = Feeder {
        theft: Some((9 * DAY, TAP)),
        ..Feeder::default()
    };
    let told_at = feeder.end_s(12 * DAY);
    let run = |until: Option<i64>| {
        let mut watch = Watch::new(feeder.site());
        let mut after = Vec::new();
        for round in feeder.rounds(20 * DAY) {
            if round.end.0 == told_at {
                watch.teach(Known {
                    phase: Some(Phase::B),
                    form: Form::AroundTheClock,
                    from: UtcSeconds(feeder.end_s(9 * DAY)),
                    until: until.map(UtcSeconds),
                    watts: 300,
                    seen: UtcSeconds(told_at),
                });
            }
            let findings = watch.step(&round);
            let loss = |finding: &Finding| finding.kind == Kind::FeederLoss;
            after.extend(
                findings
                    .into_iter()
                    .filter(loss)
                    .filter(|f| f.at.0 > told_at),
            );
        }
        after
    };
    assert!(
        run(None).is_empty(),
        "the site is like that: {:?}",
        run(None)
    );
    // Confirmed and yet it goes on: it is a new one, since then.
    let again = run(Some(told_at));
    assert!(!again.is_empty());
    assert!((again[0].since.0 - told_at).abs() <= 12 * 3600, "{again:?}");
}
