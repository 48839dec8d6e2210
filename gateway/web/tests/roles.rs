//! Every address in every role: each gets exactly its list.
#![expect(clippy::panic, reason = "a test may panic")]

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{Method, StatusCode, header};
use fixture::site::{BEARER, Reply, TestSite, get, post, post_json};
use gateway_core::person::Role;
use gateway_web::{Needs, Route, all_routes};

/// Method, address, and who may use it: Supplier, Operator, aGent, Auditor, Installer, Resident, Program (S O G A I R P);
/// `*` is everybody who has logged in, `-` anybody at all.
const LIST: &[(&str, &str, &str)] = &[
    ("GET", "/", "SOAIP"),
    ("GET", "/usage-point/{id}", "SOAIP"),
    ("GET", "/usage-point/{id}/vend", "SOP"),
    ("POST", "/usage-point/{id}/vend", "SOP"),
    ("GET", "/usage-point/{id}/supply", "SOP"),
    ("POST", "/usage-point/{id}/supply", "SOP"),
    ("POST", "/usage-point/{id}/token", "SOP"),
    ("POST", "/usage-point/{id}/switch", "SOP"),
    ("POST", "/usage-point/{id}/emergency", "SOP"),
    ("POST", "/usage-point/{id}/hold", "SO"),
    ("GET", "/usage-point/{id}/settings", "SOAIP"),
    ("POST", "/usage-point/{id}/phase", "SI"),
    ("POST", "/usage-point/{id}/arming", "SI"),
    ("GET", "/meters", "SOAIP"),
    ("POST", "/meters/arming", "SI"),
    ("GET", "/meters/{place}", "SOAIP"),
    ("POST", "/meters/{place}/undo", "SI"),
    ("GET", "/meters/{place}/{work}", "SI"),
    ("POST", "/meters/{place}/{work}", "SI"),
    ("GET", "/meters/{place}/{work}/check", "SI"),
    ("GET", "/statement/{file}", "SOAIP"),
    ("GET", "/receipt/{number}", "SOAIP"),
    ("GET", "/my", "R"),
    ("GET", "/my/{id}", "R"),
    ("POST", "/my/{id}/token", "R"),
    ("POST", "/my/{id}/question", "R"),
    ("POST", "/usage-point/{id}/question/{number}", "SO"),
    ("POST", "/my/{id}/emergency", "R"),
    ("POST", "/my/{id}/reconnect", "R"),
    ("GET", "/my/{id}/receipt/{number}", "R"),
    ("GET", "/my/{id}/statement/{file}", "R"),
    ("POST", "/language", "*"),
    ("GET", "/agent", "G"),
    ("GET", "/agent/vend", "G"),
    ("POST", "/agent/vend", "G"),
    ("GET", "/agent/receipt/{number}", "G"),
    ("GET", "/agent/day-end/{file}", "G"),
    ("GET", "/agents/{number}/day-end/{file}", "SOAIP"),
    ("GET", "/agents/{number}/day-end", "SOAIP"),
    ("GET", "/agents/{number}", "SOAIP"),
    ("GET", "/agents/{number}/check", "S"),
    ("POST", "/agents/{number}", "S"),
    ("GET", "/accounts", "SOAIP"),
    ("GET", "/usage-point/{id}/account", "SOAIP"),
    ("GET", "/usage-point/{id}/account/check", "SO"),
    ("POST", "/usage-point/{id}/account", "SO"),
    ("GET", "/corrections/{number}", "SOAIP"),
    ("POST", "/corrections/{number}/{answer}", "SO"),
    ("GET", "/alarms", "SOAIP"),
    ("POST", "/alarms/{number}/acknowledge", "SOI"),
    ("GET", "/losses/{file}", "SOAIP"),
    ("GET", "/cases", "SOAIP"),
    ("GET", "/cases/{number}", "SOAIP"),
    ("POST", "/cases/{number}/assess", "SO"),
    ("POST", "/cases/{number}/test", "SOP"),
    ("POST", "/cases/{number}/{change}", "SOI"),
    ("GET", "/journal", "SOAIP"),
    ("GET", "/clock", "SOAIP"),
    ("GET", "/backup/latest", "S"),
    ("GET", "/clock/set", "SO"),
    ("POST", "/clock/set", "SO"),
    ("GET", "/people", "SOA"),
    ("POST", "/people/add", "SO"),
    ("POST", "/people/{name}/secret", "SO"),
    ("POST", "/people/{name}/role", "SO"),
    ("POST", "/people/{name}/remove", "SO"),
    ("GET", "/password", "*"),
    ("POST", "/password", "*"),
    ("POST", "/logout", "*"),
    ("GET", "/live", "*"),
    ("GET", "/login", "-"),
    ("POST", "/login", "-"),
    ("GET", "/healthz", "-"),
    ("GET", "/metrics", "-"),
    ("GET", "/static/{name}", "-"),
    ("GET", "/api/v1/usage-points", "SOAIP"),
    ("GET", "/api/v1/usage-points/{id}", "SOAIP"),
    ("GET", "/api/v1/usage-points/{id}/statement", "SOAIP"),
    ("POST", "/api/v1/usage-points/{id}/vend", "SOP"),
    ("POST", "/api/v1/usage-points/{id}/token", "SOP"),
    ("POST", "/api/v1/usage-points/{id}/switch", "SOP"),
    ("POST", "/api/v1/usage-points/{id}/emergency", "SOP"),
    ("POST", "/api/v1/usage-points/{id}/hold", "SO"),
    ("POST", "/api/v1/usage-points/{id}/supply", "SOP"),
    ("GET", "/api/v1/usage-points/{id}/phase", "SOAIP"),
    ("POST", "/api/v1/usage-points/{id}/phase", "SI"),
    ("POST", "/api/v1/usage-points/{id}/arming", "SI"),
    ("POST", "/api/v1/arming", "SI"),
    ("GET", "/api/v1/pins", "SOAIP"),
    ("GET", "/api/v1/buses", "SOAIP"),
    ("POST", "/api/v1/buses/{name}/work", "SI"),
    ("GET", "/api/v1/bus-work/{number}", "SI"),
    ("POST", "/api/v1/bus-work/{number}/cancel", "SI"),
    ("GET", "/api/v1/meters", "SOAIP"),
    ("POST", "/api/v1/meters", "SI"),
    ("POST", "/api/v1/meters/test", "SI"),
    ("GET", "/api/v1/meters/{number}", "SOAIP"),
    ("POST", "/api/v1/meters/{number}/{change}", "SI"),
    ("GET", "/api/v1/alarms", "SOAIP"),
    ("POST", "/api/v1/alarms/{number}/acknowledge", "SOI"),
    ("GET", "/api/v1/losses/{month}", "SOAIP"),
    ("GET", "/api/v1/cases", "SOAIP"),
    ("GET", "/api/v1/cases/{number}", "SOAIP"),
    ("POST", "/api/v1/cases/{number}/assess", "SO"),
    ("POST", "/api/v1/cases/{number}/test", "SOP"),
    ("POST", "/api/v1/cases/{number}/{change}", "SOI"),
    ("GET", "/api/v1/journal", "SOAIP"),
    ("POST", "/api/v1/usage-points/{id}/quote", "SOP"),
    ("GET", "/api/v1/debts", "SOAIP"),
    ("GET", "/api/v1/questions", "SOAIP"),
    ("POST", "/api/v1/usage-points/{id}/questions", "SO"),
    (
        "POST",
        "/api/v1/usage-points/{id}/questions/{number}/reply",
        "SO",
    ),
    ("GET", "/api/v1/usage-points/{id}/debts", "SOAIP"),
    ("POST", "/api/v1/usage-points/{id}/debts", "SO"),
    ("POST", "/api/v1/usage-points/{id}/corrections", "SO"),
    ("GET", "/api/v1/corrections", "SOAIP"),
    ("POST", "/api/v1/corrections/{number}/{answer}", "SO"),
    ("GET", "/api/v1/agents", "SOAIP"),
    ("POST", "/api/v1/agents", "S"),
    ("GET", "/api/v1/agents/{number}", "SOAIP"),
    ("POST", "/api/v1/agents/{number}/{change}", "S"),
    ("GET", "/api/v1/agents/{number}/day-end", "SOAIP"),
    ("GET", "/api/v1/status", "SOAIP"),
    ("GET", "/api/v1/clock", "SOAIP"),
    ("POST", "/api/v1/clock", "SO"),
    ("POST", "/api/v1/clock/quote", "SO"),
];

