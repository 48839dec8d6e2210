//! A meter on the wall: the node of `meter_node` with power, EEPROM, relay and sensors.
//!
//! Decided here: when current flows, what the sensors show, which changes of the relay count. Not
//! decided here: when the relay moves (that is the node), what the household wants.
//!
//! Invariant: what flows is counted in [`Truth`] whatever the node's register says.

use crate::eeprom::Eeprom;
use crate::fault::Fault;
use crate::household::Demand;
use crate::random::Random;
use crate::truth::Truth;
use meter_node::{Identity, Measurement, Node, Received, Window};
use prepaid_common::WattHours;
use prepaid_common::wire::{Counter, FrameRejection, Lease, RelayPosition, SwitchReason};

/// What a meter is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Premises, behind a relay.
    Premises,
    /// The head of the feeder, without a relay.
    Feeder,
}

/// A change of the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayChange {
    /// Closed now.
    pub closed: bool,
    /// Why.
    pub reason: SwitchReason,
    /// Register of the node at that moment.
    pub register: WattHours,
    /// World time from the exhausted lease to the opening, microseconds.
    pub since_run_out_us: Option<u64>,
    /// A closing that ends an interruption for want of credit.
    pub after_credit: bool,
}

enum Power {
    On(Box<Node<Eeprom>>),
    Off(Eeprom),
}

/// One meter.
pub struct Meter {
    identity: Identity,
    kind: Kind,
    report_interval_s: Option<u16>,
    power: Power,
    noise: Random,
    truth: Truth,
    welded: bool,
    cover_open: bool,
    faults: Vec<Fault>,
    /// What of its current passes the meter, percent; the rest goes past it.
    counts_percent: u8,
    /// Whether that rest goes past the relay, too.
    bridged: bool,
    was_closed: bool,
    off_for_credit: bool,
}

impl Meter {
    /// A meter that boots now. `report_interval_s` overrides what the gateway says.
    #[must_use]
    pub fn new(
        identity: Identity,
        kind: Kind,
        eeprom: Eeprom,
        report_interval_s: Option<u16>,
    ) -> Self {
        let mut meter = Self {
            identity,
            kind,
            report_interval_s,
            power: Power::Off(eeprom),
            noise: Random::from_noise(),
            truth: Truth::default(),
            welded: false,
            cover_open: false,
            faults: Vec::new(),
            counts_percent: 100,
            bridged: false,
            was_closed: false,
            off_for_credit: false,
        };
        meter.power_up();
        let before = meter
            .node()
            .map(|node| (node.relay_is_closed(), node.switch_reason()));
        meter.was_closed = before.is_some_and(|(closed, _)| closed);
        meter.off_for_credit =
            before.is_some_and(|(_, reason)| reason == SwitchReason::LeaseExhausted);
        meter
    }

    /// The power comes: the node boots from its EEPROM. Nothing happens if it is on.
    pub fn power_up(&mut self) {
        let Power::Off(eeprom) = &mut self.power else {
            return;
        };
        let eeprom = std::mem::take(eeprom);
        let mut node = Node::boot(self.identity.clone(), eeprom, self.noise.next_bits());
        if self.kind == Kind::Feeder {
            node.set_without_relay();
        }
        self.truth.start_from(node.import_register());
        self.truth.set_lease(node.lease());
        self.power = Power::On(Box::new(node));
        self.apply_report_interval();
    }

    /// The power goes, without a warning that the node could use: its RAM is lost.
    pub fn power_cut(&mut self) {
        self.truth.set_lease(None);
        if let Power::On(node) = std::mem::replace(&mut self.power, Power::Off(Eeprom::default())) {
            self.power = Power::Off(node.into_storage());
        }
    }

    /// Lets the node save its registers, as a brown-out signal does, and copies the EEPROM.
    pub fn save(&mut self) -> Eeprom {
        match &mut self.power {
            Power::On(node) => {
                node.power_fails();
                node.storage().clone()
            }
            Power::Off(eeprom) => eeprom.clone(),
        }
    }

