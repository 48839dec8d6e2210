//! Who lives in the demo: accounts, first payments, and an agent who recharges those who ran out.

use super::DemoError;
use crate::desk::DaemonDesk;
use gateway_core::event::{Answer, Role};
use gateway_core::tariff::Phases;
use gateway_core::{Command, FeederId, Micro, NodeId, UsagePointId};
use gateway_sim::{Kind, Member, RelayEvent};
use gateway_store::Reader;
use gateway_web::Desk;
use prepaid_common::wire::Key;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Who takes the money in the demo.
pub const AGENT: &str = "agent";
/// Who took the first payments.
const OFFICE: &str = "office";
/// The tariff everybody has.
const TARIFF: &str = "msedcl-lt1b-2026-27";
/// Every third household pays next to nothing at first.
const SHORT_OF_MONEY: u32 = 3;
/// What is left for energy of the smallest payment after the day's fixed charge: the cost of one watt-hour or two.
const LITTLE: Micro = Micro(7_000);
/// From running out to the agent's door.
const WAY_TO_THE_AGENT: Duration = Duration::from_secs(3);
/// Every fourth of those who ran out waits for pay day.
const WAITS_FOR_PAY_DAY: u64 = 4;

/// Creates usage points, nodes and first payments, unless they are there already, and returns the nodes to simulate.
pub async fn move_in(
    desk: &DaemonDesk,
    database: &Path,
    meters: u32,
) -> Result<Vec<Member>, DemoError> {
    let reader = Reader::open(database)?;
    if reader.usage_points()?.is_empty() {
        let feeder = Role::Feeder(FeederId(1));
        desk.submit(Command::AddNode {
            node: None,
            role: feeder,
        })
        .await?;
        for number in 1..=meters {
            settle_in(desk, number).await?;
        }
    }
    let mut members = Vec::new();
    for view in reader.nodes()? {
        let kind = match view.node.role {
            Some(Role::UsagePoint(_)) => Kind::Premises,
            Some(Role::Feeder(_)) => Kind::Feeder,
            None => continue,
        };
        let node = view.node.id;
        if let Some(key) = reader.node_key(node)? {
            members.push(Member {
                node,
                key: Key(key),
                kind,
                seed: u64::from(node.0) * 7_919,
            });
        }
    }
    Ok(members)
}

async fn settle_in(desk: &DaemonDesk, number: u32) -> Result<(), DemoError> {
    let (wing, flat) = (
        char::from(b'A' + u8::try_from(number / 12 % 26).unwrap_or(0)),
        number % 12 + 1,
    );
    let label = format!("{wing}-{:03}", (flat - 1) / 4 * 100 + (flat - 1) % 4 + 101);
    let (phases, tariff) = (Phases::Single, TARIFF.to_owned());
    let add = Command::AddUsagePoint {
        id: None,
        label,
        phases,
        tariff,
        max_power_w: None,
    };
    let Answer::UsagePointAdded { usage_point } = desk.submit(add).await? else {
        return Ok(());
    };
    let role = Role::UsagePoint(usage_point);
    desk.submit(Command::AddNode { node: None, role }).await?;
    let amount = first_payment(number);
    let vend = Command::Vend {
        key: format!("first-{number}"),
        usage_point,
        amount,
        by: OFFICE.into(),
    };
    desk.submit(vend).await?;
    Ok(())
}

/// Between 60 and some hundreds of rupees; every third household only a day's fixed charge and a few watt-hours.
fn first_payment(number: u32) -> Micro {
    if number.is_multiple_of(SHORT_OF_MONEY) {
        // 130 a month on one of 30 days, with 16 % duty.
        let fixed = Micro(5_026_667);
        fixed + Micro(LITTLE.0 * i64::from(number / SHORT_OF_MONEY % 4 + 1))
    } else {
        Micro(i64::from(60 + number * 37 % 400) * 1_000_000)
    }
}

