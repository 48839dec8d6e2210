//! Clock and load profile: the register at each full half-hour, kept until the gateway has it.

use prepaid_common::wire::{INTERVAL_SECONDS, Intervals, MAX_ADVANCES, TimeSignal};
use prepaid_common::{UtcSeconds, WattHours};

/// Intervals kept in RAM: a day of half-hours. Older ones are forgotten, newest register first to
/// stay.
pub const KEPT_INTERVALS: usize = 48;

/// A correction of the clock up to this many seconds keeps the profile; beyond it, the stamps were
/// wrong and the profile begins anew. Half an interval: a ceramic resonator (0.5 %) drifts 7
/// minutes in the day the profile covers.
pub const MAX_CLOCK_CORRECTION_S: u32 = INTERVAL_SECONDS / 2;

#[derive(Default)]
pub(crate) struct Profile {
    /// UTC seconds, and milliseconds beyond; `None` until the gateway told.
    clock: Option<(u32, u32)>,
    /// Full intervals since 1970 that the profile has seen the end of; `None` before the first.
    slot: Option<u32>,
    newest: WattHours,
    has_newest: bool,
    advances: Ring,
    /// Interval ends the gateway has not acknowledged, newest ones.
    unacknowledged: u8,
}

struct Ring {
    values: [u16; KEPT_INTERVALS],
    count: u8,
}

impl Default for Ring {
    fn default() -> Self {
        Self {
            values: [0; KEPT_INTERVALS],
            count: 0,
        }
    }
}

impl Profile {
    pub fn is_clock_set(&self) -> bool {
        self.clock.is_some()
    }

    pub fn utc(&self) -> Option<UtcSeconds> {
        self.clock
            .map(|(seconds, _)| UtcSeconds(i64::from(seconds)))
    }

    /// Lets the clock run and closes an interval when its end is reached.
    pub fn run(&mut self, elapsed_ms: u32, register: WattHours) {
        let Some((seconds, milliseconds)) = self.clock else {
            return;
        };
        let total_ms = milliseconds.saturating_add(elapsed_ms);
        let seconds = seconds.saturating_add(total_ms / 1000);
        self.clock = Some((seconds, total_ms % 1000));
        self.reach(seconds / INTERVAL_SECONDS, register);
    }

    /// Sets the clock; a time that is not trusted changes nothing.
    pub fn set(&mut self, time: TimeSignal, register: WattHours) {
        let Ok(utc) = u32::try_from(time.utc.0) else {
            return;
        };
        if !time.trusted {
            return;
        }
        let kept = self
            .clock
            .is_some_and(|(seconds, _)| seconds.abs_diff(utc) <= MAX_CLOCK_CORRECTION_S);
        if !kept {
            *self = Self {
                slot: Some(utc / INTERVAL_SECONDS),
                ..Self::default()
            };
        }
        let milliseconds = self
            .clock
            .filter(|(seconds, _)| *seconds == utc)
            .map_or(0, |c| c.1);
        self.clock = Some((utc, milliseconds));
        self.reach(utc / INTERVAL_SECONDS, register);
    }

    fn reach(&mut self, slot: u32, register: WattHours) {
        let Some(current) = self.slot else { return };
        // A clock set back by a little stays in the interval it has closed already.
        if slot <= current {
            return;
        }
        let advance = register.0.saturating_sub(self.newest.0);
        match (slot - current, u16::try_from(advance)) {
            (1, Ok(advance)) if self.has_newest => self.advances.push(advance),
            _ => {
                self.advances.count = 0;
                self.unacknowledged = 0;
            }
        }
        self.slot = Some(slot);
        self.newest = register;
        self.has_newest = true;
        self.unacknowledged = (self.unacknowledged + 1).min(self.advances.count + 1);
    }

    /// The oldest run of interval ends that the gateway has not acknowledged.
    pub fn pending(&self) -> Option<Intervals> {
        let oldest = self.unacknowledged.checked_sub(1)?;
        let longest = u8::try_from(MAX_ADVANCES).unwrap_or(u8::MAX);
        let first = oldest.saturating_sub(longest);
        let mut register = self.newest.0;
        for index in 0..first {
            register = register.saturating_sub(u64::from(self.advances.get(index)));
        }
        let end = (self.slot? - u32::from(first)) * INTERVAL_SECONDS;
        let mut intervals = Intervals::new(UtcSeconds(i64::from(end)), WattHours(register));
        for index in first..oldest {
            intervals.push(self.advances.get(index));
        }
        Some(intervals)
    }

    /// The gateway has stored everything up to the interval that ended at `end`.
    pub fn acknowledge(&mut self, end: UtcSeconds) {
        let Some(slot) = self.slot else { return };
        let Ok(end) = u32::try_from(end.0) else {
            return;
        };
        let newer = slot.saturating_sub(end / INTERVAL_SECONDS);
        self.unacknowledged = self
            .unacknowledged
            .min(u8::try_from(newer).unwrap_or(u8::MAX));
    }
}

impl Ring {
    fn push(&mut self, advance: u16) {
        self.values.rotate_right(1);
        self.values[0] = advance;
        self.count = (self.count + 1).min(u8::try_from(KEPT_INTERVALS).unwrap_or(u8::MAX));
    }

    /// Newest first; 0 beyond what is kept.
    fn get(&self, index: u8) -> u16 {
        self.values.get(usize::from(index)).copied().unwrap_or(0)
    }
}
