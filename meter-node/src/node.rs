//! The node: measurements in, relay and frames out.

use crate::display::Texts;
use crate::link::Link;
use crate::profile::Profile;
use crate::records::{Records, SavedBoot, SavedLease, Storage};
use crate::registers::Registers;
use crate::switch::{Inputs, Switch};
use crate::tamper::Tamper;
use prepaid_common::NodeId;
use prepaid_common::wire::{
    Command, Counter, Events, Key, MAX_KEYPAD_DIGITS, RelayPosition, Settings, Short, SwitchReason,
};

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
    pub(crate) settings: Settings,
    pub(crate) texts: Texts,
    /// The button was pressed while the credit was used up, and the gateway does not know yet.
    pub(crate) pressed: bool,
    pub(crate) entropy: u64,
    pub(crate) boot_count: u32,
    saved_lease: Option<SavedLease>,
    /// Seconds, and milliseconds beyond.
    pub(crate) uptime: (u32, u32),
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
        let settings = records.load_settings().unwrap_or_default();
        let mut latched = boot.map_or(Events::NONE, |boot| boot.latched);
        if boot.is_none() || registers.is_none() {
            latched |= Events::EEPROM_LOST;
        }
        let last_boot = boot.map_or(0, |boot| boot.boot_count);
        let boot_count = (last_boot + 1).min(Counter::MAX_EPOCH);
        let seen = saved_lease.map_or(Counter::ZERO, |saved| saved.highest_gateway_counter);
        let mut node = Self {
            registers: Registers::new(registers),
            switch: Switch::new(saved_lease.as_ref(), &settings),
            tamper: Tamper::new(latched),
            profile: Profile::default(),
            link: Link::new(Counter::new(boot_count, 0).unwrap_or_default(), seen),
            last: Measurement::default(),
            keypad: None,
            settings,
            texts: Texts::default(),
            pressed: false,
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
        let closed = self.switch.is_closed();
        self.tamper
            .watch(elapsed_ms, measurement, closed, &self.settings);
        if self.tamper.latched != latched {
            self.save_boot();
            self.decide(0);
        }
        self.texts.run(elapsed_ms);
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

    /// The button was pressed: it closes a relay that waits for it, resets a latched load limit
    /// where the settings let it, tells the gateway while credit or allowance is used up, and
    /// silences the buzzer.
    pub fn press(&mut self) {
        self.texts.silence();
        match self.switch.reason() {
            SwitchReason::WaitingForPress => self.switch.press(),
            SwitchReason::OverloadLatched if self.settings.press_resets_overload => {
                self.reset_overload();
                self.decide(0);
                // The press that resets is the press that connects.
                self.switch.press();
            }
            SwitchReason::LeaseExhausted | SwitchReason::AllowanceUsed => self.pressed = true,
            _ => {}
        }
        self.decide(0);
        self.save_lease();
    }

    fn reset_overload(&mut self) {
        self.switch.reset_overload();
        self.save_lease();
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

    /// There is no relay: a feeder head. Nothing behind it can be bypassed.
    pub fn set_without_relay(&mut self) {
        self.tamper.has_relay = false;
    }

    pub(crate) fn decide(&mut self, elapsed_ms: u32) {
        let (was_closed, waited) = (self.switch.is_closed(), self.switch.waits_for_press());
        let latched = self.switch.overload().is_latched();
        let now = Inputs {
            register: self.registers.import(),
            power_w: self.last.active_power_w,
            utc: self.profile.utc(),
            tampered: !(self.tamper.latched & self.settings.cut_on).is_empty(),
            settings: &self.settings,
        };
        self.switch.decide(elapsed_ms, &now);
        let used_up = matches!(
            self.switch.reason(),
            SwitchReason::LeaseExhausted | SwitchReason::AllowanceUsed
        );
        if was_closed && used_up && !self.registers.is_saved() {
            // Otherwise a power cut after the cut-off would give back up to the save step.
            self.save_registers();
        }
        if waited != self.switch.waits_for_press() || latched != self.switch.overload().is_latched()
        {
            self.save_lease();
        }
    }

    /// Carries a command out. The lease is on the EEPROM before it is in force.
    pub(crate) fn obey(&mut self, command: &Command) {
        if let Some(settings) = command.settings
            && self.settings != settings
        {
            self.records.save_settings(&settings);
            self.settings = settings;
        }
        if let Some(time) = command.time {
            self.profile.set(time, self.registers.import());
        }
        match (command.plan, command.text) {
            (Some(plan), text) => {
                if self.switch.plan().plan_id != plan.plan_id {
                    self.switch.set_plan(plan);
                    self.texts.plan(text.unwrap_or_default());
                }
            }
            (None, Some(text)) if command.lease.is_some() => self.texts.plan(text),
            (None, Some(text)) => self.texts.notice(text),
            (None, None) => {}
        }
        if let Some(lease) = command.lease
            && self.switch.lease() != Some(lease)
        {
            self.switch.set_lease(lease);
            self.save_lease();
        }
        if command.reset_overload {
            self.reset_overload();
        }
        if command.close {
            self.switch.press();
        }
        if let Some(trial) = command.trial {
            self.switch.begin_trial(trial);
        }
        self.decide(0);
        if let Some(seconds) = command.report_interval_s {
            self.link.set_report_interval(seconds);
        }
        if let Some(mask) = command.clear_tamper
            && !(mask & self.tamper.latched).is_empty()
        {
            self.tamper.clear(mask);
            self.save_boot();
            self.decide(0);
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
        let overload_latched = self.switch.overload().is_latched();
        let saved = SavedLease {
            lease,
            waits_for_press,
            overload_latched,
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
