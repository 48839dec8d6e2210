//! Nothing is lost between world, register and feeder.

use super::*;
use crate::config::{Config, Member};
use crate::feeder::Line;
use crate::household::{Habits, Household};
use crate::world::World;
use std::time::{Duration, Instant};

const PLENTY_WH: u64 = 1_000_000;
const MJ_PER_WH: u64 = 3_600_000;

#[test]
fn the_register_follows_the_truth_for_a_day() {
    for seed in 0..5 {
        let mut meter = meter(Kind::Premises);
        let mut household = Household::new(seed, &Habits::default());
        lend(&mut meter, PLENTY_WH);
        for _ in 0..24 * 3600 * 5 {
            meter.run(200, household.live(200), VOLTAGE_MV);
        }
        let true_mwh = meter.truth().delivered_mwh();
        let register_mwh = meter.register().0 * 1000;
        assert!(
            true_mwh > 1_000_000,
            "seed {seed}: a household uses more than a unit a day"
        );
        let apart_mwh = true_mwh.abs_diff(register_mwh);
        assert!(
            apart_mwh <= 1_000,
            "seed {seed}: {true_mwh} mWh, register {register_mwh} mWh"
        );
    }
}

#[test]
fn the_feeder_sees_premises_tap_and_loss() {
    let members: Vec<Member> = (1..=21)
        .map(|number| Member {
            node: NodeId(number),
            key: key(),
            kind: if number == 21 {
                Kind::Feeder
            } else {
                Kind::Premises
            },
            seed: u64::from(number),
        })
        .collect();
    let config = Config::new("127.0.0.1:1".parse().unwrap(), members);
    let world = World::new(&config).unwrap();
    let tap_w = 500;
    world.set_tap(tap_w);
    for slot in &world.slots {
        grant(
            &mut slot.device().meter,
            slot.node,
            &key(),
            up_to(PLENTY_WH),
        );
    }
    let line = Line {
        tap_w,
        ..Line::for_houses(20)
    };
    let (mut loss_mj, mut carried_mw) = (0, 0);
    let (step_ms, steps) = (100, 36_000);
    for _ in 0..steps {
        carried_mw = world.step(
            step_ms,
            Instant::now() + Duration::from_secs(60),
            carried_mw,
        );
        loss_mj += line.loss_mw(carried_mw) * u64::from(step_ms) / 1000;
    }
    let head = world.slots.last().unwrap().state();
    let tap_wh = u64::from(tap_w);
    let expected_wh = world.counts().delivered_mwh / 1000 + tap_wh + loss_mj / MJ_PER_WH;
    assert!(loss_mj > MJ_PER_WH, "the line loses more than a watt-hour");
    let apart_wh = head.register.0.abs_diff(expected_wh);
    assert!(
        apart_wh <= 1,
        "{} at the head, {expected_wh} expected",
        head.register.0
    );
}
