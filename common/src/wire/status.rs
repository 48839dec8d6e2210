//! What a node adds to a report about its switch and about tampering.

use super::items::{Reader, Writer, exactly};
use super::{Events, FrameRejection, SwitchReason};

pub(super) const STATUS_BYTES: usize = 5;
pub(super) const ECHO_BYTES: usize = 8;
pub(super) const EVIDENCE_BYTES: usize = 18;

/// Why and how long the relay stays as it is, and how often the load limit opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SwitchStatus {
    /// Seconds until the node closes the relay by itself; 0 if it does not.
    pub wait_s: u16,
    /// Trips of the load limit since boot.
    pub trips: u16,
}

/// Which settings and which plan the node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Echo {
    /// The settings in force; 0: the defaults.
    pub settings_id: u32,
    /// The plan in force; 0: none since boot.
    pub plan_id: u32,
}

/// What the sensors said in the very step in which tampering became an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Evidence {
    /// The events; the low 16 bits travel.
    pub events: Events,
    /// Phase current in milliamperes.
    pub phase_current_ma: u32,
    /// Neutral current in milliamperes.
    pub neutral_current_ma: u32,
    /// Voltage before the relay in tenths of a volt.
    pub voltage_in_dv: u16,
    /// Voltage behind the relay in tenths of a volt.
    pub voltage_out_dv: u16,
    /// Active power in watts, negative when exporting.
    pub active_power_w: i32,
}

impl SwitchStatus {
    pub(super) fn write(self, reason: SwitchReason, writer: &mut Writer<'_>) {
        writer.put(&[reason as u8]);
        writer.put(&self.wait_s.to_be_bytes());
        writer.put(&self.trips.to_be_bytes());
    }

    /// The exact reason, unless it is one of a newer node, and the rest.
    pub(super) fn read(value: &[u8]) -> Result<(Option<SwitchReason>, Self), FrameRejection> {
        let mut item = exactly(value, STATUS_BYTES)?;
        let [reason] = item.take()?;
        let (wait_s, trips) = (item.u16()?, item.u16()?);
        Ok((SwitchReason::from_code(reason), Self { wait_s, trips }))
    }
}

impl Echo {
    pub(super) fn write(self, writer: &mut Writer<'_>) {
        writer.put(&self.settings_id.to_be_bytes());
        writer.put(&self.plan_id.to_be_bytes());
    }

    pub(super) fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut item = exactly(value, ECHO_BYTES)?;
        Ok(Self {
            settings_id: item.u32()?,
            plan_id: item.u32()?,
        })
    }
}

impl Evidence {
    pub(super) fn write(self, writer: &mut Writer<'_>) {
        let [_, _, events @ ..] = self.events.0.to_be_bytes();
        writer.put(&events);
        writer.put(&self.phase_current_ma.to_be_bytes());
        writer.put(&self.neutral_current_ma.to_be_bytes());
        writer.put(&self.voltage_in_dv.to_be_bytes());
        writer.put(&self.voltage_out_dv.to_be_bytes());
        writer.put(&self.active_power_w.to_be_bytes());
    }

    pub(super) fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut item: Reader<'_> = exactly(value, EVIDENCE_BYTES)?;
        Ok(Self {
            events: Events(u32::from(item.u16()?)),
            phase_current_ma: item.u32()?,
            neutral_current_ma: item.u32()?,
            voltage_in_dv: item.u16()?,
            voltage_out_dv: item.u16()?,
            active_power_w: i32::from_be_bytes(item.take()?),
        })
    }
}
