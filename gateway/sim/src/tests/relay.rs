//! The relay, what passes it too late, and how that is counted.

use super::*;
use prepaid_common::wire::SwitchReason;

/// 3,600 W are one watt-hour a second, 0.05 Wh a step.
const WATTS: u32 = 3_600;
const MWH_A_STEP: u64 = 50;

#[test]
fn cuts_at_the_cutoff_and_knows_since_when() {
    let mut meter = meter(Kind::Premises);
    assert!(
        run(&mut meter, WATTS, 1_000).is_empty(),
        "no lease, no supply"
    );
    assert_eq!(meter.truth().delivered_mwh(), 0);
    lend(&mut meter, 10);
    let closed = meter.relay_change().expect("the lease closes the relay");
    assert!(closed.closed && !closed.after_credit);
    let changes = run(&mut meter, WATTS, 20_000);
    let [opened] = changes[..] else {
        panic!("one opening, not {changes:?}")
    };
    assert_eq!(opened.reason, SwitchReason::LeaseExhausted);
    assert_eq!(opened.register, WattHours(10));
    assert!(
        opened
            .since_run_out_us
            .is_some_and(|us| us < u64::from(STEP_MS) * 1000)
    );
    assert_eq!(meter.truth().delivered_mwh(), 10_000);
    assert!(meter.truth().max_overshoot_mwh() < MWH_A_STEP);
    lend(&mut meter, 12);
    let closed = meter
        .relay_change()
        .expect("the longer lease closes it again");
    assert!(closed.closed && closed.after_credit);
}

#[test]
fn a_load_between_the_steps_overshoots_less_than_one_step() {
    let mut meter = meter(Kind::Premises);
    lend(&mut meter, 3);
    run(&mut meter, 2_999, 10_000);
    let over_mwh = meter.truth().max_overshoot_mwh();
    assert!((1..MWH_A_STEP).contains(&over_mwh), "{over_mwh} mWh");
}

#[test]
fn a_welded_contact_shows_as_overshoot() {
    let mut meter = meter(Kind::Premises);
    meter.weld(true);
    lend(&mut meter, 10);
    let changes = run(&mut meter, WATTS, 20_000);
    assert!(
        changes.iter().any(|change| !change.closed),
        "the node has opened it"
    );
    assert_eq!(meter.truth().max_overshoot_mwh(), 10_000);
}

#[test]
fn a_lease_taken_back_is_no_overshoot() {
    let mut meter = meter(Kind::Premises);
    lend(&mut meter, 100);
    run(&mut meter, WATTS, 20_000);
    lend(&mut meter, 5);
    run(&mut meter, WATTS, 20_000);
    assert_eq!(meter.truth().delivered_mwh(), 20_000);
    assert_eq!(meter.truth().max_overshoot_mwh(), 0);
}

#[test]
fn a_power_cut_forgets_a_little_and_the_truth_goes_on_from_there() {
    let mut meter = meter(Kind::Premises);
    lend(&mut meter, 100);
    run(&mut meter, WATTS, 50_500);
    meter.power_cut();
    assert!(run(&mut meter, WATTS, 5_000).is_empty());
    assert_eq!(meter.truth().delivered_mwh(), 50_500);
    meter.power_up();
    let register = meter.register().0;
    assert!((30..=50).contains(&register), "{register} Wh");
    assert_eq!(meter.truth().standing_mwh(), register * 1000);
    assert!(meter.conducts(), "the lease was kept");
    run(&mut meter, WATTS, 200_000);
    assert_eq!(meter.register(), WattHours(100));
    assert!(meter.truth().max_overshoot_mwh() < MWH_A_STEP);
}
