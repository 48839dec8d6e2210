//! The weather does what it says, and the comparison sees what it must: both are worth nothing else.

use crate::world::{Done, World, id};
use crate::{compare, storm};
use gateway_cloud::uplink::Settings;
use gateway_core::NodeId;

#[test]
fn every_fault_of_the_weather_happens() {
    let mut all = Done::default();
    for seed in 0..8 {
        let done = storm(seed).done;
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
    ] {
        assert!(count >= 3, "{what}: {count} times in eight storms");
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
