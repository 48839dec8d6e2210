//! `kill -9` of the daemon at any moment, under load: nothing confirmed is lost, nothing is applied twice.
//!
//! `KILLS` says how often (default 8 in the quick tier; 200 in `./test`). Real parts: the binary, TCP, SQLite on disk, nodes running the
//! node's own logic. The oracle is outside the gateway: keys confirmed to the till, readings acknowledged to the nodes.

mod daemon;
mod till;

use daemon::Daemon;
use gateway_core::{Decision, Record};
use gateway_sim::{Config, Kind, Load, Member, Neighbourhood, NodeState};
use gateway_store::{Reader, verify};
use prepaid_common::wire::Key;
use prepaid_common::{Micro, NodeId};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use till::Till;

const POINTS: u32 = 12;
/// A restart with its recovery takes less than this; more is a finding.
const RESTART_LIMIT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_and_nothing_happens_twice() {
    let kills: u32 = std::env::var("KILLS").map_or(8, |n| n.parse().expect("KILLS: a number"));
    let mut daemon = Daemon::new();
    daemon.start();
    provision(&daemon);
    let neighbourhood = Neighbourhood::start(world(&daemon)).expect("a simulated neighbourhood");
    for point in 1..=POINTS {
        neighbourhood.set_load(NodeId(point), Load::Fixed(2_500));
    }
    let till = Till::open(daemon.socket(), POINTS);
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        // The moment: some acknowledged readings and vends after the start, by a fixed walk, so that it falls everywhere.
        let readings = neighbourhood.counts().readings_acknowledged + u64::from(kill * 7 % 11);
        let vends = till.confirmed() + u64::from(kill * 5 % 11);
        till.hand_out(12);
        let due = || {
            neighbourhood.counts().readings_acknowledged >= readings && till.confirmed() >= vends
        };
        wait_until(due, &format!("progress before kill {kill}")).await;
        daemon.kill();
        check_database(&daemon, &format!("after kill {kill}"));
        check_acknowledged(&daemon, &neighbourhood.nodes());
        let begun = Instant::now();
        daemon.start();
        slowest = slowest.max(begun.elapsed());
    }
    let (made, confirmed) = till.close();
    let unsettled = drain(&neighbourhood).await;
    assert_eq!(
        unsettled,
        [],
        "nodes whose last reading was not acknowledged"
    );
    let nodes: Vec<_> = neighbourhood.nodes();
    daemon.stop();
    neighbourhood.stop().await.expect("the simulation ends");

    check_database(&daemon, "at the end");
    check_vends(&daemon.database(), &made, &confirmed);
    let reader = Reader::open(&daemon.database()).expect("the database");
    for node in nodes.iter().filter(|node| node.kind == Kind::Premises) {
        let id = gateway_core::UsagePointId(node.node.0);
        let view = reader.usage_point(id).expect("read").expect("usage point");
        let acknowledged = node.acknowledged_register.expect("readings");
        let raw = view.last.expect("a reading").reading.register;
        assert_eq!(
            raw, acknowledged,
            "{id}: the database and the node disagree"
        );
        assert_eq!(
            charged_or_pending(&reader, id),
            raw.0,
            "{id}: energy forgotten or charged twice"
        );
        assert!(
            node.max_overshoot_mwh < 1_000,
            "{id}: {} mWh too much",
            node.max_overshoot_mwh
        );
    }
    println!(
        "   {kills} kills: {} vends made and all confirmed ones once, slowest start {} ms",
        confirmed.len(),
        slowest.as_millis()
    );
    assert!(slowest < RESTART_LIMIT, "a start took {slowest:?}");
    assert!(
        confirmed.len() >= kills as usize * 12,
        "the till had too little to do"
    );
}

async fn wait_until(holds: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut looks = tokio::time::interval(Duration::from_micros(500));
    while !holds() {
        assert!(Instant::now() < deadline, "no {what} in 20 s");
        looks.tick().await;
    }
}

fn provision(daemon: &Daemon) {
    for point in 1..=POINTS {
        let add = format!(
            r#"{{"command":"add-usage-point","id":{point},"label":"Flat {point}","phases":"single","tariff":"msedcl-lt1b-2026-27","max_power_w":null}}"#
        );
        daemon.command(&add).expect("usage point");
        let node =
            format!(r#"{{"command":"add-node","node":{point},"role":{{"usage-point":{point}}}}}"#);
        daemon.command(&node).expect("node");
        // A day's fixed charge and two watt-hours; the till sells the rest.
        let vend = format!(
            r#"{{"command":"vend","key":"first-{point}","usage_point":{point},"amount":5040000,"by":"office"}}"#
        );
        daemon.command(&vend).expect("vend");
    }
}

fn world(daemon: &Daemon) -> Config {
    let reader = Reader::open(&daemon.database()).expect("the database");
    let member = |node: u32| Member {
        node: NodeId(node),
        key: Key(reader.node_key(NodeId(node)).expect("read").expect("a key")),
        kind: Kind::Premises,
        seed: u64::from(node),
    };
    let mut config = Config::new(daemon.broker, (1..=POINTS).map(member).collect());
    config.report_interval = Some(Duration::from_secs(1));
    config.tick = Duration::from_millis(20);
    config
}

async fn drain(neighbourhood: &Neighbourhood) -> Vec<NodeId> {
    neighbourhood
        .drain(tokio::time::Instant::now() + Duration::from_secs(20))
        .await
}

fn check_database(daemon: &Daemon, when: &str) {
    let report = verify(&daemon.database()).expect("verify runs");
    assert!(report.is_clean(), "{when}: {:?}", report.findings);
}

/// What a node was told is stored, is stored. Acknowledgements still on the way belong to commits before the kill.
fn check_acknowledged(daemon: &Daemon, nodes: &[NodeState]) {
    let reader = Reader::open(&daemon.database()).expect("the database");
    let stored: BTreeMap<_, _> = reader
        .nodes()
        .expect("read")
        .into_iter()
        .map(|view| (view.node.id, view.last.map(|last| last.reading.register)))
        .collect();
    for node in nodes {
        let stored = stored.get(&node.node).copied().flatten();
        assert!(
            stored >= node.acknowledged_register,
            "{}: acknowledged, not stored",
            node.node
        );
    }
}

fn records(reader: &Reader) -> Vec<Record> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = reader.journal_after(after, 2_000, None).expect("read");
        let Some(last) = page.last() else { return all };
        after = last.number;
        all.extend(page);
    }
}

fn check_vends(database: &Path, made: &BTreeMap<String, i64>, confirmed: &BTreeMap<String, u64>) {
    let reader = Reader::open(database).expect("the database");
    let mut found = BTreeMap::new();
    for record in records(&reader) {
        if let Decision::Vended { key, amount, .. } = &record.decision {
            let twice = found.insert(key.clone(), (record.number, *amount));
            assert_eq!(twice, None, "vend {key} was applied twice");
        }
    }
    for (key, receipt) in confirmed {
        let amount = Micro(made[key]);
        assert_eq!(
            found.get(key),
            Some(&(*receipt, amount)),
            "confirmed vend {key} is lost or changed"
        );
    }
}

fn charged_or_pending(reader: &Reader, id: gateway_core::UsagePointId) -> u64 {
    let settled = records(reader)
        .into_iter()
        .map(|record| match record.decision {
            Decision::Settled {
                usage_point,
                settlement,
            } if usage_point == id => settlement.energy.0,
            _ => 0,
        });
    let settled: u64 = settled.sum();
    let view = reader.usage_point(id).expect("read").expect("usage point");
    settled + view.register.0 - view.usage_point.account.settled_to.0
}
