//! Commissioning on the page and through the API: nothing is saved that was not looked at, and what was done can be undone.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[expect(dead_code, reason = "shared with other tests")]
mod fixture;

use axum::http::{StatusCode, header};
use fixture::site::{Reply, TestSite, get, post, post_json};
use gateway_core::NodeId;
use gateway_core::meter_link::{Arming, FeederPhase, MeterLink};
use gateway_core::tariff::Phases;
use serde_json::Value;

const PLUG: &str = "kind=mqtt:tasmota&device=plug7&login=plug-7&switch=own";

/// A site whose usage point 2 has no meter.
fn site() -> TestSite {
    let site = TestSite::open();
    let mut inner = site.memory.lock();
    let (point, node) = inner.add("Flat 2", Phases::Single);
    inner.retire(node);
    assert_eq!(point.0, 2);
    drop(inner);
    site
}

fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{}", reply.body);
    reply.header(header::LOCATION).to_owned()
}

fn link(site: &TestSite, node: u32) -> MeterLink {
    site.memory.lock().state.nodes[&NodeId(node)].link.clone()
}

#[tokio::test]
async fn a_meter_is_looked_at_then_installed_then_moved_and_moved_back() {
    let site = site();
    let form = site.send(&get("/meters/new/add?role=UP-0002")).await;
    assert_eq!(form.status, StatusCode::OK);
    for words in ["Flat 2 (UP-0002)", "Tasmota", "plug-7", "the feeder F-01"] {
        assert!(form.body.contains(words), "{words}: {}", form.body);
    }
    assert!(!form.body.contains("Flat 1 (UP-0001)"), "it has a meter");
    let checked = site
        .send(&get(&format!("/meters/new/add/check?role=UP-0002&{PLUG}")))
        .await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.body);
    for words in [
        "6.294 kWh",
        "tele/plug7/SENSOR",
        "unauthenticated",
        "Install it",
    ] {
        assert!(checked.body.contains(words), "{words}: {}", checked.body);
    }
    let done = site
        .send(&post("/meters/new/add", &format!("role=UP-0002&{PLUG}")))
        .await;
    assert_eq!(location(&done), "/meters/N-00000003?done=add");
    let page = site.send(&get("/meters/N-00000003?done=add")).await.body;
    for words in [
        "Installed.",
        "tasmota plug7 by login plug-7",
        "Flat 2 (UP-0002)",
        "no: believed",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let before = link(&site, 3);
    let moved = "kind=mqtt:tasmota&device=plug8&login=plug-8&switch=own&untested=yes";
    let done = site.send(&post("/meters/N-00000003/move", moved)).await;
    let target = location(&done);
    assert_ne!(link(&site, 3), before);
    let page = site.send(&get(&target)).await.body;
    assert!(
        page.contains("Undo: back to tasmota plug7 by login plug-7"),
        "{page}"
    );
    let was = page.split("name=\"was\" value=\"").nth(1).unwrap();
    let was = was.split('"').next().unwrap().replace("&#34;", "\"");
    let body = format!("was={}", was.replace('"', "%22"));
    location(&site.send(&post("/meters/N-00000003/undo", &body)).await);
    assert_eq!(link(&site, 3), before);
}

#[tokio::test]
async fn a_coil_or_register_of_a_bus_switches_and_stays_one_when_the_meter_is_moved() {
    let site = site();
    let coil = "switch=opens-coil&switch_bus=hall&switch_address=40&switch_number=3";
    let meter = "role=UP-0002&kind=modbus:sdm120&bus=hall&address=7&untested=yes";
    let form = site.send(&get("/meters/new/add?role=UP-0002")).await;
    assert!(
        form.body.contains("a coil of a board on a bus"),
        "{}",
        form.body
    );
    let check = get(&format!("/meters/new/add/check?{meter}&{coil}"));
    let checked = site.send(&check).await;
    let words = "The supply is switched by coil 3 of hall/40.";
    assert!(checked.body.contains(words), "{}", checked.body);
    let done = site
        .send(&post("/meters/new/add", &format!("{meter}&{coil}")))
        .await;
    assert_eq!(location(&done), "/meters/N-00000003?done=add");
    let form = site.send(&get("/meters/N-00000003/move")).await.body;
    for words in [
        "value=\"opens-coil\" selected",
        "name=\"switch_address\" inputmode=\"numeric\" maxlength=\"3\" value=\"40\"",
    ] {
        assert!(form.contains(words), "{words}: {form}");
    }
    let register = "kind=modbus:sdm120&bus=hall&address=8&untested=yes\
        &switch=register&switch_bus=hall&switch_address=41&switch_number=7&switch_on=11&switch_off=22";
    location(&site.send(&post("/meters/N-00000003/move", register)).await);
    let switch = site.memory.lock().state.nodes[&NodeId(3)].switch.clone();
    let words = switch.map(|switch| switch.words());
    assert_eq!(words.as_deref(), Some("register 7 of hall/41"));
}

