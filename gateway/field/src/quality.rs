//! How well each meter is heard: one small record for every kind of link, filled by its driver, read by page, command line and metrics.
//!
//! Decided here: what is counted. Not decided here: what a driver takes for an error ([`crate::modbus::BusError`],
//! [`crate::devices::DeviceRejection`]) and how it says what the counts mean.

use gateway_core::NodeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A slowest turnaround is forgotten by halves after so many good messages, so that one bad minute does not stay for months.
const FORGET_AFTER: u64 = 64;

/// What is known of one meter's link since the gateway was started.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkQuality {
    /// Answers or messages that were used.
    pub good: u64,
    /// What was not, by kind; the names are label values of the metrics.
    pub errors: BTreeMap<&'static str, u64>,
    /// Last time from a question to its answer, in milliseconds; `None` where nothing is asked.
    pub latency_ms: Option<u32>,
    /// Slowest such time lately, in milliseconds.
    pub slowest_ms: Option<u32>,
    /// When it was last heard, in milliseconds since the start.
    pub heard_ms: Option<u64>,
    /// What all this means, for an installer.
    pub words: String,
}

impl LinkQuality {
    /// Counts something that was used; with the time it took if it answers a question.
    pub fn good(&mut self, now_ms: u64, latency_ms: Option<u64>) {
        self.good += 1;
        self.heard_ms = Some(now_ms);
        if self.good.is_multiple_of(FORGET_AFTER) {
            self.slowest_ms = self.slowest_ms.map(|slowest| slowest / 2);
        }
        if let Some(latency) = latency_ms {
            self.took(latency);
        }
    }

    /// A question was answered after so long.
    pub fn took(&mut self, latency_ms: u64) {
        let latency = u32::try_from(latency_ms).unwrap_or(u32::MAX);
        self.latency_ms = Some(latency);
        self.slowest_ms = self.slowest_ms.max(Some(latency));
    }

    /// Counts something that was not used, or did not come.
    pub fn error(&mut self, kind: &'static str) {
        *self.errors.entry(kind).or_default() += 1;
    }

    /// How often an error was counted.
    #[must_use]
    pub fn count(&self, kind: &str) -> u64 {
        self.errors.get(kind).copied().unwrap_or_default()
    }

    /// Share of an error in everything counted, in percent, rounded down.
    #[must_use]
    pub fn percent(&self, kind: &str) -> u64 {
        let all = self.good.saturating_add(self.errors.values().sum());
        self.count(kind).saturating_mul(100) / all.max(1)
    }
}

/// The links of all meters, shared between drivers and whoever shows them.
#[derive(Debug, Clone, Default)]
pub struct LinkBoard(Arc<Mutex<BTreeMap<NodeId, LinkQuality>>>);

impl LinkBoard {
    /// Puts down what a driver knows of a meter.
    pub fn set(&self, node: NodeId, quality: LinkQuality) {
        self.lock().insert(node, quality);
    }

    /// Takes a meter away that is no longer in use.
    pub fn remove(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    /// Everything known now.
    #[must_use]
    pub fn all(&self) -> BTreeMap<NodeId, LinkQuality> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, LinkQuality>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