const PEOPLE: [(&str, Role, char); 7] = [
    ("operator", Role::Supplier, 'S'),
    ("clerk", Role::Operator, 'O'),
    ("agent", Role::Agent, 'G'),
    ("auditor", Role::Auditor, 'A'),
    ("installer", Role::Installer, 'I'),
    ("UP-0001", Role::Resident, 'R'),
    ("shop", Role::Program, 'P'),
];

fn listed(route: &Route) -> &'static str {
    let of =
        |(method, path, _): &&(&str, &str, &str)| route.method == *method && route.path == *path;
    let found = LIST.iter().find(of);
    let found = found.unwrap_or_else(|| panic!("{route:?} is not in the list: say who may use it"));
    found.2
}

/// The address with something in it that exists, or that does harm to nobody.
fn filled(path: &str) -> String {
    path.replace("{id}", "UP-0001")
        .replace("{file}", "UP-0001.json")
        .replace("{number}", "99")
        .replace("{place}", "UP-0001")
        .replace("{work}", "replace")
        .replace("{change}", "note")
        .replace("/static/{name}", "/static/page.css")
        .replace("{name}", "nobody-here")
}

async fn ask(site: &TestSite, route: &Route, (cookie, role): (&str, Role)) -> Reply {
    let path = filled(&route.path);
    let is_api = path.starts_with("/api/");
    let ask = match (&route.method, is_api) {
        (&Method::GET, _) => get(&path),
        (_, true) => post_json(&path, "{}"),
        (_, false) => post(&path, ""),
    };
    let ask = if role == Role::Program {
        ask.with("authorization", &format!("Bearer {BEARER}"))
    } else {
        ask.cookie(cookie)
    };
    site.send(&ask).await
}

