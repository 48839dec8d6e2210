//! One connection: MQTT 3.1.1 or 5, the same to look at.
//!
//! The client's event loop runs in a task of its own, so that no poll is ever given up half-way; what it hears goes into a bounded queue.

use super::endpoint::{Endpoint, Protocol};
use rumqttc::v5;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// TCP, TLS, CONNECT and CONNACK together: seconds of a link with 3 s of latency.
const CONNECTING_S: u64 = 30;
/// A broker that is gone without a word is noticed after two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Requests to the client: a window of rows, receipts, status.
const REQUESTS: usize = 64;
/// Messages that wait to be looked at; beyond it the socket is not read.
const HEARD: usize = 256;
/// Largest packet taken: an order with a tariff of a thousand blocks.
const LARGEST_IN: usize = 256 * 1024;
/// Room for topic and header beside a payload.
const PACKET_ROOM: usize = 512;

/// What happened.
#[derive(Debug)]
pub enum Happened {
    /// The subscription stands.
    Ready,
    /// A message: topic and payload.
    Message(String, Vec<u8>),
    /// The connection has ended, with the reason.
    Ended(String),
}

enum Client {
    V4(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// A connection. Dropping it ends it, with all it had queued.
pub struct Link {
    client: Client,
    heard: mpsc::Receiver<Happened>,
    task: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Begins to connect; [`Happened::Ready`] comes when it stands. `will` is published, retained, when it breaks.
    pub fn open(
        endpoint: &Endpoint,
        client_id: &str,
        filter: String,
        will: Option<(String, Vec<u8>)>,
    ) -> Self {
        let (tell, heard) = mpsc::channel(HEARD);
        let (client, task) = match endpoint.protocol {
            Protocol::V4 => open_v4(endpoint, client_id, filter, will, tell),
            Protocol::V5 => open_v5(endpoint, client_id, filter, will, tell),
        };
        Self {
            client,
            heard,
            task,
        }
    }

    /// What happens next. May be given up.
    pub async fn next(&mut self) -> Happened {
        let gone = || Happened::Ended("the client stopped".into());
        self.heard.recv().await.unwrap_or_else(gone)
    }

    /// Publishes at QoS 1; false: the client takes no more.
    pub fn publish(&self, topic: String, retain: bool, payload: Vec<u8>) -> bool {
        match &self.client {
            Client::V4(client) => client
                .try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload)
                .is_ok(),
            Client::V5(client) => client
                .try_publish(topic, v5::mqttbytes::QoS::AtLeastOnce, retain, payload)
                .is_ok(),
        }
    }

    /// Says goodbye, so that no will is published.
    pub fn leave(&self) {
        let _ = match &self.client {
            Client::V4(client) => client.try_disconnect().is_ok(),
            Client::V5(client) => client.try_disconnect().is_ok(),
        };
    }
}

fn open_v4(
    endpoint: &Endpoint,
    client_id: &str,
    filter: String,
    will: Option<(String, Vec<u8>)>,
    tell: mpsc::Sender<Happened>,
) -> (Client, JoinHandle<()>) {
    use rumqttc::{Event, LastWill, MqttOptions, Packet, QoS, SubscribeReasonCode, Transport};
    let mut options = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_max_packet_size(LARGEST_IN, endpoint.largest_message + PACKET_ROOM);
    if let Some((user, password)) = &endpoint.login {
        options.set_credentials(user, password);
    }
    if let Some((topic, payload)) = will {
        options.set_last_will(LastWill::new(topic, payload, QoS::AtLeastOnce, true));
    }
    if let Some(tls) = &endpoint.tls {
        let tls = rumqttc::TlsConfiguration::Rustls(tls.clone());
        options.set_transport(Transport::Tls(tls));
    }
    let (client, mut events) = rumqttc::AsyncClient::new(options, REQUESTS);
    events.network_options.set_tcp_nodelay(true);
    events.network_options.set_connection_timeout(CONNECTING_S);
    let subscriber = client.clone();
    let task = tokio::spawn(async move {
        loop {
            let happened = match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let _ = subscriber.try_subscribe(&filter, QoS::AtLeastOnce);
                    continue;
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    let granted = |code: &SubscribeReasonCode| {
                        matches!(code, SubscribeReasonCode::Success(_))
                    };
                    match answer.return_codes.iter().all(granted) {
                        true => Happened::Ready,
                        false => Happened::Ended(format!("it does not let us read {filter}")),
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    Happened::Message(publish.topic, publish.payload.to_vec())
                }
                Ok(_) => continue,
                Err(error) => Happened::Ended(error.to_string()),
            };
            let is_over = matches!(happened, Happened::Ended(_));
            if tell.send(happened).await.is_err() || is_over {
                return;
            }
        }
    });
    (Client::V4(client), task)
}

fn open_v5(
    endpoint: &Endpoint,
    client_id: &str,
    filter: String,
    will: Option<(String, Vec<u8>)>,
    tell: mpsc::Sender<Happened>,
) -> (Client, JoinHandle<()>) {
    use v5::mqttbytes::QoS;
    use v5::mqttbytes::v5::{LastWill, Packet, SubscribeReasonCode};
    use v5::{Event, MqttOptions};
    let mut options = MqttOptions::new(client_id, &endpoint.host, endpoint.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_start(true)
        .set_max_packet_size(u32::try_from(LARGEST_IN).ok());
    if let Some((user, password)) = &endpoint.login {
        options.set_credentials(user, password);
    }
    if let Some((topic, payload)) = will {
        let will = LastWill::new(topic, payload, QoS::AtLeastOnce, true, None);
        options.set_last_will(will);
    }
    if let Some(tls) = &endpoint.tls {
        let tls = rumqttc::TlsConfiguration::Rustls(tls.clone());
        options.set_transport(rumqttc::Transport::Tls(tls));
    }
    options.set_connection_timeout(CONNECTING_S);
    let (client, mut events) = v5::AsyncClient::new(options, REQUESTS);
    let subscriber = client.clone();
    let task = tokio::spawn(async move {
        loop {
            let happened = match events.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let _ = subscriber.try_subscribe(&filter, QoS::AtLeastOnce);
                    continue;
                }
                Ok(Event::Incoming(Packet::SubAck(answer))) => {
                    let granted = |code: &SubscribeReasonCode| {
                        matches!(code, SubscribeReasonCode::Success(_))
                    };
                    match answer.return_codes.iter().all(granted) {
                        true => Happened::Ready,
                        false => Happened::Ended(format!("it does not let us read {filter}")),
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    Happened::Message(topic, publish.payload.to_vec())
                }
                Ok(_) => continue,
                Err(error) => Happened::Ended(error.to_string()),
            };
            let is_over = matches!(happened, Happened::Ended(_));
            if tell.send(happened).await.is_err() || is_over {
                return;
            }
        }
    });
    (Client::V5(client), task)
}
