//! Settings and plans: trips and their latch, tampering that cuts, friendly hours, the allowance.

use crate::bench::{Eeprom, Gateway, boot, lease, load, report, supplied};
use meter_node::{Measurement, Node, Received};
use prepaid_common::wire::{
    Allowance, Command, Events, FrameRejection, Lease, Plan, Settings, Short, SwitchReason,
    TimeSignal, Trial,
};
use prepaid_common::{UtcSeconds, WattHours};

const NOW: i64 = 1_800_000_000;

fn send(gateway: &mut Gateway, node: &mut Node<Eeprom>, command: Command) {
    assert_eq!(gateway.command(node, command), Ok(Received::Commanded));
}

fn settings(change: impl FnOnce(&mut Settings)) -> Command {
    let mut settings = Settings {
        settings_id: 9,
        ..Settings::default()
    };
    change(&mut settings);
    Command {
        settings: Some(settings),
        ..Command::default()
    }
}

fn shown(node: &Node<Eeprom>) -> String {
    let lines = node
        .display()
        .map(|line| String::from_utf8_lossy(&line).trim().to_owned());
    lines.join("|")
}

/// Lets `seconds` pass in steps of one.
fn pass(node: &mut Node<Eeprom>, seconds: u32, measurement: &Measurement) {
    for _ in 0..seconds {
        node.sample(1000, measurement);
    }
}

#[test]
fn the_load_limit_follows_the_table() {
    let (mut node, mut gateway) = supplied(1_000_000, 0);
    let limited = Lease {
        load_limit_w: 500,
        ..lease(2, 1_000_000)
    };
    gateway.lease(&mut node, limited);
    let command = settings(|settings| {
        settings.load_persistence_s = 3;
        settings.load_rest_s = 5;
        settings.trips_to_latch = 2;
        settings.trip_window_s = 30;
    });
    send(&mut gateway, &mut node, command);
    for line in include_str!("load-limit.txt").lines() {
        let mut words = line.split_whitespace();
        let reset = Command {
            reset_overload: true,
            ..Command::default()
        };
        match words.next() {
            None | Some("#") => {}
            Some("reset") => send(&mut gateway, &mut node, reset),
            Some(seconds) => {
                let watts = words.next().and_then(|watts| watts.parse().ok()).unwrap();
                pass(&mut node, seconds.parse().unwrap(), &load(watts));
                let state = match node.switch_reason() {
                    SwitchReason::LoadLimitTripped => "tripped",
                    SwitchReason::OverloadLatched => "latched",
                    _ => "on",
                };
                assert_eq!(words.next(), Some(state), "{line}");
                assert_eq!(node.relay_is_closed(), state == "on", "{line}");
            }
        }
    }
    let (_, last) = report(&mut node).unwrap();
    assert_eq!(last.status.unwrap().trips, 4);
    assert_eq!(last.echo.unwrap().settings_id, 9);
}

#[test]
fn a_latched_load_limit_survives_a_power_cut_and_a_press_ends_it_where_it_may() {
    for may in [true, false] {
        let (mut node, mut gateway) = supplied(1_000_000, 0);
        let limited = Lease {
            load_limit_w: 500,
            press_to_reconnect: true,
            ..lease(2, 1_000_000)
        };
        gateway.lease(&mut node, limited);
        let command = settings(|settings| {
            settings.trips_to_latch = 1;
            settings.press_resets_overload = may;
        });
        send(&mut gateway, &mut node, command);
        pass(&mut node, 30, &load(501));
        assert_eq!(node.switch_reason(), SwitchReason::OverloadLatched);
        let mut node = boot(node.into_storage());
        assert_eq!(node.switch_reason(), SwitchReason::OverloadLatched);
        assert!(shown(&node).starts_with("OVERLOAD: OFF"));
        node.press();
        assert_eq!(node.relay_is_closed(), may);
        assert_eq!(boot(node.into_storage()).relay_is_closed(), may);
    }
}

#[test]
fn settings_survive_a_power_cut_and_the_same_again_writes_nothing() {
    let (mut node, mut gateway) = supplied(1000, 0);
    let command = settings(|settings| settings.reconnect_delay_s = 40);
    send(&mut gateway, &mut node, command);
    let writes = node.storage().writes;
    send(&mut gateway, &mut node, command);
    let plan = Plan {
        plan_id: 5,
        ..Plan::default()
    };
    let text = Short::new(b"12.50 left");
    let volatile = Command {
        plan: Some(plan),
        text,
        ..Command::default()
    };
    send(&mut gateway, &mut node, volatile);
    assert_eq!(node.storage().writes, writes);
    let mut node = boot(node.into_storage());
    assert_eq!(node.settings().settings_id, 9);
    assert_eq!(node.switch_reason(), SwitchReason::ReconnectDelay);
    assert_eq!(shown(&node), "POWER RETURNS|in 40 s");
    pass(&mut node, 39, &load(0));
    assert!(!node.relay_is_closed());
    pass(&mut node, 1, &load(0));
    assert!(node.relay_is_closed());
}

