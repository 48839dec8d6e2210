//! The load on our gateway: provisioning, two minutes of a neighbourhood, and what came of it.

use super::Load;
use super::gateway::{Gateway, TARIFF_ID};
use super::report::{Figures, as_float};
use gateway_sim::{Config, Kind, Latencies, Member, Neighbourhood, RelayEvent};
use prepaid_common::NodeId;
use prepaid_common::wire::Key;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

/// Provisioning goes on this many lines at once: below what the control socket takes.
const CLERKS: u32 = 8;
/// Time for all nodes to have a session.
const CONNECT_TIME: Duration = Duration::from_secs(60);
/// Time for the last acknowledgements.
const DRAIN_TIME: Duration = Duration::from_secs(20);
/// Header, fixed body and tag: what a report without items has.
const REPORT_BYTES: u64 = 21 + 66 + 16;

struct Customer {
    index: u32,
    usage_point: u64,
    member: Member,
}

/// Runs the load.
///
/// # Errors
/// Words that fit after "failed to".
pub async fn run(load: &Load, program: &Path, folder: &Path) -> Result<Figures, String> {
    let gateway = Arc::new(Gateway::start(program, folder).await?);
    let customers = provision(&gateway, load.nodes).await?;
    let before = gateway.usage()?;
    let mut config = Config::new(gateway.broker, Vec::new());
    config
        .members
        .extend(customers.iter().map(|customer| customer.member.clone()));
    config.report_interval = Some(load.interval);
    let neighbourhood = Neighbourhood::start(config)
        .map_err(|error| format!("start the neighbourhood: {error}"))?;
    for customer in &customers {
        if Load::first_wh(customer.index) < Load::PLENTY_WH {
            let watts = gateway_sim::Load::Fixed(Load::THIN_WATTS);
            neighbourhood.set_load(customer.member.node, watts);
        }
    }
    let relays = neighbourhood.events();
    connect(&neighbourhood, load.nodes).await?;
    let cashier = Cashier {
        gateway: gateway.clone(),
        relays,
        points: points(&customers),
        queue: VecDeque::new(),
        paid: BTreeMap::new(),
        vends: 0,
        to_relay: Latencies::default(),
    };
    let vends = cashier.work(Instant::now() + load.length).await?;
    let unsettled = neighbourhood.drain(Instant::now() + DRAIN_TIME).await;
    let usage = gateway.usage()?.since(before);
    let counts = neighbourhood.counts();
    let stored = gateway
        .metric("prepaid_gateway_readings_accepted_total")
        .await?;
    let refused = gateway.metric("prepaid_gateway_rejected_total").await?;
    if !unsettled.is_empty() {
        eprintln!("{} nodes were not acknowledged at the end", unsettled.len());
    }
    neighbourhood
        .stop()
        .await
        .map_err(|error| format!("stop the neighbourhood: {error}"))?;
    let gateway = Arc::into_inner(gateway).ok_or("stop the gateway: it is still in use")?;
    gateway.stop().await?;
    let accounted = counts.readings_acknowledged + counts.readings_in_flight;
    let figures = Figures {
        name: "gateway".into(),
        nodes: u64::from(load.nodes),
        payload_bytes: REPORT_BYTES,
        sent: counts.readings_sent,
        acknowledged: counts.readings_acknowledged,
        stored,
        rejected: refused
            + counts.connections_lost
            + counts.connections_refused
            + counts.frames_refused,
        lost: counts.readings_sent - accounted,
        run_out_to_relay: counts.run_out_to_open,
        vend_to_relay: vends.percentiles(),
        acknowledgement: counts.acknowledgement,
        max_overshoot_wh: as_float(counts.max_overshoot_mwh) / 1000.0,
        ..Figures::default()
    };
    Ok(figures.with_usage(usage))
}

async fn connect(neighbourhood: &Neighbourhood, nodes: u32) -> Result<(), String> {
    let deadline = Instant::now() + CONNECT_TIME;
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        let in_session = neighbourhood.counts().nodes_in_session;
        if in_session == u64::from(nodes) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(format!(
                "connect all nodes: {in_session} of {nodes} have a session"
            ));
        }
    }
}

