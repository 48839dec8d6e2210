//! Many nodes on one feeder, and what can be seen and done from outside.
//!
//! Decided here: the step of the world, who shares the line, what is summed up. Every number here is
//! counted at the nodes; nothing is asked of the gateway.

use crate::connection;
use crate::device::{Device, Load};
use crate::eeprom::Eeprom;
use crate::feeder::Line;
use crate::household::Habits;
use crate::latencies::{Latencies, Percentiles};
use crate::meter::{Kind, Meter, RelayChange};
use crate::uplink::Uplink;
use meter_node::Identity;
use prepaid_common::wire::{Key, Lease, SwitchReason, topic_up};
use prepaid_common::{NodeId, WattHours};
use serde::Serialize;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How a host that was stopped catches up: at most so much of the world's time; the rest did not
/// happen.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(5);
/// Relay events that wait for a slow listener: all of 1,000 nodes twice.
const EVENT_QUEUE: usize = 2048;
/// How long to wait for the connections to end.
const STOP_TIME: Duration = Duration::from_secs(1);

/// One node.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its number.
    pub node: NodeId,
    /// Its secret.
    pub key: Key,
    /// What it meters.
    pub kind: Kind,
    /// Its household.
    pub seed: u64,
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Config {
    /// The gateway's MQTT address. Without TLS.
    pub broker: SocketAddr,
    /// The nodes.
    pub members: Vec<Member>,
    /// Between reports, in whole seconds; `None` leaves it to the gateway.
    pub report_interval: Option<Duration>,
    /// The step of the world and the nodes' sampling: 20 to 200 ms, in whole milliseconds.
    pub tick: Duration,
    /// How people live.
    pub habits: Habits,
    /// Where the nodes' EEPROMs are kept from one simulation to the next.
    pub eeprom_dir: Option<PathBuf>,
}

impl Config {
    /// The usual: 50 ms steps, the gateway's report interval, an ordinary evening, new nodes.
    #[must_use]
    pub fn new(broker: SocketAddr, members: Vec<Member>) -> Self {
        Self {
            broker,
            members,
            report_interval: None,
            tick: Duration::from_millis(50),
            habits: Habits::default(),
            eeprom_dir: None,
        }
    }
}

/// A relay opened or closed.
#[derive(Debug, Clone, Copy)]
pub struct RelayEvent {
    /// Whose.
    pub node: NodeId,
    /// Closed now.
    pub closed: bool,
    /// Why.
    pub reason: SwitchReason,
    /// When.
    pub at: Instant,
    /// The node's register then.
    pub register: WattHours,
    /// From the moment the credit was really used up to the opening.
    pub after_run_out: Option<Duration>,
    /// The end of an interruption for want of credit.
    pub reconnection: bool,
}

/// Sums over all nodes since the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counts {
    /// Nodes with a session now.
    pub nodes_in_session: u64,
    /// Distinct REPORT frames handed to a connection.
    pub readings_sent: u64,
    /// Those with a PUBACK.
    pub readings_acknowledged: u64,
    /// Those still without, on a standing connection.
    pub readings_in_flight: u64,
    /// Those whose connection ended before the PUBACK; a later report stands for them.
    pub readings_superseded: u64,
    /// Connections that ended though nobody here asked for it.
    pub connections_lost: u64,
    /// Connections or subscriptions that were refused.
    pub connections_refused: u64,
    /// Frames of the gateway that a node refused.
    pub frames_refused: u64,
    /// Relays opened because credit was used up.
    pub disconnected_for_credit: u64,
    /// Relays closed after that.
    pub reconnected: u64,
    /// Most energy that flowed past a cut-off, milliwatt-hours.
    pub max_overshoot_mwh: u64,
    /// Advance of the registers of premises over their acknowledged readings, watt-hours.
    pub acknowledged_advance_wh: u64,
    /// Energy that really flowed to premises, milliwatt-hours.
    pub delivered_mwh: u64,
    /// From the moment credit was used up to the open relay.
    pub run_out_to_open: Percentiles,
    /// From sending a reading to its PUBACK.
    pub acknowledgement: Percentiles,
}

