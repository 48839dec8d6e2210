//! Debts, corrections, quotes and agents over the API: what is done, once, by whom, and what is refused by name.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::StatusCode;
use fixture::site::{Reply, TestSite, get, post_json};
use serde_json::Value;

async fn ask(site: &TestSite, cookie: &str, path: &str, body: &str) -> Reply {
    let path = format!("/api/v1/{path}");
    let ask = if body.is_empty() {
        get(&path)
    } else {
        post_json(&path, body)
    };
    site.send(&ask.cookie(cookie)).await
}

/// What comes back has this status and these values.
#[track_caller]
fn check(reply: &Reply, status: u16, expected: &[(&str, &str)]) {
    assert_eq!(reply.status.as_u16(), status, "{}", reply.body);
    let value: Value = serde_json::from_str(&reply.body).expect("JSON");
    for (pointer, expected) in expected {
        let found = value.pointer(pointer).map(Value::to_string);
        let found = found.as_deref().map(|text| text.trim_matches('"'));
        assert_eq!(found, Some(*expected), "{pointer}: {}", reply.body);
    }
}

const ARREARS: &str = r#"{"key": "d1", "change": "open", "kind": "arrears", "amount": "300",
    "percent": "10", "per_day": "2", "cap": {"amount": "50", "per": "week"}, "reason": "bills of before"}"#;

#[tokio::test]
async fn a_debt_is_opened_once_and_a_quote_knows_it() {
    let site = TestSite::protected();
    let clerk = site.log_in_as("clerk").await;
    let debts = "usage-points/1/debts";
    let first = ask(&site, &clerk, debts, ARREARS).await;
    check(&first, 200, &[("/done", "corrected")]);
    let again = ask(&site, &clerk, debts, ARREARS).await;
    assert_eq!(again.body, first.body, "the same key is the same debt");
    let other = ARREARS.replace("300", "301");
    let reply = ask(&site, &clerk, debts, &other).await;
    check(&reply, 409, &[("/error", "key-used-for-other")]);
    let second = ARREARS.replace("d1", "d2");
    let reply = ask(&site, &clerk, debts, &second).await;
    check(&reply, 409, &[("/error", "debt-exists")]);
    let expected = [
        ("/owed", "300.00"),
        ("/debts/0/kind", "arrears"),
        ("/debts/0/percent", "10.00"),
        ("/debts/0/cap/per", "week"),
    ];
    check(&ask(&site, &clerk, debts, "").await, 200, &expected);
    let all = ask(&site, &clerk, "debts", "").await;
    check(&all, 200, &[("/usage_points/0/usage_point", "UP-0001")]);

    // Two days later four of the cap's fifty are collected, and the quote says so before they are.
    site.memory.lock().now.at.0 += 2 * 86_400;
    let quote = ask(
        &site,
        &clerk,
        "usage-points/1/quote",
        r#"{"amount": "100"}"#,
    )
    .await;
    let expected = [
        ("/done", "quoted"),
        ("/debts/0/debt", "arrears"),
        ("/debts/0/amount", "10.00"),
        ("/credit", "90.00"),
    ];
    check(&quote, 200, &expected);
    let quoted: Value = serde_json::from_str(&quote.body).unwrap();
    let vend = r#"{"key": "v1", "amount": "100"}"#;
    let vended = ask(&site, &clerk, "usage-points/1/vend", vend).await;
    let available = quoted["available"].as_str().unwrap();
    check(&vended, 200, &[("/available", available)]);

    let off =
        r#"{"key": "d3", "change": "write-off", "kind": "arrears", "reason": "paid at the bank"}"#;
    check(
        &ask(&site, &clerk, debts, off).await,
        200,
        &[("/done", "corrected")],
    );
    check(
        &ask(&site, &clerk, debts, "").await,
        200,
        &[("/owed", "0.00")],
    );
    let reply = ask(&site, &clerk, debts, &off.replace("d3", "d4")).await;
    check(&reply, 404, &[("/error", "no-such-debt")]);
}

#[tokio::test]
async fn a_large_correction_takes_two_people() {
    let site = TestSite::protected();
    let (clerk, boss) = (
        site.log_in_as("clerk").await,
        site.log_in_as("operator").await,
    );
    let make = "usage-points/1/corrections";
    let large = r#"{"key": "c1", "credit": "900", "reason": "paid twice"}"#;
    let reply = ask(&site, &clerk, make, large).await;
    check(&reply, 200, &[("/done", "proposed")]);
    let value: Value = serde_json::from_str(&reply.body).expect("JSON");
    let number = value["proposal"].as_u64().unwrap();
    let expected = [
        ("/corrections/0/amount", "900.00"),
        ("/corrections/0/words", "add 900.00 to the credit"),
        ("/corrections/0/proposed_by", "clerk via api"),
    ];
    check(&ask(&site, &clerk, "corrections", "").await, 200, &expected);
    let approve = format!("corrections/{number}/approve");
    let reply = ask(&site, &clerk, &approve, "{}").await;
    check(&reply, 403, &[("/error", "same-person")]);
    check(
        &ask(&site, &boss, &approve, "{}").await,
        200,
        &[("/done", "corrected")],
    );
    let reply = ask(&site, &boss, &approve, "{}").await;
    check(&reply, 404, &[("/error", "no-such-proposal")]);
}

