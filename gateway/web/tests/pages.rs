//! What the pages say and do.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{StatusCode, header};
use fixture::reading;
use fixture::site::{TestSite, get, post};
use gateway_core::alarm::AlarmKind;
use gateway_core::meter_link::{Arming, PointSetting};
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::Phases;
use gateway_core::{Command, Micro, NodeId, UsagePointId, WattHours};
use gateway_web::Problem;

const KEY: &str = "page-0123456789abcdef0123456789abcdef";
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";

#[tokio::test]
async fn labels_and_details_are_escaped_everywhere() {
    let site = TestSite::open();
    let (point, node) = site.memory.lock().add(HOSTILE, Phases::Single);
    site.memory
        .lock()
        .read(reading(node, 5_000, 100, Relay::Open));
    for (kind, about) in [(AlarmKind::Tamper, Some(node)), (AlarmKind::Tamper, None)] {
        let details = HOSTILE.to_owned();
        let command = Command::Report {
            kind,
            node: about,
            details,
        };
        site.memory.lock().command(command).unwrap();
    }
    site.memory.lock().rejections.insert(HOSTILE.to_owned(), 1);
    site.memory.lock().health.problems.push(Problem {
        serious: true,
        words: HOSTILE.to_owned(),
    });
    let pages = [
        "/".to_owned(),
        format!("/?search={}", "%22%3E%3Cscript%3E"),
        format!("/usage-point/{point}"),
        format!("/usage-point/{point}?from=%3Cscript%3E&days=%22%3E%3Cscript%3E"),
        format!("/usage-point/{point}/vend?key={KEY}&amount=5"),
        format!("/usage-point/{point}/vend?key={KEY}&amount=%22%3E%3Cscript%3E"),
        format!("/usage-point/{point}/supply?order=off"),
        "/alarms".to_owned(),
        "/journal".to_owned(),
        "/login?next=%22%3E%3Cscript%3E".to_owned(),
        "/%22%3E%3Cscript%3E".to_owned(),
    ];
    for page in pages {
        let reply = site.send(&get(&page)).await;
        assert!(!reply.body.contains("<script>"), "{page}");
        assert!(!reply.body.contains("<img"), "{page}");
        assert!(
            !reply.body.contains(" style=") && !reply.body.contains("onclick"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn a_double_click_or_a_reload_is_one_vend() {
    let site = TestSite::open();
    let page = site.send(&get("/usage-point/1")).await.body;
    let key = page.split("name=\"key\" value=\"").nth(1).unwrap();
    let key = key.split('"').next().unwrap();
    let before = site.memory.lock().records.len();
    let confirm = site
        .send(&get(&format!("/usage-point/1/vend?amount=250.5&key={key}")))
        .await;
    assert!(confirm.body.contains(key) && confirm.body.contains("₹250.50"));
    let after = site.memory.lock().records.len();
    assert_eq!(after, before, "asking changes nothing");
    let send = post("/usage-point/1/vend", &format!("amount=250.5&key={key}"));
    let (first, second) = (site.send(&send).await, site.send(&send).await);
    assert_eq!(first.status, StatusCode::SEE_OTHER);
    let target = first.header(header::LOCATION);
    assert_eq!(target, second.header(header::LOCATION), "the same receipt");
    let shown = site.send(&get(target)).await.body;
    assert!(shown.contains("Recharged with ₹250.50. Receipt"), "{shown}");
    let inner = site.memory.lock();
    assert_eq!(
        inner.commands[1], inner.commands[2],
        "after the question what it would do"
    );
    assert_eq!(inner.state.vends.len(), 2);
    let balance = inner.state.usage_points[&UsagePointId(1)].account.balance;
    // 100.00 and 250.50, less the day's fixed charge and duty of 5.026666.
    assert_eq!(balance, Micro(345_473_334));
}

#[tokio::test]
async fn each_visit_has_a_key_of_its_own_and_only_such_keys_are_taken() {
    let site = TestSite::open();
    let (a, b) = (
        site.send(&get("/usage-point/1")).await,
        site.send(&get("/usage-point/1")).await,
    );
    let key = |page: &str| page.split("value=\"page-").nth(1).unwrap()[..32].to_owned();
    assert_ne!(key(&a.body), key(&b.body));
    for key in [
        "",
        "first",
        "page-1",
        "page-zz23456789abcdef0123456789abcdef",
    ] {
        let reply = site
            .send(&post("/usage-point/1/vend", &format!("amount=1&key={key}")))
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{key}");
    }
    assert!(site.memory.lock().commands.is_empty());
}

#[tokio::test]
async fn bad_amounts_are_named_beside_the_field_and_kept() {
    let site = TestSite::open();
    let check = [
        (
            "abc",
            StatusCode::BAD_REQUEST,
            "Not an amount; write it like 12.50.",
        ),
        (
            "1,000",
            StatusCode::BAD_REQUEST,
            "Not an amount; write it like 12.50.",
        ),
        ("", StatusCode::BAD_REQUEST, "Not an amount"),
        ("0.0000001", StatusCode::BAD_REQUEST, "at most six decimals"),
        ("99999999999999", StatusCode::BAD_REQUEST, "too large"),
        ("0", StatusCode::UNPROCESSABLE_ENTITY, "more than zero"),
        ("-5", StatusCode::UNPROCESSABLE_ENTITY, "more than zero"),
        (
            "25000.01",
            StatusCode::UNPROCESSABLE_ENTITY,
            "above the largest recharge, 25000.00",
        ),
    ];
    for (amount, status, words) in check {
        let query = format!("amount={amount}&key={KEY}");
        let asked = site
            .send(&get(&format!("/usage-point/1/vend?{query}")))
            .await;
        let done = site.send(&post("/usage-point/1/vend", &query)).await;
        for reply in [asked, done] {
            assert_eq!(reply.status, status, "{amount}");
            assert!(reply.body.contains(words), "{amount}: {}", reply.body);
            assert!(
                reply.body.contains(&format!("value=\"{amount}\"")),
                "{amount}"
            );
            assert!(
                reply.body.contains(KEY),
                "the key stays: trying again cannot pay twice"
            );
        }
    }
    assert_eq!(site.memory.lock().state.vends.len(), 1);
}

#[tokio::test]
async fn a_key_that_stands_for_another_vend_is_replaced() {
    let site = TestSite::open();
    let send = |amount: &str| post("/usage-point/1/vend", &format!("amount={amount}&key={KEY}"));
    site.send(&send("10")).await;
    let reply = site.send(&send("20")).await;
    assert_eq!(reply.status, StatusCode::CONFLICT);
    assert!(
        reply.body.contains("nothing was credited")
            && !reply.body.contains(&format!("value=\"{KEY}\""))
    );
}

#[tokio::test]
async fn what_cannot_be_stored_is_said_and_can_be_tried_again() {
    let site = TestSite::open();
    site.memory.lock().broken = Some("The disk is full.".to_owned());
    let send = post("/usage-point/1/vend", &format!("amount=10&key={KEY}"));
    let reply = site.send(&send).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.body.contains("The disk is full.") && reply.body.contains(KEY));
    site.memory.lock().broken = None;
    assert_eq!(site.send(&send).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_fragment_is_the_content_alone() {
    let site = TestSite::open();
    for path in ["/", "/usage-point/1", "/alarms", "/journal"] {
        let whole = site.send(&get(path)).await;
        let part = site.send(&get(path).with("x-fragment", "1")).await;
        assert!(whole.body.starts_with("<!doctype html>"), "{path}");
        assert!(part.body.starts_with("<main id=\"main\">") && part.body.ends_with("</main>"));
        assert!(
            !part.body.contains("<script") && !part.body.contains("<header"),
            "{path}"
        );
        assert_eq!(part.header(header::VARY), "X-Fragment");
    }
}

#[tokio::test]
async fn the_supply_is_shown_with_its_reason_and_ordered_by_name() {
    let site = TestSite::open();
    let node = NodeId(1);
    site.memory
        .lock()
        .read(reading(node, 1_000, 350, Relay::Closed));
    let page = site.send(&get("/")).await.body;
    assert!(
        page.contains("Connected") && page.contains("350\u{a0}W"),
        "{page}"
    );
    let asked = site
        .send(&get("/usage-point/1/supply?order=off"))
        .await
        .body;
    assert!(asked.contains("Switch the supply off?"));
    site.send(&post("/usage-point/1/supply", "order=off")).await;
    site.memory
        .lock()
        .read(reading(node, 1_000, 0, Relay::Open));
    let page = site.send(&get("/usage-point/1")).await.body;
    assert!(page.contains("switched off by the operator"));
    let by = "operator via page".to_owned();
    let expected = Command::OrderSupply {
        usage_point: site.point,
        order: SupplyOrder::Off,
        by,
    };
    assert_eq!(site.memory.lock().commands, [expected]);
    let reply = site
        .send(&post("/usage-point/1/supply", "order=explode"))
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn in_shadow_the_reasons_are_shown_as_what_would_be() {
    let site = TestSite::open();
    let set = Command::SetPoint {
        usage_point: Some(site.point),
        setting: PointSetting::Arming {
            arming: Arming::Shadow,
        },
        by: "fixture".into(),
    };
    site.memory.lock().command(set).unwrap();
    let mut used = reading(NodeId(1), 1_000, 350, Relay::Closed);
    site.memory.lock().read(used.clone());
    used.register = WattHours(31_000);
    site.memory.lock().now.at.0 += 7_200;
    site.memory.lock().read(used);
    let page = site.send(&get("/usage-point/1")).await.body;
    for words in [
        "<span class=\"badge on\">Connected</span>",
        "in shadow: would be off, credit used up",
        "In shadow, not carried out: would be disconnected, credit used up",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let list = site.send(&get("/?show=disconnected")).await.body;
    assert!(!list.contains("id=\"UP-0001\""), "{list}");
    let body = site.send(&get("/api/v1/usage-points/1")).await.body;
    let point: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(point["supply"]["desired"], "closed");
    assert_eq!(point["supply"]["reasons"], serde_json::json!([]));
    assert_eq!(
        point["supply"]["would_cut"],
        serde_json::json!(["credit-exhausted"])
    );
}

#[tokio::test]
async fn a_recharge_says_what_it_means_in_units() {
    let site = TestSite::open();
    // 100.00 paid, 5.03 fixed charge and duty of the day: at 6.4496 a unit it lasts 14.72 units.
    let page = site
        .send(&get(&format!(
            "/usage-point/1/vend?amount=64.496&key={KEY}"
        )))
        .await
        .body;
    assert!(
        page.contains("<dt>Units added</dt><dd>10.00 kWh</dd>"),
        "{page}"
    );
}

#[tokio::test]
async fn the_statement_adds_up_and_its_csv_holds_no_formula() {
    let site = TestSite::open();
    let (point, node) = site
        .memory
        .lock()
        .add("=HYPERLINK(\"http://evil\")", Phases::Single);
    site.memory.lock().vend(point, "200", "second");
    site.memory.lock().read(reading(node, 0, 0, Relay::Closed));
    let csv = site.send(&get(&format!("/statement/{point}.csv"))).await;
    assert_eq!(csv.status, StatusCode::OK, "{}", csv.body);
    assert!(
        csv.header(header::CONTENT_DISPOSITION)
            .starts_with("attachment")
    );
    let rows: Vec<_> = csv.body.lines().skip(1).collect();
    assert!(!rows.is_empty());
    for row in &rows {
        assert!(
            row.contains(",\"'=HYPERLINK(\"\"http://evil\"\")\","),
            "{row}"
        );
    }
    let column = |row: &str, i: usize| -> Option<Micro> {
        let fields: Vec<_> = row.split(',').collect();
        assert_eq!(fields.len(), 15, "{row}");
        fields[i].parse().ok()
    };
    let total: Micro = rows.iter().filter_map(|row| column(row, 11)).sum();
    let blocks: Micro = rows.iter().filter_map(|row| column(row, 10)).sum();
    let energy = rows.iter().filter(|row| row.contains(",revenue:energy,"));
    let energy: Micro = energy.filter_map(|row| column(row, 11)).sum();
    assert_eq!(blocks, energy);
    let closing = column(rows.last().unwrap(), 12);
    assert_eq!(closing, Some(total));
    let balance = site.memory.lock().state.usage_points[&point]
        .account
        .balance;
    assert_eq!(balance, total);
    for bad in ["from=2026-11-23&to=2026-11-01", "from=x", "to=2026-02-30"] {
        let reply = site
            .send(&get(&format!("/statement/{point}.csv?{bad}")))
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn the_paper_says_that_it_adds_up_in_every_form() {
    let site = TestSite::open();
    let (point, node) = site.memory.lock().add("<b>7</b>", Phases::Single);
    site.memory.lock().vend(point, "2000", "one");
    site.memory.lock().read(reading(node, 0, 0, Relay::Closed));
    site.memory.lock().now.at.0 += 2 * 86_400;
    let used = reading(node, 150_123, 0, Relay::Closed);
    site.memory.lock().read(used);
    let paper = site.send(&get(&format!("/statement/{point}.html"))).await;
    for words in [
        "Statement of account",
        "&#60;b&#62;7&#60;/b&#62;",
        "Block 1 at",
        "Block 2 at",
        "50.123",
        "re-adds to the micro-unit",
        "The blocks of every line add up",
        "the ledger and the account hold the same",
    ] {
        assert!(paper.body.contains(words), "{words}: {}", paper.body);
    }
    assert!(
        !paper.body.contains("<style"),
        "the page allows no style of its own"
    );
    let pdf = site.send(&get(&format!("/statement/{point}.pdf"))).await;
    assert!(pdf.body.starts_with("%PDF-1."), "{}", pdf.body);
    let api = format!("/api/v1/usage-points/{point}/statement");
    let json = site.send(&get(&api)).await;
    assert!(json.body.contains("\"re_adds\":true"), "{}", json.body);
    let last = site.send(&get(&format!("{api}?period=last"))).await;
    assert!(
        last.body.contains("\"first_day\":\"2026-10-01\""),
        "{}",
        last.body
    );
    let bad = site.send(&get(&format!("{api}?period=x"))).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn alarms_are_acknowledged_by_name() {
    let site = TestSite::open();
    let command = Command::Report {
        kind: AlarmKind::Tamper,
        node: None,
        details: "cover open".to_owned(),
    };
    site.memory.lock().command(command).unwrap();
    let number = site.memory.lock().state.number;
    let reply = site
        .send(&post(&format!("/alarms/{number}/acknowledge"), ""))
        .await;
    assert_eq!(reply.header(header::LOCATION), "/alarms");
    let page = site.send(&get("/alarms")).await.body;
    assert!(page.contains("seen by operator via page"), "{page}");
}

#[tokio::test]
async fn what_does_not_exist_says_so() {
    let site = TestSite::open();
    for path in [
        "/usage-point/99",
        "/usage-point/x",
        "/usage-point/F-01",
        "/statement/UP-0001.exe",
        "/statement/UP-0099.html",
        "/static/../Cargo.toml",
    ] {
        assert_eq!(
            site.send(&get(path)).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let reply = site
        .send(&post("/usage-point/1/vend", &"x".repeat(20_000)))
        .await;
    assert!(reply.status.is_client_error());
    let page = site
        .send(&get("/?show=disconnected&search=nobody"))
        .await
        .body;
    assert!(page.contains("Nothing here"));
}
