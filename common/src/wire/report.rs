//! What a node says about itself.

use super::items::{Reader, Writer, exactly, once};
use super::status;
use super::{Counter, Echo, Events, Evidence, FrameRejection, Short, SwitchStatus};
use crate::{UtcSeconds, WattHours};

/// Length of a load profile interval: 30 minutes, ending at full UTC half-hours.
pub const INTERVAL_SECONDS: u32 = 1800;
/// Most advances in one report: with the newest register they span half a day.
pub const MAX_ADVANCES: usize = 24;
/// Digits of a transfer token (IEC 62055-41).
pub const MAX_KEYPAD_DIGITS: usize = 20;

const ITEM_INTERVALS: u8 = 1;
const ITEM_KEYPAD: u8 = 2;
const ITEM_COMMAND_RESULT: u8 = 3;
const ITEM_ECHO: u8 = 4;
const ITEM_STATUS: u8 = 5;
const ITEM_PRESSED: u8 = 6;
const ITEM_EVIDENCE: u8 = 7;

/// Where the relay is, as sensed and not as wished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(u8)]
pub enum RelayPosition {
    /// The premises are off.
    Open = 0,
    /// The premises are supplied.
    Closed = 1,
    /// Nothing senses it.
    #[default]
    Unknown = 2,
}

/// Why the node holds its relay as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
#[repr(u8)]
pub enum SwitchReason {
    /// Open: the node never had a lease, or lost it with its EEPROM.
    #[default]
    NoLease = 0,
    /// Closed: the register is below the cut-off.
    WithinLease = 1,
    /// Open: the register reached the cut-off.
    LeaseExhausted = 2,
    /// Open: by order.
    ForcedOff = 3,
    /// Closed: by order.
    ForcedOn = 4,
    /// Open for a while: the load stayed above the limit.
    LoadLimitTripped = 5,
    /// Open: it may close, and waits for the press of the button.
    WaitingForPress = 6,
    /// Open until it is reset: the load limit tripped too often.
    OverloadLatched = 7,
    /// Open until it is cleared: tampering.
    TamperLatched = 8,
    /// Open for a while: power has just returned.
    ReconnectDelay = 9,
    /// Closed beyond the cut-off: friendly hours.
    Friendly = 10,
    /// Open until the next reset: the day's energy is used.
    AllowanceUsed = 11,
    /// Open for a few seconds: a trial. It closes by itself.
    Trial = 12,
}

impl SwitchReason {
    /// Every reason; its place is its code.
    pub const ALL: [Self; 13] = [
        Self::NoLease,
        Self::WithinLease,
        Self::LeaseExhausted,
        Self::ForcedOff,
        Self::ForcedOn,
        Self::LoadLimitTripped,
        Self::WaitingForPress,
        Self::OverloadLatched,
        Self::TamperLatched,
        Self::ReconnectDelay,
        Self::Friendly,
        Self::AllowanceUsed,
        Self::Trial,
    ];

    /// The reason of a code, if it is known.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Whether the node wants its relay closed for this reason.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        matches!(self, Self::WithinLease | Self::ForcedOn | Self::Friendly)
    }

    /// The nearest of the reasons 0 to 6, which every peer knows: what stands in the fixed part.
    const fn basic(self) -> Self {
        match self {
            Self::OverloadLatched | Self::ReconnectDelay | Self::Trial => Self::LoadLimitTripped,
            Self::TamperLatched => Self::ForcedOff,
            Self::Friendly => Self::WithinLease,
            Self::AllowanceUsed => Self::LeaseExhausted,
            known => known,
        }
    }
}

/// A run of load profile intervals.
///
/// Example: `end` 12:00, `register` 5,000 Wh, advances 200 and 150: the register stood at 5,000 at
/// 12:00, at 4,800 at 11:30 and at 4,650 at 11:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Intervals {
    /// End of the newest interval, a full UTC half-hour.
    pub end: UtcSeconds,
    /// Import register at `end`.
    pub register: WattHours,
    count: u8,
    advances: [u16; MAX_ADVANCES],
}

impl Intervals {
    /// A run without advances yet: only the register at `end`.
    #[must_use]
    pub const fn new(end: UtcSeconds, register: WattHours) -> Self {
        Self {
            end,
            register,
            count: 0,
            advances: [0; MAX_ADVANCES],
        }
    }

    /// Adds the advance of the next older interval in watt-hours; false if there is no room.
    pub fn push(&mut self, advance_wh: u16) -> bool {
        let Some(place) = self.advances.get_mut(usize::from(self.count)) else {
            return false;
        };
        *place = advance_wh;
        self.count += 1;
        true
    }