/// One node as it is now.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// Who.
    pub node: NodeId,
    /// What it meters.
    pub kind: Kind,
    /// The node's register.
    pub register: WattHours,
    /// The lease in force.
    pub lease: Option<Lease>,
    /// Whether current can flow.
    pub conducts: bool,
    /// Whether it has a session with the gateway.
    pub has_session: bool,
    /// Advance of the register over acknowledged readings.
    pub acknowledged_advance: WattHours,
    /// The register of the newest acknowledged reading.
    pub acknowledged_register: Option<WattHours>,
    /// Energy that really flowed, milliwatt-hours.
    pub delivered_mwh: u64,
    /// Most energy past a cut-off, milliwatt-hours.
    pub max_overshoot_mwh: u64,
}

pub(crate) struct Slot {
    pub node: NodeId,
    pub kind: Kind,
    pub password: String,
    /// Breaks the connection without a word.
    pub cut: Notify,
    device: Mutex<Device>,
}

impl Slot {
    pub fn device(&self) -> MutexGuard<'_, Device> {
        self.device.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Relays {
    disconnected_for_credit: u64,
    reconnected: u64,
    run_out_to_open: Latencies,
}

pub(crate) struct Shared {
    pub broker: SocketAddr,
    pub slots: Vec<Arc<Slot>>,
    tick: Duration,
    line: Mutex<Line>,
    relays: Mutex<Relays>,
    events: broadcast::Sender<RelayEvent>,
}

/// A running neighbourhood. Dropping it breaks all connections at once.
pub struct Neighbourhood {
    shared: Arc<Shared>,
    eeprom_dir: Option<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Neighbourhood {
    /// Powers all nodes up; they connect over the next moments. Needs a tokio runtime.
    ///
    /// # Errors
    /// An EEPROM file cannot be read.
    pub fn start(config: Config) -> io::Result<Self> {
        let mut slots = Vec::with_capacity(config.members.len());
        let houses = config.members.len();
        for (index, member) in config.members.iter().enumerate() {
            let place = u32::try_from((index + 1) * 1000 / houses).unwrap_or(1000);
            slots.push(Arc::new(Slot::new(member, &config, place)?));
        }
        let tick_ms = u64::try_from(config.tick.as_millis()).unwrap_or(u64::MAX);
        let shared = Arc::new(Shared {
            broker: config.broker,
            slots,
            tick: Duration::from_millis(tick_ms.clamp(1, 1000)),
            line: Mutex::new(Line::for_houses(houses)),
            relays: Mutex::default(),
            events: broadcast::channel(EVENT_QUEUE).0,
        });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for slot in &shared.slots {
            tasks.spawn(connection::keep(
                slot.clone(),
                shared.clone(),
                stopped.clone(),
            ));
        }
        tasks.spawn(turn(shared.clone(), stopped));
        Ok(Self {
            shared,
            eeprom_dir: config.eeprom_dir,
            stop,
            tasks,
        })
    }

    /// Relay changes from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RelayEvent> {
        self.shared.events.subscribe()
    }

    /// The sums.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let relays = lock(&self.shared.relays);
        let mut acknowledgement = Latencies::default();
        let mut counts = Counts {
            disconnected_for_credit: relays.disconnected_for_credit,
            reconnected: relays.reconnected,
            run_out_to_open: relays.run_out_to_open.percentiles(),
            ..Counts::default()
        };
        drop(relays);
        for slot in &self.shared.slots {
            let device = slot.device();
            let tally = &device.uplink.tally;
            counts.nodes_in_session += u64::from(device.meter.has_session());
            counts.readings_sent += tally.readings_sent;
            counts.readings_acknowledged += tally.readings_acknowledged;
            counts.readings_in_flight += device.uplink.open_readings();
            counts.readings_superseded += tally.readings_superseded;
            counts.connections_lost += tally.connections_lost;
            counts.connections_refused += tally.connections_refused;
            counts.frames_refused += tally.frames_refused;
            acknowledgement.extend(&tally.acknowledgement);
            if slot.kind == Kind::Feeder {
                continue;
            }
            let truth = device.meter.truth();
            counts.max_overshoot_mwh = counts.max_overshoot_mwh.max(truth.max_overshoot_mwh());
            counts.acknowledged_advance_wh += tally.acknowledged_advance.0;
            counts.delivered_mwh += truth.delivered_mwh();
        }
        counts.acknowledgement = acknowledgement.percentiles();
        counts
    }

