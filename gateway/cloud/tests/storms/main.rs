//! Gateway and head-end through every kind of weather, from a seed; at the end both sides are compared row by row.
//!
//! `STORMS=1000 cargo test -p gateway-cloud --test storms -- --nocapture` runs a thousand; without it a slice.

mod copies;
mod site;
mod world;

use gateway_cloud::uplink::Settings;
use serde_json::json;
use std::collections::BTreeMap;
use world::{Weather, World, id};

/// Storms of the quick run.
const SLICE: u64 = 12;

fn settings(world_seed: u64) -> Settings {
    let plain = Settings {
        gather_ms: 2_000,
        ..Settings::default()
    };
    match world_seed % 4 {
        0 => plain,
        1 => Settings {
            largest_message: 4_096,
            ..plain
        },
        2 => Settings {
            contact_every_ms: Some(1_800_000),
            ..plain
        },
        _ => Settings {
            daily_bytes: 300_000,
            ..plain
        },
    }
}

/// One turn of chance.
fn turn(world: &mut World, turn: u32) {
    let (at, point) = (world.at(), world.random.between(1, 3));
    match world.random.between(0, 22) {
        0..=5 => {
            let _ = world.gateway.card.vend(at, &format!("local {turn}"), point);
        }
        6..=8 => {
            let end = at / 1_800 * 1_800 - 1_800 * i64::from(world.random.between(0, 5));
            let exact = world.percent(70);
            world
                .gateway
                .card
                .half_hour(end, point, u64::from(turn) * 10, exact);
        }
        9 | 10 => {
            world.vend_order(&format!("cloud {turn}"), point);
        }
        11 => {
            // The clerk and the shop both take note of one payment.
            let _ = world.gateway.card.vend(at, &format!("both {turn}"), point);
            world.vend_order(&format!("both {turn}"), point);
        }
        12 => {
            let order = ["on", "off", "auto"][world.random.between(0, 2) as usize];
            world.order(json!({"command": "order-supply", "usage_point": point,
                "order": order, "by": "x"}));
        }
        13 => world.play_back(),
        14 => world.disconnect(),
        15 => world.crash_gateway(),
        16 => world.crash_head_end(),
        17 => world.is_cut = !world.is_cut,
        18 => {
            let (lost, doubled, late_ms) = (
                world.random.between(0, 40),
                world.random.between(0, 30),
                world.random.between(0, 6_000),
            );
            world.weather = Weather {
                lost,
                doubled,
                late_ms,
            };
        }
        19 => {
            world.head_end.misbehaviour.forgets_acks = world.random.between(0, 60);
            world.head_end.misbehaviour.repeats_acks = world.random.between(0, 40);
            world.head_end.misbehaviour.doubles_orders = turn.is_multiple_of(2);
        }
        20 => {
            let after = world.random.between(0, 50);
            world.order(json!({"command": "resend", "stream": "journal", "after": after}));
        }
        21 => world.repeat_orders(),
        _ => {
            // A partition of up to three weeks.
            world.disconnect();
            world.is_cut = true;
            let days = u64::from(world.random.between(1, 21));
            world.pass(days * 86_400_000);
            world.is_cut = false;
        }
    }
    let ms = world.random.between(10, 30_000);
    world.pass(u64::from(ms));
}

fn storm(seed: u64) {
    let mut world = World::new(seed, settings(seed));
    let turns = world.random.between(40, 200);
    if seed.is_multiple_of(5) {
        world.broker_limit = 20_000;
    }
    for number in 0..turns {
        turn(&mut world, number);
    }
    world.settle();
    compare(&world, seed);
}

/// Row by row: journal, profile, orders, money.
fn compare(world: &World, seed: u64) {
    let (card, site) = (&world.gateway.card, &world.head_end.stored.sites[&id()]);
    assert_eq!(card.journal.len(), site.journal.len(), "seed {seed}");
    for (ours, theirs) in card.journal.iter().zip(&site.journal) {
        assert_eq!(ours.number, theirs.number, "seed {seed}");
        assert_eq!(
            (ours.at.0, &ours.body),
            (theirs.at, &theirs.body),
            "seed {seed}"
        );
        assert_eq!(ours.hash.to_string(), theirs.hash, "seed {seed}");
    }
    assert_eq!(card.profile.len(), site.profile.len(), "seed {seed}");
    for row in &card.profile {
        let kept = site.profile.get(&format!("{} {}", row.end.0, row.node.0));
        let ours = (row.register.0, row.exact);
        // An estimate may have come before another one; only exact rows are final.
        assert!(
            kept.is_some_and(|kept| *kept == ours || !row.exact),
            "seed {seed}"
        );
    }
    let mut vends: BTreeMap<String, u32> = BTreeMap::new();
    for key in card.vend_keys() {
        *vends.entry(key).or_default() += 1;
    }
    assert!(
        vends.values().all(|count| *count == 1),
        "seed {seed}: {vends:?}"
    );
    for order in site.orders.values() {
        let receipt = order.receipt.as_ref().expect("a receipt");
        if order.act["command"] == "vend" {
            let key = order.act["key"].as_str().expect("a key");
            assert_eq!(receipt["outcome"], "done", "seed {seed}: {receipt}");
            assert!(vends.contains_key(key), "seed {seed}: {key} never came");
        }
    }
    assert!(
        card.state.cloud.held.is_none(),
        "seed {seed}: money held without a reason"
    );
}

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    let storms = std::env::var("STORMS")
        .ok()
        .and_then(|text| text.parse().ok());
    let storms = storms.unwrap_or(SLICE);
    let first = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let first = first.unwrap_or(0);
    for seed in first..first + storms {
        if first > 0 || std::env::var_os("SHOW").is_some() {
            println!("seed {seed}");
        }
        storm(seed);
        if seed % 100 == 99 {
            println!("{} storms", seed + 1);
        }
    }
}
