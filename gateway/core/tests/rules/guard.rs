//! Guards of a supply: what a node says becomes a reason people see, and only the right act ends it.

use crate::site::*;
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::guard::{GuardCommand, NodeStatus, NodeSwitch, NodeTerms, terms};
use gateway_core::meter_link::{Arming, PointSetting};
use gateway_core::supply::{ControlState, Reason, Relay};
use gateway_core::*;
use prepaid_common::wire::{Events, Evidence, SwitchReason};

/// A report of the node: why its switch is as it is, and its tamper bits.
fn report(site: &mut Site, why: SwitchReason, events: Events, evidence: Option<Evidence>) {
    site.now += 20;
    let status = NodeStatus {
        switch: NodeSwitch { why, trips: 0 },
        wait_s: 0,
        echo: None,
        pressed: false,
        evidence,
    };
    let relay = match why.is_closed() {
        true => Relay::Closed,
        false => Relay::Open,
    };
    let report = Reading {
        relay: Some(relay),
        status: Some(Box::new(status)),
        tamper: events.0,
        boot_count: Some(3),
        ..Reading::of(NODE, WattHours(0))
    };
    site.event(&Event::Reading(report)).expect("a report");
}

fn says(site: &mut Site, why: SwitchReason) {
    report(site, why, Events::NONE, None);
}

fn ask(site: &mut Site, ask: GuardCommand) -> Result<(), Refusal> {
    site.command(Command::Guard(ask)).map(|_| ())
}

fn reset(site: &mut Site) -> Result<(), Refusal> {
    let (usage_point, by) = (POINT, "clerk".into());
    ask(site, GuardCommand::ResetOverload { usage_point, by })
}

fn close(site: &mut Site) -> Result<(), Refusal> {
    let (usage_point, by) = (POINT, "clerk".into());
    ask(site, GuardCommand::Close { usage_point, by })
}

fn clear(site: &mut Site) -> Result<(), Refusal> {
    let (usage_point, by, note) = (POINT, "clerk".into(), "seal renewed".into());
    ask(
        site,
        GuardCommand::ClearTamper {
            usage_point,
            note,
            by,
        },
    )
}

fn terms_of(site: &Site) -> NodeTerms {
    let now = Moment {
        at: UtcSeconds(site.now),
        clock_trusted: true,
    };
    terms(&site.state, &site.rules, NODE, now).expect("terms")
}

fn reasons(site: &Site) -> Vec<Reason> {
    site.point().supply.reasons.iter().collect()
}

fn tamper_alarm(site: &Site) -> Option<&alarm::Alarm> {
    let alarm = &(AlarmKind::Tamper, Subject::UsagePoint(POINT));
    site.state.alarms.get(alarm)
}

fn with_credit() -> Site {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").expect("vend");
    site
}

fn shadow(site: &mut Site, arming: Arming) {
    let set = Command::SetPoint {
        usage_point: Some(POINT),
        setting: PointSetting::Arming { arming },
        by: "clerk".into(),
    };
    site.command(set).expect("arming");
}

#[test]
fn what_the_node_says_is_a_reason_and_no_alarm() {
    let mut site = with_credit();
    for (why, reason) in [
        (SwitchReason::LoadLimitTripped, Reason::LoadLimitTripped),
        (SwitchReason::OverloadLatched, Reason::OverloadLatched),
        (SwitchReason::TamperLatched, Reason::TamperLatched),
        (SwitchReason::ReconnectDelay, Reason::ReconnectDelay),
        (SwitchReason::WaitingForPress, Reason::AwaitsPress),
    ] {
        for _ in 0..3 {
            says(&mut site, why);
        }
        assert_eq!(reasons(&site), [reason]);
        assert_eq!(site.point().supply.desired(), Relay::Open);
        let ready = site.point().supply.control_state() == ControlState::ReadyForReconnection;
        assert_eq!(ready, why == SwitchReason::WaitingForPress);
    }
    says(&mut site, SwitchReason::WithinLease);
    assert_eq!(reasons(&site), []);
    assert_eq!(site.point().supply.control_state(), ControlState::Connected);
    let switch = AlarmKind::SwitchDoesNotAnswer;
    assert!(site.state.alarms.keys().all(|(kind, _)| *kind != switch));
}

#[test]
fn a_latched_load_limit_is_reset_until_the_node_shows_it() {
    let mut site = with_credit();
    assert_eq!(reset(&mut site), Err(Refusal::OverloadNotLatched));
    says(&mut site, SwitchReason::OverloadLatched);
    assert!(!terms_of(&site).reset_overload);
    reset(&mut site).expect("latched");
    assert!(terms_of(&site).reset_overload);
    says(&mut site, SwitchReason::OverloadLatched);
    assert!(terms_of(&site).reset_overload, "told again");
    says(&mut site, SwitchReason::WithinLease);
    assert!(!terms_of(&site).reset_overload);
    // A later latch is not undone by the earlier reset.
    says(&mut site, SwitchReason::OverloadLatched);
    assert!(!terms_of(&site).reset_overload);
}

