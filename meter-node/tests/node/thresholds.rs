//! Every threshold and every persistence is the gateway's to set, and none is met by a single sample.

use crate::bench::{boot, load, report, supplied};
use meter_node::Measurement;
use prepaid_common::wire::{Command, Events, MOST_DOUBLINGS, Settings, doublings};

fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings {
        settings_id: 9,
        ..Settings::default()
    };
    change(&mut settings);
    settings
}

fn volts(voltage_in_dv: u16) -> Measurement {
    Measurement {
        voltage_in_dv,
        ..load(0)
    }
}

/// Seconds of `measurement` until `event`, under settings; none within half an hour.
fn seconds_until(event: Events, closed: bool, of: Measurement, settings: Settings) -> Option<u32> {
    let (mut node, mut gateway) = supplied(if closed { 1_000_000 } else { 0 }, 0);
    let command = Command {
        settings: Some(settings),
        ..Command::default()
    };
    gateway.command(&mut node, command).unwrap();
    // What a power cut forgets would be found here.
    let mut node = boot(node.into_storage());
    (1..=1_800).find(|_| {
        node.sample(1_000, &of);
        node.events().contains(event)
    })
}

/// Seconds until the event with the defaults, and with one of them changed.
fn check(event: Events, of: Measurement, changed: impl FnOnce(&mut Settings), expected: Expected) {
    let closed = event != Events::LOAD_VOLTAGE_WHILE_OPEN && event != Events::CURRENT_WHILE_OPEN;
    let changed = with(changed);
    let until = |settings| seconds_until(event, closed, of, settings);
    assert_eq!(
        (until(with(|_| {})), until(changed)),
        expected,
        "{event:?} {changed:?}"
    );
}

type Expected = (Option<u32>, Option<u32>);

#[test]
fn what_is_amiss_with_currents_and_registers_is_set_by_the_gateway() {
    let apart = Measurement {
        phase_current_ma: 10_000,
        neutral_current_ma: 9_300,
        ..load(2_300)
    };
    let (event, never) = (Events::PHASE_NEUTRAL_DIFFERENCE, (Some(60), None));
    check(event, apart, |s| s.difference_s = 9, (Some(60), Some(9)));
    check(event, apart, |s| s.difference_per_myriad = 800, never);
    check(event, apart, |s| s.difference_floor_ma = 800, never);
    let (event, back) = (Events::REVERSED, load(-60));
    check(event, back, |s| s.reversed_s = 6, (Some(60), Some(6)));
    check(event, back, |s| s.reversed_w = 100, never);
    check(event, back, |s| s.export_allowed = true, never);
    let frozen = Measurement {
        active_power_w: 0,
        ..load(2_300)
    };
    let (event, never) = (Events::FROZEN_REGISTER, (Some(600), None));
    check(event, frozen, |s| s.frozen_s = 30, (Some(600), Some(30)));
    check(event, frozen, |s| s.frozen_va = 4_000, never);
}

#[test]
fn what_is_amiss_behind_an_open_relay_is_set_by_the_gateway() {
    let behind = Measurement {
        voltage_out_dv: 600,
        ..load(0)
    };
    let through = Measurement {
        voltage_out_dv: 0,
        phase_current_ma: 150,
        ..load(0)
    };
    let (later, never) = ((Some(10), Some(30)), (Some(10), None));
    check(
        Events::LOAD_VOLTAGE_WHILE_OPEN,
        behind,
        |s| s.open_s = 30,
        later,
    );
    check(
        Events::LOAD_VOLTAGE_WHILE_OPEN,
        behind,
        |s| s.load_voltage_dv = 700,
        never,
    );
    check(
        Events::CURRENT_WHILE_OPEN,
        through,
        |s| s.open_s = 30,
        later,
    );
    check(
        Events::CURRENT_WHILE_OPEN,
        through,
        |s| s.open_current_ma = 200,
        never,
    );
}

