//! An external broker instead of the own listener: the gateway is one MQTT 3.1.1 client of it.
//!
//! Decided here: what the gateway subscribes to, which deliveries become uplinks, when the broker is
//! told that one is settled, and when it is connected again. Not decided here: who may connect to
//! the broker and on which topic he may publish (its own configuration), and what a frame means.
//!
//! The broker does not say who published, so the node of an [`Uplink`] is what the topic claims.
//! Whoever may publish on a node's topic can waste the gateway's time, up to a rate; only the sealed
//! frame shows that it is the node's.
//!
//! ```text
//! node ◄──► broker ──pg/1/+/up──► connection ──Uplink──► inbox (the caller's, bounded)
//!                  ◄──PUBACK────             ◄─accept()─ the caller, after its commit
//!                  ◄──pg/1/<id>/down── orders (bounded) ◄── Field::send
//! ```
//!
//! Invariants:
//! - No PUBACK to the broker before the uplink was accepted or refused. One that is dropped ends the
//!   connection, and the broker, which keeps the session, delivers it again on the next.
//! - Nothing of one connection reaches into the next: neither packet identifiers nor commands, which
//!   are level-triggered and sent again by their sender.
//! - What the broker holds for the gateway and the gateway cannot read ends with the session it is
//!   in, so that it is not delivered for ever.
//! - A message that is no node's is a device's only on a topic the configuration says the broker keeps for one login.
//! - Every queue has a bound with a reason.

mod connection;
mod devices;
mod self_test;

use std::sync::Arc;
use std::time::Duration;

use prepaid_common::NodeId;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Packet, QoS};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::config::Limits;
use crate::credentials::Credentials;
use crate::devices::SiteMessage;
use crate::error::{FieldError, NotConnected, SelfTestError};
use crate::field::SitePublish;
use crate::own::SELF_TEST;
use crate::registry::Registry;
use crate::rejection::Rejection;
use crate::stats::{Counters, FieldStats, bump};
use crate::uplink::Uplink;
pub use devices::DeviceLogin;

use connection::Connection;
use self_test::Test;

/// First and longest pause before a new attempt. 5 s: a broker that restarts is found again before a
/// node gives a report up.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A broker without power is noticed after two of these.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// TCP, CONNECT and CONNACK together.
const CONNECTING_S: u64 = 5;
/// Largest packet taken from the broker. Above the largest frame by far, so that a frame that is too
/// large is named and settled; what is larger yet costs the session.
const PACKET_BYTES: usize = 64 * 1024;
/// Frames that wait for the client. One for each node of the largest site.
const ORDERS: usize = 1_024;
/// Deliveries without PUBACK: the caller's inbox and a batch, and as many again.
const UNACKNOWLEDGED: usize = 2_048;
/// Requests to the client: every PUBACK that may be due, every order, and the subscription.
const REQUESTS: usize = UNACKNOWLEDGED + ORDERS + 1;

/// The broker through which nodes are reached, and the gateway's account there.
///
/// The account reads `pg/1/+/up`, writes `pg/1/+/down` and, for the self-test, `pg/1/00000000/up`.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalBroker {
    /// Name or address; an IPv6 address in brackets.
    pub host: String,
    /// TCP port, not 0.
    pub port: u16,
    /// User name and password, if the broker wants them. [`Debug`] never shows the password.
    pub login: Option<(String, String)>,
    /// Names the session that the broker keeps for this gateway: 1 to 64 printable ASCII characters
    /// without spaces, the same from start to start, and nobody else's.
    pub client_id: String,
    /// Logins of the site's devices there, with the topics the broker keeps for each.
    pub devices: Vec<DeviceLogin>,
    /// Topic and payload the broker publishes, retained, when the gateway is gone without a word.
    pub will: Option<(String, String)>,
}

impl std::fmt::Debug for ExternalBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self} as {}", self.client_id)
    }
}

