//! A running daemon and a node over TCP: emergency credit by the button and the command line, the notice before friendly hours end.
#![expect(
    dead_code,
    reason = "the helpers are shared; not every test file uses all of them"
)]

mod common;
#[path = "common/street.rs"]
mod street;

use gateway_sim::Load;
use prepaid_common::wire::SwitchReason;
use serde_json::Value;
use street::{NODE, Site, offset_for, until};

/// What the prepayment rules have made of the account.
fn prepay(site: &Site, of: &str) -> Value {
    let (_, point) = site.asked(&["usage-point", "show", "7"]);
    point["prepay"][of].clone()
}

async fn prepay_is(site: &Site, of: &str, value: impl Into<Value>) {
    let value = value.into();
    let is = || prepay(site, of) == value;
    until(&format!("{of} {value}"), 30, is, || {
        prepay(site, of).to_string()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_at_the_node_activates_emergency_credit_that_is_offered() {
    let lent = "[prepay.emergency]\nlimit = \"5.00\"\n";
    let mut site = Site::new(lent, "", "+05:30").await;
    site.vend("0.10");
    site.is(SwitchReason::WithinLease).await;
    site.refused(&["emergency", "activate", "7"], "emergency-not-offered");
    site.street().set_load(NODE, Load::Fixed(20_000));
    site.is(SwitchReason::LeaseExhausted).await;
    prepay_is(&site, "emergency", "selectable").await;
    site.street().set_load(NODE, Load::Fixed(100));
    // The node knows that a press brings something.
    let offer = || site.display().concat().contains("emergency");
    until("the offer", 30, offer, || format!("{:?}", site.display())).await;
    site.street().press(NODE);
    site.is(SwitchReason::WithinLease).await;
    prepay_is(&site, "emergency", "in-use").await;
    // It is lent in the journal, not in memory.
    site.kill();
    site.start();
    assert_eq!(prepay(&site, "emergency"), "in-use");
    // The next payment repays it.
    site.vend("50.00");
    prepay_is(&site, "emergency", "enabled").await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emergency_credit_is_activated_and_taken_back_on_the_command_line() {
    let lent = "[prepay.emergency]\nlimit = \"5.00\"\n";
    let site = Site::new(lent, "", "+05:30").await;
    site.is(SwitchReason::LeaseExhausted).await;
    prepay_is(&site, "emergency", "selectable").await;
    site.done(&["emergency", "activate", "7"]);
    site.is(SwitchReason::WithinLease).await;
    site.refused(&["emergency", "activate", "7"], "emergency-not-offered");
    site.street().set_load(NODE, Load::Fixed(20_000));
    let used = || {
        site.street()
            .node(NODE)
            .is_some_and(|node| node.register.0 >= 20)
    };
    until("20 Wh", 30, used, String::new).await;
    prepay_is(&site, "emergency", "in-use").await;
    site.done(&["emergency", "withdraw", "7"]);
    site.is(SwitchReason::LeaseExhausted).await;
    site.shows_reason("credit used up").await;
    prepay_is(&site, "emergency", "exhausted").await;
    site.refused(&["emergency", "withdraw", "7"], "emergency-not-offered");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_friendly_hours_is_announced() {
    let hours = "[prepay.friendly]\nhours = [\"16:00-11:00\"]\nnotice_min = 5\n";
    let site = Site::new(hours, "", &offset_for(11)).await;
    site.vend("0.10");
    site.street().set_load(NODE, Load::Fixed(20_000));
    site.is(SwitchReason::Friendly).await;
    prepay_is(&site, "cut_announced", true).await;
    let until_local = prepay(&site, "friendly_until_local");
    let until_local = until_local.as_str().unwrap_or_default();
    assert!(until_local.contains("11:00"), "{until_local}");
    site.is_within(SwitchReason::LeaseExhausted, 120).await;
    site.shows_reason("credit used up").await;
    site.end().await;
}
