//! How a session begins: hello, welcome, who.

use super::items::{Reader, Writer};
use super::{Command, Counter, FrameRejection, TimeSignal, VERSION};
use crate::WattHours;

/// Node to gateway, authenticated but clear: sent at every new connection and when asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Never the same twice; the welcome echoes it.
    pub challenge: u64,
    /// The highest gateway counter the node remembers.
    pub highest_gateway_counter: Counter,
    /// How often the node booted, 24 bits.
    pub boot_count: u32,
    /// The highest protocol version the node speaks.
    pub highest_version: u8,
    /// Import register. Watt-hours.
    pub import_register: WattHours,
}

/// Gateway to node, sealed: a new session. The session in its header is the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// The challenge of the hello it answers.
    pub challenge: u64,
    /// The highest counter of this node that the gateway knows; the node goes on above it.
    pub uplink_floor: Counter,
    /// The gateway's clock.
    pub time: TimeSignal,
    /// Wishes that need not wait for the first report.
    pub command: Command,
}

/// Gateway to node, authenticated but clear: the session in the header is not known here (any
/// more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who;

impl Hello {
    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        writer.put(&self.challenge.to_be_bytes());
        writer.put(&self.highest_gateway_counter.to_bytes());
        let [_, boot_count @ ..] = self.boot_count.to_be_bytes();
        writer.put(&boot_count);
        writer.put(&[self.highest_version]);
        writer.put(&self.import_register.0.to_be_bytes());
    }

    /// Reads the body of an authentic frame. Bytes behind the known fields are skipped.
    ///
    /// # Errors
    /// `BodyTooShort`, or `ValueOutOfRange` for a version 0.
    pub fn decode(body: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = Reader(body);
        let challenge = reader.u64()?;
        let highest_gateway_counter = reader.counter()?;
        let [a, b, c] = reader.take()?;
        let [highest_version] = reader.take()?;
        let import_register = WattHours(reader.u64()?);
        if highest_version < VERSION {
            return Err(FrameRejection::ValueOutOfRange);
        }
        let boot_count = u32::from_be_bytes([0, a, b, c]);
        Ok(Self {
            challenge,
            highest_gateway_counter,
            boot_count,
            highest_version,
            import_register,
        })
    }
}

impl Welcome {
    pub(super) fn write_body(&self, writer: &mut Writer<'_>) {
        writer.put(&self.challenge.to_be_bytes());
        writer.put(&self.uplink_floor.to_bytes());
        self.time.write(writer);
        self.command.write_body(writer);
    }

    /// Reads the body of an authentic frame.
    ///
    /// # Errors
    /// Rejections from `BodyTooShort` on.
    pub fn decode(body: &[u8]) -> Result<Self, FrameRejection> {
        let mut reader = Reader(body);
        let challenge = reader.u64()?;
        let uplink_floor = reader.counter()?;
        let time = TimeSignal::read(&mut reader)?;
        let command = Command::read(&mut reader)?;
        Ok(Self {
            challenge,
            uplink_floor,
            time,
            command,
        })
    }
}
