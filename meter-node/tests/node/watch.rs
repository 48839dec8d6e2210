//! Tamper detection, the load profile, and what is refused.

use crate::bench::{Eeprom, Gateway, KEY, NODE, boot, lease, load, report, supplied};
use meter_node::{Measurement, Received};
use prepaid_common::wire::{
    Command, CommandResult, Counter, Events, FrameRejection, MAX_FRAME, Message, TimeSignal,
};
use prepaid_common::{UtcSeconds, WattHours};

/// The condition must not be an event one step before `seconds`, must be one after, and must stay
/// when it ends.
fn check_tamper(event: Events, closed: bool, seconds: u32, measurement: Measurement) {
    let (mut node, mut gateway) = supplied(if closed { 1_000_000 } else { 0 }, 0);
    for _ in 1..seconds {
        node.sample(1000, &measurement);
        assert!(!node.events().contains(event), "too early");
    }
    node.sample(1000, &measurement);
    assert!(node.events().contains(event), "{event:?} after {seconds} s");
    node.sample(1000, &load(0));
    let mut node = boot(node.into_storage());
    assert!(node.events().contains(event), "forgotten over a reboot");
    gateway.connect(&mut node, 0, Command::default());
    let clear = Command {
        clear_tamper: Some(event),
        ..Command::default()
    };
    gateway.command(&mut node, clear).unwrap();
    assert!(!node.events().contains(event), "not cleared");
}

#[test]
fn conditions_become_events_when_they_last() {
    let difference = |a, b| Measurement {
        phase_current_ma: a,
        neutral_current_ma: b,
        ..load(2_300)
    };
    let open = Measurement {
        voltage_out_dv: 501,
        ..load(0)
    };
    let current = Measurement {
        voltage_out_dv: 0,
        phase_current_ma: 101,
        ..load(0)
    };
    let frozen = Measurement {
        active_power_w: 0,
        ..load(2_300)
    };
    let cases = [
        (
            Events::PHASE_NEUTRAL_DIFFERENCE,
            true,
            60,
            difference(10_000, 9_374),
        ),
        (
            Events::PHASE_NEUTRAL_DIFFERENCE,
            true,
            60,
            difference(0, 101),
        ),
        (Events::LOAD_VOLTAGE_WHILE_OPEN, false, 10, open),
        (Events::CURRENT_WHILE_OPEN, false, 10, current),
        (Events::REVERSED, true, 60, load(-51)),
        (Events::FROZEN_REGISTER, true, 600, frozen),
        (
            Events::COVER_OPEN,
            true,
            3,
            Measurement {
                cover_open: true,
                ..load(0)
            },
        ),
        (
            Events::MAGNET,
            true,
            3,
            Measurement {
                magnet: true,
                ..load(0)
            },
        ),
    ];
    for (event, closed, seconds, measurement) in cases {
        check_tamper(event, closed, seconds, measurement);
    }
}

#[test]
fn an_honest_household_raises_nothing() {
    let (mut node, mut gateway) = supplied(1_000_000, 1_800_000);
    gateway
        .command(
            &mut node,
            Command {
                clear_tamper: Some(Events::LATCHED),
                ..Command::default()
            },
        )
        .unwrap();
    for second in 0..7200 {
        let mut honest = load([0, 60, 2_300, 7_000][second % 4]);
        honest.neutral_current_ma -= honest.neutral_current_ma / 17;
        node.sample(1000, &honest);
    }
    assert_eq!(node.events(), Events::NONE);
}

/// Registers the gateway learnt, by interval end, while the link is up only when `connected` says
/// so.
fn check_profile(hours: u32, connected: impl Fn(u32) -> bool, expected: usize) {
    let start = 1_800_000_000;
    let (mut node, mut gateway) = supplied(10_000_000, start);
    let mut learnt = std::collections::BTreeMap::new();
    let mut was_connected = true;
    for minute in 0..hours * 60 {
        if connected(minute) && !was_connected {
            gateway.connect(
                &mut node,
                start + i64::from(minute) * 60,
                Command::default(),
            );
        } else if !connected(minute) {
            node.disconnected();
        }
        was_connected = connected(minute);
        node.sample(60_000, &load(6_000));
        while let Some((counter, report)) = report(&mut node) {
            node.acknowledged(counter);
            for (end, register) in report.intervals.iter().flat_map(|run| run.registers()) {
                assert_eq!(
                    *learnt.entry(end).or_insert(register),
                    register,
                    "at {end:?}"
                );
            }
        }
    }
    for (end, register) in &learnt {
        // 6 kW are 100 Wh a minute.
        let minutes = u64::try_from(end.0 - start).unwrap() / 60;
        assert_eq!(*register, WattHours(minutes * 100), "at {end:?}");
    }
    assert_eq!(learnt.len(), expected);
}

#[test]
fn a_lost_day_keeps_its_profile() {
    check_profile(10, |_| true, 20);
    check_profile(10, |minute| minute > 540, 20);
    check_profile(24, |minute| minute > 1400, 48);
    // A day is kept: 49 ends of 48 intervals. The fiftieth passes while connected.
    check_profile(72, |minute| minute > 4300, 50);
}