    /// Welds the contact together, or loosens it: then current flows though the node opens it.
    pub fn weld(&mut self, welded: bool) {
        self.welded = welded;
    }

    /// Lets the meter count only so many percent; with `bridged` the rest goes past the relay, too.
    pub fn tamper(&mut self, counts_percent: u8, bridged: bool) {
        (self.counts_percent, self.bridged) = (counts_percent.min(100), bridged);
    }

    /// What its sensors show amiss from now on.
    pub fn suffer(&mut self, faults: &[Fault]) {
        self.faults = faults.to_vec();
        self.weld(faults.contains(&Fault::Welded));
    }

    /// Opens its cover, or closes it.
    pub fn open_cover(&mut self, open: bool) {
        self.cover_open = open;
    }

    /// A press of its button.
    pub fn press(&mut self) {
        if let Power::On(node) = &mut self.power {
            node.press();
        }
    }

    /// Why its switch is as it is, and the two lines of its display; nothing without power.
    #[must_use]
    pub fn shows(&self) -> Option<(SwitchReason, [String; 2])> {
        let node = self.node()?;
        let line =
            |line: [u8; meter_node::LINE]| String::from_utf8_lossy(&line).trim_end().to_owned();
        Some((node.switch_reason(), node.display().map(line)))
    }

    /// Digits typed at its keypad. False without power, or while the digits before wait for the gateway.
    pub fn typed(&mut self, digits: &str) -> bool {
        match &mut self.power {
            Power::On(node) => node.typed(digits.as_bytes()),
            Power::Off(_) => false,
        }
    }

    /// Reports every so many seconds from now on, whatever the gateway says.
    pub fn set_report_interval(&mut self, seconds: u16) {
        self.report_interval_s = Some(seconds);
        self.apply_report_interval();
    }

    /// Whether a load would be supplied now. The head of the feeder always is.
    #[must_use]
    pub fn conducts(&self) -> bool {
        self.kind == Kind::Feeder
            || self
                .node()
                .is_some_and(|node| self.welded || node.relay_is_closed())
    }

    /// `demand` flowed for `elapsed_ms` if the meter conducts. Returns what flowed, milliwatts.
    pub fn run(&mut self, elapsed_ms: u32, demand: Demand, voltage_mv: u64) -> u64 {
        let conducts = self.conducts();
        let taken = if conducts || self.bridged {
            demand
        } else {
            Demand::default()
        };
        let counted = u64::from(self.counts_percent);
        let flowing = match conducts {
            true => Demand {
                active_mw: taken.active_mw * counted / 100,
                reactive_mw: taken.reactive_mw * counted / 100,
            },
            false => Demand::default(),
        };
        let leak_ma = self.noise.between(0, 15);
        let mut measurement = measure(self.kind, flowing, voltage_mv, leak_ma, conducts);
        if self.bridged {
            measurement.voltage_out_dv = measurement.voltage_in_dv;
        }
        measurement.cover_open = self.cover_open;
        self.faults
            .iter()
            .for_each(|fault| fault.shows(&mut measurement));
        let Power::On(node) = &mut self.power else {
            return 0;
        };
        self.truth.deliver(flowing.active_mw, elapsed_ms);
        node.sample(elapsed_ms, &measurement);
        taken.active_mw
    }

    /// A frame came from the gateway.
    ///
    /// # Errors
    /// Why the node refused it.
    pub fn received(&mut self, frame: &mut [u8]) -> Result<Received, FrameRejection> {
        let Power::On(node) = &mut self.power else {
            return Ok(Received::Duplicate);
        };
        let outcome = node.received(frame);
        self.truth.set_lease(node.lease());
        self.apply_report_interval();
        outcome
    }

    /// The frame that is due, its length and counter.
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(usize, Counter)> {
        match &mut self.power {
            Power::On(node) => node.poll_transmit(buffer),
            Power::Off(_) => None,
        }
    }

