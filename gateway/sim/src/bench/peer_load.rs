//! The same number of connections, rate and payload as on our gateway, into a broker of somebody else.

use super::Load;
use super::peer_meter::{PeerMeter, PeerTally};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The step of the world, as in the neighbourhood.
const TICK: Duration = Duration::from_millis(50);
/// Before the first reading: time to connect.
const HEAD_START: Duration = Duration::from_secs(5);
/// After the last reading: time for acknowledgements and switches.
const TAIL: Duration = Duration::from_secs(2);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(500);
/// The first connections spread over so much for each of them.
const SPREAD: Duration = Duration::from_millis(2);

type Meter = Arc<Mutex<PeerMeter>>;

/// Runs the load against `broker` and returns what the meters counted.
pub async fn run(load: &Load, payload: usize, broker: SocketAddr) -> PeerTally {
    let start = Instant::now() + HEAD_START;
    let end = start + load.length;
    let meters: Vec<Meter> = (0..load.nodes)
        .map(|index| Arc::new(Mutex::new(PeerMeter::new(index, load, start))))
        .collect();
    let mut connections = JoinSet::new();
    for (meter, number) in meters.iter().zip(0..) {
        connections.spawn(keep(meter.clone(), broker, SPREAD * number));
    }
    let mut ticks = tokio::time::interval(TICK);
    let mut reached = start;
    while reached < end + TAIL {
        ticks.tick().await;
        while reached + TICK <= Instant::now() {
            reached += TICK;
            for meter in &meters {
                lock(meter).run(TICK, reached, load, payload, end);
            }
        }
    }
    connections.shutdown().await;
    let mut sum = PeerTally::default();
    meters.iter().for_each(|meter| lock(meter).add_to(&mut sum));
    sum
}

async fn keep(meter: Meter, broker: SocketAddr, delay: Duration) {
    tokio::time::sleep(delay).await;
    loop {
        connect(&meter, broker).await;
        lock(&meter).connection(None, true);
        tokio::time::sleep(PAUSE).await;
    }
}

/// One connection, until it ends.
async fn connect(meter: &Meter, broker: SocketAddr) {
    let name = lock(meter).name().to_owned();
    let mut options = MqttOptions::new(&name, broker.ip().to_string(), broker.port());
    options
        .set_keep_alive(Duration::from_secs(60))
        .set_clean_session(true);
    let (client, mut eventloop) = AsyncClient::new(options, 16);
    eventloop.network_options.set_tcp_nodelay(true);
    while let Ok(event) = eventloop.poll().await {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                let topic = format!("meters/{name}/switch");
                if client.try_subscribe(topic, QoS::AtLeastOnce).is_err() {
                    return;
                }
            }
            Event::Incoming(Packet::SubAck(_)) => {
                lock(meter).connection(Some(client.clone()), false);
            }
            Event::Incoming(Packet::Publish(publish)) => {
                lock(meter).switch(publish.payload == "on")
            }
            Event::Incoming(Packet::PubAck(answer)) => lock(meter).acknowledged(answer.pkid),
            Event::Outgoing(Outgoing::Publish(packet)) => lock(meter).assigned(packet),
            _ => {}
        }
    }
}

fn lock(meter: &Mutex<PeerMeter>) -> MutexGuard<'_, PeerMeter> {
    meter.lock().unwrap_or_else(PoisonError::into_inner)
}