#[tokio::test]
async fn an_impulse_input_and_a_contactor_can_be_chosen_and_stay_chosen() {
    let site = site();
    let form = site.send(&get("/meters/new/add?role=UP-0002")).await.body;
    for words in ["Impulses (S0) on flat-2", "the contactor flat-2"] {
        assert!(form.contains(words), "{words}: {form}");
    }
    let meter = "role=UP-0002&kind=pulse:flat-2&initial_kwh=12.5&untested=yes";
    let own = format!("/meters/new/add/check?{meter}&switch=own");
    let refused = site.send(&get(&own)).await;
    assert!(refused.body.contains("has no relay"), "{}", refused.body);
    let meter = format!("{meter}&switch=gpio:flat-2");
    let checked = site
        .send(&get(&format!("/meters/new/add/check?{meter}")))
        .await;
    let words = "The supply is switched by contactor flat-2 on a pin.";
    assert!(checked.body.contains(words), "{}", checked.body);
    let done = site.send(&post("/meters/new/add", &meter)).await;
    assert_eq!(location(&done), "/meters/N-00000003?done=add");
    let form = site.send(&get("/meters/N-00000003/move")).await.body;
    for words in [
        "value=\"pulse:flat-2\" selected",
        "value=\"gpio:flat-2\" selected",
    ] {
        assert!(form.contains(words), "{words}: {form}");
    }
}

#[tokio::test]
async fn what_shows_nothing_is_saved_only_all_the_same() {
    let site = site();
    let silent = "role=UP-0002&kind=mqtt:tasmota&device=plug9&login=plug-9";
    let checked = site
        .send(&get(&format!("/meters/new/add/check?{silent}")))
        .await;
    assert_eq!(checked.status, StatusCode::UNPROCESSABLE_ENTITY);
    for words in [
        "nothing was heard of plug9",
        "Look again",
        "Install it all the same",
    ] {
        assert!(checked.body.contains(words), "{words}: {}", checked.body);
    }
    let refused = site.send(&post("/meters/new/add", silent)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!site.memory.lock().state.nodes.contains_key(&NodeId(3)));
    let forced = site
        .send(&post("/meters/new/add", &format!("{silent}&untested=yes")))
        .await;
    location(&forced);
}

