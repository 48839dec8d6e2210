//! Debts, corrections, agents and papers on the pages: each change is shown before it is done, done once, and refused in words.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{StatusCode, header};
use fixture::site::{Reply, TestSite, get, post};

/// Names and values of the hidden fields of the page's last form, as a browser sends them.
fn hidden(page: &str) -> String {
    let form = page.rsplit("<form method=\"post\"").next().unwrap_or("");
    let fields = form.split("<input type=\"hidden\" name=\"").skip(1);
    let pairs = fields.filter_map(|field| {
        let (name, rest) = field.split_once("\" value=\"")?;
        let value = rest
            .split('"')
            .next()?
            .replace(' ', "+")
            .replace('%', "%25");
        Some(format!("{name}={value}"))
    });
    pairs.collect::<Vec<_>>().join("&")
}

struct Somebody<'a> {
    site: &'a TestSite,
    cookie: String,
}

impl Somebody<'_> {
    async fn sees(&self, path: &str, parts: &[&str]) -> String {
        let reply = self.site.send(&get(path).cookie(&self.cookie)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
        for part in parts {
            assert!(reply.body.contains(part), "{path}: {part}: {}", reply.body);
        }
        reply.body
    }

    async fn sends(&self, path: &str, body: &str) -> Reply {
        self.site.send(&post(path, body).cookie(&self.cookie)).await
    }

    /// Confirms what a page asks; where it leads to.
    async fn confirms(&self, path: &str, page: &str) -> String {
        let reply = self.sends(path, &hidden(page)).await;
        assert_eq!(
            reply.status,
            StatusCode::SEE_OTHER,
            "{path}: {}",
            reply.body
        );
        reply.header(header::LOCATION).to_owned()
    }
}

async fn somebody<'a>(site: &'a TestSite, name: &str) -> Somebody<'a> {
    let cookie = site.log_in_as(name).await;
    Somebody { site, cookie }
}

#[tokio::test]
async fn a_debt_is_shown_before_it_is_opened_and_opened_once() {
    let site = TestSite::protected();
    let clerk = somebody(&site, "clerk").await;
    let account = "/usage-point/UP-0001/account";
    clerk
        .sees(account, &["Nothing is owed", "Open a debt", "500.00"])
        .await;
    let check = format!(
        "{account}/check?act=open&kind=arrears&amount=300&percent=10&per_day=2&cap=50&cap_per=week&reason=old+bills"
    );
    let parts = [
        "Open arrears of",
        "10 % of each payment",
        "old bills",
        "clerk via page",
    ];
    let page = clerk.sees(&check, &parts).await;
    assert!(!page.contains("another person"), "one is enough: {page}");
    let before = site.memory.lock().records.len();
    for _ in 0..2 {
        let target = clerk.confirms(account, &page).await;
        clerk
            .sees(&target, &["Done, record", "Arrears", "300.00"])
            .await;
    }
    assert_eq!(
        site.memory.lock().records.len(),
        before + 2,
        "the debt and its key"
    );
    let confirm = clerk
        .sees(
            &format!(
                "/usage-point/UP-0001/vend?amount=100&key=page-{}",
                "b".repeat(32)
            ),
            &["Pays back: Arrears", "10.00"],
        )
        .await;
    assert!(confirm.contains("Units added"), "{confirm}");
    clerk
        .sees(
            "/accounts",
            &["Flat 1", "Arrears", "₹300.00</data> together"],
        )
        .await;
    for (query, words) in [
        ("act=open&kind=arrears&amount=x&reason=r", "amount"),
        (
            "act=open&kind=fraud&amount=5&percent=101&reason=r",
            "from 0 to 100",
        ),
        ("act=reverse&receipt=1&reason=r", "receipt number"),
    ] {
        let ask = get(&format!("{account}/check?{query}")).cookie(&clerk.cookie);
        let reply = site.send(&ask).await;
        assert!(reply.status.is_client_error(), "{query}: {}", reply.status);
        assert!(
            reply.body.contains(words),
            "{query}: {words}: {}",
            reply.body
        );
    }
    let off = format!("{account}/check?act=write-off&kind=arrears&amount=&reason=paid+at+the+bank");
    let page = clerk
        .sees(&off, &["Write off all of arrears", "300.00"])
        .await;
    let target = clerk.confirms(account, &page).await;
    clerk.sees(&target, &["Nothing is owed"]).await;
}

