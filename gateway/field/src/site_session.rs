//! One connected site client: its publishes to the router, the router's messages to it.
//!
//! QoS 0, 1 and 2 inwards, at most 1 outwards (a granted QoS may be lower than the one asked for).
//! PUBACK means "handed to the router's memory": a ledger would need more, two devices do not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::acl;
use crate::answer;
use crate::bucket::Bucket;
use crate::credentials::Access;
use crate::devices::SiteMessage;
use crate::downlink::Deliveries;
use crate::frame::{Incoming, Publish, Will};
use crate::pipe::{Io, Pipe, Stream};
use crate::rejection::Rejection;
use crate::router_link::{Delivery, RouterLink};
use crate::session::{End, Endings, FAREWELL, Shared};
use crate::stats::bump;
use crate::topic::{covers, is_too_long};
use crate::will;

/// Messages under way to a site client at QoS 1. 32: Mosquitto's clients default to 20.
const DELIVERIES: usize = 32;
/// QoS 2 publishes between PUBLISH and PUBREL. 64: above any client's window.
const UNRELEASED: usize = 64;

pub(crate) struct SiteSession<S> {
    shared: Arc<Shared>,
    name: String,
    user: String,
    address: IpAddr,
    access: Arc<Access>,
    pipe: Pipe<S>,
    link: RouterLink,
    will: Option<Will>,
    /// Granted QoS by filter.
    subscriptions: BTreeMap<String, u8>,
    /// Retained messages still to be shown, by topic: QoS granted and payload.
    backlog: BTreeMap<String, (u8, Bytes)>,
    deliveries: Deliveries,
    unreleased: BTreeSet<u16>,
    rate: Bucket,
    paused_until: Option<Instant>,
}

/// Who a site client is, as its session needs it.
pub(crate) struct SiteClient {
    pub name: String,
    /// The login; empty without one.
    pub user: String,
    pub address: IpAddr,
    pub access: Arc<Access>,
    pub will: Option<Will>,
}

impl<S: Stream> SiteSession<S> {
    pub fn new(shared: Arc<Shared>, client: SiteClient, pipe: Pipe<S>, link: RouterLink) -> Self {
        let rate = Bucket::new(shared.limits.site_publishes, std::time::Instant::now());
        Self {
            shared,
            name: client.name,
            user: client.user,
            address: client.address,
            access: client.access,
            pipe,
            link,
            will: client.will,
            subscriptions: BTreeMap::new(),
            backlog: BTreeMap::new(),
            deliveries: Deliveries::new(DELIVERIES),
            unreleased: BTreeSet::new(),
            rate,
            paused_until: None,
        }
    }

    /// Runs until the connection ends, then publishes the will if the client did not say goodbye.
    pub async fn run(mut self, mut endings: Endings) {
        let end = self.serve(&mut endings).await;
        if let End::Rejected(why) = end {
            self.shared.reject(why, &self.name, self.address);
        }
        drop(endings);
        if matches!(end, End::Closed | End::Rejected(_))
            && let Some(will) = self.will.take()
        {
            will::publish(&self.shared, &will).await;
        }
        self.pipe.finish(FAREWELL).await;
    }

