//! What one node has sent and what was acknowledged, counted at the node.
//!
//! Terms: a frame is *queued* once the MQTT client took it, *in flight* once it has a packet
//! identifier. A reading whose connection ends before its PUBACK is *superseded*: the node's next
//! report carries the same register or a later one.

use crate::latencies::Latencies;
use prepaid_common::WattHours;
use prepaid_common::wire::{Counter, Kind};
use rumqttc::{AsyncClient, QoS};
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

#[derive(Clone, Copy)]
struct Sent {
    counter: Counter,
    register: WattHours,
    reading: bool,
    at: Instant,
}

/// Counts of one node.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Distinct REPORT frames handed to the connection.
    pub readings_sent: u64,
    /// Those with a PUBACK.
    pub readings_acknowledged: u64,
    /// Those whose connection ended before the PUBACK.
    pub readings_superseded: u64,
    /// Connections that ended though nobody here asked for it.
    pub connections_lost: u64,
    /// Connections or subscriptions that were refused.
    pub connections_refused: u64,
    /// Frames of the gateway that the node refused.
    pub frames_refused: u64,
    /// Advance of the register over the acknowledged readings, in order. Watt-hours. A register
    /// that falls (a power cut) goes on from its new value.
    pub acknowledged_advance: WattHours,
    /// The register of the newest acknowledged reading.
    pub acknowledged_register: Option<WattHours>,
    /// Time from sending a reading to its PUBACK.
    pub acknowledgement: Latencies,
}

/// The sending half of a node's connection, and its counts.
pub struct Uplink {
    topic: String,
    client: Option<AsyncClient>,
    queued: VecDeque<Sent>,
    in_flight: BTreeMap<u16, Sent>,
    newest_acknowledged: Counter,
    /// The counts so far.
    pub tally: Tally,
}

impl Uplink {
    /// Publishes to `topic`.
    #[must_use]
    pub fn new(topic: String) -> Self {
        Self {
            topic,
            client: None,
            queued: VecDeque::new(),
            in_flight: BTreeMap::new(),
            newest_acknowledged: Counter::ZERO,
            tally: Tally::default(),
        }
    }

    /// A connection stands.
    pub fn open(&mut self, client: AsyncClient) {
        self.client = Some(client);
    }

    /// The connection is gone. What was not acknowledged is superseded.
    pub fn close(&mut self) {
        self.client = None;
        self.tally.readings_superseded += self.open_readings();
        self.queued.clear();
        self.in_flight.clear();
    }

    /// Hands a frame to the connection. Without one, or if it is choked, the frame is forgotten:
    /// the node sends anew when no acknowledgement comes.
    pub fn publish(&mut self, frame: &[u8], counter: Counter, register: WattHours) {
        let Some(client) = &self.client else { return };
        let published = client.try_publish(&self.topic, QoS::AtLeastOnce, false, frame);
        if published.is_err() {
            return;
        }
        let reading = frame.get(1) == Some(&(Kind::Report as u8));
        self.tally.readings_sent += u64::from(reading);
        self.queued.push_back(Sent {
            counter,
            register,
            reading,
            at: Instant::now(),
        });
    }

    /// The oldest queued frame goes out under this packet identifier.
    pub fn assigned(&mut self, packet: u16) {
        if let Some(sent) = self.queued.pop_front() {
            self.in_flight.insert(packet, sent);
        }
    }

    /// A PUBACK came; the counter of the frame it acknowledges.
    pub fn acknowledged(&mut self, packet: u16) -> Option<Counter> {
        let sent = self.in_flight.remove(&packet)?;
        if sent.reading {
            self.tally.readings_acknowledged += 1;
            self.tally.acknowledgement.record(sent.at.elapsed());
            if sent.counter > self.newest_acknowledged {
                self.newest_acknowledged = sent.counter;
                self.advance_to(sent.register);
            }
        }
        Some(sent.counter)
    }

    /// Readings without acknowledgement on the standing connection.
    #[must_use]
    pub fn open_readings(&self) -> u64 {
        let readings = self.queued.iter().chain(self.in_flight.values());
        u64::try_from(readings.filter(|sent| sent.reading).count()).unwrap_or(u64::MAX)
    }

    fn advance_to(&mut self, register: WattHours) {
        let before = self.tally.acknowledged_register.replace(register);
        let advance = before.and_then(|before| register.since(before));
        self.tally.acknowledged_advance.0 += advance.unwrap_or_default().0;
    }
}
