//! Simulated nodes against the gateway's real front end and link; only the rules are replaced, by a table of leases.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

use gateway_field::link::{Arrival, LinkOutcome, NodeLinks};
use gateway_field::{Credentials, Field, FieldConfig, Uplink};
use gateway_sim::{Config, Kind, Load, Member, Neighbourhood};
use prepaid_common::wire::{Command, Counter, Key, Lease, SwitchMode};
use prepaid_common::{NodeId, UtcSeconds, WattHours};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Time for anything that must happen: long enough for a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
const PLENTY_WH: u64 = 1_000_000;

fn key(node: NodeId) -> Key {
    let mut key = [7; 16];
    key[..4].copy_from_slice(&node.0.to_be_bytes());
    Key(key)
}

fn lease(cutoff_wh: u64) -> Lease {
    Lease {
        lease_id: u32::try_from(cutoff_wh).unwrap() + 1,
        mode: SwitchMode::ByCredit,
        cutoff: WattHours(cutoff_wh),
        load_limit_w: 0,
        press_to_reconnect: false,
    }
}

/// Sessions and leases; acknowledges everything authentic.
struct Rules {
    field: Arc<Field>,
    links: NodeLinks,
    leases: BTreeMap<NodeId, Lease>,
    sessions: u64,
}

impl Rules {
    async fn work(
        mut self,
        mut uplinks: mpsc::Receiver<Uplink>,
        mut vends: mpsc::Receiver<(NodeId, Lease)>,
    ) {
        loop {
            tokio::select! {
                Some(uplink) = uplinks.recv() => self.uplink(uplink),
                Some((node, lease)) = vends.recv() => {
                    self.leases.insert(node, lease);
                    self.tell(node, lease);
                }
                else => return,
            }
        }
    }

    fn uplink(&mut self, uplink: Uplink) {
        self.sessions += 1;
        let directive = Command {
            lease: self.leases.get(&uplink.node).copied(),
            ..Command::default()
        };
        let arrival = Arrival {
            session_random: self.sessions,
            now: UtcSeconds(0),
            clock_trusted: false,
            monotonic_ms: self.sessions * 1_000,
            directive: Some(&directive),
        };
        match self.links.uplink(uplink.node, &uplink.payload, &arrival) {
            LinkOutcome::Report { counter, .. } => {
                self.links.committed(uplink.node, counter);
                uplink.ack.accept();
            }
            LinkOutcome::Reply { frame, .. } => {
                uplink.ack.accept();
                self.field.send(uplink.node, frame).ok();
            }
            LinkOutcome::Duplicate { .. } => uplink.ack.accept(),
            LinkOutcome::Rejected(rejection) => panic!("a frame was rejected: {rejection:?}"),
        }
    }

    fn tell(&mut self, node: NodeId, lease: Lease) {
        let command = Command {
            lease: Some(lease),
            ..Command::default()
        };
        let frame = self
            .links
            .command(node, &command)
            .expect("the node has a session");
        self.field.send(node, frame).expect("the node is connected");
    }
}

struct Site {
    neighbourhood: Neighbourhood,
    field: Arc<Field>,
    vend: mpsc::Sender<(NodeId, Lease)>,
}

async fn site(cutoffs_wh: &[u64]) -> Site {
    let nodes = || {
        cutoffs_wh
            .iter()
            .zip(1..)
            .map(|(cutoff, node)| (NodeId(node), *cutoff))
    };
    let credentials = Arc::new(Credentials::new());
    let mut links = NodeLinks::new(1);
    for (node, _) in nodes() {
        links.add(node, key(node), Counter::ZERO);
        let password = String::from_utf8(key(node).mqtt_password().to_vec()).unwrap();
        credentials.add_node(node, &password).unwrap();
    }
    let config = FieldConfig {
        listen: Some("127.0.0.1:0".parse().unwrap()),
        ..FieldConfig::default()
    };
    let (inbox, uplinks) = mpsc::channel(64);
    let field = Arc::new(Field::start(config, credentials, inbox).unwrap());
    let rules = Rules {
        field: field.clone(),
        links,
        leases: nodes()
            .map(|(node, cutoff)| (node, lease(cutoff)))
            .collect(),
        sessions: 0,
    };
    let (vend, vends) = mpsc::channel(8);
    tokio::spawn(rules.work(uplinks, vends));
    let members = nodes().map(|(node, _)| Member {
        node,
        key: key(node),
        kind: Kind::Premises,
        seed: 1,
    });
    let mut config = Config::new(field.local_addr().unwrap(), members.collect());
    config.tick = Duration::from_millis(20);
    config.report_interval = Some(Duration::from_secs(1));
    let neighbourhood = Neighbourhood::start(config).unwrap();
    let site = Site {
        neighbourhood,
        field,
        vend,
    };
    site.until("all have a session", |site| {
        site.neighbourhood
            .nodes()
            .iter()
            .all(|node| node.has_session)
    })
    .await;
    site
}