impl std::fmt::Display for ExternalBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl ExternalBroker {
    fn check(&self) -> Result<(), FieldError> {
        let id = self.client_id.as_bytes();
        if self.host.is_empty() || self.port == 0 {
            return Err(FieldError::Broker("it needs a host and a port"));
        }
        if !(1..=64).contains(&id.len()) || !id.iter().all(u8::is_ascii_graphic) {
            return Err(FieldError::Broker(
                "its client id is 1 to 64 ASCII letters, digits and signs",
            ));
        }
        Ok(())
    }

    fn options(&self) -> MqttOptions {
        let mut options = MqttOptions::new(&self.client_id, &self.host, self.port);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_session(false)
            .set_manual_acks(true)
            .set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
        if let Some((topic, payload)) = &self.will {
            let will = LastWill::new(topic, payload.clone(), QoS::AtLeastOnce, true);
            options.set_last_will(will);
        }
        if let Some((user, password)) = &self.login {
            options.set_credentials(user, password);
        }
        options
    }
}

/// Something for the broker.
enum Order {
    Frame(NodeId, Vec<u8>),
    /// Something for the site's devices and programs.
    Message(SitePublish),
    Test(Test),
}

/// What is known of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Subscribed.
    Up,
    /// Not, and why not.
    Down(String),
}

/// What the connections have in common.
struct Shared {
    broker: ExternalBroker,
    limits: Limits,
    credentials: Arc<Credentials>,
    counters: Counters,
    registry: Arc<Registry>,
    inbox: mpsc::Sender<Uplink>,
    site_messages: Option<mpsc::Sender<SiteMessage>>,
    standing: watch::Sender<Standing>,
}

/// The caller's side.
pub(crate) struct External {
    shared: Arc<Shared>,
    orders: mpsc::Sender<Order>,
}

/// Why a connection ended.
enum End {
    /// The front end stops.
    Stopped,
    /// The broker is gone, refuses the gateway, or is left on purpose so that it delivers again.
    Lost(String),
    /// The broker delivers what cannot be read, and would again.
    Unreadable(Rejection),
}

impl External {
    /// Starts connecting; the task goes on until `stopped`.
    pub fn start(
        broker: ExternalBroker,
        limits: Limits,
        credentials: Arc<Credentials>,
        (inbox, site_messages): (mpsc::Sender<Uplink>, Option<mpsc::Sender<SiteMessage>>),
        handle: &Handle,
        stopped: watch::Receiver<bool>,
    ) -> Result<(Self, JoinHandle<()>), FieldError> {
        broker.check()?;
        let shared = Arc::new(Shared {
            broker,
            registry: Registry::new(limits.take_overs),
            limits,
            credentials,
            counters: Counters::new(),
            inbox,
            site_messages,
            standing: watch::Sender::new(Standing::Down("it was not tried yet".into())),
        });
        let (orders, taken) = mpsc::channel(ORDERS);
        let task = handle.spawn(keep(shared.clone(), taken, stopped));
        Ok((Self { shared, orders }, task))
    }

    pub fn registry(&self) -> &Arc<Registry> {
        &self.shared.registry
    }

    pub fn send(&self, node: NodeId, payload: Vec<u8>) -> Result<(), NotConnected> {
        if *self.shared.standing.borrow() != Standing::Up {
            return Err(NotConnected);
        }
        let order = Order::Frame(node, payload);
        self.orders.try_send(order).map_err(|_| NotConnected)
    }

    /// Queues a message for the site's devices and programs at QoS 1.
    pub fn publish(&self, message: SitePublish) -> Result<(), NotConnected> {
        if *self.shared.standing.borrow() != Standing::Up {
            return Err(NotConnected);
        }
        let order = Order::Message(message);
        self.orders.try_send(order).map_err(|_| NotConnected)
    }

    pub fn stats(&self) -> FieldStats {
        FieldStats {
            connections_open: u64::from(*self.shared.standing.borrow() == Standing::Up),
            ..self.shared.counters.read()
        }
    }

