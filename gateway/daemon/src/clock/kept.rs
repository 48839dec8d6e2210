//! Time without a time service: from a moment that was known, the machine's stopwatch counts on.
//!
//! Decided here: how far off such a time may be, for how long it is believed, and when a battery-backed clock is. Pure: what was read comes in.
//!
//! *Anchor*: a moment that was known (the service kept the clock until then, a person set it, or a battery-backed clock told it), and what
//! the stopwatch showed. *Ahead*: what the battery-backed clock shows more than the time; it need not be right, only steady.
//!
//! Invariants: what a time service says stands above everything; a battery-backed clock is believed only after it was seen steady beside
//! a known time, and never below the latest time known.

use gateway_core::UtcSeconds;
use gateway_web::clock::ClockSource;
use serde::{Deserialize, Serialize};

/// How far a quartz runs off, in millionths: a Raspberry Pi's stays below half of it between 0 and 70 °C.
const DRIFT_PPM: u64 = 100;
/// Further off than this a time is not believed: a day is closed a quarter of an hour after midnight, so until then no reading is counted
/// to the wrong day that way. It is reached after 104 days.
pub(super) const OFF_AT_MOST_S: u64 = 900;
/// Between a telephone's time and the gateway's: the telephone's own error, a slow page, whole seconds.
const BY_HAND_S: u64 = 5;
/// The kernel's clock while a time service keeps it.
const BY_SERVICE_S: u64 = 1;
/// A battery-backed clock counts whole seconds, and so does what it was compared with.
const BY_BATTERY_S: u64 = 2;
/// Two comparisons within this are one. The kernel sets the battery-backed clock every 11 minutes while a service keeps the time: a
/// correction seen before and after is one that stays.
pub(super) const COMPARED_EVERY_S: i64 = 900;
/// What a battery-backed clock may move between two comparisons and still be steady, besides its drift.
const STEADY_S: u64 = 2;
/// A drift is told after a day: whole seconds say nothing before.
const DRIFT_AFTER_S: i64 = 86_400;

/// A moment that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Anchor {
    /// It.
    pub at: UtcSeconds,
    /// The stopwatch then, in milliseconds since the machine was started.
    pub boot_ms: u64,
    /// How it was known.
    pub source: ClockSource,
    /// How far off it was at most.
    pub off_s: u64,
}

impl Anchor {
    pub fn by_hand(at: UtcSeconds, boot_ms: u64) -> Self {
        Self {
            at,
            boot_ms,
            source: ClockSource::Hand,
            off_s: BY_HAND_S,
        }
    }

    /// The time at a later moment of the stopwatch.
    pub fn now(&self, boot_ms: u64) -> UtcSeconds {
        let since = boot_ms.saturating_sub(self.boot_ms) / 1_000;
        UtcSeconds(self.at.0.saturating_add_unsigned(since))
    }

    /// How far off it is at most.
    pub fn within_s(&self, boot_ms: u64) -> u64 {
        let since = boot_ms.saturating_sub(self.boot_ms) / 1_000;
        self.off_s.saturating_add(drifted_s(since))
    }

    pub fn is_believed(&self, boot_ms: u64) -> bool {
        self.within_s(boot_ms) <= OFF_AT_MOST_S
    }
}

fn drifted_s(over_s: u64) -> u64 {
    (over_s / 1_000_000 * DRIFT_PPM) + (over_s % 1_000_000 * DRIFT_PPM).div_ceil(1_000_000)
}

/// A battery-backed clock beside a known time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Compared {
    /// When, by the known time.
    pub at: UtcSeconds,
    /// What it showed more.
    pub ahead_s: i64,
    /// The first comparison of those that agree.
    pub first: (UtcSeconds, i64),
}

impl Compared {
    pub fn is_steady(&self) -> bool {
        self.at.0 - self.first.0.0 >= COMPARED_EVERY_S
    }

    /// How much too fast it runs, in millionths; negative: too slow.
    pub fn drift_ppm(&self) -> Option<i64> {
        let over = self.at.0 - self.first.0.0;
        (over >= DRIFT_AFTER_S).then(|| {
            let moved = self.ahead_s.saturating_sub(self.first.1);
            moved.saturating_mul(1_000_000) / over
        })
    }
}

/// What is known of the time, besides the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kept {
    pub anchor: Option<Anchor>,
    pub battery: Option<Compared>,
    /// The latest time that was known.
    pub latest: UtcSeconds,
}

/// What was read at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub boot_ms: u64,
    /// The machine's clock, if a time service keeps it.
    pub service: Option<UtcSeconds>,
    /// The battery-backed clock.
    pub battery: Option<i64>,
}

impl Kept {
    /// Takes note of what was read. True: it is worth writing down.
    pub fn look(&mut self, seen: &Seen) -> bool {
        if let Some(at) = seen.service {
            self.anchor = Some(Anchor {
                at,
                boot_ms: seen.boot_ms,
                source: ClockSource::Held,
                off_s: BY_SERVICE_S,
            });
        }
        let believed = self.anchor.filter(|a| a.is_believed(seen.boot_ms));
        let anchor = believed.filter(|anchor| anchor.source != ClockSource::Battery);
        match (anchor, seen.battery) {
            (Some(anchor), battery) => {
                let at = anchor.now(seen.boot_ms);
                let is_due =
                    (at.0 - self.latest.0).unsigned_abs() >= COMPARED_EVERY_S.unsigned_abs();
                if is_due {
                    self.latest = at;
                    self.battery = battery.map(|shows| self.compare(at, shows));
                }
                is_due
            }
            (None, Some(shows)) => {
                self.anchor = self.by_battery(shows, seen.boot_ms).or(self.anchor);
                false
            }
            (None, None) => false,
        }
    }

