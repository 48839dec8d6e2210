//! From readings at any time to registers at quarter-hours.

use gateway_core::event::{IntervalEnd, PhaseReading};
use gateway_core::loss::Settings;
use gateway_core::loss::live::Rounds;
use gateway_core::metering::LastReading;
use gateway_core::{NodeId, UtcSeconds, WattHours};

const QUARTER: i64 = 1_800_000_000 / 900 * 900;

fn last(at: i64, register: u64, intervals: &[(i64, u64)]) -> LastReading {
    let interval = |(end, register): &(i64, u64)| IntervalEnd {
        end: UtcSeconds(QUARTER + end),
        register: WattHours(*register),
    };
    let reading = serde_json::json!({
        "node": 1, "register": register, "export": 0, "power_w": null, "voltage_dv": 2301,
        "voltage_out_dv": null, "current_ma": null, "neutral_ma": null, "frequency_chz": null,
        "relay": null, "lease_id": null, "cutoff": null, "uptime_s": null, "boot_count": null,
        "tamper": 0, "frame_counter": null,
        "intervals": intervals.iter().map(interval).collect::<Vec<_>>(),
    });
    LastReading {
        at: UtcSeconds(QUARTER + at),
        over: None,
        dark_since: None,
        reading: serde_json::from_value(reading).expect("a reading"),
    }
}

/// Readings as seconds from the quarter-hour and registers; what is known of that quarter-hour.
#[track_caller]
fn check(readings: &[LastReading], known: Option<u64>) {
    let mut rounds = Rounds::new(&Settings::default(), 180);
    let mut before: Option<&LastReading> = None;
    for reading in readings {
        rounds.observe(before, reading);
        before = Some(reading);
    }
    assert!(rounds.due(UtcSeconds(QUARTER + 179)).is_empty(), "it waits");
    let due = rounds.due(UtcSeconds(QUARTER + 180));
    let of = |(node, sample): &(NodeId, gateway_core::loss::live::Sample)| {
        assert_eq!((*node, sample.decivolts), (NodeId(1), Some(2_301)));
        sample.register.0
    };
    let found = due.iter().find(|round| round.end.0 == QUARTER);
    assert_eq!(found.and_then(|round| round.samples.first()).map(of), known);
    assert!(rounds.due(UtcSeconds(i64::MAX)).is_empty(), "once");
}

#[test]
fn a_register_is_remembered_read_on_the_line_or_unknown() {
    check(&[last(-30, 100, &[]), last(30, 200, &[])], Some(150));
    check(&[last(-45, 100, &[]), last(15, 200, &[])], Some(200));
    check(
        &[last(-45, 100, &[]), last(45, 200, &[(0, 170)])],
        Some(170),
    );
    check(&[last(-400, 100, &[]), last(30, 200, &[])], None);
    check(&[last(-30, 200, &[]), last(30, 100, &[])], None);
    check(&[last(30, 100, &[])], None);
    check(&[last(30, 100, &[]), last(30, 100, &[])], None);
}

#[test]
fn waiting_rounds_are_bounded() {
    let mut rounds = Rounds::new(&Settings::default(), 3_600);
    let mut before = last(-30, 0, &[]);
    for quarter in 0..50 {
        let now = last(quarter * 900 + 30, 0, &[(quarter * 900, 0)]);
        rounds.observe(Some(&before), &now);
        before = now;
    }
    let due = rounds.due(UtcSeconds(0));
    assert_eq!(due.len(), 46, "an hour waits, the rest goes");
}

#[test]
fn the_phases_of_a_three_phase_meter_are_read_off_the_line_too() {
    let three = |at: i64, register: u64| {
        let mut last = last(at, register, &[]);
        last.reading.phases = Some(core::array::from_fn(|phase| PhaseReading {
            import: Some(WattHours(register + 1_000 * phase as u64)),
            ..PhaseReading::default()
        }));
        last
    };
    let phases = |readings: [LastReading; 2]| {
        let mut rounds = Rounds::new(&Settings::default(), 180);
        rounds.observe(None, &readings[0]);
        rounds.observe(Some(&readings[0]), &readings[1]);
        rounds.due(UtcSeconds(QUARTER + 180))[0].samples[0].1.phases
    };
    let known = Some([150, 1_150, 2_150].map(WattHours));
    assert_eq!(phases([three(-30, 100), three(30, 200)]), known);
    assert_eq!(phases([last(-30, 100, &[]), three(30, 200)]), None);
    let mut partly = three(-30, 100);
    partly.reading.phases.as_mut().expect("phases")[1].import = None;
    assert_eq!(phases([partly, three(30, 200)]), None);
}
