//! The pages and the API of cases of missing energy.

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{StatusCode, header};
use fixture::site::{TestSite, get, post, post_json};
use gateway_core::case::{CaseCommand, Found, Outcome};
use gateway_core::{Command, UsagePointId};

const HOSTILE: &str = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";

/// A site with a feeder, one case, and its number.
fn site() -> (TestSite, u64) {
    let site = TestSite::open();
    let case = {
        let mut inner = site.memory.lock();
        inner.add_feeder();
        inner.add_case(UsagePointId(1), 800)
    };
    (site, case)
}

fn asked(site: &TestSite) -> Vec<CaseCommand> {
    let commands = site.memory.lock().commands.clone();
    let case = |command| match command {
        Command::Case(command) => Some(command),
        _ => None,
    };
    commands.into_iter().filter_map(case).collect()
}

#[tokio::test]
async fn the_list_and_the_case_say_what_is_lost_and_where_to_look() {
    let (site, case) = site();
    let list = site.send(&get("/cases")).await.body;
    assert!(list.contains(&format!("href=\"/cases/{case}\"")), "{list}");
    assert!(list.contains("is bypassed at times") && list.contains("going on"));
    let page = site.send(&get(&format!("/cases/{case}"))).await.body;
    for words in [
        "18.40 kWh",
        "64 %",
        "the voltage sags here",
        "Feeder and meters",
        "class=\"band\"",
        "class=\"residual\"",
        "class=\"since\"",
        "/cases/",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let alarms = site.send(&get("/alarms")).await.body;
    assert!(alarms.contains(&format!("/cases/{case}")));
    let journal = site.send(&get("/journal")).await.body;
    assert!(journal.contains(&format!("/cases/{case}")));
    for missing in ["/cases/999999", "/cases/x", "/api/v1/cases/999999"] {
        assert_eq!(
            site.send(&get(missing)).await.status,
            StatusCode::NOT_FOUND,
            "{missing}"
        );
    }
}

#[tokio::test]
async fn a_case_without_registers_has_no_picture_and_is_shown() {
    let (site, case) = site();
    site.memory.lock().rounds.clear();
    let page = site.send(&get(&format!("/cases/{case}"))).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("No picture"));
}

#[tokio::test]
async fn forms_note_check_and_close() {
    let (site, case) = site();
    let target = format!("/cases/{case}");
    for (change, form) in [
        ("note", format!("text=two+lines%0D%0A{HOSTILE}")),
        (
            "check",
            "usage_point=UP-0001&found=tampering&text=seal".to_owned(),
        ),
        ("check", "usage_point=&found=no-access&text=".to_owned()),
        (
            "close",
            "usage_point=UP-0001&outcome=confirmed&text=".to_owned(),
        ),
    ] {
        let reply = site.send(&post(&format!("{target}/{change}"), &form)).await;
        assert_eq!(
            reply.status,
            StatusCode::SEE_OTHER,
            "{change}: {}",
            reply.body
        );
        assert_eq!(reply.header(header::LOCATION), target);
    }
    let asked = asked(&site);
    assert!(matches!(&asked[0], CaseCommand::Note { text, .. } if text.starts_with("two lines\n")));
    let check = |command: &CaseCommand| match command {
        CaseCommand::Check {
            usage_point, found, ..
        } => Some((*usage_point, *found)),
        _ => None,
    };
    assert_eq!(
        check(&asked[1]),
        Some((Some(UsagePointId(1)), Found::Tampering))
    );
    assert_eq!(check(&asked[2]), Some((None, Found::NoAccess)));
    let page = site.send(&get(&target)).await.body;
    assert!(page.contains("Closed as confirmed") && !page.contains("<script>alert"));
    assert!(
        !page.contains("Close the case") && page.contains("Write"),
        "a note is still taken"
    );
    let list = site.send(&get("/cases")).await.body;
    assert!(list.contains("No open case"));
    assert!(
        site.send(&get("/cases?show=all"))
            .await
            .body
            .contains(&target)
    );
}

#[tokio::test]
async fn what_a_form_should_not_say_is_named_and_kept() {
    let (site, case) = site();
    let too_long = format!("text={}", "x".repeat(501));
    for (change, form, status) in [
        ("note", "text=+", StatusCode::UNPROCESSABLE_ENTITY),
        ("note", too_long.as_str(), StatusCode::UNPROCESSABLE_ENTITY),
        ("check", "found=&text=kept", StatusCode::BAD_REQUEST),
        ("close", "outcome=perhaps", StatusCode::BAD_REQUEST),
        (
            "close",
            "outcome=false&usage_point=UP-9999",
            StatusCode::NOT_FOUND,
        ),
        ("open", "text=x", StatusCode::NOT_FOUND),
    ] {
        let reply = site
            .send(&post(&format!("/cases/{case}/{change}"), form))
            .await;
        assert_eq!(reply.status, status, "{change} {form}");
        assert!(reply.body.contains("case-error"), "{change} {form}");
    }
    assert!(site.memory.lock().state.cases[&case].notes.is_empty());
}

#[tokio::test]
async fn programs_do_the_same() {
    let (site, case) = site();
    let path = format!("/api/v1/cases/{case}");
    let send = |change: &str, body: &str| {
        let ask = post_json(&format!("{path}/{change}"), body);
        let site = &site;
        async move { site.send(&ask).await }
    };
    assert!(
        site.send(&get("/api/v1/cases"))
            .await
            .body
            .contains("\"bypassed\"")
    );
    let done = send("note", r#"{"text":"asked"}"#).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let check = r#"{"found":"nothing","usage_point":"UP-0001"}"#;
    assert_eq!(send("check", check).await.status, StatusCode::OK);
    let close = r#"{"outcome":"technical","text":"a joint"}"#;
    assert_eq!(send("close", close).await.status, StatusCode::OK);
    assert_eq!(send("close", close).await.status, StatusCode::CONFLICT);
    let unknown = send("note", r#"{"text":"x","more":1}"#).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    assert!(site.send(&get(&path)).await.body.contains("\"technical\""));
    assert_eq!(
        site.send(&get("/api/v1/cases")).await.body,
        r#"{"cases":[]}"#
    );
    let outcome = site.memory.lock().state.cases[&case]
        .closing
        .clone()
        .map(|c| c.outcome);
    assert_eq!(outcome, Some(Outcome::Technical));
}

#[tokio::test]
async fn a_case_on_a_phase_shows_the_phase_against_its_meters() {
    use gateway_core::WattHours;
    use gateway_core::loss::Phase;
    use gateway_core::meter_link::FeederPhase;
    let (site, case) = site();
    {
        let mut inner = site.memory.lock();
        for (id, point) in &mut inner.state.usage_points {
            point.feeder_phase = Some(match id.0 {
                1 => FeederPhase::B,
                _ => FeederPhase::A,
            });
        }
        let case = inner.state.cases.get_mut(&case).unwrap();
        case.report.phase = Some(Phase::B);
        // A steady 400 W on phase B, of 4 kW and more.
        for (count, round) in (0..).zip(&mut inner.rounds) {
            for (_, sample) in &mut round.samples {
                let b = 5_000 + count * 100;
                sample.phases = Some([0, b, 0].map(WattHours));
            }
        }
    }
    let page = site.send(&get(&format!("/cases/{case}"))).await.body;
    for words in [
        "Phase B and its meters",
        "phase B (dark) and its 1 meters together",
        "missing on phase B",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("Feeder and meters"), "{page}");
}
