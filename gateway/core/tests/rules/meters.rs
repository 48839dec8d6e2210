//! Meters that are not our nodes: installed, moved, replaced, retired; their switches; shadow.

use crate::site::*;
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::meter_link::*;
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::*;

const METER: NodeId = NodeId(2);

fn modbus(address: u8, serial: Option<&str>) -> MeterLink {
    MeterLink::Modbus {
        bus: "hall".into(),
        address,
        model: "sdm120".into(),
        word_order: None,
        serial: serial.map(Into::into),
    }
}

fn plug(device: &str) -> MeterLink {
    MeterLink::Mqtt {
        dialect: "tasmota".into(),
        device: device.into(),
        channel: None,
        credential: "plugs".into(),
    }
}

fn coil(coil: u16) -> Switch {
    let link = SwitchLink::Coil {
        bus: "hall".into(),
        address: 40,
        coil,
        inverted: false,
    };
    Switch {
        link,
        before_meter: false,
    }
}

fn work(site: &mut Site, work: MeterOrder) -> Result<Answer, Refusal> {
    let by = "installer".to_owned();
    let work = Box::new(work);
    site.command(Command::WorkOnMeter { work, by })
}

fn replace(
    site: &mut Site,
    node: NodeId,
    ends: (Option<u64>, Option<u64>),
    link: MeterLink,
) -> Result<Answer, Refusal> {
    let install = Install {
        link,
        switch: Some(coil(0)),
        initial: ends.1.map(WattHours),
    };
    let final_register = ends.0.map(WattHours);
    work(
        site,
        MeterOrder::Replace {
            node,
            final_register,
            install,
        },
    )
}

/// A site whose point has a Modbus meter, number 2, with a coil, after a vend.
fn with_meter() -> Site {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").expect("vend");
    replace(&mut site, NODE, (None, Some(5_000)), modbus(1, None)).expect("replace");
    site.now += 60;
    assert_eq!(measure(&mut site, 5_000, Some("77"), |_| {}), None);
    site
}

fn measure(
    site: &mut Site,
    register: u64,
    serial: Option<&str>,
    change: impl FnOnce(&mut Reading),
) -> Option<Refusal> {
    let mut reading = reading(METER, register);
    change(&mut reading);
    let metered = MeterReading {
        reading,
        serial: serial.map(Into::into),
        register_set: false,
    };
    site.event(&Event::Metered(Box::new(metered))).err()
}

fn open(site: &Site, kind: AlarmKind) -> bool {
    let subjects = [Subject::UsagePoint(POINT), Subject::Node(METER)];
    subjects.iter().any(|subject| {
        let alarm = site.state.alarms.get(&(kind, *subject));
        alarm.is_some_and(|alarm| !alarm.cleared)
    })
}

#[test]
fn a_replacement_charges_the_final_advance_and_leaves_the_account_alone() {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").unwrap();
    site.now += 7_200;
    assert_eq!(site.read(1_000), None);
    let register = |site: &Site| {
        let point = site.point();
        point.register_for(site.state.raw_register(point)).0
    };
    let available = site.available();
    site.now += 3_600;
    let refused = |site: &mut Site, last| replace(site, NODE, (Some(last), None), modbus(1, None));
    assert_eq!(refused(&mut site, 999), Err(Refusal::FinalRegisterTooLow));
    assert_eq!(
        refused(&mut site, 90_000),
        Err(Refusal::FinalRegisterTooHigh)
    );
    replace(&mut site, NODE, (Some(1_500), Some(70)), modbus(1, None)).unwrap();
    assert_eq!(register(&site), 1_500);
    assert!(site.available() < available);
    let settled = site.available();
    assert_eq!(measure(&mut site, 70, None, |_| {}), None);
    assert_eq!((site.available(), register(&site)), (settled, 1_500));
    site.now += 3_600;
    assert_eq!(measure(&mut site, 170, None, |_| {}), None);
    assert_eq!(register(&site), 1_600);
    assert_eq!(site.read(2_000), Some(Refusal::NodeMetersNothing));
}