#[tokio::test]
async fn a_vend_is_taken_back_once() {
    let site = TestSite::protected();
    let clerk = site.log_in_as("clerk").await;
    let make = "usage-points/1/corrections";
    let vend = ask(
        &site,
        &clerk,
        "usage-points/1/vend",
        r#"{"key": "v", "amount": "20"}"#,
    )
    .await;
    let value: Value = serde_json::from_str(&vend.body).unwrap();
    let receipt = value["receipt"].as_u64().unwrap();
    let reverse = format!(r#"{{"key": "c2", "reverse": {receipt}, "reason": "wrong flat"}}"#);
    check(
        &ask(&site, &clerk, make, &reverse).await,
        200,
        &[("/done", "corrected")],
    );
    check(
        &ask(&site, &clerk, make, &reverse).await,
        200,
        &[("/done", "corrected")],
    );
    let reply = ask(&site, &clerk, make, &reverse.replace("c2", "c3")).await;
    check(&reply, 409, &[("/error", "reversed-before")]);
    let reply = ask(
        &site,
        &clerk,
        make,
        &reverse.replace(&receipt.to_string(), "1"),
    )
    .await;
    check(&reply, 409, &[("/error", "key-used-for-other")]);
    for (body, status, name) in [
        (r#"{"key": "x", "reason": "r"}"#, 400, "no-such-correction"),
        (
            r#"{"key": "x", "credit": "0", "reason": "r"}"#,
            422,
            "nothing-to-do",
        ),
        (
            r#"{"key": "x", "credit": "1", "reason": " "}"#,
            422,
            "reason-unusable",
        ),
        (
            r#"{"key": "x", "reverse": 1, "reason": "r"}"#,
            404,
            "no-such-receipt",
        ),
    ] {
        let reply = ask(&site, &clerk, make, body).await;
        check(&reply, status, &[("/error", name)]);
    }
}

#[tokio::test]
async fn an_agent_is_added_topped_up_once_and_has_a_day_end() {
    let site = TestSite::protected();
    let boss = site.log_in_as("operator").await;
    let add = r#"{"name": "Corner shop", "overdraft": "20", "commission_percent": "2"}"#;
    check(
        &ask(&site, &boss, "agents", add).await,
        200,
        &[("/agent", "1")],
    );
    let reply = ask(&site, &boss, "agents", add).await;
    check(&reply, 409, &[("/error", "agent-exists")]);
    let person = r#"{"person": "agent", "assigned": true}"#;
    let reply = ask(&site, &boss, "agents/1/person", person).await;
    check(&reply, 200, &[("/done", "agent")]);
    let float = r#"{"key": "slip 7", "amount": "100", "reason": "cash, slip 7"}"#;
    for _ in 0..2 {
        let reply = ask(&site, &boss, "agents/1/float", float).await;
        check(&reply, 200, &[("/float", "100.00")]);
    }
    let reply = ask(&site, &boss, "agents/1/float", &float.replace("100", "99")).await;
    check(&reply, 409, &[("/error", "key-used-for-other")]);
    let expected = [
        ("/float", "100.00"),
        ("/people/0", "agent"),
        ("/closed", "false"),
    ];
    check(&ask(&site, &boss, "agents/1", "").await, 200, &expected);
    check(
        &ask(&site, &boss, "agents/2", "").await,
        404,
        &[("/error", "no-such-agent")],
    );

    let agent = site.log_in_as("agent").await;
    let key = format!("page-{}", "a".repeat(32));
    let sell = |amount: &str| format!("usage_point=1&amount={amount}&key={key}");
    let sold = fixture::site::post("/agent/vend", &sell("50"));
    let reply = site.send(&sold.cookie(&agent)).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let expected = [
        ("/report/cash_micro", "50000000"),
        ("/report/closing_micro", "51000000"),
        ("/report/re_adds", "true"),
        ("/day", "2026-11-23"),
    ];
    let report = ask(&site, &boss, "agents/1/day-end", "").await;
    check(&report, 200, &expected);
    let range = "agents/1/day-end?from=2026-11-01&to=2026-11-30";
    let report = ask(&site, &boss, range, "").await;
    check(
        &report,
        200,
        &[
            ("/day", "2026-11-01 to 2026-11-30"),
            ("/report/cash_micro", "50000000"),
        ],
    );
    papers_of_the_day(&site, &boss, &agent).await;
}

async fn papers_of_the_day(site: &TestSite, boss: &str, agent: &str) {
    for (ending, part) in [
        ("html", "Cash expected"),
        ("csv", "closing"),
        ("json", "cash_micro"),
        ("pdf", "%PDF-1"),
    ] {
        for (path, cookie) in [("/agents/1/day-end/", boss), ("/agent/day-end/", agent)] {
            let path = format!("{path}2026-11-23.{ending}");
            let reply = site.send(&get(&path).cookie(cookie)).await;
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
            assert!(reply.body.contains(part), "{path}: {part}");
        }
    }
    let foreign = site
        .send(&get("/agents/1/day-end/2026-11-23.csv").cookie(agent))
        .await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
}
