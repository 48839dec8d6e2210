//! Guards as the gateway keeps them, for a switch beside a shop-bought meter: such a switch has no logic of its own.
//!
//! The load limit is the same as a node's (`meter-node`; one table holds both, `meter-node/tests/node/load-limit.txt`), seen through readings: every reading over the
//! persistence shows a power above the limit, and there are two at least; then it trips, a rest follows, and too many trips within the window
//! latch. Readings further apart than [`NEAR_S`] say nothing about the power between them; there the register's advance has to say it too.
//!
//! Times are those of the gateway's own clock, whether it is to be believed or not: after a power cut it may be wrong for long, and nobody is
//! left in the dark for that. Invariant: a step of the clock can end a wait early, never lengthen it.

use crate::metering::LastReading;
use crate::prepay::LoadLimit;
use crate::{UtcSeconds, WattHours};
use serde::{Deserialize, Serialize};

/// Readings so far apart, in seconds, follow each other: twice the interval at which plugs are asked.
pub const NEAR_S: u64 = 120;

/// Seconds that have to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// When it began, by the gateway's own clock.
    pub from: UtcSeconds,
    /// How long it is.
    pub seconds: u16,
}

impl Wait {
    /// Seconds left; 0 once it is over, and when the clock stands before its beginning.
    #[must_use]
    pub fn left_s(self, clock: UtcSeconds) -> u16 {
        let passed = clock.0.saturating_sub(self.from.0);
        u16::try_from(passed).map_or(0, |passed| self.seconds.saturating_sub(passed))
    }

    /// Whether it is not over.
    #[must_use]
    pub fn lasts(self, clock: UtcSeconds) -> bool {
        self.left_s(clock) > 0
    }
}

/// Trips of a load limit. Journalled with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Overload {
    /// The rest after the last trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Wait>,
    /// The window in which trips add up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Wait>,
    /// Trips in it.
    pub in_window: u8,
    /// Trips since the meter was installed.
    pub trips: u16,
    /// Open until somebody resets it.
    pub latched: bool,
}

impl Overload {
    /// Whether it never tripped.
    #[must_use]
    pub fn is_new(&self) -> bool {
        *self == Self::default()
    }

    /// After one more trip.
    #[must_use]
    pub fn tripped(self, limit: &LoadLimit, clock: UtcSeconds) -> Self {
        let window = self.window.filter(|window| window.lasts(clock));
        let in_window = window.map_or(0, |_| self.in_window).saturating_add(1);
        let begins = |seconds| Wait {
            from: clock,
            seconds,
        };
        Self {
            rest: Some(begins(limit.rest_s)),
            window: window.or(Some(begins(limit.window_s))),
            in_window,
            trips: self.trips.saturating_add(1),
            latched: limit.trips > 0 && in_window >= limit.trips,
        }
    }

    /// After somebody reset it.
    #[must_use]
    pub fn reset(self) -> Self {
        Self {
            trips: self.trips,
            ..Self::default()
        }
    }
}

/// A load above its limit, as the last readings show it. Telemetry: a restart of the gateway begins it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// The first of these readings, by the gateway's own clock.
    pub since: UtcSeconds,
    /// The last one.
    pub seen: UtcSeconds,
}

impl Over {
    /// What a reading whose power is above the limit adds to the ones before.
    #[must_use]
    pub fn with(
        before: Option<&LastReading>,
        register: WattHours,
        limit_w: u32,
        clock: UtcSeconds,
    ) -> Self {
        let goes_on = |last: &LastReading| {
            let over = last.over?;
            let passed = u64::try_from(clock.0.checked_sub(over.seen.0)?).ok()?;
            let advance = register.since(last.reading.register)?.0;
            let mean_is_above =
                advance.saturating_mul(3_600) > passed.saturating_mul(u64::from(limit_w));
            (passed <= NEAR_S || mean_is_above).then_some(over.since)
        };
        Self {
            since: before.and_then(goes_on).unwrap_or(clock),
            seen: clock,
        }
    }

    /// Seconds from the first reading to the last one.
    #[must_use]
    pub fn lasted_s(self) -> i64 {
        self.seen.0.saturating_sub(self.since.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_clock_ends_a_wait_and_never_lengthens_it() {
        let wait = Wait {
            from: UtcSeconds(1_000),
            seconds: 60,
        };
        for (clock, left) in [(1_000, 60), (1_059, 1), (1_060, 0), (999, 0), (i64::MAX, 0)] {
            assert_eq!(wait.left_s(UtcSeconds(clock)), left, "{clock}");
        }
        assert_eq!(wait.left_s(UtcSeconds(i64::MIN)), 0);
    }
}
