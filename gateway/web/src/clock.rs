//! How the gateway knows the time, in facts and in words.

use gateway_core::UtcSeconds;
use serde::{Deserialize, Serialize};

/// Who tells the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockSource {
    /// The configuration says that the machine's clock is always right.
    Always,
    /// A time service keeps the machine's clock.
    Service,
    /// A time service kept it; since then the gateway counts on.
    Held,
    /// A person set it; since then the gateway counts on.
    Hand,
    /// A battery-backed clock told it.
    Battery,
    /// Nobody.
    None,
}

impl ClockSource {
    /// In words, after "the time is": lower case, no full stop.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Always => "the machine's, which the configuration says is always right",
            Self::Service => "kept by a time service",
            Self::Held => "counted on from when a time service was last heard",
            Self::Hand => "counted on from when a person set it",
            Self::Battery => "from the battery-backed clock",
            Self::None => "not known",
        }
    }
}

/// A battery-backed clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatteryFacts {
    /// What it shows.
    pub shows: UtcSeconds,
    /// What it showed more than the time when they were compared, in seconds.
    pub ahead_s: Option<i64>,
    /// When they were compared.
    pub compared_at: Option<UtcSeconds>,
    /// Whether it was seen steady, so that it tells the time after the machine was off.
    pub is_believed: bool,
    /// How much too fast it runs, in millionths.
    pub drift_ppm: Option<i64>,
}

/// How the gateway knows the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockFacts {
    /// What the gateway's clock shows.
    pub at: UtcSeconds,
    /// Whether it is believed.
    pub is_trusted: bool,
    /// Who tells it.
    pub source: ClockSource,
    /// How far off it is at most, in seconds, where the gateway counts by itself.
    pub within_s: Option<u64>,
    /// Up to how far off it is believed.
    pub believed_within_s: u64,
    /// The latest time known: while the clock is not believed, or behind it, time stands still there. 0: none.
    pub floor: UtcSeconds,
    /// What the machine's own clock shows.
    pub machine: UtcSeconds,
    /// A battery-backed clock, if there is one.
    pub battery: Option<BatteryFacts>,
    /// Milliseconds since the machine was started.
    pub boot_ms: u64,
}

impl ClockFacts {
    /// The time by which is decided.
    #[must_use]
    pub fn decides_by(&self) -> UtcSeconds {
        match self.is_trusted {
            true => self.at.max(self.floor),
            false => self.floor,
        }
    }

    /// Seconds for which time stands still until a believed clock has caught up.
    #[must_use]
    pub fn behind_s(&self) -> u64 {
        let behind = self.floor.0.saturating_sub(self.at.0);
        u64::try_from(behind).unwrap_or(0) * u64::from(self.is_trusted)
    }

    /// Whether it should be compared with another one soon: half of the error it is believed with may have gathered.
    #[must_use]
    pub fn wants_comparing(&self) -> bool {
        self.within_s
            .is_some_and(|within| within * 2 > self.believed_within_s)
    }

    /// Whether a person may set it.
    #[must_use]
    pub fn may_be_set(&self) -> bool {
        !matches!(self.source, ClockSource::Always | ClockSource::Service)
    }
}
