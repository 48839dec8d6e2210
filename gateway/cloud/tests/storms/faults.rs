//! The weather does what it says, and the comparison sees what it must: both are worth nothing else.

use crate::world::{Done, World, id};
use crate::{compare, storm};
use gateway_cloud::uplink::Settings;
use gateway_core::NodeId;
use std::collections::BTreeMap;

#[test]
fn every_fault_of_the_weather_happens() {
    let mut all = Done::default();
    let (mut late, mut stale) = (0, 0);
    for seed in 0..8 {
        let world = storm(seed);
        for order in world.head_end.stored.sites[&id()].orders.values() {
            let refusal = order.receipt.as_ref().map(|receipt| &receipt["refusal"]);
            late += u32::from(refusal.is_some_and(|why| why == "order-too-late"));
            stale += u32::from(refusal.is_some_and(|why| why == "order-superseded"));
        }
        let done = world.done;
        all.lost += done.lost;
        all.doubled += done.doubled;
        all.reordered += done.reordered;
        all.cut_off += done.cut_off;
        all.too_large += done.too_large;
        all.played_back += done.played_back;
        all.wrong_clocks += done.wrong_clocks;
    }
    for (what, count) in [
        ("lost", all.lost),
        ("doubled", all.doubled),
        ("reordered", all.reordered),
        ("cut off", all.cut_off),
        ("too large", all.too_large),
        ("played back", all.played_back),
        ("wrong clocks", all.wrong_clocks),
        ("orders that came too late", late),
        ("orders that came after later ones", stale),
    ] {
        assert!(count >= 3, "{what}: {count} times in eight storms");
    }
}

/// Every kind of order that needs no reconciling is given and obeyed in storms; those are in `copies`.
#[test]
fn every_kind_of_order_is_obeyed_in_a_storm() {
    let mut done = BTreeMap::new();
    for seed in 0..8 {
        let world = storm(seed);
        for order in world.head_end.stored.sites[&id()].orders.values() {
            let is_done = order.receipt.as_ref().map(|receipt| &receipt["outcome"]);
            if is_done.is_some_and(|outcome| outcome == "done") {
                let name = order.act["command"].as_str().expect("a name");
                *done.entry(name.to_owned()).or_insert(0) += 1;
            }
        }
    }
    for name in [
        "vend",
        "enter-token",
        "order-supply",
        "adopt-tariff",
        "set-sanctioned-load",
        "add-usage-point",
        "change-usage-point",
        "message",
        "set-point",
        "correct",
        "agent",
        "prepay",
        "guard",
        "work-on-meter",
        "set-config",
        "set-calendar",
        "resend",
        "acknowledge-alarm",
        "case",
    ] {
        let count = done.get(name).copied().unwrap_or(0);
        assert!(
            count >= 1,
            "{name}: {count} times in eight storms: {done:?}"
        );
    }
}

fn site(world: &mut World) -> &mut gateway_sim::head_end::Site {
    world.head_end.stored.sites.get_mut(&id()).expect("known")
}

/// A world that compares, and after the damage does not.
fn check(what: &str, damage: fn(&mut World)) {
    let mut world = World::new(3, Settings::default());
    for number in 0..25 {
        let at = world.at();
        let sold = world.gateway.card.vend(at, &format!("v{number}"), 1);
        sold.expect("a vend");
    }
    let end = world.at() / 1_800 * 1_800;
    world.gateway.card.half_hour(end, 1, 99_000, true);
    world.settle();
    assert_eq!(compare(&world), Ok(()));
    damage(&mut world);
    assert!(compare(&world).is_err(), "{what} is not seen");
}

#[test]
fn damage_to_rows_is_seen() {
    check("a lost row", |world| {
        site(world).journal.remove(5);
    });
    check("a doubled row", |world| {
        let row = site(world).journal[5].clone();
        site(world).journal.insert(6, row);
    });
    check("rows in another order", |world| {
        site(world).journal.swap(5, 6);
    });
    check("another amount", |world| {
        let row = &mut site(world).journal[20];
        row.body = row.body.replace("10000000", "90000000") + " ";
    });
    check("a lost half hour", |world| {
        let profile = &mut site(world).profile;
        let first = profile.keys().next().cloned().expect("a half hour");
        profile.remove(&first);
    });
    check("another register", |world| {
        let exact = |row: &&gateway_cloud::ProfileRow| row.exact && row.node == NodeId(1);
        let row = world.gateway.card.profile.iter().rev().find(exact);
        let name = row.map(|row| format!("{} 1", row.end.0)).expect("exact");
        site(world).profile.insert(name, (1, true));
    });
}

