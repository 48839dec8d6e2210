//! The node: measurements in, relay and frames out.

use crate::link::Link;
use crate::profile::Profile;
use crate::records::{Records, SavedBoot, SavedLease, Storage};
use crate::registers::Registers;
use crate::switch::Switch;
use crate::tamper::{Tamper, Thresholds};
use prepaid_common::wire::{
    Command, Counter, Events, Key, Lease, MAX_KEYPAD_DIGITS, MAX_TEXT_BYTES, RelayPosition, Short,
    SwitchReason,
};
use prepaid_common::{NodeId, UtcSeconds, WattHours};

/// Who the node is; written once when it is provisioned.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its number.
    pub node: NodeId,
    /// Its secret.
    pub key: Key,
}

/// What the sensors say about the time since the previous measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measurement {
    /// Mean active power in watts, negative when exporting; at most a megawatt counts.
    pub active_power_w: i32,
    /// Voltage before the relay, tenths of a volt.
    pub voltage_in_dv: u16,
    /// Voltage behind the relay, tenths of a volt.
    pub voltage_out_dv: u16,
    /// Phase current, milliamperes.
    pub phase_current_ma: u32,
    /// Neutral current, milliamperes.
    pub neutral_current_ma: u32,
    /// Frequency, hundredths of a hertz.
    pub frequency_chz: u16,
    /// The relay as sensed.
    pub relay: RelayPosition,
    /// The cover switch.
    pub cover_open: bool,
    /// The magnet sensor.
    pub magnet: bool,
}

/// A meter node without its hardware.
pub struct Node<S> {
    pub(crate) identity: Identity,
    pub(crate) records: Records<S>,
    pub(crate) registers: Registers,
    pub(crate) switch: Switch,
    pub(crate) tamper: Tamper,
    pub(crate) profile: Profile,
    pub(crate) link: Link,
    pub(crate) last: Measurement,
    pub(crate) keypad: Option<Short<MAX_KEYPAD_DIGITS>>,
    pub(crate) entropy: u64,
    boot_count: u32,
    saved_lease: Option<SavedLease>,
    text: Short<MAX_TEXT_BYTES>,
    uptime: (u32, u32),
}

impl<S: Storage> Node<S> {
    /// Starts after a power-up: one write to the EEPROM (the boot count).
    ///
    /// `entropy` is whatever noise the hardware has (ADC, clock jitter). The protocol needs it only
    /// after the EEPROM was lost, when the boot count begins anew. An empty EEPROM, new or lost,
    /// sets `EEPROM_LOST` until the gateway clears it.
    pub fn boot(identity: Identity, storage: S, entropy: u64) -> Self {
        let mut records = Records::new(storage);
        let boot = records.load_boot();
        let registers = records.load_registers();
        let saved_lease = records.load_lease();
        let mut latched = boot.map_or(Events::NONE, |boot| boot.latched);
        if boot.is_none() || registers.is_none() {
            latched |= Events::EEPROM_LOST;
        }
        let last_boot = boot.map_or(0, |boot| boot.boot_count);
        let boot_count = (last_boot + 1).min(Counter::MAX_EPOCH);
        let seen = saved_lease.map_or(Counter::ZERO, |saved| saved.highest_gateway_counter);
        let mut node = Self {
            registers: Registers::new(registers),
            switch: Switch::new(saved_lease.as_ref()),
            tamper: Tamper::new(latched),
            profile: Profile::default(),
            link: Link::new(Counter::new(boot_count, 0).unwrap_or_default(), seen),
            last: Measurement::default(),
            keypad: None,
            text: Short::EMPTY,
            uptime: (0, 0),
            identity,
            records,
            entropy,
            boot_count,
            saved_lease,
        };
        node.save_boot();
        if registers.is_none() {
            node.save_registers();
        }
        node.decide(0);
        node
    }

    /// Counts what was measured over the last `elapsed_ms` and decides about the relay.
    ///
    /// The relay opens in this very step if the register reached the cut-off, so what passes beyond
    /// it is less than the energy of one step: 25 kW and 200 ms are 1.4 Wh.
    pub fn sample(&mut self, elapsed_ms: u32, measurement: &Measurement) {
        self.last = *measurement;
        self.run_uptime(elapsed_ms);
        self.registers.add(measurement.active_power_w, elapsed_ms);
        self.decide(elapsed_ms);
        let latched = self.tamper.latched;
        self.tamper
            .watch(elapsed_ms, measurement, self.switch.is_closed());
        if self.tamper.latched != latched {
            self.save_boot();
        }
        self.profile.run(elapsed_ms, self.registers.import());
        if self.registers.is_save_due() {
            self.save_registers();
        }
        self.link.run(elapsed_ms);
    }

    /// The supply is failing: saves the registers if they advanced. Call it from the brown-out
    /// signal, at most once a failure.
    pub fn power_fails(&mut self) {
        if !self.registers.is_saved() {
            self.save_registers();
        }
    }

    /// The button was pressed.
    pub fn press(&mut self) {
        let waited = self.switch.waits_for_press();
        self.switch.press();
        self.decide(0);
        if waited {
            self.save_lease();
        }
    }

