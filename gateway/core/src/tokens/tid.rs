//! Token identifiers: the minute a token was issued.
//!
//! Decided here: minutes since a base date, the reserved minute, key expiry. A vending system counts by its own wall
//! clock; seconds here are seconds since 1970-01-01 00:00 of that clock.
//!
//! Terms: *base date*: 1 January 00:00 of 1993, 2014 or 2035; the identifiers of each last 31 years and 328 days;
//! *key expiry number*: the highest 65,536-minute stretch (about 45.5 days) of the base date a key is good for; *reserved
//! minute*: 00:01 of each day belongs to special tokens; a token issued then is numbered as 00:02.

use core::fmt;
use serde::{Deserialize, Serialize};

const MINUTES_PER_DAY: u32 = 1_440;
/// Minute of the day that ordinary tokens do not use.
const RESERVED_MINUTE: u32 = 1;

/// The date token identifiers are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BaseDate {
    /// 1993-01-01; its identifiers ran out on 2024-11-24 20:15.
    #[serde(rename = "1993")]
    Y1993,
    /// 2014-01-01; until 2045-11-24 20:15.
    #[serde(rename = "2014")]
    Y2014,
    /// 2035-01-01; until 2066-11-24 20:15.
    #[serde(rename = "2035")]
    Y2035,
}

impl BaseDate {
    /// The base date that begins in a year.
    #[must_use]
    pub fn from_year(year: u16) -> Option<Self> {
        match year {
            1993 => Some(Self::Y1993),
            2014 => Some(Self::Y2014),
            2035 => Some(Self::Y2035),
            _ => None,
        }
    }

    /// Its year.
    #[must_use]
    pub fn year(self) -> u16 {
        match self {
            Self::Y1993 => 1993,
            Self::Y2014 => 2014,
            Self::Y2035 => 2035,
        }
    }

    /// The two letters of key generation.
    pub(super) fn letters(self) -> &'static [u8; 2] {
        match self {
            Self::Y1993 => b"93",
            Self::Y2014 => b"14",
            Self::Y2035 => b"35",
        }
    }

    /// Its first second, since 1970-01-01 00:00.
    fn start(self) -> i64 {
        match self {
            Self::Y1993 => 725_846_400,
            Self::Y2014 => 1_388_534_400,
            Self::Y2035 => 2_051_222_400,
        }
    }

    /// The base date after this one; the last stays.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Y1993 => Self::Y2014,
            Self::Y2014 | Self::Y2035 => Self::Y2035,
        }
    }

    /// The identifier of a token issued at a moment, the reserved minute passed over; `None` before the base date or
    /// after its last identifier.
    #[must_use]
    pub fn tid_at(self, vending_clock_s: i64) -> Option<Tid> {
        let since = vending_clock_s.checked_sub(self.start())?;
        let minute = u32::try_from(since.div_euclid(60)).ok()?;
        let reserved = minute % MINUTES_PER_DAY == RESERVED_MINUTE;
        Tid::new(minute + u32::from(reserved))
    }

    /// When a token with this identifier was issued, in seconds of the vending system's clock.
    #[must_use]
    pub fn issued_at(self, tid: Tid) -> i64 {
        self.start() + i64::from(tid.minutes()) * 60
    }
}

/// A token identifier: minutes since the base date, 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Tid(u32);

impl Tid {
    /// The last identifier of a base date.
    pub const LAST: Self = Self(0x00ff_ffff);

    /// From minutes since the base date; `None` above 24 bits.
    #[must_use]
    pub fn new(minutes: u32) -> Option<Self> {
        (minutes <= Self::LAST.0).then_some(Self(minutes))
    }

    /// Minutes since the base date.
    #[must_use]
    pub fn minutes(self) -> u32 {
        self.0
    }

    /// Whether a key with this expiry number is too old for the token.
    #[must_use]
    pub fn is_after(self, key_expiry: u8) -> bool {
        self.0 >> 16 > u32::from(key_expiry)
    }
}

/// A number of more than 24 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATid;

impl fmt::Display for NotATid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a token identifier has at most 24 bits")
    }
}

impl TryFrom<u32> for Tid {
    type Error = NotATid;
    fn try_from(minutes: u32) -> Result<Self, NotATid> {
        Self::new(minutes).ok_or(NotATid)
    }
}

impl From<Tid> for u32 {
    fn from(tid: Tid) -> Self {
        tid.0
    }
}
