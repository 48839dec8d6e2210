//! How a session begins: hello, welcome, who.

use super::frame::seal_frame;
use super::items::Reader;
use super::{
    BufferTooSmall, Command, Counter, Direction, Envelope, FrameRejection, Header, Key, Kind,
    TimeSignal, VERSION, open_frame,
};
use crate::{NodeId, WattHours};

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
    /// Writes the frame and returns its length.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn encode_and_seal(
        &self,
        envelope: Envelope,
        key: &Key,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let header = Header {
            kind: Kind::Hello,
            envelope,
        };
        seal_frame(key, &header, buffer, |writer| {
            writer.put(&self.challenge.to_be_bytes());
            writer.put(&self.highest_gateway_counter.to_bytes());
            let [_, boot_count @ ..] = self.boot_count.to_be_bytes();
            writer.put(&boot_count);
            writer.put(&[self.highest_version]);
            writer.put(&self.import_register.0.to_be_bytes());
        })
    }

    /// Checks and reads a frame.
    ///
    /// # Errors
    /// Any rejection from `TooShort` to `NotAuthentic` and from `BodyTooShort` on; `UnknownKind`
    /// for another kind.
    pub fn open(
        key: &Key,
        node: NodeId,
        frame: &mut [u8],
    ) -> Result<(Envelope, Self), FrameRejection> {
        let opened = open_frame(key, node, Direction::Up, frame)?;
        if opened.header.kind != Kind::Hello {
            return Err(FrameRejection::UnknownKind);
        }
        Ok((opened.header.envelope, Self::decode(opened.body)?))
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
    /// Writes the sealed frame and returns its length.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn encode_and_seal(
        &self,
        envelope: Envelope,
        key: &Key,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let header = Header {
            kind: Kind::Welcome,
            envelope,
        };
        seal_frame(key, &header, buffer, |writer| {
            writer.put(&self.challenge.to_be_bytes());
            writer.put(&self.uplink_floor.to_bytes());
            self.time.write(writer);
            self.command.write(writer);
        })
    }

    /// Checks and reads a frame, apart from challenge and counter.
    ///
    /// # Errors
    /// Any rejection from `TooShort` to `NotAuthentic` and from `BodyTooShort` on; `UnknownKind`
    /// for another kind.
    pub fn open(
        key: &Key,
        node: NodeId,
        frame: &mut [u8],
    ) -> Result<(Envelope, Self), FrameRejection> {
        let opened = open_frame(key, node, Direction::Down, frame)?;
        if opened.header.kind != Kind::Welcome {
            return Err(FrameRejection::UnknownKind);
        }
        Ok((opened.header.envelope, Self::decode(opened.body)?))
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

impl Who {
    /// Writes the frame and returns its length (37 bytes).
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    pub fn encode_and_seal(
        &self,
        envelope: Envelope,
        key: &Key,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        seal_frame(
            key,
            &Header {
                kind: Kind::Who,
                envelope,
            },
            buffer,
            |_| {},
        )
    }

    /// Checks a frame. A body, should a later peer send one, is skipped.
    ///
    /// # Errors
    /// Any rejection from `TooShort` to `NotAuthentic`; `UnknownKind` for another kind.
    pub fn open(
        key: &Key,
        node: NodeId,
        frame: &mut [u8],
    ) -> Result<(Envelope, Self), FrameRejection> {
        let opened = open_frame(key, node, Direction::Down, frame)?;
        if opened.header.kind != Kind::Who {
            return Err(FrameRejection::UnknownKind);
        }
        Ok((opened.header.envelope, Self))
    }
}
