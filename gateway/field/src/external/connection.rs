//! One connection to the external broker, from CONNACK to its end.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use prepaid_common::NodeId;
use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, Outgoing, Packet, Publish, QoS, StateError,
    SubAck, SubscribeReasonCode,
};
use tokio::sync::mpsc::{self, UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::self_test::Test;
use super::{End, Order, Shared, UNACKNOWLEDGED};
use crate::acl::{down_topic, up_topic};
use crate::bucket::Bucket;
use crate::credentials::{node_of_user_name, node_user_name};
use crate::registry::{ClientKey, Presence};
use crate::rejection::Rejection;
use crate::self_test::SELF_TEST_NODE;
use crate::session::FAREWELL;
use crate::stats::bump;
use crate::uplink::{Unacknowledged, Uplink, Verdict};

/// Every node's topic.
const FILTER: &str = "pg/1/+/up";
/// How long a stopping front end waits for the caller's acknowledgements.
const LAST_VERDICTS: Duration = Duration::from_millis(600);

/// A node heard on this connection.
struct Heard {
    rate: Bucket,
    /// Its place among the connected nodes, until the connection ends.
    _presence: Presence,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    client: AsyncClient,
    up: bool,
    waiting: Unacknowledged,
    verdicts: UnboundedReceiver<Verdict>,
    /// Delivered, but not yet taken by the inbox; these are waiting, too.
    held: VecDeque<Uplink>,
    /// Something was delivered beyond the limit and put away; it comes again on the next connection.
    put_away: bool,
    heard: BTreeMap<NodeId, Heard>,
    /// The self-test on its way.
    test: Option<Test>,
    /// The end is near: acknowledgements are waited for until then.
    stopping: Option<Instant>,
    leaving: bool,
}

impl Connection {
    pub fn new(shared: Arc<Shared>, client: AsyncClient) -> Self {
        let (sender, verdicts) = unbounded_channel();
        Self {
            shared,
            client,
            up: false,
            waiting: Unacknowledged::where_refusals_settle(sender),
            verdicts,
            held: VecDeque::new(),
            put_away: false,
            heard: BTreeMap::new(),
            test: None,
            stopping: None,
            leaving: false,
        }
    }

    /// Whether the subscription stood.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Subscribes and serves until the connection ends.
    pub async fn serve(
        &mut self,
        events: &mut EventLoop,
        orders: &mut mpsc::Receiver<Order>,
        stopped: &mut watch::Receiver<bool>,
    ) -> End {
        if self.client.try_subscribe(FILTER, QoS::AtLeastOnce).is_err() {
            return End::Lost("it takes no subscription".into());
        }
        loop {
            // A poll that is given up could lose a packet it was about to write.
            let mut poll = pin!(events.poll());
            let event = loop {
                tokio::select! {
                    event = &mut poll => break event,
                    step = self.step(orders, stopped) => match step {
                        Ok(()) => {}
                        Err(end) => return end,
                    },
                }
            };
            let step = match event {
                Ok(event) => self.on_event(event),
                Err(error) => Err(ended(&error)),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Waits for one thing that does not come from the broker, and does it.
    async fn step(
        &mut self,
        orders: &mut mpsc::Receiver<Order>,
        stopped: &mut watch::Receiver<bool>,
    ) -> Result<(), End> {
        if self.stopping.is_some() && self.waiting.is_empty() && !self.leaving {
            self.leave()?;
        }
        let shared = self.shared.clone();
        let is_stopping = self.stopping.is_some();
        let deadline = self.stopping.unwrap_or_else(Instant::now);
        tokio::select! {
            Some(verdict) = self.verdicts.recv() => self.on_verdict(verdict),
            permit = shared.inbox.reserve(), if !self.held.is_empty() => {
                let Ok(permit) = permit else {
                    shared.counters.reject(Rejection::InboxClosed);
                    return Err(End::Lost("nobody takes what it delivers".into()));
                };
                if let Some(uplink) = self.held.pop_front() {
                    permit.send(uplink);
                }
                Ok(())
            }
            Some(order) = orders.recv(), if !is_stopping => {
                self.on_order(order);
                Ok(())
            }
            _ = stopped.wait_for(|stopped| *stopped), if !is_stopping => {
                // What the caller does not take by then is delivered again after the next start.
                self.stopping = Some(Instant::now() + LAST_VERDICTS);
                Ok(())
            }
            () = sleep_until(deadline), if is_stopping => match self.leaving {
                true => Err(End::Stopped),
                false => self.leave(),
            },
        }
    }

    /// Says goodbye; the broker keeps the session.
    fn leave(&mut self) -> Result<(), End> {
        self.leaving = true;
        if let Some((topic, payload)) = self.shared.broker.will.clone() {
            // An orderly end sends no last will.
            let _ = self
                .client
                .try_publish(topic, QoS::AtLeastOnce, true, payload);
        }
        self.stopping = Some(Instant::now() + FAREWELL);
        self.client.try_disconnect().map_err(|_| End::Stopped)
    }

    fn on_event(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Incoming(Packet::SubAck(answer)) if self.up => self.on_devices(&answer),
            Event::Incoming(Packet::SubAck(answer)) => {
                let granted = SubscribeReasonCode::Success(QoS::AtLeastOnce);
                if answer.return_codes != [granted] {
                    self.shared.counters.reject(Rejection::SubscribeNotAllowed);
                    let why = format!("it does not let the gateway read {FILTER} at QoS 1");
                    return Err(End::Lost(why));
                }
                self.up = true;
                self.shared.up();
                let devices = self.shared.device_filters();
                if !devices.is_empty() && self.client.try_subscribe_many(devices).is_err() {
                    return Err(End::Lost("it takes no subscription".into()));
                }
            }
            Event::Incoming(Packet::Publish(publish)) => self.on_publish(publish),
            Event::Outgoing(Outgoing::Disconnect) => return Err(End::Stopped),
            _ => {}
        }
        Ok(())
    }

    /// What the broker says to the subscription to the devices' topics. Nodes go on without it.
    fn on_devices(&self, answer: &SubAck) {
        if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
            self.shared.counters.reject(Rejection::SubscribeNotAllowed);
            log::warn!("the broker does not let the gateway read every topic of its devices");
        }
    }

    fn on_publish(&mut self, publish: Publish) {
        if publish.qos == QoS::AtMostOnce && !publish.topic.starts_with("pg/") {
            if let Err(why) = self.shared.device_message(&publish) {
                self.shared.counters.reject(why);
            }
            return;
        }
        if self.waiting.len() >= UNACKNOWLEDGED || self.stopping.is_some() {
            if self.stopping.is_none() {
                let counters = &self.shared.counters;
                counters.reject(Rejection::TooManyUnacknowledged);
                self.put_away = true;
            }
            return;
        }
        let pkid = match publish.qos {
            QoS::AtMostOnce => 0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => publish.pkid,
        };
        let ack = self.waiting.expect(pkid);
        match self.judge(&publish, pkid) {
            Ok(node) => self.held.push_back(Uplink {
                node,
                payload: publish.payload,
                ack,
            }),
            Err(why) => {
                self.shared.counters.reject(why);
                log::debug!("rejected a delivery on {:?}: {why}", publish.topic);
                ack.refuse();
            }
        }
    }

    /// Whose frame this is by its topic, if it may be one.
    fn judge(&mut self, publish: &Publish, pkid: u16) -> Result<NodeId, Rejection> {
        let node = node_of(&publish.topic).ok_or(Rejection::MalformedTopic)?;
        if publish.retain {
            return Err(Rejection::RetainedUplink);
        }
        if publish.payload.len() > self.shared.limits.node_packet_bytes {
            return Err(Rejection::PacketTooLarge);
        }
        if node == SELF_TEST_NODE {
            let ours = |test: &&mut Test| pkid != 0 && test.payload == publish.payload;
            let test = self.test.as_mut().filter(ours);
            let test = test.ok_or(Rejection::PublishNotAllowed)?;
            let returned = test.returned.take().ok_or(Rejection::PublishNotAllowed)?;
            test.pkid = Some(pkid);
            // Whoever tests may have given up.
            let _ = returned.send(());
            return Ok(node);
        }
        if !self.shared.credentials.knows(&node_user_name(node)) {
            self.heard.remove(&node);
            return Err(Rejection::UnknownNode);
        }
        bump(&self.shared.counters.node_publishes);
        let now = std::time::Instant::now();
        if !self.heard(node, now)?.rate.try_take(now) {
            return Err(Rejection::PublishRateLimited);
        }
        Ok(node)
    }

    fn heard(&mut self, node: NodeId, now: std::time::Instant) -> Result<&mut Heard, Rejection> {
        use std::collections::btree_map::Entry;
        match self.heard.entry(node) {
            Entry::Occupied(heard) => Ok(heard.into_mut()),
            Entry::Vacant(place) => {
                let key = ClientKey::Node(node);
                let presence = self.shared.registry.enter(key, None, now)?;
                Ok(place.insert(Heard {
                    rate: Bucket::new(self.shared.limits.node_publishes, now),
                    _presence: presence,
                }))
            }
        }
    }

    fn on_verdict(&mut self, verdict: Verdict) -> Result<(), End> {
        let Ok(settled) = self.waiting.settle(verdict) else {
            self.shared.counters.reject(Rejection::UplinkNotStored);
            let why = "what it delivered could not be stored; it delivers it again";
            return Err(End::Lost(why.into()));
        };
        for pkid in settled {
            bump(&self.shared.counters.node_publishes_accepted);
            if pkid == 0 {
                continue;
            }
            let mut receipt = Publish::new("", QoS::AtLeastOnce, "");
            receipt.pkid = pkid;
            let acked = self.client.try_ack(&receipt);
            acked.map_err(|_| End::Lost("it takes no acknowledgements".into()))?;
            if let Some(test) = self.test.take_if(|test| test.pkid == Some(pkid)) {
                let _ = test.stored.send(());
            }
        }
        if self.put_away && self.stopping.is_none() && self.waiting.len() <= UNACKNOWLEDGED / 2 {
            let why = "it delivered more than may wait; it delivers the rest again";
            return Err(End::Lost(why.into()));
        }
        Ok(())
    }

    fn on_order(&mut self, order: Order) {
        let (topic, payload, retain) = match order {
            Order::Frame(node, payload) => (down_topic(node), payload, false),
            Order::Message(message) => (message.topic, message.payload, message.retain),
            Order::Test(test) => {
                let payload = test.payload.clone();
                self.test = Some(test);
                (up_topic(SELF_TEST_NODE), payload, false)
            }
        };
        let sent = self
            .client
            .try_publish(topic, QoS::AtLeastOnce, retain, payload);
        match sent {
            Ok(()) => bump(&self.shared.counters.downlinks_sent),
            // The client's queue is full; the sender looks at the next report and sends again.
            Err(_) => bump(&self.shared.counters.downlinks_replaced),
        }
    }
}

/// The node of `pg/1/<eight digits>/up`.
fn node_of(topic: &str) -> Option<NodeId> {
    let name = topic.strip_prefix("pg/1/")?.strip_suffix("/up")?;
    node_of_user_name(name)
}

/// What the client's error means. What cannot be read would be delivered again in the same session.
fn ended(error: &ConnectionError) -> End {
    match error {
        ConnectionError::MqttState(StateError::Deserialization(rumqttc::Error::Io(_))) => {
            End::Lost(error.to_string())
        }
        ConnectionError::MqttState(StateError::Deserialization(
            rumqttc::Error::PayloadSizeLimitExceeded(_),
        )) => End::Unreadable(Rejection::PacketTooLarge),
        ConnectionError::MqttState(StateError::Deserialization(_)) => {
            End::Unreadable(Rejection::MalformedPacket)
        }
        _ => End::Lost(error.to_string()),
    }
}
