//! Guards of a supply on the page and in the API: buttons only where they mean something.
#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::StatusCode;
use fixture::reading;
use fixture::site::{TestSite, get, post, post_json};
use gateway_core::guard::{GuardCommand, NodeStatus, NodeSwitch};
use gateway_core::supply::Relay;
use gateway_core::{Command, NodeId, Reading};
use prepaid_common::wire::{Events, SwitchReason};

fn says(site: &TestSite, why: SwitchReason, events: Events) {
    let status = NodeStatus {
        switch: NodeSwitch { why, trips: 3 },
        wait_s: 0,
        echo: None,
        pressed: false,
        evidence: None,
    };
    let said = Reading {
        status: Some(Box::new(status)),
        tamper: events.0,
        boot_count: Some(2),
        ..reading(NodeId(1), 1_000, 0, Relay::Open)
    };
    site.memory.lock().read(said);
}

/// What the page shows while the node says why, and what its button asks for.
async fn check(why: SwitchReason, events: Events, words: &str, form: &str, asked: GuardCommand) {
    let site = TestSite::open();
    says(&site, why, events);
    let page = site.send(&get("/usage-point/1")).await.body;
    assert!(page.contains(words), "{why:?}: {page}");
    let reply = site.send(&post("/usage-point/1/switch", form)).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    assert_eq!(site.memory.lock().commands, [Command::Guard(asked)]);
}

#[tokio::test]
async fn the_button_of_the_moment_is_on_the_page() {
    let usage_point = "1".parse().unwrap();
    let by = "operator via page".to_owned();
    let close = GuardCommand::Close {
        usage_point,
        by: by.clone(),
    };
    let (waits, none) = (SwitchReason::WaitingForPress, Events::NONE);
    check(waits, none, "Connect now", "ask=close", close).await;
    let reset = GuardCommand::ResetOverload {
        usage_point,
        by: by.clone(),
    };
    let latched = SwitchReason::OverloadLatched;
    check(latched, none, "Reset the load limit", "ask=reset", reset).await;
    let clear = GuardCommand::ClearTamper {
        usage_point,
        note: "seal renewed".into(),
        by,
    };
    let (tamper, form) = (
        SwitchReason::TamperLatched,
        "ask=clear-tamper&note=seal+renewed",
    );
    check(tamper, Events::COVER_OPEN, "cover-open", form, clear).await;
    let site = TestSite::open();
    says(&site, SwitchReason::WithinLease, Events::NONE);
    let page = site.send(&get("/usage-point/1")).await.body;
    assert!(!page.contains("/switch\""), "{page}");
}

#[tokio::test]
async fn the_api_takes_the_same_and_names_what_it_does_not_know() {
    let site = TestSite::open();
    says(&site, SwitchReason::WaitingForPress, Events::NONE);
    let send = |body: &str| post_json("/api/v1/usage-points/1/switch", body);
    let point = site.send(&get("/api/v1/usage-points/1")).await.body;
    assert!(point.contains("\"ready-for-reconnection\""), "{point}");
    let reply = site.send(&send(r#"{"ask":"close"}"#)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let reply = site.send(&send(r#"{"ask":"limit","watts":500}"#)).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    for (body, name) in [
        (r#"{"ask":"explode"}"#, "no-such-ask"),
        (r#"{"ask":"limit"}"#, "missing-field"),
        (r#"{"ask":"reset"}"#, "overload-not-latched"),
    ] {
        let reply = site.send(&send(body)).await;
        assert!(reply.status.is_client_error(), "{}", reply.status);
        assert!(reply.body.contains(name), "{}", reply.body);
    }
}
