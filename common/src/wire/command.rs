//! What the gateway wants of a node.

use super::items::{Reader, Writer, exactly, once};
use super::plan::PLAN_BYTES;
use super::{Counter, Events, FrameRejection, Plan, SETTINGS_BYTES, Settings, Short};
use crate::{UtcSeconds, WattHours};

/// Longest display text in bytes: two lines of a 16 x 2 display.
pub const MAX_TEXT_BYTES: usize = 32;

const ITEM_LEASE: u8 = 1;
const ITEM_TEXT: u8 = 2;
const ITEM_TIME: u8 = 3;
const ITEM_REPORT_INTERVAL: u8 = 4;
const ITEM_CLEAR_TAMPER: u8 = 5;
const ITEM_ACKNOWLEDGED: u8 = 6;
const ITEM_SETTINGS: u8 = 7;
const ITEM_PLAN: u8 = 8;
const ITEM_RESET_OVERLOAD: u8 = 9;
const ITEM_CLOSE: u8 = 10;
const ITEM_TRIAL: u8 = 11;
const FIRST_CRITICAL_ITEM: u8 = 0x80;

const FLAG_PRESS_TO_RECONNECT: u8 = 1;
const FLAG_TRUSTED: u8 = 1;

/// Who decides about the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum SwitchMode {
    /// The register: closed while it is below the cut-off.
    #[default]
    ByCredit = 0,
    /// Open, whatever the register says.
    ForcedOff = 1,
    /// Closed, whatever the register says. The load limit still trips.
    ForcedOn = 2,
}

/// Permission to supply up to a register value. The node keeps it over reboots and needs nothing
/// else for weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lease {
    /// Chosen by the gateway, reported back while in force; 0 means that the node never had a
    /// lease.
    pub lease_id: u32,
    /// Who decides about the relay.
    pub mode: SwitchMode,
    /// The node opens its relay at the moment its import register reaches this value. Watt-hours.
    pub cutoff: WattHours,
    /// The node opens its relay for a while when the load stays above this many watts; 0 for no
    /// limit.
    pub load_limit_w: u32,
    /// After an opening the node waits for a press of its button before it closes.
    pub press_to_reconnect: bool,
}

/// An opening of the relay for a few seconds, to compare what the feeder then delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trial {
    /// Chosen by the gateway, another for each trial. A node opens once for a number, however often it
    /// is told.
    pub trial_id: u16,
    /// Seconds, 1 to [`MAX_TRIAL_S`]. The node then closes by itself, gateway alive or dead.
    pub seconds: u16,
}

/// Longest opening for a trial, seconds: a refrigerator does not notice it.
pub const MAX_TRIAL_S: u16 = 300;

/// The gateway's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSignal {
    /// UTC in whole seconds; 32 bits unsigned on the wire, good until the year 2106.
    pub utc: UtcSeconds,
    /// Whether the gateway itself trusts it. A node ignores a time that is not trusted.
    pub trusted: bool,
}

/// Wishes to a node, all optional. Level, not edge: sending one again changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Command {
    /// Takes the place of the lease in force.
    pub lease: Option<Lease>,
    /// For the display, up to 32 bytes of UTF-8.
    pub text: Option<Short<MAX_TEXT_BYTES>>,
    /// Sets the clock.
    pub time: Option<TimeSignal>,
    /// Seconds between two regular reports, 1 to 65,535. Forgotten at a reboot.
    pub report_interval_s: Option<u16>,
    /// Latched event bits to clear. A condition that goes on sets its bit again.
    pub clear_tamper: Option<Events>,
    /// Reports up to this counter are stored. For transports without an acknowledgement of their
    /// own.
    pub acknowledged: Option<Counter>,
    /// Takes the place of the settings in force.
    pub settings: Option<Settings>,
    /// Takes the place of the plan in force.
    pub plan: Option<Plan>,
    /// Ends the latch of the load limit.
    pub reset_overload: bool,
    /// Stands for a press of the button while the node waits for one.
    pub close: bool,
    /// Opens the relay for a few seconds.
    pub trial: Option<Trial>,
}

