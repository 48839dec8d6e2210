//! The memory of used tokens.
//!
//! Decided here: USED and OLD. The highest [`REMEMBERED`] identifiers used are kept; when they are full, a token issued
//! before the lowest of them is OLD. Invariant: an identifier that was used is never free again until the memory is
//! cleared.

use super::{Rejection, Tid};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Token identifiers kept for each usage point. Meters keep 50; twice that and more lets a season's tokens be entered
/// in any order, in half a kilobyte.
pub const REMEMBERED: usize = 128;

/// Identifiers used, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    used: Vec<Tid>,
    /// Everything up to here is OLD, whatever was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    old_up_to: Option<Tid>,
}

impl Memory {
    /// Whether a token may be used.
    pub(super) fn judge(&self, tid: Tid) -> Result<(), Rejection> {
        if self.old_up_to.is_some_and(|floor| tid <= floor) {
            return Err(Rejection::Old);
        }
        self.judge_again(tid)
    }

    /// Whether a token whose use is on record elsewhere may be used again here: that it was refused up to an identifier does not matter.
    pub(super) fn judge_again(&self, tid: Tid) -> Result<(), Rejection> {
        let full = self.used.len() >= REMEMBERED;
        if full && self.used.first().is_some_and(|oldest| tid < *oldest) {
            return Err(Rejection::Old);
        }
        if self.used.contains(&tid) {
            return Err(Rejection::Used);
        }
        Ok(())
    }

    pub(super) fn record(&mut self, tid: Tid) {
        if let Err(place) = self.used.binary_search(&tid) {
            self.used.insert(place, tid);
        }
        let excess = self.used.len().saturating_sub(REMEMBERED);
        self.used.drain(..excess);
    }

    /// Treats everything issued up to an identifier as OLD.
    pub(super) fn refuse_up_to(&mut self, tid: Tid) {
        self.old_up_to = self.old_up_to.max(Some(tid));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Identifiers remembered, in ascending order.
    #[must_use]
    pub fn used(&self) -> &[Tid] {
        &self.used
    }
}
