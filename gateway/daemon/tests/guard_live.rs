//! A running daemon and nodes over TCP: what guards a supply, with the gateway alive and dead.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;
#[path = "common/street.rs"]
mod street;

use gateway_sim::Load;
use prepaid_common::wire::SwitchReason;
use street::{NODE, Site, offset_for, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_above_the_limit_trips_latches_and_is_reset_also_without_the_gateway() {
    let limit = "[prepay.load_limit]\npersistence_s = 1\nrest_s = 1\ntrips = 2\nwindow_s = 600\n";
    let mut site = Site::new(limit, "", "+05:30").await;
    site.vend("100.00");
    site.is(SwitchReason::WithinLease).await;
    site.done(&["switch", "limit", "7", "500"]);
    site.refused(&["switch", "reset", "7"], "overload-not-latched");
    site.street().set_load(NODE, Load::Fixed(600));
    site.is(SwitchReason::LoadLimitTripped).await;
    site.is(SwitchReason::OverloadLatched).await;
    site.shows_reason("reset it").await;
    site.street().set_load(NODE, Load::Fixed(100));
    site.done(&["switch", "reset", "7"]);
    site.is(SwitchReason::WithinLease).await;
    site.kill();
    site.street().set_load(NODE, Load::Fixed(600));
    site.is(SwitchReason::LoadLimitTripped).await;
    site.is(SwitchReason::OverloadLatched).await;
    site.start();
    site.shows_reason("reset it").await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_site_wants_a_press_nothing_closes_by_itself() {
    let press = "[prepay.reconnect]\nmode = \"press\"\n";
    let site = Site::new(press, "", "+05:30").await;
    site.is(SwitchReason::LeaseExhausted).await;
    site.vend("100.00");
    site.is(SwitchReason::WaitingForPress).await;
    site.shows_reason("waits for a press").await;
    assert!(!site.street().node(NODE).expect("a node").conducts);
    site.done(&["switch", "close", "7"]);
    site.is(SwitchReason::WithinLease).await;
    site.done(&["supply", "off", "7"]);
    site.is(SwitchReason::ForcedOff).await;
    site.done(&["supply", "auto", "7"]);
    site.is(SwitchReason::WaitingForPress).await;
    site.street().press(NODE);
    site.is(SwitchReason::WithinLease).await;
    until(
        "a report of it",
        30,
        || site.reasons().is_empty(),
        || format!("{:?}", site.reasons()),
    )
    .await;
    site.refused(&["switch", "close", "7"], "not-ready-for-reconnection");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tampering_latches_until_it_is_cleared_and_seeing_it_is_not_clearing() {
    let site = Site::new("[tamper]\nlatch_on = [\"cover-open\"]\n", "", "+05:30").await;
    site.vend("100.00");
    site.is(SwitchReason::WithinLease).await;
    site.street().open_cover(NODE, true);
    site.is(SwitchReason::TamperLatched).await;
    site.shows_reason("tampering").await;
    let (_, alarms) = site.asked(&["alarm", "list"]);
    let alarms = alarms["alarms"].as_array().cloned().unwrap_or_default();
    let tamper = alarms.iter().find(|alarm| alarm["kind"] == "tamper");
    let tamper = tamper.unwrap_or_else(|| panic!("{alarms:?}"));
    site.done(&["alarm", "ack", &tamper["number"].to_string()]);
    site.street().open_cover(NODE, false);
    let reports = site.street().counts().readings_acknowledged + 3;
    let more = || site.street().counts().readings_acknowledged >= reports;
    until("three reports", 30, more, String::new).await;
    assert_eq!(
        site.why(),
        Some(SwitchReason::TamperLatched),
        "seen, not cleared"
    );
    site.done(&["switch", "clear-tamper", "7", "--note", "seal renewed"]);
    site.is(SwitchReason::WithinLease).await;
    site.refused(&["switch", "clear-tamper", "7"], "nothing-to-clear");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_day_s_energy_ends_and_comes_back_at_the_reset_without_the_gateway() {
    let allowance = "[allowance]\nwh_per_day = 20\nreset_hour = 6\n";
    let mut site = Site::new("", allowance, &offset_for(6)).await;
    site.vend("100.00");
    site.street().set_load(NODE, Load::Fixed(20_000));
    site.is(SwitchReason::AllowanceUsed).await;
    let used = site.street().node(NODE).expect("a node").register.0;
    assert_eq!(used, 20, "a day's energy and not a watt-hour more");
    site.shows_reason("the day's energy is used").await;
    site.kill();
    site.street().set_load(NODE, Load::Fixed(0));
    site.is_within(SwitchReason::WithinLease, 90).await;
    site.street().set_load(NODE, Load::Fixed(20_000));
    site.is(SwitchReason::AllowanceUsed).await;
    assert_eq!(site.street().node(NODE).expect("a node").register.0, 40);
    site.start();
    site.shows_reason("the day's energy is used").await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn friendly_hours_end_at_their_minute_without_the_gateway() {
    let hours = "[prepay.friendly]\nhours = [\"16:00-11:00\"]\n";
    let mut site = Site::new(hours, "", &offset_for(11)).await;
    site.vend("0.10");
    site.street().set_load(NODE, Load::Fixed(20_000));
    site.is(SwitchReason::Friendly).await;
    site.street().set_load(NODE, Load::Fixed(100));
    let told = || site.display() == ["CREDIT USED UP".to_owned(), "CUT AT 11:00".to_owned()];
    until("the notice", 30, told, || format!("{:?}", site.display())).await;
    site.kill();
    site.is_within(SwitchReason::LeaseExhausted, 90).await;
    site.end().await;
}
