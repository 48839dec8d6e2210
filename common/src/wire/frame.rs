//! Header, nonce and tag: what all kinds have in common.

use super::items::Writer;
use super::{Counter, FrameRejection, HEADER_BYTES, Key, MAX_FRAME, TAG_BYTES, VERSION, ascon};
use crate::NodeId;

/// What a frame is. The number stands in the second byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Node to gateway, clear: here I am, prove that you are alive.
    Hello = 1,
    /// Gateway to node, sealed: the answer, and a new session.
    Welcome = 2,
    /// Node to gateway, sealed: registers and state.
    Report = 3,
    /// Gateway to node, sealed: lease, time and other wishes.
    Command = 4,
    /// Gateway to node, clear: I don't know your session, say hello.
    Who = 5,
}

/// Which way a frame travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the node to the gateway.
    Up,
    /// From the gateway to the node.
    Down,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Hello),
            2 => Some(Self::Welcome),
            3 => Some(Self::Report),
            4 => Some(Self::Command),
            5 => Some(Self::Who),
            _ => None,
        }
    }

    /// The way this kind travels.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Hello | Self::Report => Direction::Up,
            Self::Welcome | Self::Command | Self::Who => Direction::Down,
        }
    }

    /// Whether the body is encrypted. The others are authenticated only.
    const fn is_sealed(self) -> bool {
        matches!(self, Self::Welcome | Self::Report | Self::Command)
    }
}

/// Whose frame it is and where it stands in the order: the clear fields beside the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The node that sends or receives.
    pub node: NodeId,
    /// The sender's counter.
    pub counter: Counter,
    /// The session; 0 in a hello, the unknown session in a who.
    pub session: u64,
}

/// The clear header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What the frame is.
    pub kind: Kind,
    /// Whose it is.
    pub envelope: Envelope,
}

/// The buffer cannot hold the frame; [`MAX_FRAME`] bytes always can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BufferTooSmall;

impl core::fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the buffer is too small for the frame; 240 bytes always suffice")
    }
}

impl core::error::Error for BufferTooSmall {}

/// An authentic frame.
#[derive(Debug)]
pub struct Opened<'a> {
    /// Its header.
    pub header: Header,
    /// Its body in clear.
    pub body: &'a [u8],
}

/// Reads the header without checking anything behind it.
///
/// # Errors
/// `TooShort`, `TooLong`, `UnsupportedVersion`, `UnknownKind`.
pub fn peek(frame: &[u8]) -> Result<Header, FrameRejection> {
    if frame.len() > MAX_FRAME {
        return Err(FrameRejection::TooLong);
    }
    let header = match frame.first_chunk::<HEADER_BYTES>() {
        Some(header) if frame.len() >= HEADER_BYTES + TAG_BYTES => header,
        _ => return Err(FrameRejection::TooShort),
    };
    let [
        version,
        kind,
        n0,
        n1,
        n2,
        n3,
        c0,
        c1,
        c2,
        c3,
        c4,
        c5,
        c6,
        session @ ..,
    ] = *header;
    if version != VERSION {
        return Err(FrameRejection::UnsupportedVersion);
    }
    let kind = Kind::from_byte(kind).ok_or(FrameRejection::UnknownKind)?;
    let envelope = Envelope {
        node: NodeId(u32::from_be_bytes([n0, n1, n2, n3])),
        counter: Counter::from_bytes([c0, c1, c2, c3, c4, c5, c6]),
        session: u64::from_be_bytes(session),
    };
    Ok(Header { kind, envelope })
}

/// Checks a frame that travels in `direction` and belongs to `node`, and decrypts its body in
/// place.
///
/// # Errors
/// Everything up to `NotAuthentic`, in order of precedence. Sessions and counters are the caller's
/// to judge.
pub fn open_frame<'a>(
    key: &Key,
    node: NodeId,
    direction: Direction,
    frame: &'a mut [u8],
) -> Result<Opened<'a>, FrameRejection> {
    let header = peek(frame)?;
    if header.kind.direction() != direction {
        return Err(FrameRejection::WrongDirection);
    }
    if header.envelope.node != node {
        return Err(FrameRejection::WrongNode);
    }
    let (message, tag) = frame
        .split_last_chunk_mut()
        .ok_or(FrameRejection::TooShort)?;
    let nonce = nonce(&header, message.get(HEADER_BYTES..).unwrap_or_default());
    let clear = if header.kind.is_sealed() {
        HEADER_BYTES
    } else {
        message.len()
    };
    let (associated, text) = message
        .split_at_mut_checked(clear)
        .ok_or(FrameRejection::TooShort)?;
    ascon::open(key, &nonce, associated, text, tag).map_err(|_| FrameRejection::NotAuthentic)?;
    let body = message.get(HEADER_BYTES..).unwrap_or_default();
    Ok(Opened { header, body })
}

/// Writes header, the body that `write` appends, and the tag. Returns the length of the frame.
pub(super) fn seal_frame(
    key: &Key,
    header: &Header,
    buffer: &mut [u8],
    write: impl FnOnce(&mut Writer<'_>),
) -> Result<usize, BufferTooSmall> {
    let room = buffer.len().min(MAX_FRAME);
    let usable = buffer.get_mut(..room).unwrap_or_default();
    let (message, _) = usable
        .split_at_mut_checked(room.saturating_sub(TAG_BYTES))
        .ok_or(BufferTooSmall)?;
    let mut writer = Writer::new(message);
    writer.put(&[VERSION, header.kind as u8]);
    writer.put(&header.envelope.node.0.to_be_bytes());
    writer.put(&header.envelope.counter.to_bytes());
    writer.put(&header.envelope.session.to_be_bytes());
    write(&mut writer);
    let length = writer.finish()?;
    let (message, rest) = buffer.split_at_mut_checked(length).ok_or(BufferTooSmall)?;
    let nonce = nonce(header, message.get(HEADER_BYTES..).unwrap_or_default());
    let clear = if header.kind.is_sealed() {
        HEADER_BYTES
    } else {
        length
    };
    let (associated, text) = message.split_at_mut_checked(clear).ok_or(BufferTooSmall)?;
    let tag = ascon::seal(key, &nonce, associated, text);
    rest.get_mut(..TAG_BYTES)
        .ok_or(BufferTooSmall)?
        .copy_from_slice(&tag);
    Ok(length + TAG_BYTES)
}

/// kind, counter, session. A hello has no session: the first eight bytes of its body, the
/// challenge, take the place.
fn nonce(header: &Header, body: &[u8]) -> [u8; 16] {
    let mut nonce = [0; 16];
    nonce[0] = header.kind as u8;
    nonce[1..8].copy_from_slice(&header.envelope.counter.to_bytes());
    let fresh = match (header.kind, body.first_chunk::<8>()) {
        (Kind::Hello, Some(challenge)) => *challenge,
        _ => header.envelope.session.to_be_bytes(),
    };
    nonce[8..].copy_from_slice(&fresh);
    nonce
}
