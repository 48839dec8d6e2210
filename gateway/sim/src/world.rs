//! The world that the nodes share: one line, one clock, one step after the other.
//!
//! Decided here: the step, what flows to whom in it, what a changed relay means for the sums.

use crate::config::{Config, Member};
use crate::connection;
use crate::counts::{Counts, NodeState, RelayEvent};
use crate::device::Device;
use crate::eeprom::Eeprom;
use crate::feeder::Line;
use crate::latencies::Latencies;
use crate::meter::{Kind, Meter, RelayChange};
use crate::uplink::Uplink;
use meter_node::Identity;
use prepaid_common::NodeId;
use prepaid_common::wire::{SwitchReason, topic_up};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::MissedTickBehavior;

/// How a host that was stopped catches up: at most so much of the world's time; the rest did not
/// happen.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(5);
/// Relay events that wait for a slow listener: all of 1,000 nodes twice.
const EVENT_QUEUE: usize = 2048;
/// One node's place.
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

/// All nodes and what they share.
pub(crate) struct World {
    pub broker: SocketAddr,
    pub slots: Vec<Arc<Slot>>,
    pub tick: Duration,
    line: Mutex<Line>,
    relays: Mutex<Relays>,
    pub events: broadcast::Sender<RelayEvent>,
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

    pub fn state(&self) -> NodeState {
        let device = self.device();
        let (meter, tally) = (&device.meter, &device.uplink.tally);
        NodeState {
            node: self.node,
            kind: self.kind,
            register: meter.register(),
            lease: meter.lease(),
            conducts: meter.conducts(),
            shows: meter.shows(),
            has_session: meter.has_session(),
            acknowledged_advance: tally.acknowledged_advance,
            acknowledged_register: tally.acknowledged_register,
            delivered_mwh: meter.truth().delivered_mwh(),
            max_overshoot_mwh: meter.truth().max_overshoot_mwh(),
        }
    }
}

impl World {
    /// All nodes with power, none connected.
    pub fn new(config: &Config) -> io::Result<Self> {
        let members = &config.members;
        let houses = members
            .iter()
            .filter(|member| member.kind == Kind::Premises)
            .count();
        let mut slots = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            let place = u32::try_from((index + 1) * 1000 / members.len()).unwrap_or(1000);
            slots.push(Arc::new(Slot::new(member, config, place)?));
        }
        let tick_ms = u64::try_from(config.tick.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            broker: config.broker,
            slots,
            tick: Duration::from_millis(tick_ms.clamp(1, 1000)),
            line: Mutex::new(Line::for_houses(houses)),
            relays: Mutex::default(),
            events: broadcast::channel(EVENT_QUEUE).0,
        })
    }

    /// A load at the feeder that no meter counts, watts.
    pub fn set_tap(&self, watts: u32) {
        lock(&self.line).tap_w = watts;
    }

    /// The sums.
    pub fn counts(&self) -> Counts {
        let relays = lock(&self.relays);
        let mut acknowledgement = Latencies::default();
        let mut counts = Counts {
            disconnected_for_credit: relays.disconnected_for_credit,
            reconnected: relays.reconnected,
            run_out_to_open: relays.run_out_to_open.percentiles(),
            ..Counts::default()
        };
        drop(relays);
        for slot in &self.slots {
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

    /// One step of the world, which ends at `end`. `carried_mw` is what the premises drew in the
    /// step before: the voltage follows it. Returns what they draw now.
    pub fn step(&self, elapsed_ms: u32, end: Instant, carried_mw: u64) -> u64 {
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
pub(crate) async fn turn(world: Arc<World>, mut stop: watch::Receiver<bool>) {
    let mut ticks = tokio::time::interval(world.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let elapsed_ms = u32::try_from(world.tick.as_millis()).unwrap_or(u32::MAX);
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
        while reached.elapsed() >= world.tick {
            reached += world.tick;
            carried_mw = world.step(elapsed_ms, reached, carried_mw);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
