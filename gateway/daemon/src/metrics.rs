//! Counters in Prometheus text format. Names follow its conventions: unit last, `_total` for counters.

use crate::buses::Buses;
use crate::cycle::{Counts, Status, Storage};
use crate::notify::ChannelFacts;
use crate::power::PowerFacts;
use gateway_core::NodeId;
use gateway_field::{Field, FieldStats};
use gateway_web::backup::BackupFacts;
use gateway_web::clock::ClockFacts;
use gateway_web::{CardState, LinkFacts};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// Everything that is counted, as of now.
pub fn text(
    (status, clock, backup): (&Status, &ClockFacts, Option<BackupFacts>),
    field: &Field,
    buses: &Buses,
    links: &BTreeMap<NodeId, LinkFacts>,
    (cloud, channels): (&gateway_cloud::driver::Status, &[ChannelFacts]),
) -> String {
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
    card(&mut registry, status.card());
    power(&mut registry, status.power());
    let rejected = Family::<Reason, Counter>::default();
    for (reason, count) in counts.rejected.iter().chain(&stats.rejections) {
        let reason = Reason {
            reason: (*reason).into(),
        };
        rejected.get_or_create(&reason).inc_by(*count);
    }
    let help = "Frames, readings and connections refused, by reason";
    registry.register("rejected", help, rejected);
    of_clock(&mut registry, clock);
    of_backup(&mut registry, backup);
    buses.measure(&mut registry);
    meter_links(&mut registry, links);
    crate::cloud::metrics::register(&mut registry, cloud);
    crate::notify::metrics::register(&mut registry, channels);
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Meter {
    meter: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MeterError {
    meter: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Source {
    source: String,
}

/// When the last backup was made; nothing where none are wanted.
fn of_backup(registry: &mut Registry, backup: Option<BackupFacts>) {
    let Some(backup) = backup else { return };
    let (age, overdue): (Gauge, Gauge) = Default::default();
    age.set(i64::try_from(backup.age_s).unwrap_or(i64::MAX));
    overdue.set(backup.is_overdue.into());
    let help = "Time since the last good backup; since one was first wanted if there is none";
    registry.register("backup_age_seconds", help, age);
    let help = "1 if that is longer than the site allows";
    registry.register("backup_overdue", help, overdue);
}

/// How the time is known.
fn of_clock(registry: &mut Registry, clock: &ClockFacts) {
    let told = Family::<Source, Gauge>::default();
    let source = serde_json::to_value(clock.source).unwrap_or_default();
    let source = source.as_str().unwrap_or_default().to_owned();
    told.get_or_create(&Source { source }).set(1);
    registry.register("clock_source", "Who tells the time: 1 for that one", told);
    let mut gauge = |name, help, value: i64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let within = clock.within_s.unwrap_or(0);
    gauge(
        "clock_within_seconds",
        "How far off the time is at most where the gateway counts by itself",
        i64::try_from(within).unwrap_or(i64::MAX),
    );
    gauge(
        "clock_machine_ahead_seconds",
        "What the machine's own clock shows more",
        clock.machine.0.saturating_sub(clock.at.0),
    );
    if let Some(ahead) = clock.battery.and_then(|battery| battery.ahead_s) {
        gauge(
            "clock_battery_ahead_seconds",
            "What the battery-backed clock showed more when last compared",
            ahead,
        );
    }
}

type Seconds = Family<Meter, Gauge<f64, AtomicU64>>;

/// How well each meter is heard.
fn meter_links(registry: &mut Registry, links: &BTreeMap<NodeId, LinkFacts>) {
    let good = Family::<Meter, Counter>::default();
    let errors = Family::<MeterError, Counter>::default();
    let (latency, heard) = (Seconds::default(), Seconds::default());
    for (node, link) in links {
        let meter = Meter {
            meter: node.to_string(),
        };
        good.get_or_create(&meter).inc_by(link.good);
        for (kind, count) in &link.errors {
            let (meter, kind) = (node.to_string(), kind.clone());
            errors
                .get_or_create(&MeterError { meter, kind })
                .inc_by(*count);
        }
        if let Some(ms) = link.latency_ms {
            latency.get_or_create(&meter).set(f64::from(ms) / 1_000.0);
        }
        if let Some(ago) = link.heard_ago_s {
            let ago = u32::try_from(ago).unwrap_or(u32::MAX);
            heard.get_or_create(&meter).set(f64::from(ago));
        }
    }
    registry.register(
        "meter_answers",
        "Answers and messages of a meter used",
        good,
    );
    let help = "Answers and messages of a meter not used, or not come, by kind";
    registry.register("meter_errors", help, errors);
    let help = "Last time from a question to a meter to its answer";
    registry.register("meter_latency_seconds", help, latency);
    let help = "Time since a meter was heard";
    registry.register("meter_heard_seconds_ago", help, heard);
}

/// What the machine runs on; nothing where nobody watches that or nobody says.
fn power(registry: &mut Registry, power: Option<PowerFacts>) {
    let Some(power) = power else { return };
    let mut gauge = |name, help, value: i64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    };
    let whole = |value| i64::try_from(value).unwrap_or(i64::MAX);
    if let Some(mains) = power.mains {
        gauge("mains_present", "1 if the mains is there", mains.into());
        let help = "How long the machine has run on its battery";
        gauge("battery_seconds", help, whole(power.on_battery_s));
    }
    if let Some(took) = power.stored_after_ms {
        let help =
            "Milliseconds from the edge until everything was on disk, the last time the mains went";
        gauge("mains_lost_stored_after_ms", help, whole(took));
    }
    if let Some(left) = power.off_in_s {
        let help = "Time until the machine is switched off";
        gauge("machine_off_in_seconds", help, whole(left));
    }
}

/// How worn the memory card is.
fn card(registry: &mut Registry, card: Option<CardState>) {
    let Some(card) = card else { return };
    let written: Counter = Counter::default();
    written.inc_by(card.written);
    let help = "Bytes written to the card since this gateway first looked, over all starts";
    registry.register("card_written_bytes", help, written);
    let gauge = |registry: &mut Registry, name, help, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    let help = "Bytes the card is rated for";
    gauge(registry, "card_endurance_bytes", help, card.endurance);
    if let Some(a_day) = card.a_day {
        let help = "Bytes written to the card a day, over the last week or two";
        gauge(registry, "card_written_per_day_bytes", help, a_day);
    }
    if let Some(tenths) = card.years_left_tenths {
        let tenths = u32::try_from(tenths).unwrap_or(u32::MAX);
        let gauge: Gauge<f64, AtomicU64> = Gauge::default();
        gauge.set(f64::from(tenths) / 10.0);
        let help = "Years until the card is written as often as it is rated for";
        registry.register("card_left_years", help, gauge);
    }
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
