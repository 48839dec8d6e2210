//! Residents: what they see, what they do, and that they see nobody else.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{Method, StatusCode, header};
use fixture::reading;
use fixture::site::{PASSWORD, TestSite, get, post};
use gateway_core::correction::{CorrectionAct, CorrectionCommand};
use gateway_core::debt::{DebtChange, DebtKind, Terms};
use gateway_core::guard::GuardCommand;
use gateway_core::person::{Role, SecretHash};
use gateway_core::prepay::{EmergencyRules, PrepayCommand};
use gateway_core::question::QuestionCommand;
use gateway_core::supply::Relay;
use gateway_core::tariff::Phases;
use gateway_core::{Command, Micro, UsagePointId};
use gateway_web::all_routes;

/// A second household, whose resident is `UP-0002`.
fn second(site: &TestSite) -> UsagePointId {
    let mut memory = site.memory.lock();
    let (point, node) = memory.add("Secret neighbour", Phases::Single);
    memory.vend(point, "321", "second");
    memory.read(reading(node, 0, 100, Relay::Closed));
    let secret = memory
        .secrets
        .get("up-0001")
        .map(|secret| secret.hash.clone());
    let hash: SecretHash = secret.expect("the first resident's");
    memory.add_person("UP-0002", Role::Resident, &[point], hash);
    point
}