#[test]
fn a_slip_in_the_initial_register_is_no_energy() {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").unwrap();
    replace(&mut site, NODE, (None, Some(5)), modbus(1, None)).unwrap();
    site.now += 60;
    let before = site.available();
    assert_eq!(measure(&mut site, 5_000_000, None, |_| {}), None);
    assert!(open(&site, AlarmKind::RegisterJumped));
    assert_eq!(site.available(), before);
}

#[test]
fn one_meter_per_address_and_one_supply_per_switch() {
    let mut site = with_meter();
    let mut feeder = 0;
    let mut check = |link, switch, expected: Option<Refusal>| {
        feeder += 1;
        let install = Install {
            link,
            switch,
            initial: None,
        };
        let role = event::Role::Feeder(FeederId(feeder));
        let node = None;
        let add = MeterOrder::Add {
            node,
            role,
            install,
        };
        assert_eq!(work(&mut site, add).err(), expected);
    };
    check(modbus(1, None), None, Some(Refusal::AddressInUse));
    check(modbus(0, None), None, Some(Refusal::AddressOutOfRange));
    check(modbus(248, None), None, Some(Refusal::AddressOutOfRange));
    check(modbus(2, None), Some(coil(0)), Some(Refusal::SwitchInUse));
    check(modbus(2, None), Some(coil(1)), None);
    check(plug("a/b"), None, None);
    check(plug("a/b"), None, Some(Refusal::AddressInUse));
    for topic in ["a/+", "#", "$SYS", "pg/1", "/a", "a/"] {
        check(plug(topic), None, Some(Refusal::DeviceTopicUnusable));
    }
    check(plug("a\nb"), None, Some(Refusal::TextUnusable));
    let here = Some(coil(3));
    check(MeterLink::Node, here, Some(Refusal::SwitchNotHere));
    let role = event::Role::UsagePoint(POINT);
    let install = Install {
        link: modbus(9, None),
        ..Install::default()
    };
    let node = None;
    let add = MeterOrder::Add {
        node,
        role,
        install,
    };
    assert_eq!(work(&mut site, add), Err(Refusal::MeterInPlace));
}

#[test]
fn a_meter_with_another_serial_number_is_refused_and_named() {
    let mut site = with_meter();
    assert_eq!(site.state.nodes[&METER].link.serial(), Some("77"));
    let before = site.available();
    site.now += 60;
    let refused = measure(&mut site, 5_100, Some("78"), |_| {});
    assert_eq!(refused, Some(Refusal::AnotherMeterAnswers));
    assert!(open(&site, AlarmKind::AnotherMeterAnswers));
    assert_eq!(site.available(), before);
    assert_eq!(measure(&mut site, 5_100, Some("77"), |_| {}), None);
    assert!(!open(&site, AlarmKind::AnotherMeterAnswers));
    let moved = |link| MeterOrder::Move {
        node: METER,
        link,
        switch: None,
    };
    let other = work(&mut site, moved(modbus(7, Some("78"))));
    assert_eq!(other, Err(Refusal::SerialDiffers));
    work(&mut site, moved(modbus(7, None))).unwrap();
    assert_eq!(site.state.nodes[&METER].link, modbus(7, Some("77")));
}

#[test]
fn a_retired_meter_is_charged_to_its_end_and_reads_no_more() {
    let mut site = with_meter();
    site.now += 3_600;
    let balance = site.point().account.balance;
    let retire = MeterOrder::Retire {
        node: METER,
        final_register: Some(WattHours(5_400)),
    };
    work(&mut site, retire.clone()).unwrap();
    assert!(site.point().account.balance < balance);
    assert_eq!(site.point().meter, None);
    let refused = measure(&mut site, 5_500, None, |_| {});
    assert_eq!(refused, Some(Refusal::NodeMetersNothing));
    assert_eq!(work(&mut site, retire), Err(Refusal::NodeMetersNothing));
}

#[test]
fn sealed_and_unsealed_readings_do_not_stand_for_each_other() {
    let mut site = Site::with_one_point();
    let metered = MeterReading {
        reading: reading(NODE, 10),
        serial: None,
        register_set: false,
    };
    let forged = site.event(&Event::Metered(Box::new(metered)));
    assert_eq!(forged, Err(Refusal::WrongLink));
    let relay = Relay::Open;
    let forged = site.event(&Event::Switched { node: NODE, relay });
    assert_eq!(forged, Err(Refusal::WrongLink));
}