    /// A frame to the broker, back from it, through the inbox.
    pub async fn self_test(&self) -> Result<Duration, SelfTestError> {
        let standing = self.shared.standing.subscribe();
        self_test::run(standing, &self.orders, SELF_TEST).await
    }
}

/// Connects, and connects again until the front end stops.
async fn keep(
    shared: Arc<Shared>,
    mut orders: mpsc::Receiver<Order>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut longest = FIRST_PAUSE;
    let mut forget_session = false;
    loop {
        let (end, worked) = if forget_session {
            (forget(&shared.broker).await, false)
        } else {
            connect(&shared, &mut orders, &mut stopped).await
        };
        if worked {
            longest = FIRST_PAUSE;
        }
        forget_session = match end {
            End::Stopped => return,
            End::Lost(why) => {
                shared.down(why);
                false
            }
            End::Unreadable(why) => {
                shared.counters.reject(why);
                shared.down(format!(
                    "it delivers what is no frame ({why}); its session is thrown away"
                ));
                true
            }
        };
        tokio::select! {
            () = sleep(jittered(longest)) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        longest = (longest * 2).min(LONGEST_PAUSE);
    }
}

/// One connection, and whether it got as far as its subscription.
async fn connect(
    shared: &Arc<Shared>,
    orders: &mut mpsc::Receiver<Order>,
    stopped: &mut watch::Receiver<bool>,
) -> (End, bool) {
    let (client, mut events) = client(shared.broker.options());
    let answer = tokio::select! {
        answer = events.poll() => answer,
        _ = stopped.wait_for(|stopped| *stopped) => return (End::Stopped, false),
    };
    if let Err(error) = answer {
        return (End::Lost(error.to_string()), false);
    }
    bump(&shared.counters.broker_connections);
    // Old commands are no use: their sender looks at what the nodes report and sends again.
    while orders.try_recv().is_ok() {}
    let mut connection = Connection::new(shared.clone(), client);
    let end = connection.serve(&mut events, orders, stopped).await;
    (end, connection.is_up())
}

/// Ends the session the broker keeps, with everything it holds for the gateway. Nothing is lost by
/// it: nodes send again what they are not told is stored.
async fn forget(broker: &ExternalBroker) -> End {
    let mut options = broker.options();
    options.set_clean_session(true);
    let (_client, mut events) = client(options);
    match events.poll().await {
        Ok(Event::Incoming(Packet::ConnAck(_))) => End::Lost("the old session is gone".into()),
        Ok(_) => End::Lost("it does not speak MQTT".into()),
        Err(error) => End::Lost(error.to_string()),
    }
}

fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut events) = AsyncClient::new(options, REQUESTS);
    // A command that waits for Nagle's algorithm would switch a supply late.
    events.network_options.set_tcp_nodelay(true);
    events.network_options.set_connection_timeout(CONNECTING_S);
    (client, events)
}

impl Shared {
    /// Notes that there is no connection. Said once for each reason: a broker may be away for days.
    fn down(&self, why: String) {
        let down = Standing::Down(why);
        let news = self.standing.send_if_modified(|standing| {
            let news = *standing != down;
            standing.clone_from(&down);
            news
        });
        if let (true, Standing::Down(why)) = (news, down) {
            log::warn!("failed to keep the broker {}: {why}", self.broker);
        }
    }

    fn up(&self) {
        if self.standing.send_replace(Standing::Up) != Standing::Up {
            log::info!("connected to the broker {}", self.broker);
        }
    }
}

/// Half to all of `longest`, so that several gateways do not come back in step.
fn jittered(longest: Duration) -> Duration {
    let mut noise = [0; 1];
    // Without noise the pause is the shortest one.
    let _ = getrandom::fill(&mut noise);
    longest / 2 + longest / 2 * u32::from(noise[0]) / 255
}