#[tokio::test]
async fn a_resident_never_sees_another() {
    let site = TestSite::protected();
    let other = second(&site);
    let cookie = site.log_in_as("UP-0001").await;
    let receipts: Vec<u64> = {
        let memory = site.memory.lock();
        let of_other =
            |record: &&gateway_core::Record| record.decision.usage_point() == Some(other);
        memory
            .records
            .iter()
            .filter(of_other)
            .map(|record| record.number)
            .collect()
    };
    let before = site.memory.lock().commands.len();
    let mut asked = 0;
    for route in all_routes() {
        if matches!(
            route.path.as_str(),
            "/logout" | "/login" | "/metrics" | "/live"
        ) {
            continue;
        }
        for number in &receipts {
            for mine in ["UP-0001", "UP-0002", "2"] {
                let path = route
                    .path
                    .replace("{id}", mine)
                    .replace("{file}", "UP-0002.csv")
                    .replace("{number}", &number.to_string())
                    .replace("{change}", "note")
                    .replace("{name}", "UP-0002");
                let ask = match route.method {
                    Method::GET => get(&path),
                    _ => post(&path, "token=12345678901234567890&code=xx"),
                };
                let reply = site.send(&ask.cookie(&cookie)).await;
                for word in ["Secret neighbour", "UP-0002", "321"] {
                    assert!(!reply.body.contains(word), "{path}: {word}: {}", reply.body);
                }
                if path.starts_with("/my/UP-0002") || path.starts_with("/my/2") {
                    assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
                }
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
    let commands = site.memory.lock().commands[before..].to_vec();
    for command in commands {
        let whose = match &command {
            Command::EnterToken { usage_point, .. }
            | Command::Prepay(PrepayCommand::ActivateEmergency { usage_point, .. })
            | Command::Guard(GuardCommand::Close { usage_point, .. })
            | Command::Question(QuestionCommand::Ask { usage_point, .. }) => Some(*usage_point),
            _ => None,
        };
        assert_eq!(whose, Some(site.point), "{command:?}");
    }
}

#[tokio::test]
async fn the_page_says_how_much_is_left_and_why_it_is_off() {
    let site = TestSite::protected();
    let reply = site
        .send(&post(
            "/login",
            &format!("name=1&password={}", PASSWORD.replace(' ', "+")),
        ))
        .await;
    assert_eq!(reply.header(header::LOCATION), "/my");
    let cookie = reply
        .header(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let home = site.send(&get("/").cookie(&cookie)).await;
    assert_eq!(home.header(header::LOCATION), "/my");
    let home = site.send(&get("/my").cookie(&cookie)).await;
    assert_eq!(home.header(header::LOCATION), "/my/UP-0001");
    let look = get("/my/UP-0001").cookie(&cookie);
    let page = site.send(&look).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for words in [
        "Flat 1",
        "Units left",
        "100.00",
        "20 digits",
        "/my/UP-0001/statement/UP-0001.pdf",
    ] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    for words in ["Neighbourhood", "/journal", "Switch"] {
        assert!(!page.body.contains(words), "{words}");
    }
    let off = post("/usage-point/1/supply", "order=off").cookie(&site.log_in_as("clerk").await);
    site.send(&off).await;
    let page = site.send(&look).await;
    assert!(
        page.body
            .contains("The supplier has switched your connection off."),
        "{}",
        page.body
    );
    assert!(page.body.contains("Ask at the office."));
    let hindi = site
        .send(&look.clone().with("accept-language", "hi-IN"))
        .await;
    assert!(
        hindi.body.contains("आपूर्तिकर्ता") && hindi.body.contains("lang=\"hi\""),
        "{}",
        hindi.body
    );
    let chosen = site
        .send(&post("/language", "code=mr").cookie(&cookie))
        .await;
    assert!(
        chosen
            .header(header::SET_COOKIE)
            .starts_with("language=mr;")
    );
}

#[tokio::test]
async fn a_resident_has_receipts_and_statements() {
    let site = TestSite::protected();
    let cookie = site.log_in_as("UP-0001").await;
    let vended = {
        let memory = site.memory.lock();
        let vend = |record: &&gateway_core::Record| {
            matches!(record.decision, gateway_core::Decision::Vended { .. })
        };
        memory.records.iter().find(vend).map(|record| record.number)
    };
    let number = vended.expect("the first vend");
    for (path, kind, part) in [
        (
            format!("/my/UP-0001/receipt/{number}"),
            "text/html",
            "Receipt – duplicate",
        ),
        (
            format!("/my/UP-0001/receipt/{number}?original=1"),
            "text/html",
            "100.00",
        ),
        (
            format!("/my/UP-0001/receipt/{number}?columns=32"),
            "text/plain",
            "RECEIPT",
        ),
        (
            "/my/UP-0001/statement/UP-0001.html".to_owned(),
            "text/html",
            "/my/UP-0001/statement/UP-0001.pdf",
        ),
        (
            "/my/UP-0001/statement/UP-0001.csv".to_owned(),
            "text/csv",
            "100",
        ),
        (
            "/my/UP-0001/statement/UP-0001.pdf?period=this".to_owned(),
            "application/pdf",
            "%PDF",
        ),
    ] {
        let reply = site.send(&get(&path).cookie(&cookie)).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
        assert!(
            reply.header(header::CONTENT_TYPE).starts_with(kind),
            "{path}"
        );
        assert!(reply.body.contains(part), "{path}: {part}: {}", reply.body);
    }
    let nothing = site
        .send(&get("/my/UP-0001/receipt/1").cookie(&cookie))
        .await;
    assert_eq!(
        nothing.status,
        StatusCode::NOT_FOUND,
        "no receipt of what is no payment"
    );
}

#[tokio::test]
async fn an_agent_recharges_and_has_the_receipts_of_its_own_vends() {
    let site = TestSite::protected();
    let cookie = site.log_in_as("agent").await;
    let page = site.send(&get("/agent").cookie(&cookie)).await;
    let key = page
        .body
        .split("name=\"key\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let key = key.expect("a key in the form").to_owned();
    let form = format!("usage_point=1&amount=25&key={key}");
    let confirm = site
        .send(&get(&format!("/agent/vend?{form}")).cookie(&cookie))
        .await;
    assert_eq!(confirm.status, StatusCode::OK, "{}", confirm.body);
    assert!(confirm.body.contains("Flat 1") && !confirm.body.contains("Credit now"));
    for _ in 0..2 {
        let vended = site.send(&post("/agent/vend", &form).cookie(&cookie)).await;
        assert_eq!(vended.status, StatusCode::SEE_OTHER, "{}", vended.body);
        let target = vended.header(header::LOCATION).to_owned();
        let number = target
            .strip_prefix("/agent?vended=")
            .expect("a receipt")
            .to_owned();
        let after = site.send(&get(&target).cookie(&cookie)).await;
        assert!(
            after
                .body
                .contains(&format!("/agent/receipt/{number}?original=1")),
            "{}",
            after.body
        );
        let receipt = get(&format!("/agent/receipt/{number}")).cookie(&cookie);
        assert_eq!(site.send(&receipt).await.status, StatusCode::OK);
    }
    let vends = |record: &&gateway_core::Record| matches!(&record.decision, gateway_core::Decision::Vended { by, .. } if by == "agent via page");
    assert_eq!(
        site.memory.lock().records.iter().filter(vends).count(),
        1,
        "one key, one vend"
    );
}

#[tokio::test]
async fn an_agent_has_no_receipts_of_others_and_wrong_entries_are_named() {
    let site = TestSite::protected();
    let cookie = site.log_in_as("agent").await;
    let key = "page-0123456789abcdef0123456789abcdef";
    let foreign = site
        .memory
        .lock()
        .records
        .iter()
        .find_map(|record| match &record.decision {
            gateway_core::Decision::Vended { by, .. } if by == "fixture" => Some(record.number),
            _ => None,
        });
    let foreign = get(&format!(
        "/agent/receipt/{}",
        foreign.expect("the first vend")
    ))
    .cookie(&cookie);
    assert_eq!(site.send(&foreign).await.status, StatusCode::NOT_FOUND);
    for (form, part) in [
        (
            format!("usage_point=99&amount=25&key={key}"),
            "No usage point",
        ),
        (
            format!("usage_point=1&amount=-1&key={key}"),
            "more than zero",
        ),
    ] {
        let reply = site
            .send(&get(&format!("/agent/vend?{form}")).cookie(&cookie))
            .await;
        assert!(
            reply.status.is_client_error() && reply.body.contains(part),
            "{}",
            reply.body
        );
    }
}

/// A site that lends 100.00 from 200.00 on, with a debt, and its resident.
async fn lender() -> (TestSite, String) {
    let site = TestSite::protected();
    {
        let mut memory = site.memory.lock();
        memory.rules.prepay.emergency = EmergencyRules {
            limit: Micro(100_000_000),
            days: 0,
            threshold: Micro(200_000_000),
            automatic: false,
        };
        let node = memory
            .state
            .node_for(gateway_core::event::Role::UsagePoint(site.point));
        memory.now.at.0 += 3_600;
        memory.read(reading(node.expect("a node"), 9_000, 100, Relay::Closed));
        let open = DebtChange::Open {
            kind: DebtKind::Arrears,
            amount: Micro(300_000_000),
            terms: Terms {
                percent_hundredths: 1_000,
                per_day: Micro(2_000_000),
                cap: None,
            },
        };
        let opened = memory.command(Command::Correct(CorrectionCommand::Make {
            key: None,
            usage_point: site.point,
            what: CorrectionAct::Debt(open),
            reason: "bills of before".to_owned(),
            by: "clerk".to_owned(),
        }));
        assert!(opened.is_ok(), "{opened:?}");
    }
    let cookie = site.log_in_as("UP-0001").await;
    (site, cookie)
}

#[tokio::test]
async fn emergency_credit_debts_and_days_stand_on_ones_own_page() {
    let (site, cookie) = lender().await;
    let page =
        |language: &str| get("/my/UP-0001").cookie(&format!("{cookie}; language={language}"));
    for (language, parts) in [
        (
            "en",
            [
                "emergency credit of",
                "Unpaid bills",
                "10 % of each recharge",
                "pays back what you owe",
            ],
        ),
        (
            "hi",
            [
                "आपातकालीन क्रेडिट",
                "पुराने बिल",
                "हर रीचार्ज का 10 %",
                "बकाया चुकाने",
            ],
        ),
        (
            "mr",
            [
                "आपत्कालीन क्रेडिट",
                "जुनी बिले",
                "प्रत्येक रिचार्जचे 10 %",
                "थकबाकी फेडण्यासाठी",
            ],
        ),
    ] {
        let body = site.send(&page(language)).await.body;
        for part in parts {
            assert!(body.contains(part), "{language}: {part}: {body}");
        }
    }
    let activate = post("/my/UP-0001/emergency", "").cookie(&cookie);
    let reply = site.send(&activate).await;
    assert_eq!(
        reply.header(header::LOCATION),
        "/my/UP-0001?done=emergency",
        "{}",
        reply.body
    );
    let body = site.send(&page("en")).await.body;
    assert!(body.contains("Emergency credit is ready"), "{body}");
    assert!(!body.contains("/my/UP-0001/emergency"), "not offered again");
    let reply = site.send(&activate).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.body.contains("not possible now"), "{}", reply.body);
    let reply = site
        .send(&post("/my/UP-0001/reconnect", "").cookie(&cookie))
        .await;
    assert_eq!(
        reply.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "nothing waits for a press"
    );
}

#[tokio::test]
async fn a_question_reaches_the_office_and_its_answer_the_resident() {
    let (site, cookie) = lender().await;
    let ask = post("/my/UP-0001/question", "text=I+paid+250&about=3").cookie(&cookie);
    for _ in 0..2 {
        let reply = site.send(&ask).await;
        assert_eq!(
            reply.header(header::LOCATION),
            "/my/UP-0001?done=asked",
            "{}",
            reply.body
        );
    }
    let own = get("/my/UP-0001").cookie(&cookie);
    let body = site.send(&own).await.body;
    assert_eq!(body.matches("I paid 250").count(), 1, "asked once: {body}");
    assert!(body.contains("Waits for an answer"), "{body}");
    let clerk = site.log_in_as("clerk").await;
    let body = site.send(&get("/accounts").cookie(&clerk)).await.body;
    let place = body.split("/usage-point/UP-0001/question/").nth(1);
    let number = place
        .and_then(|rest| rest.split('"').next())
        .expect("a form to answer");
    let path = format!("/usage-point/UP-0001/question/{number}");
    let answer = post(&path, "text=Set+right").cookie(&clerk);
    assert_eq!(site.send(&answer).await.status, StatusCode::SEE_OTHER);
    assert_eq!(
        site.send(&answer).await.status,
        StatusCode::NOT_FOUND,
        "answered once"
    );
    let body = site.send(&own).await.body;
    for part in ["Answer of", "Set right"] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let auditor = site.log_in_as("auditor").await;
    let body = site.send(&get("/accounts").cookie(&auditor)).await.body;
    assert!(
        !body.contains("Set right"),
        "answered ones are on the journal"
    );
}