fn points(customers: &[Customer]) -> BTreeMap<NodeId, u64> {
    customers
        .iter()
        .map(|customer| (customer.member.node, customer.usage_point))
        .collect()
}

/// Adds usage points and nodes and makes the first vends.
async fn provision(gateway: &Arc<Gateway>, nodes: u32) -> Result<Vec<Customer>, String> {
    let mut clerks = JoinSet::new();
    for clerk in 0..CLERKS {
        let gateway = gateway.clone();
        clerks.spawn(async move {
            let mut customers = Vec::new();
            for index in (clerk..nodes).step_by(CLERKS as usize) {
                customers.push(settle_in(&gateway, index).await?);
            }
            Ok::<_, String>(customers)
        });
    }
    let mut customers = Vec::new();
    while let Some(done) = clerks.join_next().await {
        customers.extend(done.map_err(|error| format!("provision: {error}"))??);
    }
    customers.sort_by_key(|customer| customer.index);
    Ok(customers)
}

async fn settle_in(gateway: &Gateway, index: u32) -> Result<Customer, String> {
    let unexpected = |answer: &serde_json::Value| format!("understand the answer {answer}");
    let added = gateway
        .command(&json!({
            "command": "add-usage-point", "id": null, "label": format!("House {index}"),
            "phases": "single", "tariff": TARIFF_ID, "max_power_w": null,
        }))
        .await?;
    let usage_point = added["usage_point"]
        .as_u64()
        .ok_or_else(|| unexpected(&added))?;
    let role = json!({"usage-point": usage_point});
    let added = gateway
        .command(&json!({"command": "add-node", "node": null, "role": role}))
        .await?;
    let node = added["node"]
        .as_u64()
        .and_then(|node| u32::try_from(node).ok());
    let node = NodeId(node.ok_or_else(|| unexpected(&added))?);
    let facts = gateway
        .ask(&json!({"request": "node-key", "node": node.0}))
        .await?;
    let key = facts["node"]["key"].as_str().and_then(Key::from_hex);
    let key = key.ok_or("read the key of a node")?;
    gateway
        .vend(
            usage_point,
            Load::first_wh(index),
            &format!("first-{index}"),
        )
        .await?;
    let member = Member {
        node,
        key,
        kind: Kind::Premises,
        seed: u64::from(index),
    };
    Ok(Customer {
        index,
        usage_point,
        member,
    })
}

/// Sells a little to everybody who ran out, until the end of the load.
struct Cashier {
    gateway: Arc<Gateway>,
    relays: broadcast::Receiver<RelayEvent>,
    points: BTreeMap<NodeId, u64>,
    queue: VecDeque<(Instant, NodeId)>,
    paid: BTreeMap<NodeId, Instant>,
    vends: u64,
    to_relay: Latencies,
}

impl Cashier {
    async fn work(mut self, end: Instant) -> Result<Latencies, String> {
        let end = end.into();
        loop {
            let next = self.queue.front().map(|(due, _)| *due);
            let due = next.map_or(end, tokio::time::Instant::from).min(end);
            tokio::select! {
                () = sleep_until(due) => {
                    if due == end {
                        return Ok(self.to_relay);
                    }
                    if let Some((_, node)) = self.queue.pop_front() {
                        self.sell(node).await?;
                    }
                }
                event = self.relays.recv() => match event {
                    Ok(event) => self.saw(event),
                    Err(_) => return Err("follow the relays: too many events at once".into()),
                },
            }
        }
    }

    fn saw(&mut self, event: RelayEvent) {
        if event.after_run_out.is_some() {
            self.queue.push_back((event.at + Load::DARK, event.node));
        }
        if event.closed
            && let Some(asked) = self.paid.remove(&event.node)
        {
            self.to_relay
                .record(event.at.saturating_duration_since(asked));
        }
    }

    async fn sell(&mut self, node: NodeId) -> Result<(), String> {
        let Some(usage_point) = self.points.get(&node) else {
            return Ok(());
        };
        self.vends += 1;
        self.paid.insert(node, Instant::now());
        let key = format!("again-{}", self.vends);
        self.gateway.vend(*usage_point, Load::THIN_WH, &key).await
    }
}
