//! Every reason to refuse a frame, in order of precedence.

use core::fmt;

/// Why a frame was refused. Of several reasons the first in this order is given. Used by both ends.
///
/// The number is the code on the wire in a command result; `reason()` is the name in metrics and
/// logs. Neither changes once released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameRejection {
    /// Shorter than header and tag (37 bytes).
    TooShort = 1,
    /// Longer than 240 bytes.
    TooLong = 2,
    /// The first byte is not a version this end speaks.
    UnsupportedVersion = 3,
    /// The second byte is not a kind of this version.
    UnknownKind = 4,
    /// A kind that only travels the other way, such as a report sent back to a node.
    WrongDirection = 5,
    /// The node in the header is not the node the transport knows the sender as, or not the
    /// receiving node.
    WrongNode = 6,
    /// The gateway holds no key for this node.
    UnknownNode = 7,
    /// The tag does not fit: forged, altered, or another key.
    NotAuthentic = 8,
    /// Authentic, but of a session that is not current: recorded earlier, or the other end
    /// restarted.
    StaleSession = 9,
    /// A welcome that does not answer the challenge that is outstanding.
    ChallengeIsNotOurs = 10,
    /// The counter is not above the last accepted one: replayed, or overtaken by a later frame.
    Replayed = 11,
    /// The peer's counter stands in the last epoch; the node needs a new key.
    CounterExhausted = 12,
    /// More frames of this node wait to be stored than the gateway keeps.
    TooManyUncommitted = 13,
    /// More hellos or stale frames than are answered in a second.
    TooFrequent = 14,
    /// The body ends before its fixed part does.
    BodyTooShort = 15,
    /// An item claims more bytes than the body has.
    ItemRunsPastTheEnd = 16,
    /// A known item has a length it cannot have.
    ItemHasWrongLength = 17,
    /// A known item stands twice.
    ItemRepeated = 18,
    /// A field has a value without meaning, such as relay position 9.
    ValueOutOfRange = 19,
    /// A command holds an item that must not be skipped (type 0x80 and above) and is not known
    /// here.
    UnknownCriticalItem = 20,
}

impl FrameRejection {
    /// All of them in order, for a metric per reason.
    pub const ALL: [Self; 20] = [
        Self::TooShort,
        Self::TooLong,
        Self::UnsupportedVersion,
        Self::UnknownKind,
        Self::WrongDirection,
        Self::WrongNode,
        Self::UnknownNode,
        Self::NotAuthentic,
        Self::StaleSession,
        Self::ChallengeIsNotOurs,
        Self::Replayed,
        Self::CounterExhausted,
        Self::TooManyUncommitted,
        Self::TooFrequent,
        Self::BodyTooShort,
        Self::ItemRunsPastTheEnd,
        Self::ItemHasWrongLength,
        Self::ItemRepeated,
        Self::ValueOutOfRange,
        Self::UnknownCriticalItem,
    ];

    /// Stable name for metrics and logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TooShort => "too-short",
            Self::TooLong => "too-long",
            Self::UnsupportedVersion => "unsupported-version",
            Self::UnknownKind => "unknown-kind",
            Self::WrongDirection => "wrong-direction",
            Self::WrongNode => "wrong-node",
            Self::UnknownNode => "unknown-node",
            Self::NotAuthentic => "not-authentic",
            Self::StaleSession => "stale-session",
            Self::ChallengeIsNotOurs => "challenge-is-not-ours",
            Self::Replayed => "replayed",
            Self::CounterExhausted => "counter-exhausted",
            Self::TooManyUncommitted => "too-many-uncommitted",
            Self::TooFrequent => "too-frequent",
            Self::BodyTooShort => "body-too-short",
            Self::ItemRunsPastTheEnd => "item-runs-past-the-end",
            Self::ItemHasWrongLength => "item-has-wrong-length",
            Self::ItemRepeated => "item-repeated",
            Self::ValueOutOfRange => "value-out-of-range",
            Self::UnknownCriticalItem => "unknown-critical-item",
        }
    }

    /// The code in a command result.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The rejection with this code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|rejection| rejection.code() == code)
    }
}

impl fmt::Display for FrameRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl core::error::Error for FrameRejection {}
