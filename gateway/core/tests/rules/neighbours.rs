//! Supply voltage missing at one connection while its neighbours have theirs.

use crate::site::{NODE, POINT, Site, reading};
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::meter_link::{FeederPhase, PointSetting};
use gateway_core::{Command, Event, NodeId, UsagePointId};

const ALARM: (AlarmKind, Subject) = (AlarmKind::SupplyMissing, Subject::UsagePoint(POINT));

/// A site of so many connections; the phases of those that are noted.
fn street(phases: &[Option<FeederPhase>]) -> Site {
    let mut site = Site::empty();
    for (id, phase) in (1..).zip(phases) {
        site.add_point(UsagePointId(id), NodeId(id));
        if phase.is_some() {
            let set = Command::SetPoint {
                usage_point: Some(UsagePointId(id)),
                setting: PointSetting::Phase { phase: *phase },
                by: "asha".into(),
            };
            site.command(set).expect("the phase");
        }
    }
    site
}

/// Everybody is read once a minute; `volts` of each, in tenths, nothing: silent.
fn minutes(site: &mut Site, count: u32, volts: &[Option<u16>]) {
    for _ in 0..count {
        site.now += 60;
        for (node, volts) in (1..).zip(volts) {
            let Some(volts) = volts else { continue };
            let mut reading = reading(NodeId(node), 100);
            reading.voltage_dv = Some(*volts);
            site.event(&Event::Reading(reading)).expect("a reading");
        }
    }
}

#[test]
fn only_what_is_missing_at_one_and_there_at_the_others_is_said() {
    use FeederPhase::{A, B};
    let none = [None; 4];
    let check =
        |phases: &[Option<FeederPhase>], minutes_of: u32, volts: &[Option<u16>], expected| {
            let mut site = street(phases);
            minutes(&mut site, 2, &vec![Some(2_300); phases.len()]);
            minutes(&mut site, minutes_of, volts);
            assert_eq!(
                site.state.alarms.contains_key(&ALARM),
                expected,
                "{phases:?} {minutes_of} {volts:?}"
            );
        };
    let dark = [Some(20), Some(2_310), Some(2_290), Some(2_300)];
    check(&none, 1, &dark, false);
    check(&none, 2, &dark, false);
    check(&none, 4, &dark, true);
    // All of them, a neighbour too where no phase is noted, and neighbours that are silent.
    check(&none, 9, &[Some(20); 4], false);
    check(
        &none,
        9,
        &[Some(20), Some(30), Some(2_300), Some(2_300)],
        false,
    );
    check(&none, 9, &[Some(20), None, None, None], false);
    check(&none, 9, &[Some(20), Some(2_300), None, None], false);
    // Low is not missing.
    check(
        &none,
        9,
        &[Some(1_500), Some(2_310), Some(2_290), Some(2_300)],
        false,
    );
    // Another phase tells nothing.
    let phases = [Some(A), Some(B), Some(B), Some(B)];
    check(&phases, 9, &dark, false);
    let phases = [Some(A), Some(A), Some(A), Some(B)];
    check(&phases, 9, &dark, true);
    check(
        &phases,
        9,
        &[Some(20), Some(2_300), Some(2_300), Some(0)],
        true,
    );
}

#[test]
fn a_gap_begins_anew_and_the_alarm_ends_with_the_voltage() {
    let mut site = street(&[None; 3]);
    let (dark, light) = ([Some(0), Some(2_300), Some(2_300)], [Some(2_300); 3]);
    for _ in 0..5 {
        minutes(&mut site, 2, &dark);
        minutes(&mut site, 1, &light);
    }
    assert!(!site.state.alarms.contains_key(&ALARM), "never long enough");
    minutes(&mut site, 6, &dark);
    let alarm = &site.state.alarms[&ALARM];
    assert!(
        alarm.details.contains("2 of 2 neighbours have 230 V"),
        "{}",
        alarm.details
    );
    let before = site.journal.len();
    minutes(&mut site, 6, &dark);
    assert_eq!(site.journal.len(), before, "said once");
    minutes(&mut site, 1, &light);
    assert!(site.state.alarms[&ALARM].cleared);
    assert!(site.point().supply.in_force().is_empty() || site.state.readings.contains_key(&NODE));
}

#[test]
fn a_site_says_how_long_it_must_be_missing_or_never_hears_of_it() {
    for (minutes_set, minutes_of, expected) in [(10, 9, false), (10, 12, true), (0, 60, false)] {
        let mut site = street(&[None; 3]);
        site.rules.tamper.supply_missing_min = minutes_set;
        minutes(&mut site, minutes_of, &[Some(0), Some(2_300), Some(2_300)]);
        let raised = site.state.alarms.contains_key(&ALARM);
        assert_eq!(raised, expected, "{minutes_of} of {minutes_set} minutes");
    }
}
