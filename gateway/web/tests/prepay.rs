//! What an account's page and the API say of the prepayment rules, and what a person can do there.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::StatusCode;
use fixture::reading;
use fixture::site::{TestSite, get, post, post_json};
use gateway_core::prepay::{EmergencyRules, Stage};
use gateway_core::supply::Relay;
use gateway_core::tariff::Phases;
use gateway_core::{Micro, UsagePointId};

/// A site that lends 100.00 from 60.00 on, with an account that has 40.00 or so.
fn site() -> (TestSite, UsagePointId) {
    let site = TestSite::open();
    let point = {
        let mut inner = site.memory.lock();
        inner.rules.prepay.emergency = EmergencyRules {
            limit: Micro(100_000_000),
            days: 0,
            threshold: Micro(60_000_000),
            automatic: false,
        };
        inner.rules.prepay.stages = vec![Stage::Amount(Micro(50_000_000))];
        let (point, node) = inner.add("Lender", Phases::Single);
        inner.read(reading(node, 0, 0, Relay::Closed));
        inner.vend(point, "100", "k");
        inner.now.at.0 += 3_600;
        inner.read(reading(node, 9_000, 100, Relay::Closed));
        point
    };
    (site, point)
}

#[tokio::test]
async fn emergency_credit_is_offered_and_activated_on_the_page() {
    let (site, point) = site();
    let path = format!("/usage-point/{point}");
    let page = site.send(&get(&path)).await.body;
    for words in [
        "Emergency credit of",
        "offered",
        "Low credit: 50.00 left",
        "Activate emergency credit",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let done = site.send(&post(&format!("{path}/emergency"), "")).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let page = site.send(&get(&path)).await.body;
    assert!(page.contains("activated, not needed yet"), "{page}");
    assert!(!page.contains("Activate emergency credit"));
    let api = format!("/api/v1/usage-points/{point}");
    let json = site.send(&get(&api)).await.body;
    assert!(json.contains("\"emergency\":\"selected\""), "{json}");
    let again = site
        .send(&post_json(&format!("{api}/emergency"), "{}"))
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.body.contains("emergency-not-offered"),
        "{}",
        again.body
    );
}

#[tokio::test]
async fn a_hold_is_shown_and_cleared_with_a_note() {
    let (site, point) = site();
    let path = format!("/usage-point/{point}");
    {
        let mut inner = site.memory.lock();
        let node = inner.state.usage_points[&point].meter.unwrap().node;
        inner.now.at.0 += 3_600;
        inner.read(reading(node, 4_000, 100, Relay::Closed));
    }
    let page = site.send(&get(&path)).await.body;
    assert!(page.contains("No energy is charged since"), "{page}");
    let api = format!("/api/v1/usage-points/{point}");
    let empty = post_json(&format!("{api}/hold"), "{\"note\":\" \",\"charge\":true}");
    assert!(site.send(&empty).await.body.contains("note-unusable"));
    let form = post(&format!("{path}/hold"), "note=surge&outcome=charge");
    assert_eq!(site.send(&form).await.status, StatusCode::SEE_OTHER);
    let page = site.send(&get(&path)).await.body;
    assert!(!page.contains("No energy is charged since"));
    assert!(page.contains("what was counted charged, by"), "{page}");
    let nothing = post_json(&format!("{api}/hold"), "{\"note\":\"x\",\"charge\":true}");
    assert!(site.send(&nothing).await.body.contains("nothing-held"));
}
