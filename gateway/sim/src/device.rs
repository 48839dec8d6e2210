//! One node of the neighbourhood: household, meter and uplink together.

use crate::household::{Demand, Habits, Household};
use crate::meter::{Meter, RelayChange};
use crate::uplink::Uplink;
use meter_node::Received;
use prepaid_common::wire::MAX_FRAME;
use std::time::Instant;

/// What is behind the meter now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Whatever the household does.
    Household,
    /// So many watts.
    Fixed(u32),
}

/// One simulated node.
pub struct Device {
    /// The meter.
    pub meter: Meter,
    /// Its frames and counts.
    pub uplink: Uplink,
    /// Its load.
    pub load: Load,
    /// When the power comes back after a power cut.
    pub dark_until: Option<Instant>,
    household: Household,
    place: u32,
    ending: bool,
    settled: bool,
}

/// Seconds between reports while the simulation ends.
const LAST_REPORT_INTERVAL_S: u16 = 1;
/// Voltage without load.
const NOMINAL_MV: u64 = 230_000;

impl Device {
    /// `place` on the line, 0 to 1000.
    #[must_use]
    pub fn new(meter: Meter, uplink: Uplink, seed: u64, habits: &Habits, place: u32) -> Self {
        Self {
            meter,
            uplink,
            load: Load::Household,
            dark_until: None,
            household: Household::new(seed, habits),
            place,
            ending: false,
            settled: false,
        }
    }

    /// What the premises would draw over the next `elapsed_ms`.
    pub fn demand(&mut self, elapsed_ms: u32) -> Demand {
        let living = self.household.live(elapsed_ms);
        match self.load {
            Load::Household => living,
            Load::Fixed(watts) => Demand::resistive(watts),
        }
    }

    /// Lets `demand` flow if the meter conducts, then sends what is due. Returns what flowed,
    /// milliwatts, and how the relay changed.
    pub fn run(
        &mut self,
        elapsed_ms: u32,
        demand: Demand,
        voltage_mv: u64,
        now: Instant,
    ) -> (u64, Option<RelayChange>) {
        if self.dark_until.is_some_and(|until| now >= until) {
            self.dark_until = None;
            self.meter.power_up();
        }
        if self.settled {
            return (0, None);
        }
        let flowing_mw = self.meter.run(elapsed_ms, demand, voltage_mv);
        let change = self.meter.relay_change();
        self.transmit();
        (flowing_mw, change)
    }

    /// Where the premises are on the line, 0 to 1000.
    #[must_use]
    pub fn place(&self) -> u32 {
        self.place
    }

    /// Acts on a frame of the gateway.
    pub fn received(&mut self, payload: &[u8]) -> Option<RelayChange> {
        let mut buffer = [0; MAX_FRAME];
        let outcome = match buffer.get_mut(..payload.len()) {
            Some(frame) => {
                frame.copy_from_slice(payload);
                self.meter.received(frame).ok()
            }
            None => None,
        };
        match outcome {
            None => self.uplink.tally.frames_refused += 1,
            Some(Received::Duplicate) => {}
            Some(_) => self.settled = false,
        }
        let change = self.meter.relay_change();
        self.transmit();
        change
    }

    /// A PUBACK came.
    pub fn acknowledged(&mut self, packet: u16) {
        if let Some(counter) = self.uplink.acknowledged(packet) {
            self.meter.acknowledged(counter);
        }
    }

    /// Sends everything that is due.
    pub fn transmit(&mut self) {
        let mut buffer = [0; MAX_FRAME];
        while let Some((length, counter)) = self.meter.poll_transmit(&mut buffer) {
            let register = self.meter.register();
            let Some(frame) = buffer.get(..length) else {
                return;
            };
            self.uplink.publish(frame, counter, register);
        }
    }

    /// Ends the measuring: reports where it stands, and then rests. True once everything is
    /// acknowledged.
    pub fn settle(&mut self) -> bool {
        if !self.ending {
            self.ending = true;
            self.load = Load::Fixed(0);
            // A second without load, all at once: the next report is due.
            self.meter.set_report_interval(LAST_REPORT_INTERVAL_S);
            let pause_ms = u32::from(LAST_REPORT_INTERVAL_S) * 1000;
            self.meter.run(pause_ms, Demand::default(), NOMINAL_MV);
        }
        let register = Some(self.meter.register());
        let tally = &self.uplink.tally;
        self.settled = self.uplink.open_readings() == 0 && tally.acknowledged_register == register;
        self.settled
    }

    /// The power goes for as long as `until` says.
    pub fn power_cut(&mut self, until: Instant) {
        self.meter.power_cut();
        self.uplink.close();
        self.dark_until = Some(until);
    }
}
