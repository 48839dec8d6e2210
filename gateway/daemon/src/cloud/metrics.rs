//! How the link is, in Prometheus' terms and for the page.

use gateway_cloud::driver::Status;
use gateway_web::CloudState;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stream {
    stream: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: String,
}

/// Adds what is counted of the link; nothing at a site that has no head-end.
pub fn register(registry: &mut Registry, status: &Status) {
    if status.cloud_key.is_none() {
        return;
    }
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let (today, yesterday) = status.bytes_per_usage_point();
    for (name, help, value) in [
        (
            "cloud_connected",
            "1 if the head-end's broker is connected",
            i64::from(status.is_connected),
        ),
        (
            "cloud_accepted",
            "1 if the head-end accepts this gateway",
            i64::from(status.is_accepted),
        ),
        (
            "cloud_last_contact_timestamp_seconds",
            "When the head-end was heard last",
            status.heard_at.0,
        ),
        (
            "cloud_published_today_bytes",
            "Bytes published to the head-end today (UTC)",
            whole(status.bytes.0),
        ),
        (
            "cloud_published_yesterday_bytes",
            "Bytes published to the head-end the day before",
            whole(status.bytes.1),
        ),
        (
            "cloud_per_usage_point_today_bytes",
            "Bytes published today for each usage point",
            whole(today),
        ),
        (
            "cloud_per_usage_point_yesterday_bytes",
            "Bytes published the day before for each usage point",
            whole(yesterday),
        ),
    ] {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
    let backlog = Family::<Stream, Gauge>::default();
    for (stream, rows) in [("journal", status.backlog.0), ("profile", status.backlog.1)] {
        backlog.get_or_create(&Stream { stream }).set(whole(rows));
    }
    let help = "Rows the head-end has not acknowledged, by stream";
    registry.register("cloud_backlog_rows", help, backlog);
    let orders = Family::<Outcome, Counter>::default();
    for (outcome, count) in &status.counts {
        let outcome = outcome.clone();
        orders.get_or_create(&Outcome { outcome }).inc_by(*count);
    }
    let help = "Orders since the start by outcome; dropped: what was not genuine";
    registry.register("cloud_orders", help, orders);
}

/// The same for the page.
pub fn state(status: &Status) -> Option<CloudState> {
    status.cloud_key.as_ref()?;
    let (is_well, words) = match (status.refused, status.is_accepted, status.is_connected) {
        (Some(_), ..) => (false, "refused"),
        (None, true, _) => (true, "connected"),
        (None, false, true) => (false, "not answered yet"),
        (None, false, false) => (false, "not connected"),
    };
    Some(CloudState {
        is_well,
        words,
        trouble: status.trouble.clone().filter(|_| !is_well),
        heard_at: status.heard_at,
        backlog: status.backlog,
        bytes_per_usage_point: status.bytes_per_usage_point(),
    })
}