    fn compare(&self, at: UtcSeconds, shows: i64) -> Compared {
        let ahead_s = shows.saturating_sub(at.0);
        let agrees = |before: &Compared| {
            let (moved, over) = (ahead_s.abs_diff(before.ahead_s), at.0.abs_diff(before.at.0));
            moved <= STEADY_S + drifted_s(over) && at >= before.at
        };
        let before = self.battery.filter(agrees);
        Compared {
            at,
            ahead_s,
            first: before.map_or((at, ahead_s), |before| before.first),
        }
    }

    fn by_battery(&self, shows: i64, boot_ms: u64) -> Option<Anchor> {
        let compared = self.battery.filter(Compared::is_steady)?;
        let at = shows.checked_sub(compared.ahead_s)?;
        let over = at.checked_sub(compared.at.0)?;
        let anchor = Anchor {
            at: UtcSeconds(at),
            boot_ms,
            source: ClockSource::Battery,
            off_s: BY_BATTERY_S + drifted_s(u64::try_from(over).ok()?),
        };
        (at >= self.latest.0 && anchor.is_believed(boot_ms)).then_some(anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn seen(s: i64, service: Option<i64>, battery: Option<i64>) -> Seen {
        Seen {
            boot_ms: u64::try_from(s).unwrap() * 1_000,
            service: service.map(UtcSeconds),
            battery,
        }
    }

    #[track_caller]
    fn check(kept: &Kept, s: i64, at: i64, within_s: u64, source: ClockSource) {
        let (anchor, ms) = (kept.anchor.unwrap(), u64::try_from(s).unwrap() * 1_000);
        let found = (anchor.now(ms).0, anchor.within_s(ms), anchor.source);
        assert_eq!(found, (at, within_s, source));
    }

    #[test]
    fn a_time_set_by_hand_is_believed_for_a_hundred_days() {
        let anchor = Anchor::by_hand(UtcSeconds(NOW), 0);
        let ms = |days: u64| days * 86_400_000;
        assert_eq!(
            (anchor.now(ms(10)).0, anchor.within_s(ms(10))),
            (NOW + 10 * DAY, 92)
        );
        assert!(anchor.is_believed(ms(103)) && !anchor.is_believed(ms(104)));
    }

    #[test]
    fn what_a_service_said_last_is_held() {
        let mut kept = Kept {
            anchor: Some(Anchor::by_hand(UtcSeconds(NOW - 500), 0)),
            ..Kept::default()
        };
        kept.look(&seen(100, Some(NOW), None));
        check(&kept, 100 + DAY, NOW + DAY, 1 + 9, ClockSource::Held);
        kept.look(&seen(100 + DAY, None, None));
        check(&kept, 100 + DAY, NOW + DAY, 1 + 9, ClockSource::Held);
    }

    #[test]
    fn it_is_written_down_every_quarter_of_an_hour() {
        let mut kept = Kept::default();
        let looks = (0..360).map(|ten_s| 10 * ten_s);
        let written = looks.filter(|s| kept.look(&seen(*s, Some(NOW + s), None)));
        assert_eq!(written.collect::<Vec<_>>(), [0, 900, 1_800, 2_700]);
        assert_eq!(kept.latest.0, NOW + 2_700);
    }

    /// Two comparisons with a battery-backed clock, then a new life of the machine `off` seconds later. What is believed then.
    fn after(aheads: [i64; 2], off: i64, shows: i64) -> Option<Anchor> {
        let mut kept = Kept::default();
        for (i, ahead) in aheads.into_iter().enumerate() {
            let s = 900 * i64::try_from(i).unwrap();
            kept.look(&seen(s, Some(NOW + s), Some(NOW + s + ahead)));
        }
        kept.anchor = None;
        kept.look(&seen(5, None, Some(NOW + 900 + off + shows)));
        kept.anchor
    }

    #[test]
    fn a_battery_backed_clock_is_believed_once_it_was_seen_steady() {
        let found = after([3_600, 3_601], DAY, 3_601).unwrap();
        let expected = (NOW + 900 + DAY, 2 + 9, ClockSource::Battery);
        assert_eq!((found.at.0, found.off_s, found.source), expected);
        assert_eq!(
            after([3_600, 0], DAY, 0),
            None,
            "the kernel has set it meanwhile"
        );
        assert_eq!(after([0, 0], DAY, -NOW - DAY), None, "its battery is empty");
        assert_eq!(
            after([0, 0], DAY, -DAY - 1),
            None,
            "below the latest time known"
        );
        assert!(after([0, 0], 100 * DAY, 0).is_some());
        assert_eq!(after([0, 0], 110 * DAY, 0), None, "too long ago");
        assert_eq!(after([0, 0], DAY, i64::MAX - NOW - 900 - DAY), None);
        let mut never = Kept::default();
        never.look(&seen(5, None, Some(NOW)));
        assert_eq!(never.anchor, None, "it was never compared");
    }

    #[test]
    fn a_battery_backed_clocks_drift_is_told_after_a_day() {
        let mut kept = Kept::default();
        for quarter in 0..=96 {
            let s = 900 * quarter;
            assert_eq!(kept.battery.and_then(|b| b.drift_ppm()), None);
            kept.look(&seen(s, Some(NOW + s), Some(NOW + s + s / 40_000)));
        }
        assert_eq!(kept.battery.and_then(|b| b.drift_ppm()), Some(23));
    }
}
