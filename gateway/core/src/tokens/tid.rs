//! Token identifiers: the minute a token was issued.
//!
//! Decided here: minutes since a base date, the reserved minute, key expiry, how a vending system's times are written.
//!
//! Terms: *vending time*: what the vending system's wall clock shows, in no particular zone; *base date*: 1 January 00:00 of 1993, 2014 or 2035; the identifiers of each last 31 years and 328 days;
//! *key expiry number*: the highest 65,536-minute stretch (about 45.5 days) of the base date a key is good for; *reserved
//! minute*: 00:01 of each day belongs to special tokens; a token issued then is numbered as 00:02.

use alloc::format;
use core::fmt;
use core::str::FromStr;
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
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
    pub fn tid_at(self, issued: VendingTime) -> Option<Tid> {
        let since = issued.0.checked_sub(self.start())?;
        let minute = u32::try_from(since.div_euclid(60)).ok()?;
        let reserved = minute % MINUTES_PER_DAY == RESERVED_MINUTE;
        Tid::new(minute + u32::from(reserved))
    }

    /// When a token with this identifier was issued.
    #[must_use]
    pub fn issued_at(self, tid: Tid) -> VendingTime {
        VendingTime(self.start() + i64::from(tid.minutes()) * 60)
    }
}

/// A vending time, in seconds since 1970-01-01 00:00 of the same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VendingTime(pub i64);

/// A text that is no vending time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAVendingTime;

impl fmt::Display for NotAVendingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write the time as 2026-11-23T13:05 or 23/11/2026 13:05:00, without a zone")
    }
}

impl core::error::Error for NotAVendingTime {}

impl FromStr for VendingTime {
    type Err = NotAVendingTime;

    /// Reads ISO 8601 (`2004-03-01T13:00`, with or without seconds) and `01/03/2004 13:00:00` (day first). A `Z` at the
    /// end is allowed and means nothing.
    fn from_str(text: &str) -> Result<Self, NotAVendingTime> {
        let text = text.strip_suffix('Z').unwrap_or(text);
        let plain = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | ' ' | '/');
        if !text.chars().all(plain) || text.contains('-') == text.contains('/') {
            return Err(NotAVendingTime);
        }
        let iso = match (text.split_once(' '), text.contains('/')) {
            (Some((day, time)), true) => {
                let mut parts = day.splitn(3, '/');
                let mut part = || parts.next().ok_or(NotAVendingTime);
                let (day, month, year) = (part()?, part()?, part()?);
                format!("{year}-{month}-{day}T{time}")
            }
            _ => text.into(),
        };
        let moment: DateTime = iso.parse().map_err(|_| NotAVendingTime)?;
        let epoch = date(1970, 1, 1).at(0, 0, 0, 0);
        Ok(Self(moment.duration_since(epoch).as_secs()))
    }
}

impl fmt::Display for VendingTime {
    /// ISO 8601 to the minute: `2004-03-01T13:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoch = date(1970, 1, 1).at(0, 0, 0, 0);
        let moment = epoch.saturating_add(SignedDuration::from_secs(self.0));
        let (year, month, day) = (moment.year(), moment.month(), moment.day());
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}",
            moment.hour(),
            moment.minute()
        )
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
