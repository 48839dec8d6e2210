//! Counters in Prometheus text format. Names follow its conventions: unit last, `_total` for counters.

use crate::cycle::{Status, Storage};
use gateway_field::Field;
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
pub fn text(status: &Status, field: &Field) -> String {
    let mut registry = Registry::with_prefix("prepaid_gateway");
    let (counts, stats) = (status.counts(), field.stats());
    let mut total = |name: &str, help: &str, value: u64| {
        let counter: Counter = Counter::default();
        counter.inc_by(value);
        registry.register(name, help, counter);
    };
    total(
        "readings_accepted",
        "Readings accepted and stored",
        counts.readings_accepted,
    );
    total("records", "Decisions stored in the journal", counts.records);
    total("commits", "Transactions committed", counts.commits);
    total(
        "commits_failed",
        "Transactions that could not be committed",
        counts.commits_failed,
    );
    total(
        "connections_accepted",
        "TCP connections accepted",
        stats.connections_accepted,
    );
    total(
        "broker_connections",
        "Connections made to the external broker",
        stats.broker_connections,
    );
    total(
        "node_publishes",
        "Frames received from nodes",
        stats.node_publishes,
    );
    total(
        "downlinks_sent",
        "Frames sent to nodes",
        stats.downlinks_sent,
    );
    total(
        "site_publishes",
        "Messages received from site clients",
        stats.site_publishes,
    );
    let rejected = Family::<Reason, Counter>::default();
    let reasons = counts.rejected.iter().chain(&stats.rejections);
    for (reason, count) in reasons {
        rejected
            .get_or_create(&Reason {
                reason: (*reason).into(),
            })
            .inc_by(*count);
    }
    registry.register(
        "rejected",
        "Frames, readings and connections refused, by reason",
        rejected,
    );
    let mut gauge = |name: &str, help: &str, value: i64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    gauge(
        "connections_open",
        "Connections open now",
        count(stats.connections_open),
    );
    gauge(
        "nodes_connected",
        "Nodes connected now",
        count(stats.nodes_connected),
    );
    gauge(
        "clock_trusted",
        "1 if the clock is trusted",
        status.clock_trusted().map_or(0, i64::from),
    );
    gauge(
        "storage_works",
        "1 if the last commit worked",
        i64::from(status.storage() == Storage::Works),
    );
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
