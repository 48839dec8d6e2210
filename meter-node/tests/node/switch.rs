//! The relay: open at exactly the cut-off, with or without a gateway.

use crate::bench::{Eeprom, boot, lease, load, report, supplied};
use prepaid_common::WattHours;
use prepaid_common::wire::{Command, Lease, SwitchMode, SwitchReason};

/// Runs at `power_w` in steps until the relay opens; the energy up to there in millijoules must be
/// `cutoff_wh` rounded up to a whole step, and not one step more.
fn check_cut(power_w: u32, step_ms: u32, cutoff_wh: u64) {
    let (mut node, _) = supplied(cutoff_wh, 0);
    node.disconnected();
    let power = load(i32::try_from(power_w).unwrap());
    let step_mj = u64::from(power_w) * u64::from(step_ms);
    let steps = (cutoff_wh * 3_600_000).div_ceil(step_mj);
    for step in 1..=steps {
        assert!(node.relay_is_closed(), "open before step {step} of {steps}");
        node.sample(step_ms, &power);
    }
    assert!(!node.relay_is_closed(), "still closed after {steps} steps");
    assert_eq!(node.switch_reason(), SwitchReason::LeaseExhausted);
    assert_eq!(
        node.import_register(),
        WattHours(steps * step_mj / 3_600_000)
    );
    let again = boot(node.into_storage());
    assert!(!again.relay_is_closed(), "a power cut gave supply back");
}

#[test]
fn cuts_in_the_step_that_reaches_the_cutoff() {
    for (power_w, step_ms, cutoff_wh) in [
        (3_600, 1_000, 1),
        (3_600, 1_000, 100),
        (7_200, 200, 33),
        (1, 1_000, 1),
        (24_999, 200, 500),
        (230, 9_999, 3),
        (1_000_000, 4_001, 5_000),
    ] {
        check_cut(power_w, step_ms, cutoff_wh);
    }
}

#[test]
fn without_a_lease_there_is_no_supply() {
    let mut node = boot(Eeprom::new());
    node.sample(1000, &load(0));
    assert!(!node.relay_is_closed());
    assert_eq!(node.switch_reason(), SwitchReason::NoLease);
}

#[test]
fn a_longer_lease_closes_at_once_and_a_shorter_one_opens_at_once() {
    let (mut node, mut gateway) = supplied(5, 0);
    for (id, lease_to, reason) in [
        (2, 0, SwitchReason::LeaseExhausted),
        (3, 9, SwitchReason::WithinLease),
        (4, 0, SwitchReason::LeaseExhausted),
    ] {
        gateway.lease(&mut node, lease(id, lease_to));
        assert_eq!(node.switch_reason(), reason);
        assert_eq!(node.relay_is_closed(), reason == SwitchReason::WithinLease);
    }
}

#[test]
fn modes_overrule_the_register() {
    let (mut node, mut gateway) = supplied(5, 0);
    for (id, mode, cutoff, closed) in [
        (2, SwitchMode::ForcedOff, 9, false),
        (3, SwitchMode::ForcedOn, 0, true),
    ] {
        gateway.lease(
            &mut node,
            Lease {
                mode,
                ..lease(id, cutoff)
            },
        );
        assert_eq!(node.relay_is_closed(), closed, "{mode:?}");
    }
}

#[test]
fn a_lease_survives_reboots_and_disconnections() {
    let (mut node, _) = supplied(1000, 0);
    node.sample(1000, &load(100));
    for boots in 2..300 {
        node = boot(node.into_storage());
        assert_eq!(node.boot_count(), boots);
        assert_eq!(node.lease(), Some(lease(1, 1000)));
        assert!(node.relay_is_closed());
    }
}

#[test]
fn the_load_limit_opens_for_a_while() {
    let (mut node, mut gateway) = supplied(1_000_000, 0);
    gateway.lease(
        &mut node,
        Lease {
            load_limit_w: 500,
            ..lease(2, 1_000_000)
        },
    );
    let (persistence_s, rest_s) = (30, 120);
    for _ in 1..persistence_s {
        node.sample(1000, &load(501));
        assert!(node.relay_is_closed());
    }
    node.sample(1000, &load(501));
    assert_eq!(node.switch_reason(), SwitchReason::LoadLimitTripped);
    for _ in 1..rest_s {
        node.sample(1000, &load(0));
        assert!(!node.relay_is_closed());
    }
    node.sample(1000, &load(0));
    assert!(node.relay_is_closed());
    for _ in 0..10 * persistence_s {
        node.sample(1000, &load(500));
        assert!(node.relay_is_closed(), "opened at the limit itself");
    }
}

#[test]
fn a_press_is_needed_where_the_lease_says_so_even_after_a_reboot() {
    let (mut node, mut gateway) = supplied(1000, 0);
    let pressing = |id, cutoff| Lease {
        press_to_reconnect: true,
        ..lease(id, cutoff)
    };
    gateway.lease(&mut node, pressing(2, 1000));
    assert!(node.relay_is_closed(), "it was closed before");
    gateway.lease(&mut node, pressing(3, 0));
    node.press();
    gateway.lease(&mut node, pressing(4, 1000));
    assert_eq!(
        node.switch_reason(),
        SwitchReason::WaitingForPress,
        "the press came too early"
    );
    let mut node = boot(node.into_storage());
    assert_eq!(node.switch_reason(), SwitchReason::WaitingForPress);
    node.press();
    assert!(node.relay_is_closed());
    assert!(
        boot(node.into_storage()).relay_is_closed(),
        "the press was forgotten"
    );
}

#[test]
fn a_change_of_the_relay_is_reported_at_once() {
    let (mut node, mut gateway) = supplied(1, 0);
    let (counter, first) = report(&mut node).expect("the report that confirms the session");
    assert_eq!(first.switch_reason, SwitchReason::WithinLease);
    node.acknowledged(counter);
    node.sample(1000, &load(3_599));
    // The sensors speak for the first time: voltage is there.
    while let Some((counter, _)) = report(&mut node) {
        node.acknowledged(counter);
    }
    node.sample(200, &load(3_600));
    let (_, cut) = report(&mut node).expect("an urgent report");
    assert_eq!(cut.switch_reason, SwitchReason::LeaseExhausted);
    assert_eq!(cut.import_register, WattHours(1));
    gateway.lease(&mut node, lease(2, 100));
    node.sample(100, &load(0));
    let (_, on) = report(&mut node).expect("another, though the first is not acknowledged");
    assert_eq!(
        (on.lease_id, on.switch_reason),
        (2, SwitchReason::WithinLease)
    );
    let interval = Command {
        report_interval_s: Some(2),
        ..Command::default()
    };
    gateway.command(&mut node, interval).unwrap();
    node.sample(1_999, &load(0));
    assert_eq!(report(&mut node), None);
}
