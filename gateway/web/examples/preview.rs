//! The page with made-up rows and no daemon: `cargo run -p gateway-web --example preview [PORT]`.

#[path = "../tests/fixture/mod.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod fixture;

use fixture::{Memory, NOON, reading};
use gateway_core::alarm::AlarmKind;
use gateway_core::event::IntervalEnd;
use gateway_core::person::Role;
use gateway_core::supply::{Relay, SupplyOrder};
use gateway_core::tariff::Phases;
use gateway_core::{Command, NodeId, UsagePointId, UtcSeconds, WattHours};
use gateway_web::{Access, App, Desk, Problem, Site};
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 30] = [
    "A-101 Kulkarni",
    "A-102 Shaikh",
    "A-103 D’Souza",
    "A-104 Patil",
    "A-201 Joshi",
    "A-202 Iyer",
    "A-203 Chavan",
    "A-204 Gupta",
    "A-301 Nair",
    "A-302 Khan",
    "A-303 Deshmukh",
    "A-304 Rao",
    "B-101 Pawar",
    "B-102 Fernandes",
    "B-103 Mehta",
    "B-104 Sawant",
    "B-201 Reddy",
    "B-202 Bhosale",
    "B-203 Kaur",
    "B-204 Das",
    "B-301 Thomas",
    "B-302 Jadhav",
    "B-303 Singh",
    "B-304 More",
    "Shop 1 Chakki",
    "Shop 2 Tailor",
    "Shop 3 Tea",
    "Water pump",
    "Stair light",
    "Temple",
];
const DAYS: i64 = 8;

struct House {
    point: UsagePointId,
    node: NodeId,
    register_mwh: u64,
    size: u64,
}

/// Watts of a household at a time of day, always the same for the same arguments.
fn load_w(size: u64, at: i64) -> u64 {
    let hour = (at + 19_800) / 3_600 % 24;
    let shape = match hour {
        0..=5 => 6,
        6..=8 => 14,
        9..=17 => 9,
        18..=22 => 26,
        _ => 12,
    };
    let noise = (at / 60 * 7_919 + 104_729 * size.cast_signed())
        .rem_euclid(97)
        .unsigned_abs();
    shape * size * (60 + noise) / 10
}

fn run(memory: &Memory, houses: &mut [House], feeder: NodeId, at: i64, step_s: i64) {
    let mut inner = memory.lock();
    inner.now.at = UtcSeconds(at);
    let mut together = 0;
    for (i, house) in houses.iter_mut().enumerate() {
        if i == 19 && at > NOON.0 - 3_600 {
            continue;
        }
        let open = !inner.state.usage_points[&house.point]
            .supply
            .reasons
            .is_empty();
        let relay = if open { Relay::Open } else { Relay::Closed };
        let watts = if open { 0 } else { load_w(house.size, at) };
        house.register_mwh += watts * step_s.unsigned_abs() / 36 * 10;
        together += watts;
        let register = house.register_mwh / 1_000;
        let mut reading = reading(
            house.node,
            register,
            i32::try_from(watts).unwrap_or(0),
            relay,
        );
        if at % 1_800 == 0 && i != 4 {
            reading.intervals.push(IntervalEnd {
                end: UtcSeconds(at),
                register: WattHours(register),
            });
        }
        inner.read(reading);
    }
    let losses = together / 25 + 380;
    let watts = i32::try_from(together + losses).unwrap_or(0);
    inner.read(reading(feeder, 0, watts, Relay::Closed));
    let _ = inner.event(&gateway_core::Event::Tick);
    drop(inner);
    memory.changed();
}

fn populate(memory: &Memory) -> (Vec<House>, NodeId) {
    let mut inner = memory.lock();
    inner.now.at = UtcSeconds(NOON.0 - DAYS * 86_400);
    let feeder = inner.add_feeder();
    let mut houses = Vec::new();
    for (i, name) in (0_u64..).zip(NAMES) {
        let phases = if i % 11 == 3 {
            Phases::Three
        } else {
            Phases::Single
        };
        let (point, node) = inner.add(name, phases);
        let amount = ["2900", "3500.50", "1430", "2500", "4620"][houses.len() % 5];
        inner.vend(point, amount, &format!("first-{i}"));
        let register_mwh = 1_000_000 * (i * 37 % 400);
        houses.push(House {
            point,
            node,
            register_mwh,
            size: 3 + i * 5 % 8,
        });
    }
    (houses, feeder)
}

fn finish(memory: &Memory, houses: &[House]) {
    let mut inner = memory.lock();
    let by = "operator at 192.168.4.7".to_owned();
    let order = SupplyOrder::Off;
    let usage_point = houses[25].point;
    let _ = inner.command(Command::OrderSupply {
        usage_point,
        order,
        by,
    });
    let details = "phase 7.1 A, neutral 2.3 A".to_owned();
    let node = Some(houses[11].node);
    let _ = inner.command(Command::Report {
        kind: AlarmKind::Tamper,
        node,
        details,
    });
    inner.rejections = [("not-authentic", 3), ("replayed", 41), ("too-short", 1)]
        .map(|(reason, count)| (reason.to_owned(), count))
        .into();
    inner.health.problems.push(Problem {
        serious: false,
        words: "The card is 91 % full. Old readings are removed first; add space soon.".to_owned(),
    });
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .unwrap_or(8_090);
    let memory = Memory::new(UtcSeconds(NOON.0 - DAYS * 86_400));
    let (mut houses, feeder) = populate(&memory);
    for half_hour in (0..=DAYS * 48).rev() {
        run(
            &memory,
            &mut houses,
            feeder,
            NOON.0 - half_hour * 1_800,
            1_800,
        );
    }
    finish(&memory, &houses);
    memory.lock().add_case(UsagePointId(7), 800);
    let living = Arc::clone(&memory);
    tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_secs(2));
        loop {
            every.tick().await;
            let at = living.now().at.0 + 2;
            run(&living, &mut houses, feeder, at, 2);
        }
    });
    let site = Site {
        name: "Shanti Nagar".to_owned(),
        rules: memory.lock().rules.clone(),
        takes_tokens: true,
        tls: false,
        ground: gateway_core::case::Ground::default(),
        metrics_from: Vec::new(),
    };
    let access = match std::env::args().nth(2) {
        Some(password) => {
            let hash = gateway_web::hash_for(Role::Supplier, &password);
            let hash = hash.map_err(std::io::Error::other)?;
            let mut inner = memory.lock();
            for point in [1, 4] {
                let point = UsagePointId(point);
                let name = point.to_string();
                inner.add_person(&name, Role::Resident, &[point], hash.clone());
            }
            inner.add_person("agent", Role::Agent, &[], hash.clone());
            inner.add_person("operator", Role::Supplier, &[], hash);
            drop(inner);
            Access::People
        }
        None => Access::Open,
    };
    let app = App::new(site, access, memory.clone(), memory);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}", listener.local_addr()?);
    gateway_web::serve(listener, app, std::future::pending()).await
}