impl Site {
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "never: {what}; {:?}",
                self.neighbourhood.counts()
            );
            looks.tick().await;
        }
    }

    /// Everybody's last register is acknowledged; nothing is open, refused or lost.
    async fn end(self) {
        let unsettled = self.neighbourhood.drain(Instant::now() + DEADLINE).await;
        assert_eq!(unsettled, [], "{:?}", self.neighbourhood.counts());
        let counts = self.neighbourhood.counts();
        let accounted = counts.readings_acknowledged + counts.readings_superseded;
        assert_eq!(counts.readings_sent, accounted, "{counts:?}");
        assert_eq!(
            counts.frames_refused + counts.connections_refused,
            0,
            "{counts:?}"
        );
        for node in self.neighbourhood.nodes() {
            assert_eq!(node.acknowledged_register, Some(node.register));
        }
        self.neighbourhood.stop().await.unwrap();
        self.field.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_cut_by_themselves_and_come_back_with_a_longer_lease() {
    let site = site(&[0, 3, PLENTY_WH]).await;
    let (poor, thin) = (NodeId(1), NodeId(2));
    let mut relays = site.neighbourhood.events();
    // 36 kW are 10 Wh a second.
    assert!(site.neighbourhood.set_load(thin, Load::Fixed(36_000)));
    let event = relays.recv().await.unwrap();
    let opened = if event.closed {
        relays.recv().await.unwrap()
    } else {
        event
    };
    assert_eq!(
        (opened.node, opened.closed, opened.register),
        (thin, false, WattHours(3))
    );
    assert!(opened.after_run_out.is_some());
    site.vend.send((thin, lease(5))).await.unwrap();
    let closed = relays.recv().await.unwrap();
    assert!(closed.closed && closed.reconnection);
    assert!(!relays.recv().await.unwrap().closed);
    let counts = site.neighbourhood.counts();
    assert_eq!((counts.disconnected_for_credit, counts.reconnected), (2, 1));
    assert!(
        counts.max_overshoot_mwh <= 200,
        "below one step of 20 ms: {counts:?}"
    );
    let state = site.neighbourhood.node(poor).unwrap();
    assert!(!state.conducts && state.delivered_mwh == 0);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_and_a_power_cut_heal() {
    let site = site(&[PLENTY_WH, PLENTY_WH]).await;
    let (broken, dark) = (NodeId(1), NodeId(2));
    for node in [broken, dark] {
        site.neighbourhood.set_load(node, Load::Fixed(180_000));
    }
    // 50 Wh a second.
    site.until("some watt-hours", |site| {
        site.neighbourhood
            .nodes()
            .iter()
            .all(|node| node.register.0 > 25)
    })
    .await;
    assert!(site.neighbourhood.break_connection(broken));
    assert!(
        site.neighbourhood
            .power_cut(dark, Duration::from_millis(200))
    );
    assert!(
        !site.neighbourhood.power_cut(NodeId(99), Duration::ZERO),
        "a stranger"
    );
    let state = site.neighbourhood.node(dark).unwrap();
    assert!(!state.conducts && !state.has_session);
    site.until("both have a new session", |site| {
        site.neighbourhood
            .nodes()
            .iter()
            .all(|node| node.has_session && node.register.0 > 60)
    })
    .await;
    assert_eq!(
        site.neighbourhood.counts().connections_lost,
        0,
        "both were broken here"
    );
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_front_end_is_noticed_and_the_node_cuts_alone() {
    let site = site(&[4]).await;
    site.field.shutdown().await;
    site.neighbourhood.set_load(NodeId(1), Load::Fixed(36_000));
    site.until("the relay is open", |site| {
        let counts = site.neighbourhood.counts();
        counts.disconnected_for_credit == 1 && counts.connections_lost > 0
    })
    .await;
    assert!(site.neighbourhood.counts().max_overshoot_mwh <= 200);
    let unsettled = site.neighbourhood.drain(Instant::now()).await;
    assert_eq!(unsettled, [NodeId(1)]);
}
