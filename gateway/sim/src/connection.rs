//! The MQTT connection of one node: made, kept, made again.
//!
//! Decided here: when to connect again. Not decided here: what is sent (that is the node).
//!
//! Every connection gets a client of its own, so nothing of the last one (packet identifiers,
//! queued frames) reaches into the next.

use crate::random::Random;
use crate::world::{Slot, World};
use prepaid_common::wire::{MqttName, topic_down};
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS, SubscribeReasonCode,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// As an ESP8266 keeps it: seldom enough for a quiet radio.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// First and longest pause before a new attempt.
const FIRST_PAUSE_MS: u32 = 100;
const LONGEST_PAUSE_MS: u32 = 2_000;
/// Frames between the node and its socket. A node has few frames open at a time.
const QUEUE: usize = 16;
/// The first connections spread over this many milliseconds for each hundred nodes.
const SPREAD_MS_PER_HUNDRED: usize = 200;
/// Time to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);

/// Whether a connection ended, and how.
enum Ended {
    Refused,
    Lost,
    Here,
}

/// Connects, and connects again until the neighbourhood stops.
pub(crate) async fn keep(slot: Arc<Slot>, world: Arc<World>, mut stop: watch::Receiver<bool>) {
    let mut random = Random::from_noise();
    let spread_ms = world.slots.len() * SPREAD_MS_PER_HUNDRED / 100;
    let mut pause_ms = random.between(0, u32::try_from(spread_ms).unwrap_or(u32::MAX));
    let mut longest_ms = FIRST_PAUSE_MS;
    loop {
        tokio::select! {
            () = sleep(Duration::from_millis(u64::from(pause_ms))) => {}
            () = told_to(&mut stop) => return,
        }
        if slot.device().meter.has_power() {
            let (ended, worked) = connect(&slot, &world, &mut stop).await;
            let mut device = slot.device();
            device.uplink.close();
            device.meter.connection(false);
            match ended {
                Ended::Refused => device.uplink.tally.connections_refused += 1,
                Ended::Lost => device.uplink.tally.connections_lost += 1,
                Ended::Here => {}
            }
            if worked {
                longest_ms = FIRST_PAUSE_MS;
            }
        }
        pause_ms = random.between(longest_ms / 2, longest_ms);
        longest_ms = (longest_ms * 2).min(LONGEST_PAUSE_MS);
    }
}

/// Waits until the neighbourhood stops, or is gone.
pub(crate) async fn told_to(stop: &mut watch::Receiver<bool>) {
    let _stopped = stop.wait_for(|stop| *stop).await;
}

/// One connection, and whether it got as far as its subscription.
async fn connect(slot: &Slot, world: &World, stop: &mut watch::Receiver<bool>) -> (Ended, bool) {
    let (client, mut eventloop) = AsyncClient::new(options(slot, world.broker), QUEUE);
    // A PUBACK that waits for Nagle's algorithm would be measured as the gateway's.
    eventloop.network_options.set_tcp_nodelay(true);
    let mut worked = false;
    loop {
        tokio::select! {
            () = slot.cut.notified() => return (Ended::Here, worked),
            () = told_to(stop) => {
                say_goodbye(&client, &mut eventloop).await;
                return (Ended::Here, worked);
            }
            event = eventloop.poll() => match event {
                Ok(event) => match handle(event, &client, slot, world) {
                    Ok(subscribed) => worked |= subscribed,
                    Err(ended) => return (ended, worked),
                },
                Err(rumqttc::ConnectionError::ConnectionRefused(code)) => {
                    log::debug!(node = slot.node.0; "connection refused: {code:?}");
                    return (Ended::Refused, worked);
                }
                Err(error) => {
                    log::debug!(node = slot.node.0; "connection lost: {error}");
                    return (Ended::Lost, worked);
                }
            }
        }
    }
}

/// Acts on one event; true when it was the subscription.
fn handle(event: Event, client: &AsyncClient, slot: &Slot, world: &World) -> Result<bool, Ended> {
    match event {
        Event::Incoming(Packet::ConnAck(_)) => client
            .try_subscribe(topic_down(slot.node).to_string(), QoS::AtLeastOnce)
            .map_err(|_| Ended::Lost)?,
        Event::Incoming(Packet::SubAck(answer)) => {
            if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                return Err(Ended::Refused);
            }
            let mut device = slot.device();
            device.uplink.open(client.clone());
            device.meter.connection(true);
            device.transmit();
            return Ok(true);
        }
        Event::Incoming(Packet::Publish(publish)) => {
            let change = slot.device().received(&publish.payload);
            if let Some(change) = change {
                world.announce(slot.node, change, Duration::ZERO);
            }
        }
        Event::Incoming(Packet::PubAck(answer)) => slot.device().acknowledged(answer.pkid),
        Event::Outgoing(Outgoing::Publish(packet)) => slot.device().uplink.assigned(packet),
        _ => {}
    }
    Ok(false)
}

async fn say_goodbye(client: &AsyncClient, eventloop: &mut EventLoop) {
    if client.try_disconnect().is_err() {
        return;
    }
    let gone = async {
        while let Ok(event) = eventloop.poll().await {
            if event == Event::Outgoing(Outgoing::Disconnect) {
                return;
            }
        }
    };
    // After half a second the connection is dropped without a word, as in a power cut.
    let _gone = timeout(GOODBYE, gone).await;
}

fn options(slot: &Slot, broker: SocketAddr) -> MqttOptions {
    let host = match broker {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    };
    let name = MqttName(slot.node).to_string();
    let mut options = MqttOptions::new(&name, host, broker.port());
    options
        .set_credentials(name, slot.password.clone())
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true);
    options
}