#[tokio::test]
async fn a_large_correction_waits_on_the_page_for_another_person() {
    let site = TestSite::protected();
    let (clerk, boss) = (
        somebody(&site, "clerk").await,
        somebody(&site, "operator").await,
    );
    let account = "/usage-point/UP-0001/account";
    let check = format!("{account}/check?act=credit&amount=900&receipt=&reason=paid+twice");
    let page = clerk
        .sees(&check, &["Add", "900.00", "another person", "Propose"])
        .await;
    let target = clerk.confirms(account, &page).await;
    clerk
        .sees(
            &target,
            &["waits for another person", "Waits for a second person"],
        )
        .await;
    let number = target.rsplit('=').next().unwrap_or("").to_owned();
    let path = format!("/corrections/{number}");
    clerk
        .sees("/accounts", &[&path, "paid twice", "clerk via page"])
        .await;
    let own = clerk.sees(&path, &["It is yours", "Take it back"]).await;
    assert!(!own.contains("/approve"), "{own}");
    let reply = clerk.sends(&format!("{path}/approve"), "").await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.body.contains("another person"), "{}", reply.body);
    let reply = boss.sends(&format!("{path}/refuse"), "reason=+").await;
    assert_eq!(
        reply.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        reply.body
    );
    boss.sees(&path, &["Approve", "Refuse"]).await;
    let reply = boss.sends(&format!("{path}/approve"), "").await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let reply = boss.sends(&format!("{path}/approve"), "").await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND, "it is answered once");
    let auditor = somebody(&site, "auditor").await;
    let page = auditor.sees(account, &["Debts and corrections"]).await;
    assert!(
        !page.contains("account/check"),
        "an auditor changes nothing: {page}"
    );
}

#[tokio::test]
async fn an_agent_is_added_topped_up_once_and_sees_its_float_and_day() {
    let site = TestSite::protected();
    let boss = somebody(&site, "operator").await;
    let agent = somebody(&site, "agent").await;
    agent.sees("/agent", &["not assigned to an agent"]).await;
    let check = "/agents/new/check?name=Corner+shop&overdraft=20&percent=2";
    let page = boss
        .sees(check, &["Add the agent Corner shop?", "2 %"])
        .await;
    assert_eq!(
        boss.confirms("/agents/new", &page).await,
        "/agents/1?done=1"
    );
    let again = boss.sends("/agents/new", &hidden(&page)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    let page = boss
        .sees(
            "/agents/1/check?change=assign&person=agent",
            &["from now on?"],
        )
        .await;
    boss.confirms("/agents/1", &page).await;
    let check = "/agents/1/check?change=float&amount=1000&reason=slip+7";
    let page = boss
        .sees(
            check,
            &["Top the float up by", "Float afterwards", "slip 7"],
        )
        .await;
    for _ in 0..2 {
        boss.confirms("/agents/1", &page).await;
    }
    boss.sees("/agents/1", &["1,000.00", "Today so far"]).await;
    boss.sees("/accounts", &["Corner shop", "1,000.00"]).await;
    agent
        .sees(
            "/agent",
            &["Corner shop: float left", "1,000.00", "1,020.00"],
        )
        .await;
    an_agent_sells(&site, &boss, &agent).await;
    let check = "/agents/1/check?change=end&person=agent";
    let page = boss.sees(check, &["no more?"]).await;
    boss.confirms("/agents/1", &page).await;
    agent.sees("/agent", &["not assigned to an agent"]).await;
}

async fn an_agent_sells(site: &TestSite, boss: &Somebody<'_>, agent: &Somebody<'_>) {
    let sell = format!(
        "/agent/vend?usage_point=1&amount=1500&key=page-{}",
        "c".repeat(32)
    );
    let reply = site.send(&get(&sell).cookie(&agent.cookie)).await;
    assert_eq!(
        reply.status,
        StatusCode::CONFLICT,
        "the float does not pay: {}",
        reply.body
    );
    let sell = sell.replace("1500", "50");
    let page = agent.sees(&sell, &["Units added"]).await;
    let target = agent.confirms("/agent/vend", &page).await;
    let receipt = target.rsplit('=').next().unwrap_or("").to_owned();
    agent.sees("/agent", &["951.00"]).await;
    for paper in ["58", "80", "a4"] {
        let path = format!("/agent/receipt/{receipt}?pdf={paper}&original=1");
        agent.sees(&path, &["%PDF-1", "50.00"]).await;
    }
    agent
        .sees(
            "/agent/day-end/2026-11-23.html",
            &["Cash expected", "50.00"],
        )
        .await;
    let days = "/agents/1/day-end?from=2026-11-01&to=2026-11-30";
    let reply = site.send(&get(days).cookie(&boss.cookie)).await;
    let target = reply.header(header::LOCATION).to_owned();
    boss.sees(&target, &["2026-11-01 to 2026-11-30", "951.00"])
        .await;
}