#[test]
fn a_press_on_the_page_needs_a_supply_that_waits_for_it() {
    let mut site = with_credit();
    for why in [
        SwitchReason::WithinLease,
        SwitchReason::LeaseExhausted,
        SwitchReason::OverloadLatched,
    ] {
        says(&mut site, why);
        assert_eq!(close(&mut site), Err(Refusal::NotReadyForReconnection));
    }
    says(&mut site, SwitchReason::WaitingForPress);
    close(&mut site).expect("it waits");
}

#[test]
fn acknowledging_clears_no_tampering_and_clearing_does() {
    let mut site = with_credit();
    assert_eq!(clear(&mut site), Err(Refusal::NothingToClear));
    let evidence = Evidence {
        events: Events::COVER_OPEN,
        phase_current_ma: 12_000,
        neutral_current_ma: 7_000,
        voltage_in_dv: 2_301,
        ..Evidence::default()
    };
    let (latched, cover) = (SwitchReason::TamperLatched, Events::COVER_OPEN);
    report(&mut site, latched, cover, Some(evidence));
    let alarm = tamper_alarm(&site).expect("an alarm");
    assert_eq!(
        alarm.details,
        "cover-open; phase 12.00 A, neutral 7.00 A, in 230.1 V, out 0.0 V, 0 W. Look at seal and terminals, and close it."
    );
    let (number, by) = (alarm.number, "clerk".into());
    site.command(Command::AcknowledgeAlarm { number, by })
        .expect("seen");
    report(&mut site, latched, cover, Some(evidence));
    assert_eq!(terms_of(&site).clear_tamper, Events::NONE);
    assert_eq!(reasons(&site), [Reason::TamperLatched]);
    clear(&mut site).expect("latched");
    assert_eq!(terms_of(&site).clear_tamper, cover);
    assert_eq!(clear(&mut site), Err(Refusal::NothingToClear));
    report(&mut site, SwitchReason::WithinLease, Events::NONE, None);
    assert_eq!(terms_of(&site).clear_tamper, Events::NONE);
    assert_eq!(reasons(&site), []);
    assert!(tamper_alarm(&site).is_none());
    // The same again is not cleared by the earlier act.
    report(&mut site, latched, cover, Some(evidence));
    assert_eq!(terms_of(&site).clear_tamper, Events::NONE);
}

#[test]
fn more_tampering_raises_the_alarm_anew() {
    let mut site = with_credit();
    report(&mut site, SwitchReason::WithinLease, Events::MAGNET, None);
    let first = tamper_alarm(&site).expect("an alarm").number;
    let by = "clerk".into();
    site.command(Command::AcknowledgeAlarm { number: first, by })
        .expect("seen");
    report(&mut site, SwitchReason::WithinLease, Events::MAGNET, None);
    assert_eq!(tamper_alarm(&site).expect("it lasts").number, first);
    let both = Events::MAGNET | Events::REVERSED;
    report(&mut site, SwitchReason::WithinLease, both, None);
    let second = tamper_alarm(&site).expect("an alarm");
    assert!(second.number > first && second.acknowledged_by.is_none());
    assert!(
        second.details.starts_with("reversed, magnet;"),
        "{}",
        second.details
    );
}

#[test]
fn terms_follow_the_rules_and_in_shadow_nothing_cuts() {
    let mut site = with_credit();
    site.rules.prepay.load_limit.watts = 2_000;
    site.rules.prepay.load_limit.trips = 3;
    site.rules.prepay.reconnect.press = true;
    site.rules.prepay.reconnect.delay_s = 40;
    site.rules.tamper.latch_on = Events::MAGNET;
    let armed = terms_of(&site);
    let lease = armed.directive.clone().expect("a lease");
    assert_eq!(
        (lease.load_limit_w, lease.press_to_reconnect),
        (2_000, true)
    );
    let settings = armed.settings;
    assert_eq!(
        (settings.trips_to_latch, settings.reconnect_delay_s),
        (3, 40)
    );
    assert_eq!(settings.cut_on, Events::MAGNET);
    let (usage_point, watts, by) = (POINT, 500, "clerk".into());
    let limit = GuardCommand::LimitLoad {
        usage_point,
        watts,
        by,
    };
    ask(&mut site, limit).expect("a limit");
    let own = terms_of(&site).directive.expect("a lease");
    assert_eq!(own.load_limit_w, 500);
    says(&mut site, SwitchReason::OverloadLatched);
    shadow(&mut site, Arming::Shadow);
    let shadowed = terms_of(&site);
    let lease = shadowed.directive.expect("a lease");
    assert_eq!((lease.load_limit_w, lease.press_to_reconnect), (0, false));
    assert_eq!(shadowed.settings.cut_on, Events::NONE);
    assert_eq!(shadowed.settings.reconnect_delay_s, 0);
    assert!(shadowed.reset_overload, "what latched before ends");
    assert_ne!(shadowed.settings.settings_id, armed.settings.settings_id);
    shadow(&mut site, Arming::Armed);
    assert_eq!(terms_of(&site).settings, armed.settings, "the same number");
}
