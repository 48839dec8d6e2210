//! Shop-bought devices: what their messages mean, whom they are believed from, what they are told.

use gateway_core::event::Role;
use gateway_core::meter_link::{Installed, MeterLink, Switch, SwitchLink};
use gateway_core::supply::Relay;
use gateway_core::{NodeId, UsagePointId, WattHours};
use gateway_field::devices::*;

const NODE: NodeId = NodeId(7);

fn link(dialect: &str) -> MeterLink {
    MeterLink::Mqtt {
        dialect: dialect.into(),
        device: "plug".into(),
        channel: None,
        credential: "plugs".into(),
    }
}

fn installed(dialect: &str, wanted: Relay) -> Installed {
    let link = link(dialect);
    let switch = SwitchLink::Mqtt {
        dialect: dialect.into(),
        device: "plug".into(),
        channel: None,
        credential: "plugs".into(),
    };
    Installed {
        node: NODE,
        role: Role::UsagePoint(UsagePointId(1)),
        link,
        switch: Some(Switch {
            link: switch,
            before_meter: false,
        }),
        wanted: Some(wanted),
        left: Some(WattHours(10_000)),
        register: None,
        max_power_w: None,
    }
}

fn devices(dialect: &str, wanted: Relay) -> Devices {
    let mut devices = Devices::new(Dialects::shipped());
    devices.follow(&[installed(dialect, wanted)]);
    devices
}

fn said(topic: &str, payload: &str) -> SiteMessage {
    SiteMessage {
        credential: "plugs".into(),
        topic: topic.into(),
        payload: payload.into(),
        retained: false,
    }
}

/// Commands to the switch only.
fn told(devices: &mut Devices, now_ms: u64) -> Vec<(String, String)> {
    let orders = devices.due(now_ms).into_iter();
    let polls = |order: &Order| order.payload == "10" || order.payload == "status_update";
    orders
        .filter(|order| !polls(order))
        .map(|order| (order.topic, order.payload))
        .collect()
}

#[test]
fn every_golden_message_of_every_dialect_means_what_its_file_says() {
    let dialects = Dialects::shipped();
    assert_eq!(dialects.iter().count(), 6);
    for dialect in dialects.iter() {
        assert!(!dialect.golden.is_empty(), "{}", dialect.id);
        let differences = dialect.check_golden();
        assert!(differences.is_empty(), "{}: {differences:?}", dialect.id);
    }
}

#[track_caller]
fn check(message: SiteMessage, expected: &str) {
    let outcomes = devices("tasmota", Relay::Closed).take(1, &message);
    let words: Vec<String> = outcomes.iter().map(in_words).collect();
    assert_eq!(words.join(", "), expected, "{message:?}");
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Metered(metered) => {
            let set = if metered.register_set { " set" } else { "" };
            format!("{} Wh{set}", metered.reading.register.0)
        }
        Outcome::Switched(_, relay) => format!("{relay:?}"),
        Outcome::Rejected(_, why) => why.to_string(),
    }
}