    /// Every node as it is now, in the order of the members.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeState> {
        self.shared.slots.iter().map(|slot| slot.state()).collect()
    }

    /// One node as it is now; `None` for a stranger.
    #[must_use]
    pub fn node(&self, node: NodeId) -> Option<NodeState> {
        self.slot(node).map(|slot| slot.state())
    }

    /// Puts another load behind a meter. False for a stranger.
    pub fn set_load(&self, node: NodeId, load: Load) -> bool {
        self.with(node, |device| device.load = load)
    }

    /// Welds a relay's contact together, or loosens it. False for a stranger.
    pub fn weld(&self, node: NodeId, welded: bool) -> bool {
        self.with(node, |device| device.meter.weld(welded))
    }

    /// A load at the feeder that no meter counts, watts.
    pub fn set_tap(&self, watts: u32) {
        lock(&self.shared.line).tap_w = watts;
    }

    /// Takes the power of a node away for a while: its RAM is lost and its connection breaks
    /// without a word; then it boots from its EEPROM. False for a stranger.
    pub fn power_cut(&self, node: NodeId, dark: Duration) -> bool {
        let until = Instant::now() + dark;
        let known = self.with(node, |device| device.power_cut(until));
        self.break_connection(node) && known
    }

    /// Breaks the connection of a node without a word; it connects again by itself. False for a
    /// stranger.
    pub fn break_connection(&self, node: NodeId) -> bool {
        let slot = self.slot(node);
        if let Some(slot) = slot {
            slot.cut.notify_one();
        }
        slot.is_some()
    }

    /// Ends the measuring: all loads go to zero, every node reports where it stands, and rests
    /// once that is acknowledged. Returns the nodes that had not got so far at the deadline.
    pub async fn drain(&self, deadline: Instant) -> Vec<NodeId> {
        let mut looks = tokio::time::interval(self.shared.tick);
        loop {
            let unsettled: Vec<NodeId> = self
                .shared
                .slots
                .iter()
                .filter(|slot| !slot.device().settle())
                .map(|slot| slot.node)
                .collect();
            if unsettled.is_empty() || Instant::now() >= deadline {
                return unsettled;
            }
            looks.tick().await;
        }
    }

    /// Says goodbye on all connections and keeps the EEPROMs if there is a folder for them. At most
    /// about a second.
    ///
    /// # Errors
    /// An EEPROM file cannot be written.
    pub async fn stop(mut self) -> io::Result<()> {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            self.tasks.shutdown().await;
        }
        let Some(folder) = &self.eeprom_dir else {
            return Ok(());
        };
        std::fs::create_dir_all(folder)?;
        for slot in &self.shared.slots {
            let eeprom = slot.device().meter.save();
            eeprom.save(&folder.join(slot.node.to_string()))?;
        }
        Ok(())
    }

    fn slot(&self, node: NodeId) -> Option<&Slot> {
        let mut slots = self.shared.slots.iter();
        slots.find(|slot| slot.node == node).map(Arc::as_ref)
    }

    fn with(&self, node: NodeId, change: impl FnOnce(&mut Device)) -> bool {
        let slot = self.slot(node);
        if let Some(slot) = slot {
            change(&mut slot.device());
        }
        slot.is_some()
    }
}