    /// The gateway has acknowledged the frame with this counter.
    pub fn acknowledged(&mut self, counter: Counter) {
        if let Power::On(node) = &mut self.power {
            node.acknowledged(counter);
        }
    }

    /// Answers a request on a Modbus line; nothing without power.
    pub fn serve(
        &mut self,
        window: &mut Window,
        address: u8,
        request: &mut [u8],
        reply: &mut [u8],
    ) -> Option<usize> {
        let Power::On(node) = &mut self.power else {
            return None;
        };
        let length = node.serve(window, address, request, reply);
        self.truth.set_lease(node.lease());
        length
    }

    /// Puts the frame that is due into the registers of a Modbus line.
    pub fn fill(&mut self, window: &mut Window) {
        if let Power::On(node) = &mut self.power {
            node.fill(window);
        }
    }

    /// The connection to the gateway stands, or is gone.
    pub fn connection(&mut self, stands: bool) {
        if let Power::On(node) = &mut self.power {
            if stands {
                node.connected();
            } else {
                node.disconnected();
            }
        }
    }

    /// How the relay changed since the last call. A reboot that leaves it as it was is no change.
    pub fn relay_change(&mut self) -> Option<RelayChange> {
        let Power::On(node) = &self.power else {
            return None;
        };
        let closed = node.relay_is_closed();
        if closed == self.was_closed || self.kind == Kind::Feeder {
            return None;
        }
        let reason = node.switch_reason();
        let after_credit = closed && self.off_for_credit;
        let ran_out = !closed && reason == SwitchReason::LeaseExhausted;
        let since_run_out_us = self.truth.take_since_run_out_us().filter(|_| ran_out);
        self.was_closed = closed;
        self.off_for_credit = ran_out || (!closed && self.off_for_credit);
        Some(RelayChange {
            closed,
            reason,
            register: node.import_register(),
            since_run_out_us,
            after_credit,
        })
    }

    /// The node's register; 0 without power.
    #[must_use]
    pub fn register(&self) -> WattHours {
        self.node()
            .map_or(WattHours(0), |node| node.import_register())
    }

    /// The lease in force.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.node().and_then(|node| node.lease())
    }

    /// Whether the node has a session with the gateway.
    #[must_use]
    pub fn has_session(&self) -> bool {
        self.node().is_some_and(|node| node.has_session())
    }

    /// Whether the node has power.
    #[must_use]
    pub fn has_power(&self) -> bool {
        self.node().is_some()
    }

    /// What really flowed.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    fn node(&self) -> Option<&Node<Eeprom>> {
        match &self.power {
            Power::On(node) => Some(node),
            Power::Off(_) => None,
        }
    }

    fn apply_report_interval(&mut self) {
        if let (Power::On(node), Some(seconds)) = (&mut self.power, self.report_interval_s) {
            node.set_report_interval(seconds);
        }
    }
}

/// What the sensors show while `flowing` flows.
fn measure(
    kind: Kind,
    flowing: Demand,
    voltage_mv: u64,
    leak_ma: u32,
    conducts: bool,
) -> Measurement {
    let current_ma = flowing.apparent_mw() * 1000 / voltage_mv.max(1);
    let phase_current_ma = u32::try_from(current_ma).unwrap_or(u32::MAX);
    let voltage_dv = u16::try_from(voltage_mv / 100).unwrap_or(u16::MAX);
    Measurement {
        active_power_w: i32::try_from((flowing.active_mw + 500) / 1000).unwrap_or(i32::MAX),
        voltage_in_dv: voltage_dv,
        voltage_out_dv: if conducts { voltage_dv } else { 0 },
        phase_current_ma,
        neutral_current_ma: phase_current_ma.saturating_sub(leak_ma),
        frequency_chz: 4_995 + u16::try_from(leak_ma).unwrap_or(0) % 11,
        relay: match (kind, conducts) {
            (Kind::Feeder, _) => RelayPosition::Unknown,
            (Kind::Premises, true) => RelayPosition::Closed,
            (Kind::Premises, false) => RelayPosition::Open,
        },
        cover_open: false,
        magnet: false,
    }
}