/// Seconds later, what the meter and its switch show, and which alarm is open.
#[track_caller]
fn check_switch(order: SupplyOrder, steps: &[(i64, Relay, u32, u16, Option<AlarmKind>)]) {
    let mut site = with_meter();
    measure(&mut site, 5_000, None, |_| {});
    site.order(order);
    for (later, relay, current_ma, volts, alarm) in steps {
        site.now += later;
        let refused = measure(&mut site, 5_000, None, |reading| {
            reading.relay = Some(*relay);
            reading.current_ma = Some(*current_ma);
            reading.voltage_dv = Some(2_300);
            reading.voltage_out_dv = Some(volts * 10);
        });
        assert_eq!(refused, None);
        for kind in [
            AlarmKind::SwitchDoesNotAnswer,
            AlarmKind::SwitchWelded,
            AlarmKind::SuppliedFromElsewhere,
        ] {
            assert_eq!(open(&site, kind), *alarm == Some(kind), "{kind:?} {later}");
        }
    }
}

#[test]
fn switch_current_and_voltage_have_to_agree_within_seconds() {
    use AlarmKind::*;
    use Relay::*;
    let off = SupplyOrder::Off;
    check_switch(
        off,
        &[
            (2, Closed, 900, 230, None),
            (10, Closed, 900, 230, Some(SwitchDoesNotAnswer)),
            (2, Open, 0, 0, None),
        ],
    );
    check_switch(
        off,
        &[
            (2, Open, 900, 230, None),
            (6, Open, 900, 230, Some(SwitchWelded)),
            (6, Open, 0, 0, None),
        ],
    );
    check_switch(
        off,
        &[
            (2, Open, 0, 0, None),
            (60, Open, 20, 210, Some(SuppliedFromElsewhere)),
            (6, Open, 0, 0, None),
        ],
    );
    check_switch(
        SupplyOrder::On,
        &[
            (20, Closed, 0, 0, Some(SwitchDoesNotAnswer)),
            (20, Closed, 0, 230, None),
        ],
    );
}

#[test]
fn a_switch_that_says_nothing_is_noticed_as_time_passes() {
    let mut site = with_meter();
    site.order(SupplyOrder::Off);
    site.event(&Event::Tick).unwrap();
    assert!(!open(&site, AlarmKind::SwitchDoesNotAnswer));
    site.now += 11;
    site.event(&Event::Tick).unwrap();
    assert!(open(&site, AlarmKind::SwitchDoesNotAnswer));
    let relay = Relay::Open;
    site.event(&Event::Switched { node: METER, relay }).unwrap();
    assert!(!open(&site, AlarmKind::SwitchDoesNotAnswer));
}

fn wanted(site: &Site) -> Option<Relay> {
    let mut installed = site.state.installed();
    installed.find(|meter| meter.node == METER)?.wanted
}

fn arm(site: &mut Site, arming: Arming) {
    let setting = PointSetting::Arming { arming };
    let by = "installer".to_owned();
    let usage_point = Some(POINT);
    site.command(Command::SetPoint {
        usage_point,
        setting,
        by,
    })
    .expect("set");
}

#[test]
fn in_shadow_nothing_is_cut_but_what_a_person_orders_off() {
    let mut site = with_meter();
    arm(&mut site, Arming::Shadow);
    site.now += 86_400;
    measure(&mut site, 255_000, None, |_| {});
    assert!(!site.point().supply.reasons.is_empty());
    assert!(site.point().supply.would_cut());
    assert_eq!(site.state.would_cut().count(), 1);
    assert_eq!(wanted(&site), Some(Relay::Closed));
    let tariff = site.state.tariff_of(site.point()).unwrap();
    let directive = site.point().directive(tariff).unwrap();
    assert_eq!(directive.order, SupplyOrder::On);
    site.order(SupplyOrder::Off);
    assert_eq!(wanted(&site), Some(Relay::Open));
    site.order(SupplyOrder::Auto);
    arm(&mut site, Arming::Armed);
    assert_eq!(wanted(&site), Some(Relay::Open));
    assert_eq!(site.state.would_cut().count(), 0);
}

