//! The lock after wrong entries.
//!
//! Decided here: when entries are not looked at. Two wrong entries are free; the third locks for 10 s, each further one for
//! twice as long as the one before, at most 1,280 s. A token that was used up or a key change ends it; nothing else does,
//! in particular no restart. Invariant: a clock that runs backwards never lengthens a lock beyond its own duration
//! after the next entry.

use crate::UtcSeconds;
use serde::{Deserialize, Serialize};

/// Wrong entries that lock nothing: a slip and another slip.
const FREE: u32 = 2;
const FIRST_LOCK_S: u32 = 10;
const LONGEST_LOCK_S: u32 = 1_280;

/// Wrong entries since the last good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lockout {
    wrong_entries: u32,
    last: UtcSeconds,
}

impl Lockout {
    /// Seconds to wait, 0 if entries are looked at.
    #[must_use]
    pub fn wait_s(&self, now: UtcSeconds) -> u32 {
        let duration = self.duration_s();
        let elapsed = u32::try_from(now.seconds_since(self.last)).unwrap_or(u32::MAX);
        duration.saturating_sub(elapsed)
    }

    /// Wrong entries since the last good one.
    #[must_use]
    pub fn wrong_entries(&self) -> u32 {
        self.wrong_entries
    }

    fn duration_s(&self) -> u32 {
        match self.wrong_entries.checked_sub(FREE + 1) {
            None => 0,
            Some(doublings) => {
                FIRST_LOCK_S << doublings.min(LONGEST_LOCK_S.ilog2() - FIRST_LOCK_S.ilog2())
            }
        }
    }

    pub(super) fn wrong(&mut self, at: UtcSeconds) {
        self.wrong_entries = self.wrong_entries.saturating_add(1);
        self.last = at;
    }

    /// An entry while locked: if the clock went back behind the lock's beginning, the lock begins now.
    pub(super) fn waited(&mut self, at: UtcSeconds) {
        self.last = self.last.min(at);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