    async fn serve(&mut self, endings: &mut Endings) -> End {
        loop {
            self.send_backlog();
            let now = Instant::now();
            if self.paused_until.is_some_and(|until| now >= until) {
                self.paused_until = None;
            }
            let reads = self.paused_until.is_none();
            if !reads {
                self.deliveries.restart_clocks(now);
            }
            let delivers =
                self.backlog.is_empty() && !self.pipe.is_full() && self.deliveries.has_room();
            let delivery_late = self
                .deliveries
                .oldest()
                .map(|at| at + self.shared.limits.delivery);
            let timer = [self.paused_until, delivery_late]
                .into_iter()
                .flatten()
                .min();
            let step = tokio::select! {
                io = self.pipe.next(reads) => match io {
                    Io::Packet(packet) => self.on_packet(packet).await,
                    Io::Wrote => Ok(()),
                    Io::Closed => Err(End::Closed),
                    Io::Rejected(why) => Err(End::Rejected(why)),
                },
                delivery = self.link.next(), if delivers => match delivery {
                    Ok(delivery) => {
                        self.on_delivery(&delivery);
                        Ok(())
                    }
                    Err(why) => Err(End::Rejected(why)),
                },
                () = sleep_until(timer.unwrap_or(now)), if timer.is_some() => self.on_timer(),
                end = endings.wait(false) => Err(end),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn on_timer(&self) -> Result<(), End> {
        match self.deliveries.oldest() {
            Some(since) if since.elapsed() >= self.shared.limits.delivery => {
                Err(End::Rejected(Rejection::DeliveryNotAcknowledged))
            }
            _ => Ok(()),
        }
    }

    async fn on_packet(&mut self, packet: Incoming) -> Result<(), End> {
        match packet {
            Incoming::Publish(publish) => self.on_publish(publish).await.map_err(End::Rejected)?,
            Incoming::PubAck(pkid) => self.deliveries.acknowledged(pkid),
            Incoming::PubRel(pkid) => {
                self.unreleased.remove(&pkid);
                answer::pubcomp(&mut self.pipe.out, pkid);
            }
            Incoming::Subscribe { pkid, filters } => {
                self.on_subscribe(pkid, filters)
                    .await
                    .map_err(End::Rejected)?;
            }
            Incoming::Unsubscribe { pkid, filters } => {
                for filter in filters {
                    if self.subscriptions.remove(&filter).is_some() {
                        self.link
                            .unsubscribe(&filter)
                            .await
                            .map_err(End::Rejected)?;
                    }
                }
                answer::unsuback(&mut self.pipe.out, pkid);
            }
            Incoming::PingReq => answer::pingresp(&mut self.pipe.out),
            Incoming::Disconnect => return Err(End::Goodbye),
            Incoming::Connect(_) | Incoming::UnaskedAnswer => {
                return Err(End::Rejected(Rejection::UnexpectedPacket));
            }
        }
        Ok(())
    }

    async fn on_publish(&mut self, publish: Publish) -> Result<(), Rejection> {
        if !acl::may_publish(&self.access, &publish.topic) {
            return Err(Rejection::PublishNotAllowed);
        }
        if let Some(until) = self.rate.charge(std::time::Instant::now()) {
            self.shared.counters.reject(Rejection::PublishRateLimited);
            self.paused_until = Some(Instant::from_std(until));
        }
        // A QoS 2 publish counts when it comes first; a repetition before its PUBREL does not.
        let is_new = publish.qos < 2 || !self.unreleased.contains(&publish.pkid);
        if publish.qos == 2 && is_new {
            if self.unreleased.len() >= UNRELEASED {
                return Err(Rejection::TooManyUnreleased);
            }
            self.unreleased.insert(publish.pkid);
        }
        if is_new {
            bump(&self.shared.counters.site_publishes);
            self.copy(&publish);
            if publish.retain {
                let kept = self
                    .shared
                    .router
                    .retain(&publish.topic, publish.qos, &publish.payload);
                if let Err(why) = kept {
                    self.shared.reject(why, &self.name, self.address);
                }
            }
            self.shared
                .router
                .publish(&publish.topic, publish.qos, &publish.payload)
                .await?;
        }
        match publish.qos {
            0 => {}
            1 => answer::puback(&mut self.pipe.out, publish.pkid),
            _ => answer::pubrec(&mut self.pipe.out, publish.pkid),
        }
        Ok(())
    }

    /// For whoever reads devices. Beyond what it takes, messages are left out: registers are said again.
    fn copy(&self, publish: &Publish) {
        let Some(copies) = &self.shared.site_messages else {
            return;
        };
        let message = SiteMessage {
            credential: self.user.clone(),
            topic: publish.topic.clone(),
            payload: publish.payload.to_vec(),
            retained: false,
        };
        if copies.try_send(message).is_err() {
            self.shared.counters.reject(Rejection::InboxClosed);
        }
    }

    async fn on_subscribe(
        &mut self,
        pkid: u16,
        filters: Vec<(String, u8)>,
    ) -> Result<(), Rejection> {
        let mut granted = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            if let Err(why) = self.may_subscribe(&filter) {
                self.shared.reject(why, &self.name, self.address);
                granted.push(None);
                continue;
            }
            let qos = qos.min(1);
            self.link.subscribe(&filter).await?;
            for (topic, published, payload) in self.shared.router.retained(&filter) {
                let best = self.backlog.entry(topic).or_insert((0, Bytes::new()));
                *best = (best.0.max(qos.min(published)), payload);
            }
            self.subscriptions.insert(filter, qos);
            granted.push(Some(qos));
        }
        answer::suback(&mut self.pipe.out, pkid, &granted);
        Ok(())
    }

    fn may_subscribe(&self, filter: &str) -> Result<(), Rejection> {
        if is_too_long(filter) {
            return Err(Rejection::TopicTooLong);
        }
        if !acl::may_subscribe(&self.access, filter) {
            return Err(Rejection::SubscribeNotAllowed);
        }
        let is_new = !self.subscriptions.contains_key(filter);
        let full = self.subscriptions.len() >= self.shared.limits.filters_per_client;
        if (is_new && full) || !self.shared.router.may_use_filter(filter) {
            return Err(Rejection::TooManyFilters);
        }
        Ok(())
    }

    fn on_delivery(&mut self, delivery: &Delivery) {
        let filters = self.subscriptions.iter();
        let granted = filters
            .filter(|(filter, _)| covers(filter, &delivery.topic))
            .map(|(_, qos)| *qos);
        // None: it was on its way when the client unsubscribed, or for the link's last client.
        if let Some(granted) = granted.max() {
            self.send(
                &delivery.topic,
                granted.min(delivery.qos),
                &delivery.payload,
                false,
            );
        }
    }

    fn send_backlog(&mut self) {
        while !self.pipe.is_full() && self.deliveries.has_room() {
            let Some((topic, (qos, payload))) = self.backlog.pop_first() else {
                return;
            };
            self.send(&topic, qos, &payload, true);
        }
    }

    fn send(&mut self, topic: &str, qos: u8, payload: &[u8], retain: bool) {
        let pkid = if qos == 0 {
            0
        } else {
            self.deliveries.begin(Instant::now())
        };
        answer::publish(&mut self.pipe.out, topic, payload, retain, pkid);
        bump(&self.shared.counters.site_deliveries);
    }
}
