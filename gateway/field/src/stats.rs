//! Counters of the front end, readable at any time without stopping anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::rejection::Rejection;

/// A reading of all counters; totals count since start, gauges are of this moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldStats {
    /// TCP connections accepted since start, also those turned away at once.
    pub connections_accepted: u64,
    /// Times the external broker was connected since start.
    pub broker_connections: u64,
    /// Connections open now, authenticated or not; the one to an external broker once it works.
    pub connections_open: u64,
    /// Nodes connected now, without the self-test's node 0.
    pub nodes_connected: u64,
    /// Site clients connected now.
    pub site_clients_connected: u64,
    /// Publishes received from nodes since start.
    pub node_publishes: u64,
    /// Node publishes acknowledged (QoS 1) or accepted (QoS 0) since start.
    pub node_publishes_accepted: u64,
    /// Downlink messages written towards nodes since start.
    pub downlinks_sent: u64,
    /// Downlink messages replaced by newer ones before they were written.
    pub downlinks_replaced: u64,
    /// Publishes received from site clients since start, wills included.
    pub site_publishes: u64,
    /// Messages written towards site clients since start.
    pub site_deliveries: u64,
    /// Rejections since start by [`Rejection::reason`]; every reason is present, also at zero.
    pub rejections: BTreeMap<&'static str, u64>,
}

/// The live counters behind [`FieldStats`].
pub(crate) struct Counters {
    pub connections_accepted: AtomicU64,
    pub broker_connections: AtomicU64,
    pub node_publishes: AtomicU64,
    pub node_publishes_accepted: AtomicU64,
    pub downlinks_sent: AtomicU64,
    pub downlinks_replaced: AtomicU64,
    pub site_publishes: AtomicU64,
    pub site_deliveries: AtomicU64,
    rejections: Vec<AtomicU64>,
}

impl Counters {
    pub fn new() -> Self {
        Self {
            connections_accepted: AtomicU64::new(0),
            broker_connections: AtomicU64::new(0),
            node_publishes: AtomicU64::new(0),
            node_publishes_accepted: AtomicU64::new(0),
            downlinks_sent: AtomicU64::new(0),
            downlinks_replaced: AtomicU64::new(0),
            site_publishes: AtomicU64::new(0),
            site_deliveries: AtomicU64::new(0),
            rejections: Rejection::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub fn reject(&self, rejection: Rejection) {
        if let Some(counter) = self.rejections.get(rejection as usize) {
            bump(counter);
        }
    }

    /// Everything but the gauges, which their owners fill in.
    pub fn read(&self) -> FieldStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        FieldStats {
            connections_accepted: load(&self.connections_accepted),
            broker_connections: load(&self.broker_connections),
            node_publishes: load(&self.node_publishes),
            node_publishes_accepted: load(&self.node_publishes_accepted),
            downlinks_sent: load(&self.downlinks_sent),
            downlinks_replaced: load(&self.downlinks_replaced),
            site_publishes: load(&self.site_publishes),
            site_deliveries: load(&self.site_deliveries),
            rejections: Rejection::ALL
                .iter()
                .zip(&self.rejections)
                .map(|(rejection, counter)| (rejection.reason(), load(counter)))
                .collect(),
            ..FieldStats::default()
        }
    }
}

/// Adds one.
pub(crate) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