/// A session of each, in the order of [`PEOPLE`]; a program has none.
async fn cookies(site: &TestSite) -> Vec<String> {
    let mut cookies = Vec::new();
    for (name, role, _) in PEOPLE {
        cookies.push(match role {
            Role::Program => String::new(),
            _ => site.log_in_as(name).await,
        });
    }
    cookies
}

/// Whether somebody got past the gate, whatever came of it.
fn got_in(reply: &Reply) -> bool {
    let is_role = reply.status == StatusCode::FORBIDDEN && reply.body.contains("role-may-not");
    let target = reply.header(header::LOCATION);
    let is_sent_away = reply.status == StatusCode::SEE_OTHER
        && (target.starts_with("/login?") || target == "/my" || target == "/agent");
    !is_role && !is_sent_away && reply.status != StatusCode::UNAUTHORIZED
}

#[tokio::test]
async fn each_role_gets_exactly_its_list() {
    let site = TestSite::protected();
    let routes = all_routes();
    let mut cookies = cookies(&site).await;
    for route in &routes {
        let list = listed(route);
        for (place, (_, role, letter)) in PEOPLE.into_iter().enumerate() {
            let is_api = route.path.starts_with("/api/");
            // A program has no session, so the page knows nothing of it.
            let is_known = role != Role::Program || is_api;
            let expected = list == "-" || is_known && (list == "*" || list.contains(letter));
            let reply = ask(&site, route, (&cookies[place], role)).await;
            assert_eq!(
                got_in(&reply),
                expected,
                "{role} at {} {}: {} {}",
                route.method,
                route.path,
                reply.status,
                reply.body.chars().take(300).collect::<String>()
            );
            let admits = route.needs.admits(role);
            assert_eq!(
                admits,
                "-*".contains(list) || list.contains(letter),
                "{route:?}: {role}"
            );
        }
        if route.path == "/logout" {
            cookies = self::cookies(&site).await;
        }
    }
    let missing = LIST.iter().find(|(method, path, _)| {
        !routes
            .iter()
            .any(|route| route.method == *method && route.path == *path)
    });
    assert_eq!(missing, None, "listed and not there");
    assert!(routes.iter().any(|route| route.needs == Needs::Nothing));
}

