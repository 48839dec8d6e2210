//! When a meter is asked next.
//!
//! A meter without a lease cuts nobody off by itself: between two readings it can pass the end of its credit. So it is read again at the
//! latest when its connection, at full power, could have used up what is left, and in the end once a second. The overshoot is then at most
//! the power times (one second + the wait for the line).

use gateway_core::WattHours;
use std::time::Duration;

/// Shortest interval: 3 kW use 0.83 Wh in it. Shorter would only load the line.
pub const SHORTEST: Duration = Duration::from_secs(1);
/// Longest rest of a meter that does not answer. A repaired one is back within a minute.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// First rest: longer than any late answer.
const FIRST_REST: Duration = Duration::from_secs(1);

/// Time until the next reading of a meter with so much left, never longer than usual.
#[must_use]
pub fn next_interval(left: Option<WattHours>, full_power_w: u32, usual: Duration) -> Duration {
    let Some(left) = left else { return usual };
    let milliseconds = left.0.saturating_mul(3_600_000) / u64::from(full_power_w.max(1));
    Duration::from_millis(milliseconds).clamp(SHORTEST.min(usual), usual)
}

/// How long a meter rests after so many failures in a row: 1, 2, 4 ... 60 s.
#[must_use]
pub fn rest(missed: u32) -> Duration {
    let doubled = FIRST_REST * 2_u32.saturating_pow(missed.saturating_sub(1).min(6));
    doubled.min(LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_is_left_the_sooner() {
        let usual = Duration::from_secs(60);
        for (left, power, seconds) in [
            (None, 3_000, 60),
            (Some(1_000), 3_000, 60),
            (Some(10), 3_000, 12),
            (Some(10), 23_000, 1),
            (Some(0), 3_000, 1),
            (Some(u64::MAX), 1, 60),
        ] {
            let interval = next_interval(left.map(WattHours), power, usual);
            assert_eq!(interval.as_secs(), seconds, "{left:?} {power}");
        }
        let rests: Vec<_> = (1..9).map(|missed| rest(missed).as_secs()).collect();
        assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