impl Slot {
    fn new(member: &Member, config: &Config, place: u32) -> io::Result<Self> {
        let Member {
            node,
            key,
            kind,
            seed,
        } = member.clone();
        let eeprom = match &config.eeprom_dir {
            Some(folder) => Eeprom::load(&folder.join(node.to_string()))?,
            None => Eeprom::default(),
        };
        let seconds = config
            .report_interval
            .map(|interval| interval.as_secs().max(1));
        let seconds = seconds.map(|seconds| u16::try_from(seconds).unwrap_or(u16::MAX));
        let password = key.mqtt_password().into_iter().map(char::from).collect();
        let meter = Meter::new(Identity { node, key }, kind, eeprom, seconds);
        let uplink = Uplink::new(topic_up(node).to_string());
        let device = Device::new(meter, uplink, seed, &config.habits, place);
        Ok(Self {
            node,
            kind,
            password,
            cut: Notify::new(),
            device: Mutex::new(device),
        })
    }

    fn state(&self) -> NodeState {
        let device = self.device();
        let (meter, tally) = (&device.meter, &device.uplink.tally);
        NodeState {
            node: self.node,
            kind: self.kind,
            register: meter.register(),
            lease: meter.lease(),
            conducts: meter.conducts(),
            has_session: meter.has_session(),
            acknowledged_advance: tally.acknowledged_advance,
            acknowledged_register: tally.acknowledged_register,
            delivered_mwh: meter.truth().delivered_mwh(),
            max_overshoot_mwh: meter.truth().max_overshoot_mwh(),
        }
    }
}

impl Shared {
    /// One step of the world, which ends at `end`. `carried_mw` is what the premises drew in the
    /// step before: the voltage follows it. Returns what they draw now.
    fn step(&self, elapsed_ms: u32, end: Instant, carried_mw: u64) -> u64 {
        let line = *lock(&self.line);
        let mut premises_mw = 0;
        let (feeders, premises): (Vec<&Arc<Slot>>, Vec<_>) = self
            .slots
            .iter()
            .partition(|slot| slot.kind == Kind::Feeder);
        for slot in premises {
            let mut device = slot.device();
            let demand = device.demand(elapsed_ms);
            let voltage_mv = line.voltage_mv(carried_mw, device.place());
            let (flowing_mw, change) = device.run(elapsed_ms, demand, voltage_mv, end);
            premises_mw += flowing_mw;
            if let Some(change) = change {
                self.announce(slot.node, change, end.elapsed());
            }
        }
        for slot in feeders {
            let voltage_mv = line.voltage_mv(premises_mw, 0);
            slot.device()
                .run(elapsed_ms, line.head(premises_mw), voltage_mv, end);
        }
        premises_mw
    }

    /// Counts and tells a change of a relay that happened `late` after the step it belongs to.
    pub fn announce(&self, node: NodeId, change: RelayChange, late: Duration) {
        let after_run_out = change
            .since_run_out_us
            .map(|since_us| Duration::from_micros(since_us) + late);
        let mut relays = lock(&self.relays);
        if !change.closed && change.reason == SwitchReason::LeaseExhausted {
            relays.disconnected_for_credit += 1;
        }
        relays.reconnected += u64::from(change.after_credit);
        if let Some(after) = after_run_out {
            relays.run_out_to_open.record(after);
        }
        drop(relays);
        let event = RelayEvent {
            node,
            closed: change.closed,
            reason: change.reason,
            at: Instant::now(),
            register: change.register,
            after_run_out,
            reconnection: change.after_credit,
        };
        // Nobody has to listen.
        let _listeners = self.events.send(event);
    }
}

/// Lets the world turn in steps of one tick until it is stopped. A late tick is made up for in
/// several steps, as real nodes would have sampled on time; the latencies count the delay.
async fn turn(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(shared.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let elapsed_ms = u32::try_from(shared.tick.as_millis()).unwrap_or(u32::MAX);
    let mut reached = Instant::now();
    let mut carried_mw = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = connection::told_to(&mut stop) => return,
        }
        if let Some(missed) = reached.elapsed().checked_sub(LONGEST_CATCH_UP) {
            log::warn!("the simulation stood still for {} ms", missed.as_millis());
            reached += missed;
        }
        while reached.elapsed() >= shared.tick {
            reached += shared.tick;
            carried_mw = shared.step(elapsed_ms, reached, carried_mw);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
