//! Transfer tokens on the page and in the API.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{StatusCode, header};
use fixture::site::{TestSite, get, post, post_json};

/// A token of 2.5 units for the usage point, and one of another meter's.
fn tokens(site: &TestSite) -> [String; 2] {
    use gateway_core::tokens::*;
    let key = |hex| DecoderKey::from_hex(&Algorithm::Ea11, hex).unwrap();
    let keys = [
        key("f94b6ed353c3bfdb113e2d3a7ea3c41d"),
        key("290e2626f5a0d106aad1aab6411589df"),
    ];
    let meter = MeterKey {
        meter: "600727000000000009".parse().unwrap(),
        terms: KeyTerms {
            supply_group: 123_457,
            tariff_index: 1,
            revision: 1,
            key_type: KeyType::Unique,
            base_date: BaseDate::Y2014,
        },
        expiry: 255,
        key: keys[0].clone(),
    };
    site.memory.lock().tokens.keys = [(site.point, meter)].into();
    let message = Message::Credit {
        commodity: Commodity::Electricity,
        issue: Issue {
            random: 5,
            tid: Tid::new(5_000_000).unwrap(),
            value: 25,
        },
    };
    keys.map(|key| message.seal(Some(&key)).unwrap().to_string())
}

#[tokio::test]
async fn a_token_is_entered_on_the_page_and_says_what_it_brought() {
    let site = TestSite::open();
    let [token, foreign] = tokens(&site);
    let form = site.send(&get("/usage-point/1")).await.body;
    assert!(form.contains("name=\"token\""), "{form}");
    let balance = |site: &TestSite| {
        site.memory.lock().state.usage_points[&site.point]
            .account
            .balance
    };
    let groups = format!("{}+{}-{}", &token[..4], &token[4..8], &token[8..]);
    let send = |digits: &str| post("/usage-point/1/token", &format!("token={digits}"));
    let reply = site.send(&send(&groups)).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let shown = site.send(&get(reply.header(header::LOCATION))).await.body;
    // 2.5 kWh of the first block with wheeling and duty.
    assert!(
        shown.contains("2.5 units credited, worth ₹16.12. Receipt"),
        "{shown}"
    );
    assert!(
        shown.contains("Token: 2.5 units credited"),
        "the journal says it"
    );
    assert!(shown.contains("Token, receipt"), "the statement says it");
    let credited = balance(&site);
    for (digits, words) in [
        (token.as_str(), "The token was used before."),
        (
            foreign.as_str(),
            "The digits are wrong or the token is for another meter",
        ),
        ("1234", "A token has 20 digits"),
        ("%22%3E%3Cscript%3E", "A token has 20 digits"),
    ] {
        let reply = site.send(&send(digits)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{digits}");
        assert!(reply.body.contains(words), "{digits}: {}", reply.body);
        assert!(!reply.body.contains("<script>"), "{digits}");
    }
    assert_eq!(balance(&site), credited);
    let csv = site.send(&get("/statement/UP-0001.csv")).await;
    assert!(csv.body.contains(",token-entered,tokens,"), "{}", csv.body);
}

#[tokio::test]
async fn a_program_enters_a_token_and_no_answer_has_a_key() {
    let site = TestSite::open();
    let [token, _] = tokens(&site);
    let body = format!("{{\"token\":\"{token}\"}}");
    let ask = post_json("/api/v1/usage-points/1/token", &body);
    let (first, second) = (site.send(&ask).await, site.send(&ask).await);
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    for part in [
        "\"done\":\"token-taken\"",
        "\"units_wh\":2500",
        "2.5 units credited",
    ] {
        assert!(first.body.contains(part), "{}", first.body);
    }
    assert!(
        second.body.contains("\"error\":\"used\""),
        "{}",
        second.body
    );
    for path in [
        "/api/v1/journal",
        "/api/v1/usage-points/1",
        "/journal",
        "/usage-point/1",
    ] {
        let body = site.send(&get(path)).await.body.to_lowercase();
        assert!(!body.contains("f94b6ed3"), "{path}");
    }
}