impl Command {
    /// Reads the body of an authentic frame.
    ///
    /// # Errors
    /// Rejections from `ItemRunsPastTheEnd` on. Then nothing of the command may be carried out.
    pub fn decode(body: &[u8]) -> Result<Self, FrameRejection> {
        Self::read(&mut Reader(body))
    }

    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        if let Some(lease) = &self.lease {
            writer.item(ITEM_LEASE, 18);
            writer.put(&lease.lease_id.to_be_bytes());
            writer.put(&[lease.mode as u8]);
            writer.put(&lease.cutoff.0.to_be_bytes());
            writer.put(&lease.load_limit_w.to_be_bytes());
            writer.put(&[if lease.press_to_reconnect {
                FLAG_PRESS_TO_RECONNECT
            } else {
                0
            }]);
        }
        if let Some(text) = &self.text {
            writer.item(ITEM_TEXT, text.as_bytes().len());
            writer.put(text.as_bytes());
        }
        if let Some(time) = self.time {
            writer.item(ITEM_TIME, 5);
            time.write(writer);
        }
        if let Some(seconds) = self.report_interval_s {
            writer.item(ITEM_REPORT_INTERVAL, 2);
            writer.put(&seconds.to_be_bytes());
        }
        if let Some(mask) = self.clear_tamper {
            writer.item(ITEM_CLEAR_TAMPER, 4);
            writer.put(&mask.0.to_be_bytes());
        }
        if let Some(counter) = self.acknowledged {
            writer.item(ITEM_ACKNOWLEDGED, 7);
            writer.put(&counter.to_bytes());
        }
        if let Some(settings) = &self.settings {
            writer.item(ITEM_SETTINGS, SETTINGS_BYTES);
            writer.put(&settings.to_bytes());
        }
        if let Some(plan) = &self.plan {
            writer.item(ITEM_PLAN, PLAN_BYTES);
            plan.write(writer);
        }
        if self.reset_overload {
            writer.item(ITEM_RESET_OVERLOAD, 0);
        }
        if self.close {
            writer.item(ITEM_CLOSE, 0);
        }
        if let Some(trial) = self.trial {
            writer.item(ITEM_TRIAL, 4);
            writer.put(&trial.trial_id.to_be_bytes());
            writer.put(&trial.seconds.to_be_bytes());
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FrameRejection> {
        let mut command = Self::default();
        let (mut reset, mut close) = (None, None);
        while let Some((kind, value)) = reader.item()? {
            match kind {
                ITEM_LEASE => once(&mut command.lease, Lease::read(value)?)?,
                ITEM_TEXT => {
                    let text = Short::new(value).ok_or(FrameRejection::ItemHasWrongLength)?;
                    if value.iter().any(u8::is_ascii_control) {
                        return Err(FrameRejection::ValueOutOfRange);
                    }
                    once(&mut command.text, text)?;
                }
                ITEM_TIME => once(
                    &mut command.time,
                    TimeSignal::read(&mut exactly(value, 5)?)?,
                )?,
                ITEM_REPORT_INTERVAL => match exactly(value, 2)?.u16()? {
                    0 => return Err(FrameRejection::ValueOutOfRange),
                    seconds => once(&mut command.report_interval_s, seconds)?,
                },
                ITEM_CLEAR_TAMPER => {
                    once(&mut command.clear_tamper, Events(exactly(value, 4)?.u32()?))?;
                }
                ITEM_ACKNOWLEDGED => {
                    once(&mut command.acknowledged, exactly(value, 7)?.counter()?)?;
                }
                ITEM_SETTINGS => once(&mut command.settings, Settings::from_bytes(value)?)?,
                ITEM_PLAN => once(&mut command.plan, Plan::read(value)?)?,
                ITEM_RESET_OVERLOAD => once(&mut reset, exactly(value, 0)?.0)?,
                ITEM_CLOSE => once(&mut close, exactly(value, 0)?.0)?,
                ITEM_TRIAL => once(&mut command.trial, Trial::read(value)?)?,
                FIRST_CRITICAL_ITEM.. => return Err(FrameRejection::UnknownCriticalItem),
                _ => {}
            }
        }
        command.reset_overload = reset.is_some();
        command.close = close.is_some();
        Ok(command)
    }
}

impl Lease {
    fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = exactly(value, 18)?;
        let lease_id = reader.u32()?;
        let mode = match reader.take()? {
            [0] => SwitchMode::ByCredit,
            [1] => SwitchMode::ForcedOff,
            [2] => SwitchMode::ForcedOn,
            _ => return Err(FrameRejection::ValueOutOfRange),
        };
        let cutoff = WattHours(reader.u64()?);
        let load_limit_w = reader.u32()?;
        let [flags] = reader.take()?;
        let press_to_reconnect = flags & FLAG_PRESS_TO_RECONNECT != 0;
        Ok(Self {
            lease_id,
            mode,
            cutoff,
            load_limit_w,
            press_to_reconnect,
        })
    }
}

impl Trial {
    fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = exactly(value, 4)?;
        let (trial_id, seconds) = (reader.u16()?, reader.u16()?);
        if (1..=MAX_TRIAL_S).contains(&seconds) {
            Ok(Self { trial_id, seconds })
        } else {
            Err(FrameRejection::ValueOutOfRange)
        }
    }
}

impl TimeSignal {
    /// A moment outside 1970 to 2106 is sent as not trusted.
    pub(super) fn write(self, writer: &mut Writer<'_>) {
        let seconds = u32::try_from(self.utc.0);
        let trusted = self.trusted && seconds.is_ok();
        writer.put(&seconds.unwrap_or(0).to_be_bytes());
        writer.put(&[if trusted { FLAG_TRUSTED } else { 0 }]);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, FrameRejection> {
        let utc = UtcSeconds(i64::from(reader.u32()?));
        let [flags] = reader.take()?;
        Ok(Self {
            utc,
            trusted: flags & FLAG_TRUSTED != 0,
        })
    }
}
