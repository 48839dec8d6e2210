//! What all five kinds can do: be sealed into a frame, and be opened from one.

use super::frame::seal_frame;
use super::items::Writer;
use super::{
    BufferTooSmall, Command, Envelope, FrameRejection, Header, Hello, Key, Kind, Report, Welcome,
    Who, open_frame,
};
use crate::NodeId;

/// A kind of frame. There are five, and no other crate can add one.
pub trait Message: Body {
    /// Writes the frame, sealed or only authenticated as its kind is, and returns its length: at most [`super::MAX_FRAME`].
    ///
    /// # Errors
    /// [`BufferTooSmall`]; [`super::MAX_FRAME`] bytes always suffice.
    fn encode_and_seal(
        &self,
        envelope: Envelope,
        key: &Key,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let kind = Self::KIND;
        let header = Header { kind, envelope };
        seal_frame(key, &header, buffer, |writer| self.write(writer))
    }

    /// Checks and reads a frame. Session, counter and challenge are the caller's to judge.
    ///
    /// # Errors
    /// Any rejection from `TooShort` to `NotAuthentic`, and those of the body; `UnknownKind` for another kind.
    fn open(key: &Key, node: NodeId, frame: &mut [u8]) -> Result<(Envelope, Self), FrameRejection> {
        let opened = open_frame(key, node, Self::KIND.direction(), frame)?;
        if opened.header.kind != Self::KIND {
            return Err(FrameRejection::UnknownKind);
        }
        Ok((opened.header.envelope, Self::read(opened.body)?))
    }
}

impl<B: Body> Message for B {}

/// The part that differs: the body, and the kind's number.
pub trait Body: Sized {
    /// What stands in the second byte.
    const KIND: Kind;

    /// Appends the body.
    fn write(&self, writer: &mut Writer<'_>);

    /// Reads the body of an authentic frame.
    ///
    /// # Errors
    /// Rejections from `BodyTooShort` on.
    fn read(body: &[u8]) -> Result<Self, FrameRejection>;
}

/// A body whose writing and reading stand beside its type.
macro_rules! body {
    ($kind:ident) => {
        impl Body for $kind {
            const KIND: Kind = Kind::$kind;

            fn write(&self, writer: &mut Writer<'_>) {
                self.write_body(writer);
            }

            fn read(body: &[u8]) -> Result<Self, FrameRejection> {
                Self::decode(body)
            }
        }
    };
}

body!(Hello);
body!(Welcome);
body!(Report);
body!(Command);

impl Body for Who {
    const KIND: Kind = Kind::Who;

    fn write(&self, _: &mut Writer<'_>) {}

    /// A body, should a later peer send one, is skipped.
    fn read(_: &[u8]) -> Result<Self, FrameRejection> {
        Ok(Self)
    }
}