#[test]
fn the_site_s_own_setting_is_followed_and_journalled() {
    let mut site = Site::with_one_point();
    assert_eq!(site.point().supply.desired(), Relay::Open);
    site.rules.armed = false;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.point().supply.desired(), Relay::Closed);
    arm(&mut site, Arming::Armed);
    assert_eq!(site.point().supply.desired(), Relay::Open);
    let before = site.state.number;
    site.event(&Event::Tick).unwrap();
    assert_eq!(site.state.number, before);
}

#[test]
fn a_counter_set_from_outside_is_an_alarm() {
    let mut site = with_meter();
    site.now += 60;
    let metered = MeterReading {
        reading: reading(METER, 10),
        serial: None,
        register_set: true,
    };
    let before = site.available();
    site.event(&Event::Metered(Box::new(metered))).unwrap();
    assert!(open(&site, AlarmKind::RegisterSet));
    assert!(open(&site, AlarmKind::RegisterWentBackwards));
    assert_eq!(site.available(), before);
}

#[test]
fn an_impulse_input_counts_from_what_its_meter_showed_and_has_no_relay_of_its_own() {
    let mut site = Site::with_one_point();
    site.vend("a", "1000").unwrap();
    let pulse = MeterLink::Pulse {
        input: "flat-1".into(),
    };
    let with = |link: SwitchLink, before_meter| MeterOrder::Replace {
        node: NODE,
        final_register: None,
        install: Install {
            link: pulse.clone(),
            switch: Some(Switch { link, before_meter }),
            initial: Some(WattHours(7_000)),
        },
    };
    let refused = work(&mut site, with(SwitchLink::Meter, false));
    assert_eq!(refused, Err(Refusal::SwitchNotHere));
    let contactor = SwitchLink::Gpio {
        contactor: "flat-1".into(),
    };
    work(&mut site, with(contactor.clone(), false)).unwrap();
    let installed = |site: &Site| site.state.installed().next();
    let first = installed(&site).expect("a meter");
    assert_eq!(first.register, Some(WattHours(7_000)));
    assert_eq!(first.wanted, Some(Relay::Closed));
    site.now += 60;
    assert_eq!(measure(&mut site, 7_001, None, |_| {}), None);
    let next = installed(&site).and_then(|one| one.register);
    assert_eq!(next, Some(WattHours(7_001)));
    // Neither the input nor the contactor serves two.
    let again = |link: MeterLink, switch: Option<SwitchLink>| MeterOrder::Add {
        node: None,
        role: event::Role::Feeder(FeederId(1)),
        install: Install {
            link,
            switch: switch.map(|link| Switch {
                link,
                before_meter: false,
            }),
            initial: None,
        },
    };
    let taken = work(&mut site, again(pulse.clone(), None));
    assert_eq!(taken, Err(Refusal::AddressInUse));
    let taken = work(&mut site, again(modbus(9, None), Some(contactor)));
    assert_eq!(taken, Err(Refusal::SwitchInUse));
}

#[test]
fn what_the_gateway_reports_begins_and_ends() {
    let mut site = Site::with_one_point();
    let report = |kind| Command::Report {
        kind,
        node: None,
        details: "seen at its contact".into(),
    };
    let end = |kind| Command::ReportEnd { kind, node: None };
    let number = site.state.number;
    site.command(end(AlarmKind::MainsLost)).unwrap();
    assert_eq!(site.state.number, number, "nothing was open");
    for kind in [AlarmKind::MainsLost, AlarmKind::CabinetOpen] {
        site.command(report(kind)).unwrap();
        site.command(end(kind)).unwrap();
    }
    let left = |kind| site.state.alarms.contains_key(&(kind, Subject::Site));
    assert!(!left(AlarmKind::MainsLost));
    assert!(left(AlarmKind::CabinetOpen), "a person has to see it");
}