/// What the agent did.
#[derive(Debug, Clone, Default)]
pub struct Deeds {
    /// From asking for a vend to the closed relay.
    pub vend_to_relay: Vec<Duration>,
    /// From used-up credit to the open relay.
    pub run_out_to_relay: Vec<Duration>,
}

/// Watches relays and recharges those who ran out.
pub struct Agent {
    recharged: Arc<AtomicU64>,
    stop: tokio::sync::watch::Sender<bool>,
    task: JoinHandle<Deeds>,
}

impl Agent {
    pub fn start(desk: Arc<DaemonDesk>, relays: broadcast::Receiver<RelayEvent>) -> Self {
        let recharged = Arc::new(AtomicU64::new(0));
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let round = Round {
            desk,
            relays,
            recharged: recharged.clone(),
            due: BTreeMap::new(),
            paid: BTreeMap::new(),
            ran_out: 0,
            deeds: Deeds::default(),
        };
        Self {
            recharged,
            stop,
            task: tokio::spawn(round.go(stopped)),
        }
    }

    /// Vends made so far.
    pub fn recharged(&self) -> u64 {
        self.recharged.load(Ordering::Relaxed)
    }

    /// Ends the round.
    pub async fn stop(self) -> Deeds {
        self.stop.send_replace(true);
        self.task.await.unwrap_or_default()
    }
}

struct Round {
    desk: Arc<DaemonDesk>,
    relays: broadcast::Receiver<RelayEvent>,
    recharged: Arc<AtomicU64>,
    /// Who comes to the agent, and when.
    due: BTreeMap<Instant, NodeId>,
    /// Who has paid and waits for light.
    paid: BTreeMap<NodeId, Instant>,
    ran_out: u64,
    deeds: Deeds,
}

impl Round {
    async fn go(mut self, mut stopped: tokio::sync::watch::Receiver<bool>) -> Deeds {
        loop {
            let next = self.due.first_key_value().map(|(at, node)| (*at, *node));
            let at = next.map_or_else(|| Instant::now() + WAY_TO_THE_AGENT, |(at, _)| at);
            tokio::select! {
                _ = stopped.changed() => return self.deeds,
                event = self.relays.recv() => match event {
                    Ok(event) => self.saw(event),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return self.deeds,
                },
                () = sleep_until(at), if next.is_some() => {
                    self.due.pop_first();
                    if let Some((_, node)) = next {
                        self.recharge(node).await;
                    }
                }
            }
        }
    }

    fn saw(&mut self, event: RelayEvent) {
        if let Some(after) = event.after_run_out {
            self.deeds.run_out_to_relay.push(after);
            self.ran_out += 1;
            if !self.ran_out.is_multiple_of(WAITS_FOR_PAY_DAY) {
                let mut at = Instant::now() + WAY_TO_THE_AGENT;
                while self.due.contains_key(&at) {
                    at += Duration::from_millis(1);
                }
                self.due.insert(at, event.node);
            }
        }
        if event.closed
            && let Some(asked) = self.paid.remove(&event.node)
        {
            self.deeds
                .vend_to_relay
                .push(event.at.saturating_duration_since(asked.into()));
        }
    }

    async fn recharge(&mut self, node: NodeId) {
        // The feeder's node came first, so the usage point's number is one less than its node's.
        let usage_point = UsagePointId(node.0.saturating_sub(1));
        let key = format!("{AGENT}-{node}-{}", self.recharged.load(Ordering::Relaxed));
        let amount = Micro(100_000_000);
        self.paid.insert(node, Instant::now());
        let vend = Command::Vend {
            key,
            usage_point,
            amount,
            by: AGENT.into(),
        };
        match self.desk.submit(vend).await {
            Ok(_) => {
                self.recharged.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.paid.remove(&node);
                log::warn!("failed to recharge {usage_point}: {error}");
            }
        }
    }
}