    /// Digits of a transfer token were typed. False if they are no digits, more than 20, or the
    /// previous ones still wait for the gateway.
    pub fn typed(&mut self, digits: &[u8]) -> bool {
        if self.keypad.is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return false;
        }
        self.keypad = Short::new(digits);
        self.keypad.is_some()
    }

    /// Seconds between regular reports, at least 1, until the gateway says otherwise.
    pub fn set_report_interval(&mut self, seconds: u16) {
        self.link.set_report_interval(seconds);
    }

    /// Mixes more noise into the next challenge.
    pub fn add_entropy(&mut self, noise: u64) {
        self.entropy = self.entropy.rotate_left(13) ^ noise;
    }

    /// Other limits for tamper detection than the defaults.
    pub fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.tamper.thresholds = thresholds;
    }

    pub(crate) fn decide(&mut self, elapsed_ms: u32) {
        let (was_closed, waited) = (self.switch.is_closed(), self.switch.waits_for_press());
        self.switch.decide(
            self.registers.import(),
            self.last.active_power_w,
            elapsed_ms,
        );
        if was_closed
            && self.switch.reason() == SwitchReason::LeaseExhausted
            && !self.registers.is_saved()
        {
            // Otherwise a power cut after the cut-off would give back up to the save step.
            self.save_registers();
        }
        if waited != self.switch.waits_for_press() {
            self.save_lease();
        }
    }

    /// Carries a command out. The lease is on the EEPROM before it is in force.
    pub(crate) fn obey(&mut self, command: &Command) {
        if let Some(lease) = command.lease
            && self.switch.lease() != Some(lease)
        {
            self.switch.set_lease(lease);
            self.save_lease();
            self.decide(0);
        }
        if let Some(text) = command.text {
            self.text = text;
        }
        if let Some(time) = command.time {
            self.profile.set(time, self.registers.import());
        }
        if let Some(seconds) = command.report_interval_s {
            self.link.set_report_interval(seconds);
        }
        if let Some(mask) = command.clear_tamper
            && !(mask & self.tamper.latched).is_empty()
        {
            self.tamper.clear(mask);
            self.save_boot();
        }
        if let Some(counter) = command.acknowledged {
            self.acknowledge_up_to(counter);
        }
    }

    /// Goes on above `floor`, which the gateway has seen: the EEPROM was lost or put back.
    pub(crate) fn raise_epoch_above(&mut self, floor: Counter) {
        if self.link.counter > floor {
            return;
        }
        let raised = floor.next_epoch().unwrap_or(floor);
        self.boot_count = raised.epoch();
        self.link.counter = raised;
        self.save_boot();
    }

    fn save_boot(&mut self) {
        let (boot_count, latched) = (self.boot_count, self.tamper.latched);
        self.records.save_boot(SavedBoot {
            boot_count,
            latched,
        });
    }

    fn save_registers(&mut self) {
        let unsaved = self.registers.take_unsaved();
        self.records.save_registers(&unsaved);
    }

    fn save_lease(&mut self) {
        let Some(lease) = self.switch.lease() else {
            return;
        };
        let highest_gateway_counter = self.link.highest_gateway_counter;
        let waits_for_press = self.switch.waits_for_press();
        let saved = SavedLease {
            lease,
            waits_for_press,
            highest_gateway_counter,
        };
        if self.saved_lease != Some(saved) {
            self.records.save_lease(&saved);
            self.saved_lease = Some(saved);
        }
    }

    fn run_uptime(&mut self, elapsed_ms: u32) {
        let total_ms = self.uptime.1.saturating_add(elapsed_ms);
        self.uptime = (
            self.uptime.0.saturating_add(total_ms / 1000),
            total_ms % 1000,
        );
    }
}

impl<S: Storage> Node<S> {
    /// The relay as commanded: true is closed.
    #[must_use]
    pub fn relay_is_closed(&self) -> bool {
        self.switch.is_closed()
    }

    /// Why the relay is as it is.
    #[must_use]
    pub fn switch_reason(&self) -> SwitchReason {
        self.switch.reason()
    }

    /// The import register.
    #[must_use]
    pub fn import_register(&self) -> WattHours {
        self.registers.import()
    }

    /// The export register.
    #[must_use]
    pub fn export_register(&self) -> WattHours {
        self.registers.export()
    }

    /// The lease in force.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        self.switch.lease()
    }

    /// All event bits: the latched ones and the states.
    #[must_use]
    pub fn events(&self) -> Events {
        let low = self.last.voltage_in_dv < self.tamper.thresholds.supply_low_dv;
        let states = [
            (Events::SUPPLY_LOW, low),
            (Events::CLOCK_UNSET, !self.profile.is_clock_set()),
            (
                Events::LEASE_EXHAUSTED,
                self.switch_reason() == SwitchReason::LeaseExhausted,
            ),
            (
                Events::OVERLOAD,
                self.switch_reason() == SwitchReason::LoadLimitTripped,
            ),
        ];
        states
            .into_iter()
            .filter(|(_, holds)| *holds)
            .fold(self.tamper.latched, |events, (event, _)| events | event)
    }

    /// How often the node booted; its epoch.
    #[must_use]
    pub fn boot_count(&self) -> u32 {
        self.boot_count
    }

    /// Seconds since boot.
    #[must_use]
    pub fn uptime_s(&self) -> u32 {
        self.uptime.0
    }

    /// The time, once the gateway told.
    #[must_use]
    pub fn utc(&self) -> Option<UtcSeconds> {
        self.profile.utc()
    }

    /// What the gateway wants on the display.
    #[must_use]
    pub fn text(&self) -> &Short<MAX_TEXT_BYTES> {
        &self.text
    }

    /// Who the node is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The EEPROM.
    #[must_use]
    pub fn storage(&self) -> &S {
        self.records.storage()
    }

    /// Pulls the plug: what remains is the EEPROM.
    #[must_use]
    pub fn into_storage(self) -> S {
        self.records.into_storage()
    }
}