#[test]
fn friendly_hours_lift_the_cut_off_of_a_node_that_knows_the_time() {
    for (utc, reason) in [
        (NOW, SwitchReason::Friendly),
        (0, SwitchReason::LeaseExhausted),
    ] {
        let (mut node, mut gateway) = supplied(0, utc);
        let plan = Plan {
            plan_id: 1,
            friendly: Some((UtcSeconds(NOW - 10), UtcSeconds(NOW + 100))),
            ..Plan::default()
        };
        let command = Command {
            plan: Some(plan),
            ..Command::default()
        };
        send(&mut gateway, &mut node, command);
        node.disconnected();
        assert_eq!(node.switch_reason(), reason);
        pass(&mut node, 99, &load(1_000));
        assert_eq!(node.switch_reason(), reason);
        pass(&mut node, 2, &load(1_000));
        assert_eq!(
            node.switch_reason(),
            SwitchReason::LeaseExhausted,
            "it has ended"
        );
        assert!(!node.relay_is_closed());
    }
}

/// 3,600 W are a watt-hour a second.
#[test]
fn the_days_allowance_ends_at_the_register_and_begins_anew_with_the_gateway_dead() {
    let (mut node, mut gateway) = supplied(10, NOW);
    let allowance = |resets_at, ends_at| {
        Some(Allowance {
            resets_at: UtcSeconds(resets_at),
            wh_per_day: 20,
            ends_at: WattHours(ends_at),
            credit_cutoff: WattHours(45),
        })
    };
    let plan = |plan_id, allowance| Command {
        plan: Some(Plan {
            plan_id,
            allowance,
            ..Plan::default()
        }),
        ..Command::default()
    };
    send(&mut gateway, &mut node, plan(1, allowance(NOW + 100, 10)));
    pass(&mut node, 10, &load(3_600));
    assert_eq!(node.switch_reason(), SwitchReason::AllowanceUsed);
    assert_eq!(node.import_register(), WattHours(10));
    pass(&mut node, 89, &load(0));
    assert!(!node.relay_is_closed());
    // The step that reaches the reset still belongs to the day before; the clock runs after it.
    pass(&mut node, 2, &load(0));
    assert_eq!(node.switch_reason(), SwitchReason::WithinLease);
    pass(&mut node, 20, &load(3_600));
    assert_eq!(node.switch_reason(), SwitchReason::AllowanceUsed);
    assert_eq!(node.import_register(), WattHours(30));
    // A gateway that does not know the time repeats yesterday: nobody gets a second day.
    send(&mut gateway, &mut node, plan(2, allowance(NOW + 100, 10)));
    assert_eq!(node.switch_reason(), SwitchReason::AllowanceUsed);
    pass(&mut node, 86_400, &load(0));
    pass(&mut node, 15, &load(3_600));
    assert_eq!(
        node.switch_reason(),
        SwitchReason::LeaseExhausted,
        "the credit ends first"
    );
    assert_eq!(node.import_register(), WattHours(45));
}

#[test]
fn a_press_while_the_credit_is_used_up_is_told_until_it_is_stored() {
    let (mut node, _) = supplied(0, 0);
    let (counter, first) = report(&mut node).unwrap();
    assert!(!first.pressed);
    node.acknowledged(counter);
    node.sample(1000, &load(0));
    while let Some((counter, _)) = report(&mut node) {
        node.acknowledged(counter);
    }
    node.press();
    node.sample(200, &load(0));
    let (_, told) = report(&mut node).expect("an urgent report");
    assert!(told.pressed && !node.relay_is_closed());
    node.sample(30_000, &load(0));
    let (counter, again) = report(&mut node).expect("told again");
    assert!(again.pressed);
    node.acknowledged(counter);
    node.sample(60_000, &load(0));
    assert!(!report(&mut node).unwrap().1.pressed);
}