    /// Advances in watt-hours, newest first: the first one is the interval that ends at `end`.
    #[must_use]
    pub fn advances(&self) -> &[u16] {
        self.advances
            .get(..usize::from(self.count))
            .unwrap_or_default()
    }

    /// The registers at the interval ends, newest first. A run that would fall below zero stops
    /// there.
    pub fn registers(&self) -> impl Iterator<Item = (UtcSeconds, WattHours)> + '_ {
        let step = |(end, register): (i64, u64), advance: u16| {
            Some((
                end - i64::from(INTERVAL_SECONDS),
                register.checked_sub(u64::from(advance))?,
            ))
        };
        let mut next = Some((self.end.0, self.register.0));
        let mut advances = self.advances().iter();
        core::iter::from_fn(move || {
            let (end, register) = next?;
            next = advances
                .next()
                .and_then(|advance| step((end, register), *advance));
            Some((UtcSeconds(end), WattHours(register)))
        })
    }
}

/// What became of the last command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandResult {
    /// The command's counter.
    pub counter: Counter,
    /// `None`: carried out. Otherwise the code of a [`FrameRejection`], kept as a number for codes
    /// of newer nodes.
    pub rejection_code: Option<u8>,
}

/// One report. Registers are cumulative, so a lost report loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Import active energy, watt-hours.
    pub import_register: WattHours,
    /// Export active energy, watt-hours.
    pub export_register: WattHours,
    /// Active power in watts; negative when exporting.
    pub active_power_w: i32,
    /// Voltage before the relay in tenths of a volt.
    pub voltage_in_dv: u16,
    /// Voltage behind the relay in tenths of a volt.
    pub voltage_out_dv: u16,
    /// Phase current in milliamperes.
    pub phase_current_ma: u32,
    /// Neutral current in milliamperes.
    pub neutral_current_ma: u32,
    /// Frequency in hundredths of a hertz; 0 without mains.
    pub frequency_chz: u16,
    /// The relay as sensed.
    pub relay: RelayPosition,
    /// Why the node holds it so.
    pub switch_reason: SwitchReason,
    /// The lease in force; 0 for none.
    pub lease_id: u32,
    /// Its cut-off, watt-hours.
    pub cutoff: WattHours,
    /// Seconds since the node booted.
    pub uptime_s: u32,
    /// How often it booted, 24 bits.
    pub boot_count: u32,
    /// Event and tamper bits.
    pub events: Events,
    /// The highest gateway counter the node accepted.
    pub highest_gateway_counter: Counter,
    /// Load profile, when there are intervals the gateway has not acknowledged.
    pub intervals: Option<Intervals>,
    /// A token typed at the node, as ASCII digits.
    pub keypad: Option<Short<MAX_KEYPAD_DIGITS>>,
    /// What became of the last command.
    pub command_result: Option<CommandResult>,
    /// Settings and plan in force; `None` from a node that knows neither.
    pub echo: Option<Echo>,
    /// More about the switch; with it travels the exact `switch_reason`.
    pub status: Option<SwitchStatus>,
    /// The button was pressed while the credit or the day's energy was used up.
    pub pressed: bool,
    /// What the sensors said when tampering became an event.
    pub evidence: Option<Evidence>,
}

