//! Numbers that never repeat in one direction of one node.

use core::fmt;

/// 56-bit frame counter: epoch (24 bits) then sequence (32 bits). Ordered as one number.
///
/// The epoch is the node's boot count going up and the gateway's start count coming down: one write
/// to persistent memory a start, none a frame. Example: boot 3, frame 7 is `3.7`,
/// `0x00000300000007` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct Counter(u64);

impl Counter {
    /// Below every counter in use: nothing was ever sent or accepted.
    pub const ZERO: Self = Self(0);
    /// The largest epoch; a peer that claims it cannot be answered any more.
    pub const MAX_EPOCH: u32 = 0xff_ffff;

    /// `None` if `epoch` is above [`Counter::MAX_EPOCH`].
    #[must_use]
    pub const fn new(epoch: u32, sequence: u32) -> Option<Self> {
        if epoch > Self::MAX_EPOCH {
            return None;
        }
        Some(Self((epoch as u64) << 32 | sequence as u64))
    }

    /// From a stored number; `None` above 56 bits.
    #[must_use]
    pub const fn from_u64(value: u64) -> Option<Self> {
        if value >> 56 == 0 {
            Some(Self(value))
        } else {
            None
        }
    }

    /// As one number, for storing.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// How often the sender had started.
    #[must_use]
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Frames since that start.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
    pub const fn sequence(self) -> u32 {
        self.0 as u32
    }

    /// The following counter of the same epoch; `None` after 2^32 frames (136 years of one a
    /// second).
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        if self.sequence() == u32::MAX {
            None
        } else {
            Some(Self(self.0 + 1))
        }
    }

    /// The start of the following epoch (sequence 0, never sent itself); `None` after the last.
    #[must_use]
    pub const fn next_epoch(self) -> Option<Self> {
        Self::new(self.epoch() + 1, 0)
    }

    /// Seven bytes, big-endian.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 7] {
        let [_, a, b, c, d, e, f, g] = self.0.to_be_bytes();
        [a, b, c, d, e, f, g]
    }

    /// From seven bytes, big-endian.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 7]) -> Self {
        let [a, b, c, d, e, f, g] = bytes;
        Self(u64::from_be_bytes([0, a, b, c, d, e, f, g]))
    }
}

impl fmt::Display for Counter {
    /// `epoch.sequence`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch(), self.sequence())
    }
}
