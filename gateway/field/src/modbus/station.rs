//! One address on a bus: how long it may take, how well it answers, and when it may be asked again.

use super::{BusError, Patience, Quality, rest};
use std::time::Duration;

/// An address. Whoever shares it (a meter and the relay inside) shares its silence and its rest.
#[derive(Debug, Clone)]
pub(super) struct Station {
    patience: Patience,
    pub(super) quality: Quality,
    /// Silence it needs between two requests.
    pub(super) gap: Duration,
    free_at: u64,
}

impl Station {
    pub(super) fn new(longest_answer: Duration) -> Self {
        Self {
            patience: Patience::new(longest_answer),
            quality: Quality::default(),
            gap: Duration::ZERO,
            free_at: 0,
        }
    }

    /// Longest turnaround it is granted.
    pub(super) fn allowed(&self) -> Duration {
        self.patience.allowed()
    }

    /// When it may be asked again.
    pub(super) fn free_at(&self) -> u64 {
        self.free_at
    }

    /// Takes note of an exchange that has just ended. A meter that does not answer rests, longer each time; its neighbours wait for it
    /// once per rest, not once per round.
    pub(super) fn note(&mut self, now_ms: u64, result: Result<Duration, &BusError>) {
        self.free_at = now_ms + milliseconds(self.gap);
        self.quality.count(result.map(|_| ()));
        match result {
            Ok(turnaround) => self.patience.answered(turnaround),
            Err(error) => {
                // Noise is asked again at once, a few times.
                let again = error.is_noise() && self.quality.missed_in_a_row <= AGAIN;
                if !again {
                    self.free_at = now_ms + milliseconds(rest(self.quality.missed_in_a_row));
                }
                if matches!(error, BusError::NoReply) {
                    self.patience.missed();
                }
            }
        }
        self.quality.turnaround = self.patience.slowest().unwrap_or_default();
    }

    /// The last failure was no fault of the line.
    pub(super) fn forgive(&mut self, now_ms: u64) {
        self.quality.missed_in_a_row = 0;
        self.free_at = now_ms + milliseconds(self.gap);
    }
}

/// How often a request is repeated at once when its answer was garbled.
pub(super) const AGAIN: u32 = 2;

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