#[test]
fn tampering_cuts_only_where_the_settings_say_so_and_its_evidence_travels() {
    let bypass = Measurement {
        phase_current_ma: 12_100,
        neutral_current_ma: 7_000,
        ..load(2_300)
    };
    for cut_on in [Events::NONE, Events::PHASE_NEUTRAL_DIFFERENCE] {
        let (mut node, mut gateway) = supplied(1_000_000, 0);
        send(
            &mut gateway,
            &mut node,
            settings(|settings| settings.cut_on = cut_on),
        );
        pass(&mut node, 59, &bypass);
        assert!(node.relay_is_closed(), "too early");
        pass(&mut node, 1, &bypass);
        let cut = !cut_on.is_empty();
        assert_eq!(node.relay_is_closed(), !cut);
        pass(&mut node, 5, &load(100));
        let (counter, told) = report(&mut node).unwrap();
        let evidence = told.evidence.expect("evidence");
        assert_eq!(evidence.events, Events::PHASE_NEUTRAL_DIFFERENCE);
        assert_eq!(
            (evidence.phase_current_ma, evidence.neutral_current_ma),
            (12_100, 7_000)
        );
        node.acknowledged(counter);
        if cut {
            assert_eq!(told.switch_reason, SwitchReason::TamperLatched);
            assert_eq!(shown(&node), "OFF: TAMPERING|CALL SUPPLIER");
            node = boot(node.into_storage());
            assert!(!node.relay_is_closed(), "a power cut cleared it");
            gateway.connect(&mut node, 0, Command::default());
        }
        let clear = Command {
            clear_tamper: Some(Events::LATCHED),
            ..Command::default()
        };
        send(&mut gateway, &mut node, clear);
        assert!(node.relay_is_closed());
    }
}

#[test]
fn starts_of_motors_and_single_samples_are_no_tampering() {
    let (mut node, mut gateway) = supplied(1_000_000, 0);
    let clear = Command {
        clear_tamper: Some(Events::LATCHED),
        ..Command::default()
    };
    send(&mut gateway, &mut node, clear);
    let start = Measurement {
        phase_current_ma: 30_000,
        neutral_current_ma: 26_000,
        ..load(6_000)
    };
    for _ in 0..200 {
        pass(&mut node, 8, &start);
        pass(&mut node, 22, &load(700));
    }
    // One long step in which everything is wrong.
    let wrong = Measurement {
        cover_open: true,
        magnet: true,
        ..start
    };
    node.sample(3_600_000, &wrong);
    pass(&mut node, 3_600, &load(700));
    assert!(
        (node.events() & Events::LATCHED).is_empty(),
        "{:?}",
        node.events()
    );
}

#[test]
fn a_current_without_voltage_is_a_cut_lead_and_a_brown_out_is_not() {
    for (voltage_in_dv, cut_lead) in [(300, true), (1_200, false)] {
        let (mut node, _) = supplied(1_000_000, 0);
        let measurement = Measurement {
            voltage_in_dv,
            active_power_w: 0,
            ..load(2_300)
        };
        pass(&mut node, 60, &measurement);
        assert_eq!(
            node.events().contains(Events::CURRENT_WITHOUT_VOLTAGE),
            cut_lead
        );
    }
}

#[test]
fn an_answer_on_the_display_gives_way_to_the_plans_text() {
    let (mut node, mut gateway) = supplied(1000, NOW);
    let text = |plan_id, text: &str| Command {
        plan: (plan_id != 0).then(|| Plan {
            plan_id,
            ..Plan::default()
        }),
        text: Some(Short::truncated(text)),
        ..Command::default()
    };
    send(
        &mut gateway,
        &mut node,
        text(1, "12.50 left      LOW 2 days"),
    );
    assert_eq!(shown(&node), "12.50 left|LOW 2 days");
    send(&mut gateway, &mut node, text(0, "REFUSED used"));
    assert_eq!(shown(&node), "REFUSED used|");
    let time = Some(TimeSignal {
        utc: UtcSeconds(NOW),
        trusted: true,
    });
    let command = Command {
        time,
        ..Command::default()
    };
    send(&mut gateway, &mut node, command);
    pass(&mut node, 30, &load(0));
    assert_eq!(shown(&node), "12.50 left|LOW 2 days");
}

#[test]
fn a_trial_opens_once_for_its_number_and_closes_by_itself() {
    let (mut node, mut gateway) = supplied(1000, 0);
    let trial = |trial_id, seconds| Command {
        trial: Some(Trial { trial_id, seconds }),
        ..Command::default()
    };
    let writes = node.storage().writes;
    send(&mut gateway, &mut node, trial(7, 30));
    assert_eq!(node.switch_reason(), SwitchReason::Trial);
    assert_eq!(shown(&node), "SUPPLY TEST|back in 30 s");
    assert_eq!(node.storage().writes, writes);
    pass(&mut node, 10, &load(0));
    // Told again, it goes on and begins no second one.
    send(&mut gateway, &mut node, trial(7, 30));
    pass(&mut node, 19, &load(0));
    assert!(!node.relay_is_closed());
    pass(&mut node, 1, &load(0));
    assert!(node.relay_is_closed());
    send(&mut gateway, &mut node, trial(7, 30));
    assert!(node.relay_is_closed());
    send(&mut gateway, &mut node, trial(8, 30));
    assert!(!node.relay_is_closed());
    // A reboot forgets it: nobody stays in the dark.
    assert!(boot(node.into_storage()).relay_is_closed());
    // Longer than anybody is to be without.
    let (mut node, mut gateway) = supplied(1000, 0);
    assert_eq!(
        gateway.command(&mut node, trial(9, 301)),
        Err(FrameRejection::ValueOutOfRange)
    );
}
