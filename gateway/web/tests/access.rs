//! Who gets in: every route with no session, with one, and from another site.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{Method, StatusCode, header};
use fixture::site::{Ask, TestSite, get, post, post_json};

const KEY: &str = "page-0123456789abcdef0123456789abcdef";

/// Every protected route with what it answers to the operator.
fn routes() -> Vec<(Ask, StatusCode)> {
    let vend = format!("amount=10&key={KEY}");
    vec![
        (get("/"), StatusCode::OK),
        (get("/usage-point/UP-0001"), StatusCode::OK),
        (get(&format!("/usage-point/1/vend?{vend}")), StatusCode::OK),
        (get("/usage-point/1/supply?order=off"), StatusCode::OK),
        (get("/statement/UP-0001.csv"), StatusCode::OK),
        (get("/statement/UP-0001.html"), StatusCode::OK),
        (get("/alarms"), StatusCode::OK),
        (get("/journal"), StatusCode::OK),
        (get("/live"), StatusCode::OK),
        (get("/no-such-page"), StatusCode::NOT_FOUND),
        (post("/usage-point/1/vend", &vend), StatusCode::SEE_OTHER),
        (
            post("/usage-point/1/supply", "order=off"),
            StatusCode::SEE_OTHER,
        ),
        (post("/alarms/99/acknowledge", ""), StatusCode::NOT_FOUND),
        (get("/api/v1/usage-points"), StatusCode::OK),
        (get("/api/v1/usage-points/1"), StatusCode::OK),
        (get("/api/v1/usage-points/1/statement"), StatusCode::OK),
        (get("/api/v1/alarms"), StatusCode::OK),
        (get("/api/v1/journal"), StatusCode::OK),
        (get("/api/v1/status"), StatusCode::OK),
        (get("/api/v1/no-such-thing"), StatusCode::NOT_FOUND),
        (
            post_json("/api/v1/usage-points/1/vend", r#"{"key":"k","amount":"1"}"#),
            StatusCode::OK,
        ),
        (
            post_json("/api/v1/usage-points/1/supply", r#"{"order":"auto"}"#),
            StatusCode::OK,
        ),
        (
            post_json("/api/v1/alarms/99/acknowledge", "{}"),
            StatusCode::NOT_FOUND,
        ),
    ]
}

fn is_post(ask: &Ask) -> bool {
    format!("{ask:?}").contains("method: POST")
}

#[tokio::test]
async fn without_a_session_nothing_is_shown_or_done() {
    let site = TestSite::protected();
    for (ask, _) in routes() {
        for ask in [
            ask.clone(),
            ask.clone().cookie("prepaid-session=0000"),
            ask.with("x-fragment", "1"),
        ] {
            let reply = site.send(&ask).await;
            let to_login = reply.status == StatusCode::SEE_OTHER
                && reply.header(header::LOCATION).starts_with("/login?next=");
            assert!(
                to_login || reply.status == StatusCode::UNAUTHORIZED,
                "{ask:?}: {}",
                reply.status
            );
            assert!(!reply.body.contains("Flat 1"), "{ask:?}");
        }
    }
    assert!(site.memory.lock().commands.is_empty());
}

#[tokio::test]
async fn with_a_session_or_in_open_mode_everything_answers() {
    let (protected, open) = (TestSite::protected(), TestSite::open());
    let cookie = protected.log_in().await;
    for (ask, expected) in routes() {
        let reply = protected.send(&ask.clone().cookie(&cookie)).await;
        assert_eq!(reply.status, expected, "{ask:?}: {}", reply.body);
        assert_eq!(open.send(&ask).await.status, expected, "{ask:?}");
    }
}

#[tokio::test]
async fn a_post_from_another_site_never_reaches_the_desk() {
    let site = TestSite::protected();
    let cookie = site.log_in().await;
    for (ask, _) in routes().into_iter().filter(|(ask, _)| is_post(ask)) {
        let ask = ask.cookie(&cookie);
        let foreign = [
            ask.clone().with("origin", "http://evil.example"),
            ask.clone().with("origin", "null"),
            ask.clone().with("sec-fetch-site", "cross-site"),
            ask.clone().with("sec-fetch-site", "same-site"),
            ask.clone()
                .with("origin", "http://localhost:8080.evil.example"),
        ];
        for ask in foreign {
            let reply = site.send(&ask).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN, "{ask:?}");
            assert!(reply.body.contains("foreign-origin"), "{ask:?}");
        }
    }
    let silent = post("/usage-point/1/supply", "order=off")
        .cookie(&cookie)
        .without("origin");
    assert_eq!(site.send(&silent).await.status, StatusCode::FORBIDDEN);
    let form = post("/api/v1/usage-points/1/supply", r#"{"order":"off"}"#).cookie(&cookie);
    for kind in ["application/x-www-form-urlencoded", "text/plain", ""] {
        let reply = site.send(&form.clone().with("content-type", kind)).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
    assert!(site.memory.lock().commands.is_empty());
}

#[tokio::test]
async fn only_get_and_post_exist() {
    let site = TestSite::open();
    for method in [
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
        Method::TRACE,
    ] {
        let reply = site
            .send(&get("/usage-point/1/supply").method(method))
            .await;
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    let reply = site.send(&post("/alarms", "")).await;
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    // A GET of an address that changes something changes nothing.
    assert_eq!(
        site.send(&get("/alarms/1/acknowledge")).await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[tokio::test]
async fn open_mode_answers_to_loopback_names_only() {
    let site = TestSite::open();
    let check = [
        ("localhost:8080", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
        ("[::1]:8080", StatusCode::OK),
        ("evil.example:8080", StatusCode::FORBIDDEN),
        ("localhost.evil.example", StatusCode::FORBIDDEN),
        ("192.168.4.1:8080", StatusCode::FORBIDDEN),
        ("", StatusCode::FORBIDDEN),
    ];
    for (host, expected) in check {
        assert_eq!(
            site.send(&get("/").with("host", host)).await.status,
            expected,
            "{host}"
        );
    }
}

#[tokio::test]
async fn sessions_end_when_idle_old_or_logged_out() {
    let site = TestSite::protected();
    let opened =
        async |cookie: &str| site.send(&get("/").cookie(cookie)).await.status == StatusCode::OK;
    let idle = site.log_in().await;
    site.wait(1_799);
    assert!(opened(&idle).await);
    site.wait(1_799);
    // The page that refreshes itself does not keep the session open.
    let fragment = get("/").cookie(&idle).with("x-fragment", "1");
    assert_eq!(site.send(&fragment).await.status, StatusCode::OK);
    site.wait(1);
    assert!(!opened(&idle).await);

    let busy = site.log_in().await;
    for _ in 0..47 {
        site.wait(900);
        assert!(opened(&busy).await);
    }
    site.wait(900);
    assert!(!opened(&busy).await, "twelve hours are over");

    let left = site.log_in().await;
    let reply = site.send(&post("/logout", "").cookie(&left)).await;
    assert!(reply.header(header::SET_COOKIE).contains("Max-Age=0"));
    assert!(!opened(&left).await);
}

#[tokio::test]
async fn a_login_makes_a_new_strict_cookie_and_ends_the_old_session() {
    let site = TestSite::protected();
    let first = site.log_in().await;
    let login = post(
        "/login",
        "password=correct+horse+battery&next=//evil.example",
    );
    let reply = site.send(&login.cookie(&first)).await;
    assert_eq!(reply.header(header::LOCATION), "/");
    let cookie = reply.header(header::SET_COOKIE);
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let secret = cookie.split(['=', ';']).nth(1).unwrap();
    assert_eq!(secret.len(), 64);
    assert!(!first.contains(secret));
    assert_eq!(
        site.send(&get("/").cookie(&first)).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn passwords_cannot_be_tried_without_end() {
    let site = TestSite::protected();
    let (attacker, operator) = ("10.0.0.66:1", "10.0.0.7:1");
    for _ in 0..5 {
        let reply = site.try_password("wrong", attacker).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    let reply = site.try_password(fixture::site::PASSWORD, attacker).await;
    assert_eq!(reply.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reply.header(header::RETRY_AFTER), "60");
    let reply = site.try_password(fixture::site::PASSWORD, operator).await;
    assert_eq!(
        reply.status,
        StatusCode::SEE_OTHER,
        "others are not locked out"
    );
    site.wait(60);
    let reply = site.try_password(fixture::site::PASSWORD, attacker).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn health_needs_no_login_and_metrics_come_from_allowed_addresses() {
    let site = TestSite::protected();
    assert_eq!(site.send(&get("/healthz")).await.body, "ok\n");
    site.memory
        .lock()
        .health
        .problems
        .push(gateway_web::Problem {
            serious: true,
            words: "The disk is full.".to_owned(),
        });
    let reply = site.send(&get("/healthz")).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!reply.body.contains("disk"), "details need a login");
    for (from, expected) in [
        ("127.0.0.1:1", StatusCode::OK),
        ("[::1]:1", StatusCode::OK),
        ("192.168.4.9:1", StatusCode::OK),
        ("192.168.4.7:1", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(
            site.send(&get("/metrics").from(from)).await.status,
            expected,
            "{from}"
        );
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = TestSite::protected();
    for path in [
        "/",
        "/login",
        "/static/page.js",
        "/static/none",
        "/api/v1/status",
        "/healthz",
    ] {
        let reply = site.send(&get(path)).await;
        let policy = reply.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(
            reply.header(header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            reply.header(header::REFERRER_POLICY),
            "same-origin",
            "{path}"
        );
        assert_ne!(reply.header(header::CACHE_CONTROL), "", "{path}");
    }
}
