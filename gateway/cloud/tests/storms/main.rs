//! Gateway and head-end through every kind of weather, from a seed; at the end both sides are compared row by row.
//!
//! `STORMS=1000 cargo test -p gateway-cloud --test storms -- --nocapture` runs a thousand (three minutes on two cores); without it a slice.
//! `SEED=17 STORMS=1` repeats one.

mod card;
mod compare;
mod copies;
mod faults;
mod orders;
mod site;
mod world;

use compare::compare;
use gateway_cloud::uplink::Settings;
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use world::{Weather, World};

/// Storms of the quick run.
const SLICE: u64 = 24;

fn settings(world_seed: u64) -> Settings {
    let plain = Settings {
        gather_ms: 2_000,
        ..Settings::default()
    };
    match world_seed % 6 {
        0 => plain,
        1 => Settings {
            largest_message: 4_096,
            ..plain
        },
        2 => Settings {
            contact_every_ms: Some(1_800_000),
            ..plain
        },
        3 => Settings {
            daily_bytes: 300_000,
            ..plain
        },
        // A metered link with a budget, and one whose budget is used up every day.
        4 => Settings {
            contact_every_ms: Some(1_800_000),
            daily_bytes: 300_000,
            ..plain
        },
        _ => Settings {
            contact_every_ms: Some(60_000),
            daily_bytes: 40_000,
            ..plain
        },
    }
}

/// One turn of chance.
fn turn(world: &mut World, turn: u32) {
    let (at, point) = (world.at(), world.random.between(1, 3));
    let what = world.random.between(0, 37);
    match what {
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
        28..=32 => orders::office(world, turn, what),
        33..=37 => orders::site(world, turn, what),
        rarer => rare(world, turn, rarer),
    }
    let ms = world.random.between(10, 30_000);
    world.pass(u64::from(ms));
}

/// The rest of them: tokens, clocks, cases, market days, partitions.
fn rare(world: &mut World, turn: u32, what: u32) {
    let (at, point) = (world.at(), world.random.between(1, 3));
    match what {
        22 => {
            // Bought once; the resident types it, the cloud pushes it, or both.
            let token = world.token();
            let who = world.random.between(1, 3);
            if who != 2 {
                let _ = world.gateway.card.enter_token(at, &token);
            }
            if who != 1 {
                world.order(json!({"command": "enter-token", "usage_point": 1,
                    "token": token, "by": "shop"}));
            }
        }
        23 => world.set_clocks_wrong(),
        24 => world.set_clocks_right(),
        25 => {
            let cases = world.random.between(0, 3);
            world.gateway.card.cases = (0..cases)
                .map(|number| json!({"case": number, "turn": turn}).to_string())
                .collect();
        }
        26 => {
            // Market day: more than a message holds, and hardly to be packed.
            for number in 0..150 {
                let noise = (world.random.next_bits(), world.random.next_bits());
                let key = format!("{:x}{:x} {turn} {number}", noise.0, noise.1);
                let _ = world.gateway.card.vend(at, &key, point);
            }
        }
        _ => {
            // A partition of up to three weeks.
            world.disconnect();
            world.is_cut = true;
            let days = u64::from(world.random.between(1, 21));
            world.pass(days * 86_400_000);
            world.is_cut = false;
        }
    }
}

/// A world after its storm, settled.
fn storm(seed: u64) -> World {
    let mut world = World::new(seed, settings(seed));
    let turns = world.random.between(40, 200);
    if seed.is_multiple_of(3) {
        world.broker_limit = 5_000;
    }
    for number in 0..turns {
        turn(&mut world, number);
    }
    world.settle();
    world
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn nothing_is_lost_doubled_or_reordered() {
    let storms = number("STORMS").unwrap_or(SLICE);
    let first = number("SEED").unwrap_or(0);
    let next = AtomicU64::new(first);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + storms {
                return;
            }
            let world = storm(seed);
            if let Err(error) = compare(&world) {
                unreachable!("seed {seed}: {error}");
            }
            if seed % 100 == 99 {
                println!("{} storms", seed + 1);
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
}