#[tokio::test]
async fn a_change_of_role_or_password_holds_at_once() {
    let site = TestSite::protected();
    let cookie = site.log_in_as("auditor").await;
    let look = get("/journal").cookie(&cookie);
    assert_eq!(site.send(&look).await.status, StatusCode::OK);
    let boss = site.log_in_as("operator").await;
    let agent = post("/people/auditor/role", "role=agent&usage_points=").cookie(&boss);
    assert_eq!(site.send(&agent).await.status, StatusCode::SEE_OTHER);
    let reply = site.send(&look).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.body);
    let secret = post("/people/auditor/secret", "").cookie(&boss);
    let slip = site.send(&secret).await;
    assert_eq!(slip.status, StatusCode::OK, "{}", slip.body);
    assert_eq!(
        site.send(&look).await.status,
        StatusCode::SEE_OTHER,
        "the session is over"
    );
    let by = format!("{:?}", site.memory.lock().records.last());
    assert!(by.contains("operator via page"), "{by}");
    let gone = post("/people/clerk/remove", "").cookie(&boss);
    let clerk = site.log_in_as("clerk").await;
    assert_eq!(site.send(&gone).await.status, StatusCode::SEE_OTHER);
    let reply = site.send(&get("/").cookie(&clerk)).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_operator_gives_pins_to_residents_and_to_nobody_else() {
    let site = TestSite::protected();
    let clerk = site.log_in_as("clerk").await;
    for (path, body, expected) in [
        ("/people/UP-0001/secret", "", StatusCode::OK),
        ("/people/auditor/secret", "", StatusCode::FORBIDDEN),
        ("/people/operator/remove", "", StatusCode::FORBIDDEN),
        (
            "/people/UP-0001/role",
            "role=supplier",
            StatusCode::FORBIDDEN,
        ),
        (
            "/people/auditor/role",
            "role=resident&usage_points=1",
            StatusCode::FORBIDDEN,
        ),
        (
            "/people/add",
            "name=ravi&role=operator",
            StatusCode::FORBIDDEN,
        ),
        (
            "/people/add",
            "name=flat-1&role=resident&usage_points=1",
            StatusCode::OK,
        ),
        (
            "/people/add",
            "name=flat-2&role=resident",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
    ] {
        let reply = site.send(&post(path, body).cookie(&clerk)).await;
        assert_eq!(reply.status, expected, "{path} {body}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_secret_from_somebody_else_is_replaced_at_the_first_login() {
    let site = TestSite::protected();
    let clerk = site.log_in_as("clerk").await;
    let slip = site
        .send(&post("/people/UP-0001/secret", "").cookie(&clerk))
        .await;
    let pin = slip
        .body
        .split("class=\"secret\">")
        .nth(1)
        .and_then(|rest| rest.split('<').next());
    let pin = pin.expect("a PIN on the slip").to_owned();
    assert_eq!(pin.len(), 6);
    assert!(slip.body.contains("<svg class=\"code\""), "a code to scan");
    // The number written as people write it.
    let login = post("/login", &format!("name=1&password={pin}"));
    let reply = site.send(&login).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let cookie = reply
        .header(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let reply = site.send(&get("/live").cookie(&cookie)).await;
    assert_eq!(reply.header(header::LOCATION), "/password");
    for (body, part) in [
        (format!("current={pin}&new=593712&again=593713"), "differ"),
        (
            format!("current={pin}&new={pin}&again={pin}"),
            "another one",
        ),
        (
            "current=000000&new=593712&again=593712".to_owned(),
            "not right",
        ),
        (format!("current={pin}&new=123456&again=123456"), "first"),
        (format!("current={pin}&new=5937&again=5937"), "6 digits"),
    ] {
        let reply = site.send(&post("/password", &body).cookie(&cookie)).await;
        assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(reply.body.contains(part), "{part}: {}", reply.body);
    }
    let body = format!("current={pin}&new=593712&again=593712");
    let reply = site.send(&post("/password", &body).cookie(&cookie)).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    let fresh = reply
        .header(header::SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        site.send(&get("/live").cookie(&fresh)).await.status,
        StatusCode::OK
    );
    assert_eq!(
        site.send(&get("/live").cookie(&cookie)).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_pin_cannot_be_tried_without_end_from_many_places() {
    let site = TestSite::protected();
    let home = "10.0.9.9:1";
    let right = post("/login", "name=UP-0001&password=correct+horse+battery");
    assert_eq!(
        site.send(&right.clone().from(home)).await.status,
        StatusCode::SEE_OTHER
    );
    let mut refused = 0;
    for place in 0..30 {
        let wrong =
            post("/login", "name=up-0001&password=wrong").from(&format!("10.0.1.{place}:1"));
        let reply = site.send(&wrong).await;
        refused += usize::from(reply.status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(refused, 11, "of 20 tries the right one was the first");
    let stranger = right.clone().from("10.0.2.1:1");
    assert_eq!(
        site.send(&stranger).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let reply = site.send(&right.from(home)).await;
    assert_eq!(
        reply.status,
        StatusCode::SEE_OTHER,
        "who lives there is not kept out"
    );
}

#[tokio::test]
async fn an_unknown_bearer_secret_is_refused_and_limited() {
    let site = TestSite::protected();
    let ask =
        |secret: &str| get("/api/v1/status").with("authorization", &format!("Bearer {secret}"));
    assert_eq!(site.send(&ask(BEARER)).await.status, StatusCode::OK);
    for _ in 0..5 {
        assert_eq!(
            site.send(&ask("ffff")).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        site.send(&ask("ffff")).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        site.send(&ask(BEARER)).await.status,
        StatusCode::OK,
        "the right one goes on"
    );
    let vend = post_json(
        "/api/v1/usage-points/1/vend",
        r#"{"key":"k1","amount":"10"}"#,
    )
    .with("authorization", &format!("Bearer {BEARER}"));
    assert_eq!(site.send(&vend).await.status, StatusCode::OK);
    let by = format!("{:?}", site.memory.lock().commands.last());
    assert!(by.contains("shop via api"), "{by}");
}