#[test]
fn what_is_amiss_with_voltage_and_sensors_is_set_by_the_gateway() {
    let unfed = Measurement {
        voltage_in_dv: 0,
        phase_current_ma: 2_000,
        neutral_current_ma: 2_000,
        ..load(0)
    };
    let event = Events::CURRENT_WITHOUT_VOLTAGE;
    check(event, unfed, |s| s.difference_s = 12, (Some(60), Some(12)));
    check(event, unfed, |s| s.frozen_va = 600, (Some(60), None));
    check(event, unfed, |s| s.supply_low_dv = 3, (Some(60), None));
    // Steps of a second: 500 ms are three of them, as one counts for a third at most.
    let open = Measurement {
        cover_open: true,
        ..load(0)
    };
    let near = Measurement {
        magnet: true,
        ..load(0)
    };
    let slower = (Some(3), Some(8));
    check(Events::COVER_OPEN, open, |s| s.sensor_doublings = 4, slower);
    check(Events::MAGNET, near, |s| s.sensor_doublings = 4, slower);
    let (event, low) = (Events::SUPPLY_LOW, volts(1_599));
    check(
        event,
        low,
        |s| s.supply_low_doublings = 2,
        (Some(10), Some(40)),
    );
    check(event, low, |s| s.supply_low_dv = 1_500, (Some(10), None));
}

#[test]
fn a_brown_out_at_the_limit_is_told_once() {
    let (mut node, _) = supplied(1_000_000, 0);
    let low = |node: &meter_node::Node<_>| node.events().contains(Events::SUPPLY_LOW);
    for _ in 0..20 {
        // A start of eight seconds pulls the voltage down, and the quiet after it takes that back.
        (0..8).for_each(|_| node.sample(1_000, &volts(1_400)));
        assert!(!low(&node), "a motor's start");
        (0..8).for_each(|_| node.sample(1_000, &volts(2_300)));
    }
    node.sample(60_000, &volts(0));
    node.sample(60_000, &volts(0));
    assert!(!low(&node), "on two samples");
    (0..10).for_each(|_| node.sample(1_000, &volts(2_300)));
    (0..10).for_each(|_| node.sample(1_000, &volts(1_599)));
    assert!(low(&node));
    while let Some((counter, _)) = report(&mut node) {
        node.acknowledged(counter);
    }
    let mut told = node.uptime_s();
    for second in 0..1_200 {
        // Now and then below the limit, else above it by less than a sixteenth.
        node.sample(100, &volts(if second % 10 == 0 { 1_590 } else { 1_699 }));
        assert!(low(&node), "over, in step {second}");
        while let Some((counter, report)) = report(&mut node) {
            assert!(report.uptime_s >= told + 60, "told again");
            (told, _) = (report.uptime_s, node.acknowledged(counter));
        }
    }
    (0..9).for_each(|_| node.sample(1_000, &volts(1_700)));
    assert!(low(&node), "over too early");
    node.sample(1_000, &volts(1_700));
    assert!(!low(&node), "never over");
}

#[test]
fn doublings_travel_in_spare_bits_that_others_skip() {
    for (low, sensor) in (0..=MOST_DOUBLINGS).flat_map(|low| [(low, 0), (low, 3), (low, 7)]) {
        let settings = with(|s| {
            (s.supply_low_doublings, s.sensor_doublings) = (low, sensor);
            (s.export_allowed, s.press_resets_overload) = (low % 2 == 0, sensor == 3);
        });
        assert_eq!(Settings::from_bytes(&settings.to_bytes()), Ok(settings));
    }
    // What a gateway or node before this sent and stored: the same bytes, so that no node is told anew.
    assert_eq!(with(|_| {}).to_bytes().last(), Some(&0));
    for (wanted, times) in [
        (1, 0),
        (500, 0),
        (501, 1),
        (1_000, 1),
        (8_000, 4),
        (64_000, 7),
        (u32::MAX, 7),
    ] {
        assert_eq!(doublings(wanted, 500), times, "{wanted} ms");
    }
}