#[test]
fn a_drifted_clock_is_corrected_and_a_wrong_one_starts_anew() {
    for (step_s, kept) in [(-400, true), (400, true), (-4000, false), (4000, false)] {
        let (mut node, mut gateway) = supplied(10_000_000, 1_800_000_000);
        for _ in 0..120 {
            node.sample(60_000, &load(6_000));
        }
        let utc = UtcSeconds(node.utc().unwrap().0 + step_s);
        let time = Some(TimeSignal { utc, trusted: true });
        gateway
            .command(
                &mut node,
                Command {
                    time,
                    ..Command::default()
                },
            )
            .unwrap();
        assert_eq!(node.utc(), Some(utc));
        let untrusted = Some(TimeSignal {
            utc: UtcSeconds(5),
            trusted: false,
        });
        gateway
            .command(
                &mut node,
                Command {
                    time: untrusted,
                    ..Command::default()
                },
            )
            .unwrap();
        assert_eq!(node.utc(), Some(utc), "an untrusted time was believed");
        let (_, report) = report(&mut node).expect("the first report");
        assert_eq!(report.intervals.is_some(), kept, "a step of {step_s} s");
    }
}

#[test]
fn a_critical_item_is_refused_and_the_refusal_reported() {
    let (mut node, mut gateway) = supplied(1000, 0);
    let (counter, _) = report(&mut node).unwrap();
    node.acknowledged(counter);
    // A control character is not text: the lease beside it is not taken either.
    let text = prepaid_common::wire::Short::new(b"\x07");
    let command = Command {
        lease: Some(lease(9, 5)),
        text,
        ..Command::default()
    };
    assert_eq!(
        gateway.command(&mut node, command),
        Err(FrameRejection::ValueOutOfRange)
    );
    assert_eq!(node.lease(), Some(lease(1, 1000)));
    node.sample(60_000, &load(0));
    let (_, report) = report(&mut node).unwrap();
    let rejection_code = Some(FrameRejection::ValueOutOfRange.code());
    let expected = CommandResult {
        counter: gateway.counter,
        rejection_code,
    };
    assert_eq!(report.command_result, Some(expected));
}

#[test]
fn keypad_digits_travel_until_they_are_stored() {
    let (mut node, _) = supplied(1000, 0);
    assert!(!node.typed(b"12a4") && !node.typed(b"") && !node.typed(&[b'1'; 21]));
    assert!(node.typed(b"01234567890123456789"));
    assert!(!node.typed(b"1"), "the first still waits");
    let (_, first) = report(&mut node).unwrap();
    node.sample(15_000, &load(0));
    let (counter, second) = report(&mut node).expect("a new report after the timeout");
    assert_eq!(first.keypad, second.keypad);
    assert_eq!(
        second.keypad.unwrap().as_str(),
        Some("01234567890123456789")
    );
    node.acknowledged(counter);
    node.sample(60_000, &load(0));
    assert_eq!(report(&mut node).unwrap().1.keypad, None);
}

#[test]
fn a_node_that_is_told_what_is_stored_does_not_take_the_transports_word() {
    for (told, forgets) in [(None, true), (Some(Counter::ZERO), false)] {
        let (mut node, mut gateway) = (boot(Eeprom::new()), Gateway::new());
        let command = Command {
            acknowledged: told,
            ..Command::default()
        };
        gateway.connect(&mut node, 0, command);
        assert!(node.typed(b"123"));
        let (counter, first) = report(&mut node).unwrap();
        assert!(first.keypad.is_some());
        node.acknowledged(counter);
        assert_eq!(node.typed(b"4"), forgets, "after PUBACK, told {told:?}");
        let stored = Command {
            acknowledged: Some(counter),
            ..Command::default()
        };
        assert_eq!(gateway.command(&mut node, stored), Ok(Received::Commanded));
        assert_eq!(
            node.typed(b"4"),
            !forgets,
            "after ACKNOWLEDGED, told {told:?}"
        );
    }
}

#[test]
fn altered_and_recorded_commands_are_refused_by_name() {
    let (mut node, mut gateway) = supplied(1000, 0);
    let mut recorded = [0; MAX_FRAME];
    let command = Command {
        lease: Some(lease(5, 99)),
        ..Command::default()
    };
    gateway.lease(&mut node, lease(4, 50));
    let envelope = prepaid_common::wire::Envelope {
        node: NODE,
        counter: gateway.counter.next().unwrap(),
        session: gateway.session,
    };
    let length = command
        .encode_and_seal(envelope, &KEY, &mut recorded)
        .unwrap();
    let mut deliver = |frame: &[u8]| node.received(&mut frame.to_vec());
    for bit in 0..length * 8 {
        let mut altered = recorded[..length].to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        deliver(&altered).expect_err("an altered frame");
    }
    for cut in 0..length {
        deliver(&recorded[..cut]).expect_err("a cut frame");
    }
    assert_eq!(deliver(&recorded[..length]), Ok(Received::Commanded));
    assert_eq!(deliver(&recorded[..length]), Ok(Received::Duplicate));
    gateway.counter = envelope.counter;
    gateway.lease(&mut node, lease(6, 98));
    assert_eq!(
        node.received(&mut recorded[..length].to_vec()),
        Err(FrameRejection::Replayed)
    );
    let mut node = boot(node.into_storage());
    gateway.connect(&mut node, 0, Command::default());
    assert_eq!(
        node.received(&mut recorded[..length].to_vec()),
        Err(FrameRejection::StaleSession)
    );
    assert_eq!(node.lease(), Some(lease(6, 98)));
    let mut stranger = boot(Eeprom::new());
    assert_eq!(
        stranger.received(&mut recorded[..length].to_vec()),
        Err(FrameRejection::StaleSession)
    );
}