impl Report {
    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        writer.put(&self.import_register.0.to_be_bytes());
        writer.put(&self.export_register.0.to_be_bytes());
        writer.put(&self.active_power_w.to_be_bytes());
        writer.put(&self.voltage_in_dv.to_be_bytes());
        writer.put(&self.voltage_out_dv.to_be_bytes());
        writer.put(&self.phase_current_ma.to_be_bytes());
        writer.put(&self.neutral_current_ma.to_be_bytes());
        writer.put(&self.frequency_chz.to_be_bytes());
        writer.put(&[self.relay as u8, self.switch_reason.basic() as u8]);
        writer.put(&self.lease_id.to_be_bytes());
        writer.put(&self.cutoff.0.to_be_bytes());
        writer.put(&self.uptime_s.to_be_bytes());
        let [_, boot_count @ ..] = self.boot_count.to_be_bytes();
        writer.put(&boot_count);
        writer.put(&self.events.0.to_be_bytes());
        writer.put(&self.highest_gateway_counter.to_bytes());
        if let Some(intervals) = &self.intervals {
            writer.item(ITEM_INTERVALS, 12 + 2 * intervals.advances().len());
            writer.put(&u32::try_from(intervals.end.0).unwrap_or(0).to_be_bytes());
            writer.put(&intervals.register.0.to_be_bytes());
            for advance in intervals.advances() {
                writer.put(&advance.to_be_bytes());
            }
        }
        if let Some(digits) = &self.keypad {
            writer.item(ITEM_KEYPAD, digits.as_bytes().len());
            writer.put(digits.as_bytes());
        }
        if let Some(result) = &self.command_result {
            writer.item(ITEM_COMMAND_RESULT, 8);
            writer.put(&result.counter.to_bytes());
            writer.put(&[result.rejection_code.unwrap_or(0)]);
        }
        if let Some(echo) = self.echo {
            writer.item(ITEM_ECHO, status::ECHO_BYTES);
            echo.write(writer);
        }
        if let Some(switch) = self.status {
            writer.item(ITEM_STATUS, status::STATUS_BYTES);
            switch.write(self.switch_reason, writer);
        }
        if self.pressed {
            writer.item(ITEM_PRESSED, 0);
        }
        if let Some(evidence) = self.evidence {
            writer.item(ITEM_EVIDENCE, status::EVIDENCE_BYTES);
            evidence.write(writer);
        }
    }

    /// Reads the body of an authentic frame. Unknown items are skipped.
    ///
    /// # Errors
    /// Rejections from `BodyTooShort` to `ValueOutOfRange`.
    pub fn decode(body: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = Reader(body);
        let mut report = Self::read_fixed(&mut reader)?;
        let mut pressed = None;
        while let Some((kind, value)) = reader.item()? {
            match kind {
                ITEM_INTERVALS => once(&mut report.intervals, Intervals::read(value)?)?,
                ITEM_KEYPAD => {
                    let digits = Short::new(value).ok_or(FrameRejection::ItemHasWrongLength)?;
                    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
                        return Err(FrameRejection::ValueOutOfRange);
                    }
                    once(&mut report.keypad, digits)?;
                }
                ITEM_COMMAND_RESULT => {
                    once(&mut report.command_result, CommandResult::read(value)?)?;
                }
                ITEM_ECHO => once(&mut report.echo, Echo::read(value)?)?,
                ITEM_STATUS => {
                    let (reason, status) = SwitchStatus::read(value)?;
                    once(&mut report.status, status)?;
                    report.switch_reason = reason.unwrap_or(report.switch_reason);
                }
                ITEM_PRESSED => once(&mut pressed, exactly(value, 0)?.0)?,
                ITEM_EVIDENCE => once(&mut report.evidence, Evidence::read(value)?)?,
                _ => {}
            }
        }
        report.pressed = pressed.is_some();
        Ok(report)
    }

    fn read_fixed(reader: &mut Reader<'_>) -> Result<Self, FrameRejection> {
        Ok(Self {
            import_register: WattHours(reader.u64()?),
            export_register: WattHours(reader.u64()?),
            active_power_w: i32::from_be_bytes(reader.take()?),
            voltage_in_dv: reader.u16()?,
            voltage_out_dv: reader.u16()?,
            phase_current_ma: reader.u32()?,
            neutral_current_ma: reader.u32()?,
            frequency_chz: reader.u16()?,
            relay: match reader.take()? {
                [0] => RelayPosition::Open,
                [1] => RelayPosition::Closed,
                [2] => RelayPosition::Unknown,
                _ => return Err(FrameRejection::ValueOutOfRange),
            },
            switch_reason: match reader.take()? {
                [code @ 0..=6] => {
                    SwitchReason::from_code(code).ok_or(FrameRejection::ValueOutOfRange)?
                }
                _ => return Err(FrameRejection::ValueOutOfRange),
            },
            lease_id: reader.u32()?,
            cutoff: WattHours(reader.u64()?),
            uptime_s: reader.u32()?,
            boot_count: {
                let [a, b, c] = reader.take()?;
                u32::from_be_bytes([0, a, b, c])
            },
            events: Events(reader.u32()?),
            highest_gateway_counter: reader.counter()?,
            ..Self::default()
        })
    }
}

impl CommandResult {
    fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut item = exactly(value, 8)?;
        let counter = item.counter()?;
        let [code] = item.take()?;
        let rejection_code = (code != 0).then_some(code);
        Ok(Self {
            counter,
            rejection_code,
        })
    }
}

impl Intervals {
    fn read(value: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = Reader(value);
        let wrong_length = |_| FrameRejection::ItemHasWrongLength;
        let end = reader.u32().map_err(wrong_length)?;
        let register = WattHours(reader.u64().map_err(wrong_length)?);
        if !end.is_multiple_of(INTERVAL_SECONDS) {
            return Err(FrameRejection::ValueOutOfRange);
        }
        let mut intervals = Self::new(UtcSeconds(i64::from(end)), register);
        while !reader.0.is_empty() {
            let advance = reader.u16().map_err(wrong_length)?;
            if !intervals.push(advance) {
                return Err(FrameRejection::ItemHasWrongLength);
            }
        }
        Ok(intervals)
    }
}
