//! A meter as one would build it without the gateway: it publishes readings as JSON and obeys a switch topic.
//!
//! Its relay moves only when it is told to, so the energy past the credit is what flows until then.

use super::Load;
use gateway_sim::Latencies;
use rumqttc::{AsyncClient, QoS};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// What all meters of a run counted.
#[derive(Debug, Clone, Default)]
pub struct PeerTally {
    /// Readings handed to the connection.
    pub sent: u64,
    /// With a PUBACK.
    pub acknowledged: u64,
    /// Connections that ended by themselves.
    pub connections_lost: u64,
    /// Reading to PUBACK.
    pub acknowledgement: Latencies,
    /// Credit used up to relay open.
    pub run_out_to_relay: Latencies,
    /// Vend to relay closed.
    pub vend_to_relay: Latencies,
    /// Most energy past the credit, milliwatt-hours.
    pub overshoot_mwh: u64,
}

/// One meter.
pub struct PeerMeter {
    name: String,
    client: Option<AsyncClient>,
    queued: VecDeque<(Instant, bool)>,
    in_flight: BTreeMap<u16, (Instant, bool)>,
    sequence: u64,
    next_reading: Instant,
    watts: u64,
    closed: bool,
    standing_mwh: u64,
    rest_mj: u64,
    credit_mwh: u64,
    ran_out: Option<Instant>,
    vend_due: Option<Instant>,
    vended: Option<Instant>,
    tally: PeerTally,
}

impl PeerMeter {
    /// The meter with this number (from 0); its readings are spread over the interval.
    #[must_use]
    pub fn new(index: u32, load: &Load, start: Instant) -> Self {
        let first_wh = Load::first_wh(index);
        let thin = first_wh < Load::PLENTY_WH;
        Self {
            name: format!("{:08}", index + 1),
            client: None,
            queued: VecDeque::new(),
            in_flight: BTreeMap::new(),
            sequence: 0,
            next_reading: start + load.interval * index / load.nodes,
            watts: if thin {
                u64::from(Load::THIN_WATTS)
            } else {
                300
            },
            closed: true,
            standing_mwh: 0,
            rest_mj: 0,
            credit_mwh: first_wh * 1000,
            ran_out: None,
            vend_due: None,
            vended: None,
            tally: PeerTally::default(),
        }
    }

    /// Its MQTT client id.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection stands, or is gone.
    pub fn connection(&mut self, client: Option<AsyncClient>, lost: bool) {
        self.client = client;
        self.queued.clear();
        self.in_flight.clear();
        self.tally.connections_lost += u64::from(lost);
    }

    /// The oldest queued message goes out under this packet identifier.
    pub fn assigned(&mut self, packet: u16) {
        if let Some(sent) = self.queued.pop_front() {
            self.in_flight.insert(packet, sent);
        }
    }

    /// A PUBACK came.
    pub fn acknowledged(&mut self, packet: u16) {
        if let Some((at, true)) = self.in_flight.remove(&packet) {
            self.tally.acknowledged += 1;
            self.tally.acknowledgement.record(at.elapsed());
        }
    }

    /// The switch topic said so.
    pub fn switch(&mut self, on: bool) {
        if on
            && !self.closed
            && let Some(vended) = self.vended.take()
        {
            self.tally.vend_to_relay.record(vended.elapsed());
        }
        if !on && self.closed {
            if let Some(ran_out) = self.ran_out.take() {
                self.tally.run_out_to_relay.record(ran_out.elapsed());
            }
            self.vend_due = Some(Instant::now() + Load::DARK);
        }
        self.closed = on;
    }

    /// Lets `elapsed` of load flow, which ends `now`, and sends what is due: a reading of `payload`
    /// bytes, a vend. Nothing is sent after `end`.
    pub fn run(
        &mut self,
        elapsed: Duration,
        now: Instant,
        load: &Load,
        payload: usize,
        end: Instant,
    ) {
        if self.closed {
            self.rest_mj += self.watts * u64::try_from(elapsed.as_millis()).unwrap_or(0);
            self.standing_mwh += self.rest_mj / 3_600;
            self.rest_mj %= 3_600;
        }
        if self.standing_mwh >= self.credit_mwh {
            self.ran_out = self.ran_out.or((self.closed).then_some(now));
            let over_mwh = self.standing_mwh - self.credit_mwh;
            self.tally.overshoot_mwh = self.tally.overshoot_mwh.max(over_mwh);
        }
        if now >= end {
            return;
        }
        if now >= self.next_reading {
            self.next_reading += load.interval;
            self.sequence += 1;
            let reading = self.reading(payload);
            self.tally.sent += u64::from(self.publish("reading", reading, true));
        }
        if self.vend_due.is_some_and(|due| now >= due) {
            self.vend_due = None;
            self.vended = Some(Instant::now());
            // What it owes from flowing too long is forgiven, so that every vend lasts alike.
            let wh = Load::THIN_WH
                + self
                    .standing_mwh
                    .saturating_sub(self.credit_mwh)
                    .div_ceil(1000);
            self.credit_mwh += wh * 1000;
            self.publish(
                "vend",
                format!("{{\"m\":\"{}\",\"wh\":{wh}}}", self.name),
                false,
            );
        }
    }

    fn reading(&self, payload: usize) -> String {
        let power = if self.closed { self.watts } else { 0 };
        let (name, sequence, wh) = (&self.name, self.sequence, self.standing_mwh / 1000);
        let text = format!(
            "{{\"m\":\"{name}\",\"s\":{sequence},\"wh\":{wh},\"p\":{power},\"v\":2301,\"i\":{}}}",
            power * 1000 / 230,
        );
        format!("{text:<payload$}")
    }

    fn publish(&mut self, leaf: &str, text: String, reading: bool) -> bool {
        let Some(client) = &self.client else {
            return false;
        };
        let topic = format!("meters/{}/{leaf}", self.name);
        let taken = client
            .try_publish(topic, QoS::AtLeastOnce, false, text)
            .is_ok();
        if taken {
            self.queued.push_back((Instant::now(), reading));
        }
        taken
    }

    /// Adds its counts to `sum`.
    pub fn add_to(&self, sum: &mut PeerTally) {
        sum.sent += self.tally.sent;
        sum.acknowledged += self.tally.acknowledged;
        sum.connections_lost += self.tally.connections_lost;
        sum.acknowledgement.extend(&self.tally.acknowledgement);
        sum.run_out_to_relay.extend(&self.tally.run_out_to_relay);
        sum.vend_to_relay.extend(&self.tally.vend_to_relay);
        sum.overshoot_mwh = sum.overshoot_mwh.max(self.tally.overshoot_mwh);
    }
}