#[test]
fn a_message_is_a_reading_a_contact_or_one_named_rejection() {
    let energy = r#"{"ENERGY":{"Total":6.294,"Power":60}}"#;
    check(said("tele/plug/SENSOR", energy), "6294 Wh");
    check(said("stat/plug/POWER", "OFF"), "Open");
    check(said("tele/other/SENSOR", energy), "");
    check(said("tele/plug/SENSOR", "{"), "device-message-malformed");
    check(
        said("tele/plug/SENSOR", "\u{0}"),
        "device-message-malformed",
    );
    check(said("tele/plug/SENSOR", r#"{"ENERGY":{"Power":60}}"#), "");
    check(said("tele/plug/SENSOR", r#"{"ENERGY":{"Total":null}}"#), "");
    for total in ["-1", "1e300", "true", "[]", r#"["x"]"#] {
        let payload = format!(r#"{{"ENERGY":{{"Total":{total}}}}}"#);
        check(said("tele/plug/SENSOR", &payload), "device-value-unusable");
    }
    let forged = SiteMessage {
        credential: "neighbour".into(),
        ..said("tele/plug/SENSOR", energy)
    };
    check(forged, "device-wrong-credential");
    let forged = SiteMessage {
        credential: String::new(),
        ..said("stat/plug/POWER", "ON")
    };
    check(forged, "device-wrong-credential");
    let stale = SiteMessage {
        retained: true,
        ..said("tele/plug/SENSOR", energy)
    };
    check(stale, "device-message-retained");
    let birth = SiteMessage {
        retained: true,
        ..said("tele/plug/LWT", "Online")
    };
    check(birth, "");
    let long = "1".repeat(20_000);
    check(said("tele/plug/SENSOR", &long), "device-message-malformed");
}

#[test]
fn a_counter_that_is_set_or_begins_anew_is_said_with_the_next_reading() {
    let sensor = |start: &str| {
        let payload = format!(r#"{{"ENERGY":{{"Total":1,"TotalStartTime":"{start}"}}}}"#);
        said("tele/plug/SENSOR", &payload)
    };
    let mut devices = devices("tasmota", Relay::Closed);
    let mut check = |message: SiteMessage, expected: &[&str]| {
        let words: Vec<_> = devices.take(1, &message).iter().map(in_words).collect();
        assert_eq!(words, expected);
    };
    check(sensor("2018"), &["1000 Wh"]);
    check(sensor("2019"), &["1000 Wh set"]);
    check(sensor("2019"), &["1000 Wh"]);
    let reply = |kwh: &str| {
        let payload = format!(r#"{{"EnergyTotal":{{"Total":{kwh}}}}}"#);
        said("stat/plug/RESULT", &payload)
    };
    // Asked for, not set: the counter stands where it stood, or a little further.
    for asked in ["1", "1.005"] {
        check(reply(asked), &[]);
        check(sensor("2019"), &["1000 Wh"]);
    }
    for set in ["0.999", "2", "0", "-1", "\"Done\""] {
        check(reply(set), &[]);
        check(sensor("2019"), &["1000 Wh set"]);
    }
}

#[test]
fn a_switch_is_told_until_it_reports_the_same() {
    for (dialect, command, off, on, report) in [
        (
            "tasmota",
            "cmnd/plug/POWER",
            "OFF",
            "ON",
            ("stat/plug/POWER", "OFF", "ON"),
        ),
        (
            "shelly-gen1",
            "plug/relay/0/command",
            "off",
            "on",
            ("plug/relay/0", "off", "on"),
        ),
        (
            "shelly-gen2",
            "plug/command/switch:0",
            "off",
            "on",
            (
                "plug/status/switch:0",
                r#"{"output":false}"#,
                r#"{"output":true}"#,
            ),
        ),
        (
            "esphome",
            "plug/switch/relay/command",
            "OFF",
            "ON",
            ("plug/switch/relay/state", "OFF", "ON"),
        ),
    ] {
        let mut devices = devices(dialect, Relay::Open);
        let is = |payload: &str| vec![(command.to_owned(), payload.to_owned())];
        assert_eq!(told(&mut devices, 0), is(off), "{dialect}");
        assert_eq!(told(&mut devices, 4_999), []);
        assert_eq!(told(&mut devices, 5_000), is(off));
        let open = vec![Outcome::Switched(NODE, Relay::Open)];
        assert_eq!(devices.take(5_100, &said(report.0, report.1)), open);
        assert_eq!(told(&mut devices, 60_000), []);
        // Somebody pressed its button.
        devices.take(61_000, &said(report.0, report.2));
        assert_eq!(told(&mut devices, 61_001), is(off));
        devices.follow(&[installed(dialect, Relay::Closed)]);
        assert_eq!(told(&mut devices, 61_002), []);
        devices.take(61_500, &said(report.0, report.1));
        // It opened untold: there is a second to decide that it waits for its turn.
        assert_eq!(told(&mut devices, 62_499), []);
        assert_eq!(told(&mut devices, 62_500), is(on));
    }
}

#[test]
fn values_of_several_topics_make_one_reading_while_they_are_fresh() {
    let mut devices = devices("shelly-gen1", Relay::Closed);
    devices.take(0, &said("plug/emeter/0/power", "42.4"));
    devices.take(0, &said("plug/emeter/0/voltage", "231.27"));
    let mut read = |now| match devices
        .take(now, &said("plug/emeter/0/total", "1000.9"))
        .pop()
    {
        Some(Outcome::Metered(metered)) => metered.reading,
        other => panic!("{other:?}"),
    };
    let reading = read(1_000);
    assert_eq!(reading.register, WattHours(1_000));
    assert_eq!(
        (reading.power_w, reading.voltage_dv),
        (Some(42), Some(2_313))
    );
    assert_eq!(read(200_000).power_w, None);
}

#[test]
fn a_device_is_asked_more_often_when_its_credit_runs_out() {
    let polls = |left: u64| {
        let mut devices = Devices::new(Dialects::shipped());
        let mut meter = installed("tasmota", Relay::Closed);
        meter.left = Some(WattHours(left));
        devices.follow(&[meter]);
        devices.take(0, &said("stat/plug/POWER", "ON"));
        let due = (0..120).flat_map(|second| devices.due(second * 1_000));
        due.filter(|order| order.payload == "10").count()
    };
    assert_eq!(polls(10_000), 2);
    assert_eq!(polls(10), 40);
}

#[test]
fn a_meter_is_shown_before_it_is_saved() {
    let mut devices = Devices::new(Dialects::shipped());
    let silent = devices.test(0, &link("tasmota")).unwrap_err();
    assert!(silent.contains("nothing was heard"), "{silent}");
    let unknown = devices.test(0, &link("tasmotta")).unwrap_err();
    assert!(unknown.contains("no dialect"), "{unknown}");
    let sensor = said(
        "tele/plug/SENSOR",
        r#"{"ENERGY":{"Total":6.294,"Power":60}}"#,
    );
    let foreign = SiteMessage {
        credential: "neighbour".into(),
        ..sensor.clone()
    };
    devices.take(0, &foreign);
    let other = devices.test(0, &link("tasmota")).unwrap_err();
    assert!(other.contains("neighbour"), "{other}");
    devices.take(1_000, &sensor);
    let shown = devices.test(5_000, &link("tasmota")).unwrap();
    let expected = [
        ("register", "6.294 kWh".to_owned()),
        ("power", "60 W".to_owned()),
    ];
    assert_eq!(shown.values, expected);
    assert_eq!((shown.age_s, shown.heard_ms), (4, 1_000));
    let raw = [(
        "tele/plug/SENSOR".to_owned(),
        r#"{"ENERGY":{"Total":6.294,"Power":60}}"#.to_owned(),
    )];
    assert_eq!(shown.raw, raw);
    // What a forger writes does not reach the terminal as it is.
    devices.take(2_000, &said("tele/plug/LWT", "\u{1b}[2JOnline"));
    let shown = devices.test(5_000, &link("tasmota")).unwrap();
    assert_eq!(shown.raw[1].1, "\\u{1b}[2JOnline");
    devices.ask(&link("tasmota"));
    assert_eq!(
        told_all(&mut devices, 6_000),
        [("cmnd/plug/Status".to_owned(), "10".to_owned())]
    );
    assert_eq!(told_all(&mut devices, 6_001), []);
}

fn told_all(devices: &mut Devices, now_ms: u64) -> Vec<(String, String)> {
    let orders = devices.due(now_ms).into_iter();
    orders.map(|order| (order.topic, order.payload)).collect()
}

#[test]
fn how_well_a_device_is_heard_is_counted_and_said() {
    let mut devices = devices("tasmota", Relay::Closed);
    let quality = |devices: &Devices, now| devices.quality(now).next().unwrap().1;
    assert!(quality(&devices, 0).words.starts_with("never heard"));
    let forged = SiteMessage {
        credential: "neighbour".into(),
        ..said("tele/plug/LWT", "Online")
    };
    devices.take(0, &forged);
    assert!(quality(&devices, 0).words.starts_with("only another login"));
    // Asked, answered after 80 ms; then a reading nobody asked for.
    assert_eq!(devices.due(1_000).len(), 2);
    let answer = said(
        "stat/plug/STATUS10",
        r#"{"StatusSNS":{"ENERGY":{"Total":1}}}"#,
    );
    devices.take(1_080, &answer);
    devices.take(
        1_500,
        &said("tele/plug/SENSOR", r#"{"ENERGY":{"Total":1}}"#),
    );
    let now = quality(&devices, 2_000);
    assert_eq!(
        (now.latency_ms, now.good, now.heard_ms),
        (Some(80), 2, Some(1_500))
    );
    assert_eq!(now.count("device-wrong-credential"), 1);
    assert!(
        now.words == "good; refused from other logins: 1",
        "{}",
        now.words
    );
    // Then it answers nothing more.
    for second in 1..240 {
        devices.due(second * 1_000);
    }
    let now = quality(&devices, 240_000);
    assert!(now.count("no-reply") >= 2, "{now:?}");
    assert!(now.words.contains("unanswered"), "{}", now.words);
    devices.take(241_000, &said("tele/plug/LWT", "Offline"));
    assert!(quality(&devices, 241_000).words.starts_with("offline"));
    let silent = said("tele/plug/LWT", "Online");
    devices.take(242_000, &silent);
    assert!(
        quality(&devices, 1_200_000)
            .words
            .starts_with("silent for 15 min")
    );
}
