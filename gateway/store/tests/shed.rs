//! Room: the finest telemetry goes first, a decision never, and a restart finds what it needs.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod site;

use gateway_core::{NodeId, UtcSeconds};
use gateway_store::{INTERVAL_S, Reader, Shed, verify};
use site::{START, Site, accepted};

const NODES: u32 = 8;
const DAYS: i64 = 20;

/// Some weeks of readings every ten minutes, with half hours, and a vend a day.
fn site() -> Site {
    let mut site = Site::with_usage_points(NODES);
    for step in 0..DAYS * 144 {
        let at = START + step * 600;
        for node in 1..=NODES {
            let register = u64::try_from(step).unwrap() * 10;
            let end = at / INTERVAL_S * INTERVAL_S;
            let last = accepted(node, at, register, &[(end, register)]);
            site.state.observe(last.clone());
            site.batch.readings.push(last);
        }
        if step % 144 == 0 {
            site.vend(1, 10, &format!("day {step}")).unwrap();
            site.commit().unwrap();
        }
    }
    site.commit().unwrap();
    site
}

#[test]
fn the_finest_goes_first_and_decisions_stay() {
    let mut site = site();
    let now = UtcSeconds(START + DAYS * 86_400);
    let head = site.store.head();
    let reader = Reader::open(&site.directory.database()).unwrap();
    assert_eq!(reader.shed_readings_before().unwrap(), UtcSeconds(0));
    let all = reader.profile_backlog(0).unwrap();
    let mut order = Vec::new();
    let mut used = site.store.room().unwrap().used;
    loop {
        let shed = site.store.shed(now).unwrap();
        if order.last() != Some(&shed) {
            order.push(shed);
        }
        if shed == Shed::Readings {
            assert_eq!(reader.profile_backlog(0).unwrap(), all, "half hours stay");
        }
        if shed == Shed::Nothing {
            break;
        }
        let room = site.store.room().unwrap();
        assert!(room.used <= used);
        used = room.used;
    }
    assert_eq!(order, [Shed::Readings, Shed::Profile, Shed::Nothing]);
    let before = reader.shed_readings_before().unwrap().0;
    assert!((START + 1..=now.0).contains(&before), "{before}");
    // The last day of half hours is there.
    let profile = reader
        .profile(NodeId(1), UtcSeconds(now.0 - 86_400), now)
        .unwrap();
    assert!(profile.len() >= 48, "{}", profile.len());
    assert_eq!(site.store.head(), head);
    let site = site.restart();
    assert_eq!(site.store.head(), head);
    let report = verify(&site.directory.database()).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
}

#[test]
fn room_given_up_is_used_again() {
    let mut site = site();
    let now = UtcSeconds(START + DAYS * 86_400);
    let before = site.store.room().unwrap();
    while site.store.room().unwrap().used > before.used / 2 {
        assert_ne!(site.store.shed(now).unwrap(), Shed::Nothing);
    }
    let after = site.store.room().unwrap();
    assert!(after.spare > before.spare);
    let pages = |room: gateway_store::Room| room.used + room.spare;
    for step in 0..200 {
        for node in 1..=NODES {
            let register = 100_000 + u64::try_from(step).unwrap();
            let last = accepted(node, now.0 + step, register, &[]);
            site.state.observe(last.clone());
            site.batch.readings.push(last);
        }
    }
    site.commit().unwrap();
    assert_eq!(
        pages(site.store.room().unwrap()),
        pages(after),
        "the file has grown"
    );
}