#[tokio::test]
async fn what_is_typed_wrongly_is_said_above_the_form_and_kept() {
    let site = site();
    for (query, words) in [
        (
            "role=UP-0002&kind=mqtt:tasmota&login=plug-7",
            "Enter the device&#39;s own topic.",
        ),
        (
            "role=&kind=mqtt:tasmota&device=p&login=l",
            "Choose what the meter is for.",
        ),
        ("role=UP-0002&kind=", "Choose which kind of meter it is."),
        (
            "role=UP-0002&kind=node&initial_kwh=1,5",
            "Write the register in kWh",
        ),
    ] {
        let reply = site
            .send(&get(&format!("/meters/new/add/check?{query}")))
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(reply.body.contains(words), "{query}: {}", reply.body);
    }
    let taken = format!("role=UP-0001&{PLUG}");
    let reply = site.send(&post("/meters/new/add", &taken)).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(reply.body.contains("value=\"plug7\""), "{}", reply.body);
    assert_eq!(
        site.send(&get("/meters/N-00000099")).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        site.send(&get("/meters/new/explode")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_replacement_says_what_is_charged_and_a_retired_meter_is_gone() {
    let site = site();
    let form = site.send(&get("/meters/N-00000001/replace")).await.body;
    assert!(form.contains("Flat 1 (UP-0001)"), "{form}");
    let asked = format!("/meters/N-00000001/replace/check?final_kwh=&initial_kwh=6.294&{PLUG}");
    let checked = site.send(&get(&asked)).await.body;
    for words in [
        "up to its last reading is charged",
        "begins at 6.294 kWh",
        "The account stays",
    ] {
        assert!(checked.contains(words), "{words}: {checked}");
    }
    let body = format!("initial_kwh=6.294&{PLUG}");
    let done = site.send(&post("/meters/N-00000001/replace", &body)).await;
    assert_eq!(location(&done), "/meters/N-00000003?done=replace");
    let means = site
        .send(&get("/meters/N-00000003/retire/check"))
        .await
        .body;
    assert!(means.contains("cannot be undone"), "{means}");
    let done = site
        .send(&post("/meters/N-00000003/retire", "final_kwh="))
        .await;
    assert_eq!(location(&done), "/meters?done=retire");
    let list = site.send(&get("/meters?done=retire")).await.body;
    assert!(
        list.contains("Taken away") && !list.contains("N-00000003"),
        "{list}"
    );
}

#[tokio::test]
async fn phase_and_arming_are_set_and_undone() {
    let site = site();
    let page = site.send(&get("/usage-point/1/settings")).await.body;
    assert!(
        page.contains("The voltages suggest phase C (A 31 %, B 28 %, C 84 %).")
            && page.contains("Accept phase C"),
        "{page}"
    );
    let asked = value(&site.send(&get("/api/v1/usage-points/1/phase")).await);
    assert_eq!(
        (asked["phase"].clone(), asked["suggestion"]["phase"].clone()),
        ("unknown".into(), "c".into())
    );
    let target = location(&site.send(&post("/usage-point/1/phase", "phase=b")).await);
    let phase = |site: &TestSite| site.memory.lock().state.usage_points[&site.point].feeder_phase;
    assert_eq!(phase(&site), Some(FeederPhase::B));
    let page = site.send(&get(&target)).await.body;
    assert!(page.contains("Undo: phase unknown"), "{page}");
    location(
        &site
            .send(&post("/usage-point/1/phase", "phase=unknown"))
            .await,
    );
    assert_eq!(phase(&site), None);
    let target = location(
        &site
            .send(&post("/usage-point/1/arming", "arming=shadow"))
            .await,
    );
    let supply = |site: &TestSite| site.memory.lock().state.usage_points[&site.point].supply;
    assert!(supply(&site).shadow);
    let page = site.send(&get(&target)).await.body;
    assert!(
        page.contains("In shadow.") && page.contains("Undo: as the site"),
        "{page}"
    );
    let list = site.send(&get("/meters")).await.body;
    assert!(list.contains("1 of 2 in shadow"), "{list}");
    location(&site.send(&post("/meters/arming", "arming=armed")).await);
    assert_eq!(
        (supply(&site).shadow, supply(&site).arming),
        (false, Arming::Armed)
    );
    for (path, body) in [("phase", "phase=d"), ("arming", "arming=loaded")] {
        let reply = site
            .send(&post(&format!("/usage-point/1/{path}"), body))
            .await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    }
}

fn value(reply: &Reply) -> Value {
    serde_json::from_str(&reply.body).unwrap()
}

#[tokio::test]
async fn the_api_installs_tests_moves_and_retires() {
    let site = site();
    let link = r#"{"via":"mqtt","dialect":"tasmota","device":"plug7","credential":"plug-7"}"#;
    let shown = site
        .send(&post_json(
            "/api/v1/meters/test",
            &format!(r#"{{"link":{link}}}"#),
        ))
        .await;
    assert_eq!(value(&shown)["values"][0][1], "6.294 kWh");
    let add = format!(
        r#"{{"usage_point":"UP-0002","link":{link},"switch":"own","initial_kwh":"6.294"}}"#
    );
    let added = site.send(&post_json("/api/v1/meters", &add)).await;
    assert_eq!(value(&added)["node"], "N-00000003", "{}", added.body);
    let again = site.send(&post_json("/api/v1/meters", &add)).await;
    assert_eq!(value(&again)["error"], "meter-in-place");
    let silent = link.replace("plug7", "plug9");
    let moved = format!(r#"{{"link":{silent}}}"#);
    let refused = site.send(&post_json("/api/v1/meters/3/move", &moved)).await;
    assert_eq!(value(&refused)["error"], "meter-shows-nothing");
    let moved = format!(r#"{{"link":{silent},"untested":true}}"#);
    let done = site.send(&post_json("/api/v1/meters/3/move", &moved)).await;
    assert_eq!(value(&done)["done"], "done", "{}", done.body);
    let one = value(&site.send(&get("/api/v1/meters/3")).await);
    assert_eq!(
        (one["link"]["device"].clone(), one["authenticated"].clone()),
        ("plug9".into(), false.into())
    );
    let list = value(&site.send(&get("/api/v1/meters")).await);
    assert_eq!(list["meters"].as_array().unwrap().len(), 2);
    let set = site
        .send(&post_json(
            "/api/v1/usage-points/2/phase",
            r#"{"phase":"c"}"#,
        ))
        .await;
    assert_eq!(value(&set)["done"], "done");
    let set = site
        .send(&post_json(
            "/api/v1/usage-points/2/arming",
            r#"{"arming":"shadow"}"#,
        ))
        .await;
    assert_eq!(value(&set)["done"], "done");
    let set = site
        .send(&post_json("/api/v1/arming", r#"{"arming":"armed"}"#))
        .await;
    assert_eq!(value(&set)["done"], "done");
    let gone = site.send(&post_json("/api/v1/meters/3/retire", "{}")).await;
    assert_eq!(value(&gone)["done"], "done", "{}", gone.body);
    let unknown = site
        .send(&post_json("/api/v1/meters/3/move", r#"{"links":1}"#))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.body);
}
