//! How the channels are doing, in Prometheus' terms and for the page.

use super::ChannelFacts;
use gateway_web::NoticeChannel;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Channel {
    channel: String,
}

type Counters = Family<Channel, Counter>;
type Gauges = Family<Channel, Gauge>;

/// Adds what is counted of the channels; nothing at a site that tells nobody.
pub fn register(registry: &mut Registry, channels: &[ChannelFacts]) {
    if channels.is_empty() {
        return;
    }
    let (told, given_up, failed) = (
        Counters::default(),
        Counters::default(),
        Counters::default(),
    );
    let (waiting, since) = (Gauges::default(), Gauges::default());
    for facts in channels {
        let channel = Channel {
            channel: facts.channel.clone(),
        };
        told.get_or_create(&channel).inc_by(facts.told);
        given_up.get_or_create(&channel).inc_by(facts.given_up);
        failed.get_or_create(&channel).inc_by(facts.failed_ever);
        let count = i64::try_from(facts.waiting).unwrap_or(i64::MAX);
        waiting.get_or_create(&channel).set(count);
        since.get_or_create(&channel).set(facts.waiting_since.0);
    }
    let mut counter = |name, help, counters| registry.register(name, help, counters);
    counter("notices_told", "Notices the other side has taken", told);
    counter(
        "notices_given_up",
        "Notices given up: refused for good, or too old",
        given_up,
    );
    counter(
        "notices_failed_tries",
        "Tries to tell that failed, since the start",
        failed,
    );
    registry.register("notices_waiting", "Notices not told yet", waiting);
    let help = "When the oldest notice that waits was decided; 0: none waits";
    registry.register("notices_waiting_since_timestamp_seconds", help, since);
}

/// The same for the page.
pub fn state(channels: Vec<ChannelFacts>) -> Vec<NoticeChannel> {
    let state = |facts: ChannelFacts| NoticeChannel {
        name: facts.channel,
        told: facts.told,
        given_up: facts.given_up,
        waiting: facts.waiting,
        trouble: facts.trouble,
    };
    channels.into_iter().map(state).collect()
}
