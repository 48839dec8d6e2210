//! How the link is doing, shared with the page, the command line and the metrics.

use crate::message::Refused;
use gateway_core::UtcSeconds;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How the link is doing, for people and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The broker, if there is one.
    pub broker: Option<String>,
    /// The head-end's public key, once enrolled.
    pub cloud_key: Option<String>,
    /// Whether the broker is connected.
    pub is_connected: bool,
    /// Whether the head-end accepts this gateway on this connection.
    pub is_accepted: bool,
    /// Why it refuses it.
    pub refused: Option<Refused>,
    /// Why there is no connection, in words.
    pub trouble: Option<String>,
    /// When the head-end was heard last; 0: never.
    pub heard_at: UtcSeconds,
    /// Last journal row and profile moment acknowledged.
    pub acknowledged: (u64, u64),
    /// Rows that the head-end has not acknowledged, of the journal and the profile, as of a few seconds ago.
    pub backlog: (u64, u64),
    /// Usage points, to divide by.
    pub usage_points: u32,
    /// Bytes published today and the day before (UTC).
    pub bytes: (u64, u64),
    /// Orders taken since the start, by outcome; and payloads dropped, by reason.
    pub counts: BTreeMap<String, u64>,
}

/// Shared with the page and the metrics.
#[derive(Debug, Default)]
pub struct StatusBox(Mutex<Status>);

impl Status {
    /// Bytes published for each usage point today and the day before.
    #[must_use]
    pub fn bytes_per_usage_point(&self) -> (u64, u64) {
        let points = u64::from(self.usage_points.max(1));
        (self.bytes.0 / points, self.bytes.1 / points)
    }
}

impl StatusBox {
    /// The status now.
    pub fn read(&self) -> Status {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn count(&self, what: &str) {
        self.change(|status| *status.counts.entry(what.into()).or_default() += 1);
    }
}
