//! Counters in Prometheus text format. Names follow its conventions: unit last, `_total` for counters.

use crate::buses::Buses;
use crate::cycle::{Counts, Status, Storage};
use gateway_field::{Field, FieldStats};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// Everything that is counted, as of now.
pub fn text(status: &Status, field: &Field, buses: &Buses) -> String {
    let mut registry = Registry::with_prefix("prepaid_gateway");
    let (counts, stats) = (status.counts(), field.stats());
    for (name, help, value) in totals(&counts, &stats) {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    }
    for (name, help, value) in gauges(status, &stats) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let rejected = Family::<Reason, Counter>::default();
    for (reason, count) in counts.rejected.iter().chain(&stats.rejections) {
        let reason = Reason {
            reason: (*reason).into(),
        };
        rejected.get_or_create(&reason).inc_by(*count);
    }
    let help = "Frames, readings and connections refused, by reason";
    registry.register("rejected", help, rejected);
    buses.measure(&mut registry);
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

type Metric<T> = (&'static str, &'static str, T);

fn totals(counts: &Counts, stats: &FieldStats) -> [Metric<u64>; 9] {
    [
        (
            "readings_accepted",
            "Readings accepted and stored",
            counts.readings_accepted,
        ),
        ("records", "Decisions stored in the journal", counts.records),
        ("commits", "Transactions committed", counts.commits),
        (
            "commits_failed",
            "Transactions that could not be committed",
            counts.commits_failed,
        ),
        (
            "connections_accepted",
            "TCP connections accepted",
            stats.connections_accepted,
        ),
        (
            "broker_connections",
            "Connections to the external broker",
            stats.broker_connections,
        ),
        (
            "node_publishes",
            "Frames received from nodes",
            stats.node_publishes,
        ),
        (
            "downlinks_sent",
            "Frames sent to nodes",
            stats.downlinks_sent,
        ),
        (
            "site_publishes",
            "Messages received from site clients",
            stats.site_publishes,
        ),
    ]
}

fn gauges(status: &Status, stats: &FieldStats) -> [Metric<i64>; 4] {
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let trusted = status.clock_trusted().map_or(0, i64::from);
    let works = i64::from(status.storage() == Storage::Works);
    [
        (
            "connections_open",
            "Connections open now",
            count(stats.connections_open),
        ),
        (
            "nodes_connected",
            "Nodes connected now",
            count(stats.nodes_connected),
        ),
        ("clock_trusted", "1 if the clock is trusted", trusted),
        ("storage_works", "1 if the last commit worked", works),
    ]
}