#[test]
fn damage_to_money_is_seen() {
    check("a payment twice", |world| {
        let at = world.at();
        let vend = world.gateway.card.vend(at, "again", 1);
        vend.expect("a vend");
        let row = world.gateway.card.journal.last().cloned().expect("a row");
        world.gateway.card.journal.push(row.clone());
        for _ in 0..2 {
            let (branch, hash) = (1, row.hash.to_string());
            site(world).journal.push(gateway_sim::head_end::JournalRow {
                branch,
                number: row.number,
                at: row.at.0,
                body: row.body.clone(),
                hash,
            });
        }
    });
    check("a token that never came", |world| world.tokens += 1);
    check("an order without a receipt", |world| {
        world.vend_order("never sent", 1);
    });
    check("a name set by an order that was not the last", |world| {
        for label in ["7A", "7B"] {
            world.order(
                serde_json::json!({"command": "change-usage-point", "usage_point": 1,
                "change": "label", "label": label, "by": "asha"}),
            );
        }
        world.settle();
        let point = world.gateway.card.state.usage_points.values_mut().next();
        point.expect("a usage point").label = "7A".into();
    });
    check("a payment of an order that was refused", |world| {
        let order = world.vend_order("refused and paid", 1);
        world.settle();
        let order = site(world).orders.get_mut(&order).expect("it");
        order.not_after = 5;
        order.receipt =
            Some(serde_json::json!({"outcome": "refused", "refusal": "order-too-late"}));
    });
    check("money held", |world| {
        let at = world.at();
        let hold = gateway_core::Command::HoldMoney {
            cause: gateway_core::cloud::HoldCause::Copy,
            evidence: "none".into(),
        };
        let _ = world.gateway.card.command(at, hold);
        let row = world.gateway.card.journal.pop();
        let alarm = world.gateway.card.journal.pop();
        assert!(row.is_some() && alarm.is_some());
    });
}

/// Over its budget a metered link sleeps with rows unsent, comes back once an hour, and at the end both sides have the same.
#[test]
fn a_metered_link_over_its_budget_sleeps_and_loses_nothing() {
    let settings = Settings {
        contact_every_ms: Some(60_000),
        daily_bytes: 20_000,
        gather_ms: 2_000,
        ..Settings::default()
    };
    let mut world = World::new(5, settings);
    world.pass(120_000);
    for number in 0..600_u32 {
        let noise = (world.random.next_bits(), world.random.next_bits());
        let at = world.at();
        let key = format!("{:x}{:x} {number}", noise.0, noise.1);
        world.gateway.card.vend(at, &key, 1).expect("a vend");
    }
    let cursor = |world: &World| world.head_end.stored.sites[&id()].cursor(&id()).0;
    world.pass(600_000);
    let stored = cursor(&world);
    for number in 0..20 {
        let at = world.at();
        let sold = world.gateway.card.vend(at, &format!("late {number}"), 1);
        sold.expect("a vend");
    }
    let mut connected = 0;
    for _ in 0..50 {
        world.pass(60_000);
        connected += u32::from(world.is_connected);
    }
    assert!(connected <= 3, "connected in {connected} of 50 minutes");
    assert!(stored < world.gateway.card.state.number, "nothing waits");
    world.pass(2 * 3_600_000);
    assert!(cursor(&world) > stored, "once an hour a message goes");
    world.settle();
    assert_eq!(compare(&world), Ok(()));
}

/// Three weeks without a link: the gateway knocks every ten minutes at most, also when the connection before had achieved something.
#[test]
fn a_gateway_that_is_cut_off_does_not_wear_itself_out() {
    let mut world = World::new(11, Settings::default());
    world.settle();
    world.disconnect();
    world.is_cut = true;
    let before = world.done.attempts;
    world.pass(21 * 86_400_000);
    let attempts = world.done.attempts - before;
    // 5 to 10 minutes apart, and a dozen at the beginning.
    assert!((3_000..6_100).contains(&attempts), "{attempts} attempts");
}
