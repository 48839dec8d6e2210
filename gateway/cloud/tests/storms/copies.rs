//! Old images, cloned cards, roll-over, large rows: told one by one.

use crate::card::Card;
use crate::compare::compare;
use crate::site::Gateway;
use crate::world::{World, id};
use gateway_cloud::message::Refused;
use gateway_cloud::uplink::Settings;
use gateway_core::Refusal;
use gateway_core::event::Command;
use serde_json::json;

fn world() -> World {
    let settings = Settings {
        gather_ms: 100,
        ..Settings::default()
    };
    World::new(7, settings)
}

/// Another card in the same place.
fn put_in(world: &mut World, card: Card, noise: u64) {
    world.disconnect();
    world.gateway = Gateway::start(card, Settings::default(), noise);
}

#[test]
fn a_restored_image_takes_no_money_until_it_is_reconciled() {
    let mut world = world();
    world.vend_order("before", 1);
    world.settle();
    let image = world.gateway.card.clone();
    world.crash_gateway();
    world.vend_order("lost order", 1);
    let at = world.at();
    world.gateway.card.vend(at, "lost vend", 2).expect("vend");
    world.settle();
    let before = world.gateway.card.state.clone();
    put_in(&mut world, image, 99);
    world.pass(60_000);
    assert_eq!(world.gateway.uplink.is_accepted(), Err(Refused::Copy));
    let at = world.at();
    assert_eq!(
        world.gateway.card.vend(at, "new", 1),
        Err(Refusal::MoneyHeld)
    );
    // The next hello brings the marks.
    world.pass(1_000_000);
    let common = world.head_end.stored.sites[&id()].common(&id());
    assert!(common > 0);
    let hash = world.head_end.stored.sites[&id()].hash_at(&id(), common);
    world.order(
        json!({"command": "reconcile", "branch": 2, "after": common, "hash": hash,
        "note": "the agent says the card died"}),
    );
    world.settle();
    assert_eq!(world.gateway.uplink.is_accepted(), Ok(true));
    let lost: Vec<String> = {
        let site = &world.head_end.stored.sites[&id()];
        let rows = site
            .journal
            .iter()
            .filter(|row| row.branch == 1 && row.number > common);
        rows.filter(|row| row.body.contains("\"decision\":\"vended\""))
            .map(|row| row.body.clone())
            .collect()
    };
    assert_eq!(lost.len(), 2);
    for body in lost {
        world.order(json!({"command": "restore", "body": body}));
    }
    world.settle();
    let after = &world.gateway.card.state;
    for (point, kept) in &before.usage_points {
        assert_eq!(
            after.usage_points[point].account.balance,
            kept.account.balance
        );
    }
    let at = world.at();
    world
        .gateway
        .card
        .vend(at, "new", 1)
        .expect("money is taken again");
}

#[test]
fn of_two_cards_with_one_identity_one_is_refused() {
    let mut world = world();
    world.settle();
    let clone = world.gateway.card.clone();
    // The thief starts his; the head-end goes on with it.
    put_in(&mut world, clone.clone(), 1_001);
    world.settle();
    assert_eq!(world.gateway.uplink.is_accepted(), Ok(true));
    // The other one is started as well.
    put_in(&mut world, clone, 1_002);
    world.pass(60_000);
    assert_eq!(world.gateway.uplink.is_accepted(), Err(Refused::Copy));
    assert!(world.gateway.card.state.cloud.held.is_some());
}

#[test]
fn a_lost_answer_is_no_copy() {
    let mut world = world();
    world.settle();
    for _ in 0..5 {
        world.crash_gateway();
        world.weather.late_ms = 0;
        world.pass(8);
    }
    world.settle();
    assert_eq!(world.gateway.uplink.is_accepted(), Ok(true));
    assert_eq!(compare(&world), Ok(()));
}

#[test]
fn keys_roll_over_though_the_receipt_is_lost() {
    let mut world = world();
    world.order(json!({"command": "roll-key"}));
    world.weather.lost = 100;
    world.pass(60_000);
    world.weather.lost = 60;
    for _ in 0..20 {
        world.repeat_orders();
        world.pass(60_000);
    }
    world.settle();
    world.vend_order("after", 1);
    world.settle();
    assert_eq!(compare(&world), Ok(()));
    let enrolled = world
        .gateway
        .card
        .state
        .cloud
        .enrolled
        .clone()
        .expect("enrolled");
    assert_eq!(enrolled.cloud_key.to_string(), world.head_end.public());
}

#[test]
fn rows_larger_than_a_message_come_in_pieces_and_small_brokers_are_found_out() {
    let settings = Settings {
        largest_message: 4_096,
        gather_ms: 100,
        ..Settings::default()
    };
    let mut world = World::new(3, settings);
    let at = world.at();
    let noise: String = (0..3_000)
        .map(|_| format!("{:x}", world.random.next_bits()))
        .collect();
    let report = Command::Report {
        kind: gateway_core::alarm::AlarmKind::Tamper,
        node: None,
        details: noise,
    };
    world.gateway.card.command(at, report).expect("raised");
    world.settle();
    assert_eq!(compare(&world), Ok(()));
    assert!(world.largest <= 4_096);

    let mut world = World::new(4, Settings::default());
    world.broker_limit = 9_000;
    for number in 0..600 {
        let at = world.at();
        let key = format!(
            "{:x}{:x}{number}",
            world.random.next_bits(),
            world.random.next_bits()
        );
        world.gateway.card.vend(at, &key, 1).expect("vend");
    }
    for _ in 0..60 {
        world.pass(60_000);
        if world.is_settled() {
            break;
        }
    }
    assert!(world.is_settled(), "limit {}", world.gateway.uplink.limit());
    assert_eq!(compare(&world), Ok(()));
}

#[test]
fn a_head_end_restored_from_its_backup_is_brought_up_to_date() {
    let mut world = world();
    world.settle();
    let backup = world.head_end.stored.clone();
    for number in 0..30 {
        let at = world.at();
        world
            .gateway
            .card
            .vend(at, &format!("v{number}"), 1)
            .expect("vend");
    }
    world.settle();
    world.head_end.stored = backup;
    world.disconnect();
    world.settle();
    assert_eq!(compare(&world), Ok(()));
}
