//! The clock set by a person: where there is no time server, somebody's telephone knows the time.
//!
//! Decided here: which times are refused, and what setting one would collect. Not decided here: how the clock runs on from there, and for
//! how long it is believed (the daemon's).
//!
//! *Floor*: the latest moment anything was recorded or read, or was noted without that. The time the core decides by never goes below it ([`crate::State::moment`]); a
//! clock that was set a little below it makes time stand still until it has caught up.

use crate::{Micro, UtcSeconds};
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How far below the floor a clock may be set: what a quartz gains in years, so that one that was fast can be set right.
pub const BACK_AT_MOST_S: i64 = 3_600;
/// Further ahead of the floor than this is set only by whoever says so: a day without power is usual, three are not.
pub const FAR_S: i64 = 3 * 86_400;
/// Further ahead than this is a mistake: five years in which a gateway recorded nothing.
pub const AHEAD_AT_MOST_S: i64 = 5 * 366 * 86_400;
/// 2026-01-01: before it no gateway ran.
pub const EARLIEST: UtcSeconds = UtcSeconds(1_767_225_600);
/// 2100-01-01: as far as a clock that has never been right may be set.
pub const LATEST: UtcSeconds = UtcSeconds(4_102_444_800);

/// A time to set, or to ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOrder {
    /// The time now, as whoever asks knows it.
    pub to: UtcSeconds,
    /// Whether it may be far from the last time known.
    #[serde(default)]
    pub far: bool,
    /// Who asks.
    pub by: String,
    /// What the gateway itself knows of its clock; it fills this in.
    #[serde(default)]
    pub known: ClockKnown,
}

/// What the gateway knows of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClockKnown {
    /// A time service keeps it, or the configuration says that it is always right.
    pub kept: bool,
    /// The latest time it noted, also where nothing was recorded or read since.
    pub floor: UtcSeconds,
}

/// What setting the clock would do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockQuote {
    /// The floor; 0: nothing was ever recorded at a known time.
    pub floor: UtcSeconds,
    /// The time asked about.
    pub to: UtcSeconds,
    /// Local days that begin between the two; 0 without a floor.
    pub days: u32,
    /// Usage points that are charged for them.
    pub usage_points: u32,
    /// What they are charged, in micro-currency units.
    pub charged: Micro,
    /// Supplies that are switched off because of it.
    pub cuts: u32,
    /// Seconds for which time stands still, until the clock has caught up with the floor.
    pub stands_still_s: u32,
    /// Whether it is so far ahead that it has to be said so.
    pub is_far: bool,
}

/// Why the clock is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockRefusal {
    /// A time service keeps it, or the configuration says that it is right.
    Kept,
    /// The time is before one at which something was recorded.
    BeforeKnown,
    /// It is years ahead of the last one known.
    TooFarAhead,
    /// It is days ahead of the last one known.
    FarAhead,
}

impl ClockRefusal {
    /// Stable name for metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kept => "clock-is-kept",
            Self::BeforeKnown => "clock-before-known",
            Self::TooFarAhead => "clock-too-far-ahead",
            Self::FarAhead => "clock-far-ahead",
        }
    }
}

impl fmt::Display for ClockRefusal {
    /// What is wrong and what to do next, to stand after "failed to …:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "a time service keeps the clock, or the configuration says it is always right; there is nothing to set",
            Self::BeforeKnown => "something was recorded at a later time than this, and time does not run backwards; look at the telephone's own clock",
            Self::TooFarAhead => "this is more than five years after the last time known, or after the year 2100; look at the telephone's own clock",
            Self::FarAhead => "this is more than three days after the last time known; see what it would collect, and if it is right say that it may be far (`--far`)",
        })
    }
}
