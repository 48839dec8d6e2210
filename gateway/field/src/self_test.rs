//! Whether the front end really works: a frame through its own port, a message through its router.
//!
//! The frame comes from node 0 over a real TCP connection and passes the caller's inbox like any
//! other, so its acknowledgement shows that the caller stores what it takes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use prepaid_common::NodeId;
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{
    Connect, ConnectReturnCode, Disconnect, DisconnectReasonCode, Error, Login, Packet, Protocol,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::acl::up_topic;
use crate::answer;
use crate::credentials::node_user_name;
use crate::error::SelfTestError;
use crate::router::{SELF_TEST_TOPIC, SiteRouter};

/// The node id of the self-test; never a real node's.
pub const SELF_TEST_NODE: NodeId = NodeId(0);
/// The payload of its uplinks.
pub const SELF_TEST_PAYLOAD: &[u8] = b"self-test";

/// Packets of the server in a self-test are a few bytes long.
const ANSWER_BYTES: usize = 64;

pub(crate) struct SelfTest {
    pub address: SocketAddr,
    pub password: String,
    pub router: Arc<SiteRouter>,
    pub limit: Duration,
}

impl SelfTest {
    /// Runs both parts; the answer is how long the frame took from connecting to its PUBACK.
    pub async fn run(&self, round: u64) -> Result<Duration, SelfTestError> {
        let started = Instant::now();
        let uplink = timeout(self.limit, self.uplink()).await;
        uplink.unwrap_or(Err(SelfTestError::UplinkNotAcknowledged))?;
        let latency = started.elapsed();
        let routed = timeout(self.limit, self.route(round)).await;
        routed.unwrap_or(Err(SelfTestError::Router))?;
        Ok(latency)
    }

    async fn uplink(&self) -> Result<(), SelfTestError> {
        let listener = |error: std::io::Error| SelfTestError::Listener(error.to_string());
        let stream = TcpStream::connect(reachable(self.address)).await;
        let mut stream = stream.map_err(listener)?;
        let user = node_user_name(SELF_TEST_NODE);
        let connect = Connect {
            keep_alive: 30,
            client_id: user.clone(),
            clean_session: true,
        };
        let login = Login {
            username: user,
            password: self.password.clone(),
        };
        let hello = Packet::Connect(connect, None, None, None, Some(login));
        send(&mut stream, hello).await?;
        let mut input = BytesMut::new();
        match receive(&mut stream, &mut input).await? {
            Packet::ConnAck(ack, _) if ack.code == ConnectReturnCode::Success => {}
            _ => return Err(SelfTestError::Protocol("the login was refused")),
        }
        let mut out = BytesMut::new();
        answer::publish(
            &mut out,
            &up_topic(SELF_TEST_NODE),
            SELF_TEST_PAYLOAD,
            false,
            1,
        );
        stream.write_all(&out).await.map_err(listener)?;
        match receive(&mut stream, &mut input).await {
            Ok(Packet::PubAck(ack, _)) if ack.pkid == 1 => {}
            Ok(_) => {
                return Err(SelfTestError::Protocol(
                    "the uplink was not answered by PUBACK",
                ));
            }
            Err(_) => return Err(SelfTestError::UplinkNotAcknowledged),
        }
        let goodbye = Disconnect {
            reason_code: DisconnectReasonCode::NormalDisconnection,
        };
        send(&mut stream, Packet::Disconnect(goodbye, None)).await
    }

    /// The publisher's link in, a fresh receiving link out.
    async fn route(&self, round: u64) -> Result<(), SelfTestError> {
        let failed = |_rejection| SelfTestError::Router;
        let mut link = self.router.open().await.map_err(failed)?;
        link.subscribe_raw(SELF_TEST_TOPIC.to_owned())
            .await
            .map_err(failed)?;
        let mark = round.to_be_bytes();
        let sent = self
            .router
            .publish_raw(SELF_TEST_TOPIC.to_owned(), 0, &mark)
            .await;
        sent.map_err(failed)?;
        loop {
            // A message of an earlier round may still be on its way.
            if link.next().await.map_err(failed)?.payload[..] == mark {
                return Ok(());
            }
        }
    }
}

/// An address that leads to a listener on this machine, also if it listens on all of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}

async fn send(stream: &mut TcpStream, packet: Packet) -> Result<(), SelfTestError> {
    let mut out = BytesMut::new();
    V4.write(packet, &mut out)
        .map_err(|_| SelfTestError::Protocol("a packet was not encoded"))?;
    let sent = stream.write_all(&out).await;
    sent.map_err(|error| SelfTestError::Listener(error.to_string()))
}

async fn receive(stream: &mut TcpStream, input: &mut BytesMut) -> Result<Packet, SelfTestError> {
    loop {
        match V4.read_mut(input, ANSWER_BYTES) {
            Ok(packet) => return Ok(packet),
            Err(Error::InsufficientBytes(_)) => {}
            Err(_) => return Err(SelfTestError::Protocol("an answer was not MQTT")),
        }
        match stream.read_buf(input).await {
            Ok(0) => return Err(SelfTestError::Protocol("the connection was closed")),
            Ok(_) => {}
            Err(error) => return Err(SelfTestError::Listener(error.to_string())),
        }
    }
}
