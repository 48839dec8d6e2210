//! What a node tells about itself: to its firmware, and to the gateway in a report.

use crate::node::{Identity, Node};
use crate::records::Storage;
use prepaid_common::wire::{
    Echo, Events, Lease, MAX_TEXT_BYTES, RelayPosition, Report, Settings, Short, SwitchReason,
    SwitchStatus,
};
use prepaid_common::{UtcSeconds, WattHours};

/// What makes a report urgent when it changes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub reason: SwitchReason,
    pub closed: bool,
    pub sensed: RelayPosition,
    pub lease_id: u32,
    pub echo: Echo,
    pub keypad: bool,
    pub pressed: bool,
    pub events: Events,
}

impl<S: Storage> Node<S> {
    pub(crate) fn describe(&self, shown: Shown) -> Report {
        Report {
            import_register: self.import_register(),
            export_register: self.export_register(),
            active_power_w: self.last.active_power_w,
            voltage_in_dv: self.last.voltage_in_dv,
            voltage_out_dv: self.last.voltage_out_dv,
            phase_current_ma: self.last.phase_current_ma,
            neutral_current_ma: self.last.neutral_current_ma,
            frequency_chz: self.last.frequency_chz,
            relay: self.last.relay,
            switch_reason: shown.reason,
            lease_id: shown.lease_id,
            cutoff: self.lease().unwrap_or_default().cutoff,
            uptime_s: self.uptime_s(),
            boot_count: self.boot_count(),
            events: shown.events,
            highest_gateway_counter: self.link.highest_gateway_counter,
            intervals: self.profile.pending(),
            keypad: self.keypad,
            command_result: self.link.result,
            echo: Some(shown.echo),
            status: Some(SwitchStatus {
                wait_s: self.wait_s(),
                trips: self.switch.overload().trips(),
            }),
            pressed: self.pressed,
            evidence: self.tamper.evidence,
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        Shown {
            reason: self.switch_reason(),
            closed: self.relay_is_closed(),
            sensed: self.last.relay,
            lease_id: self.lease().unwrap_or_default().lease_id,
            echo: Echo {
                settings_id: self.settings.settings_id,
                plan_id: self.switch.plan().plan_id,
            },
            keypad: self.keypad.is_some(),
            pressed: self.pressed,
            events: self.events(),
        }
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
        let states = [
            (Events::SUPPLY_LOW, self.tamper.supply_low),
            (Events::CLOCK_UNSET, !self.profile.is_clock_set()),
            (
                Events::LEASE_EXHAUSTED,
                self.switch_reason() == SwitchReason::LeaseExhausted,
            ),
            (
                Events::OVERLOAD,
                matches!(
                    self.switch_reason(),
                    SwitchReason::LoadLimitTripped | SwitchReason::OverloadLatched
                ),
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
        self.texts.current()
    }

    /// Seconds until the relay closes by itself; 0 if it does not.
    #[must_use]
    pub fn wait_s(&self) -> u16 {
        self.switch.wait_s()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
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
