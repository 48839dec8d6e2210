//! One connected node: frames up to the caller's inbox, commands down from its queue.
//!
//! Invariants: a PUBACK is written only for an accepted uplink, in the order of the publishes; while
//! the inbox is full, too many publishes wait or the rate is exceeded, the socket is not read.

use std::net::IpAddr;
use std::sync::Arc;

use prepaid_common::NodeId;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

use crate::acl::{down_topic, up_topic};
use crate::answer;
use crate::bucket::Bucket;
use crate::downlink::{Deliveries, DownQueue};
use crate::frame::{Incoming, Publish};
use crate::pipe::{Io, Pipe, Stream};
use crate::rejection::Rejection;
use crate::session::{End, Endings, FAREWELL, Shared};
use crate::stats::bump;
use crate::uplink::{Unacknowledged, Uplink, Verdict};

/// Commands under way to a node. Two: the next one need not wait for a round trip, and a sleeping
/// node does not collect stale ones.
const DELIVERIES: usize = 2;
/// How long a stopping front end waits for the caller's acknowledgements.
const LAST_VERDICTS: std::time::Duration = std::time::Duration::from_millis(600);

pub(crate) struct NodeSession<S> {
    shared: Arc<Shared>,
    node: NodeId,
    address: IpAddr,
    pipe: Pipe<S>,
    down: Arc<DownQueue>,
    up_topic: String,
    down_topic: String,
    /// Granted QoS of the one possible subscription.
    subscription: Option<u8>,
    deliveries: Deliveries,
    unacknowledged: Unacknowledged,
    verdicts: UnboundedReceiver<Verdict>,
    /// Read, but not yet taken by the inbox.
    held: Option<Uplink>,
    rate: Bucket,
    paused_until: Option<Instant>,
    stopping: Option<Instant>,
}

impl<S: Stream> NodeSession<S> {
    pub fn new(
        shared: Arc<Shared>,
        node: NodeId,
        address: IpAddr,
        pipe: Pipe<S>,
        down: Arc<DownQueue>,
    ) -> Self {
        let (sender, verdicts) = unbounded_channel();
        let rate = Bucket::new(shared.limits.node_publishes, std::time::Instant::now());
        Self {
            shared,
            node,
            address,
            pipe,
            down,
            up_topic: up_topic(node),
            down_topic: down_topic(node),
            subscription: None,
            deliveries: Deliveries::new(DELIVERIES),
            unacknowledged: Unacknowledged::new(sender),
            verdicts,
            held: None,
            rate,
            paused_until: None,
            stopping: None,
        }
    }

    /// Runs until the connection ends.
    pub async fn run(mut self, mut endings: Endings) {
        let end = self.serve(&mut endings).await;
        self.down.set_subscribed(false);
        if let End::Rejected(why) = end {
            self.shared.reject(why, &self.up_topic, self.address);
        }
        // Free for the node's next connection before the last bytes are written.
        drop(endings);
        self.pipe.finish(FAREWELL).await;
    }

    async fn serve(&mut self, endings: &mut Endings) -> End {
        let shared = self.shared.clone();
        loop {
            self.send_down();
            let now = Instant::now();
            if self
                .stopping
                .is_some_and(|until| now >= until || self.unacknowledged.is_empty())
            {
                return End::Stopped;
            }
            if self.paused_until.is_some_and(|until| now >= until) {
                self.paused_until = None;
            }
            let reads = self.stopping.is_none()
                && self.paused_until.is_none()
                && self.held.is_none()
                && self.unacknowledged.len() < self.shared.limits.node_unacknowledged;
            if !reads {
                self.deliveries.restart_clocks(now);
            }
            let delivery_late = self
                .deliveries
                .oldest()
                .map(|at| at + self.shared.limits.delivery);
            let timer = [self.stopping, self.paused_until, delivery_late]
                .into_iter()
                .flatten()
                .min();
            let step = tokio::select! {
                io = self.pipe.next(reads) => self.on_io(io),
                Some(verdict) = self.verdicts.recv() => self.on_verdict(verdict),
                permit = shared.inbox.reserve(), if self.held.is_some() => match permit {
                    Ok(permit) => {
                        if let Some(uplink) = self.held.take() {
                            permit.send(uplink);
                        }
                        Ok(())
                    }
                    Err(_) => Err(End::Rejected(Rejection::InboxClosed)),
                },
                () = self.down.changed.notified() => Ok(()),
                () = sleep_until(timer.unwrap_or(now)), if timer.is_some() => self.on_timer(),
                end = endings.wait(self.stopping.is_some()) => match end {
                    End::Stopped => {
                        self.stopping = Some(Instant::now() + LAST_VERDICTS);
                        Ok(())
                    }
                    end => Err(end),
                },
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn on_timer(&self) -> Result<(), End> {
        let limit = self.shared.limits.delivery;
        match self.deliveries.oldest() {
            Some(since) if since.elapsed() >= limit => {
                Err(End::Rejected(Rejection::DeliveryNotAcknowledged))
            }
            _ => Ok(()),
        }
    }

    fn on_verdict(&mut self, verdict: Verdict) -> Result<(), End> {
        let Ok(settled) = self.unacknowledged.settle(verdict) else {
            return Err(End::Rejected(Rejection::UplinkNotStored));
        };
        for pkid in settled {
            bump(&self.shared.counters.node_publishes_accepted);
            if pkid != 0 {
                answer::puback(&mut self.pipe.out, pkid);
            }
        }
        Ok(())
    }

    fn on_io(&mut self, io: Io) -> Result<(), End> {
        let packet = match io {
            Io::Packet(packet) => packet,
            Io::Wrote => return Ok(()),
            Io::Closed => return Err(End::Closed),
            Io::Rejected(why) => return Err(End::Rejected(why)),
        };
        match packet {
            Incoming::Publish(publish) => self.on_publish(publish).map_err(End::Rejected)?,
            Incoming::PubAck(pkid) => self.deliveries.acknowledged(pkid),
            Incoming::Subscribe { pkid, filters } => self.on_subscribe(pkid, &filters),
            Incoming::Unsubscribe { pkid, filters } => {
                if filters.contains(&self.down_topic) {
                    self.subscription = None;
                    self.down.set_subscribed(false);
                }
                answer::unsuback(&mut self.pipe.out, pkid);
            }
            Incoming::PingReq => answer::pingresp(&mut self.pipe.out),
            // Nothing of QoS 2 is ever open here; the answer ends the client's retries.
            Incoming::PubRel(pkid) => answer::pubcomp(&mut self.pipe.out, pkid),
            Incoming::Disconnect => return Err(End::Goodbye),
            Incoming::Connect(_) | Incoming::UnaskedAnswer => {
                return Err(End::Rejected(Rejection::UnexpectedPacket));
            }
        }
        Ok(())
    }

    fn on_publish(&mut self, publish: Publish) -> Result<(), Rejection> {
        if publish.topic != self.up_topic {
            return Err(Rejection::PublishNotAllowed);
        }
        if publish.qos > 1 {
            return Err(Rejection::QosNotSupported);
        }
        bump(&self.shared.counters.node_publishes);
        if let Some(until) = self.rate.charge(std::time::Instant::now()) {
            self.shared.counters.reject(Rejection::PublishRateLimited);
            self.paused_until = Some(Instant::from_std(until));
        }
        let ack = self.unacknowledged.expect(publish.pkid);
        self.held = Some(Uplink {
            node: self.node,
            payload: publish.payload,
            ack,
        });
        Ok(())
    }

    fn on_subscribe(&mut self, pkid: u16, filters: &[(String, u8)]) {
        let mut granted = Vec::with_capacity(filters.len());
        for (filter, qos) in filters {
            if *filter == self.down_topic {
                self.subscription = Some((*qos).min(1));
                granted.push(self.subscription);
            } else {
                self.shared
                    .reject(Rejection::SubscribeNotAllowed, &self.up_topic, self.address);
                granted.push(None);
            }
        }
        self.down.set_subscribed(self.subscription.is_some());
        answer::suback(&mut self.pipe.out, pkid, &granted);
    }

    fn send_down(&mut self) {
        let Some(qos) = self.subscription else { return };
        while self.stopping.is_none() && !self.pipe.is_full() && self.deliveries.has_room() {
            let Some(payload) = self.down.pop() else {
                return;
            };
            let pkid = if qos == 0 {
                0
            } else {
                self.deliveries.begin(Instant::now())
            };
            answer::publish(&mut self.pipe.out, &self.down_topic, &payload, false, pkid);
            bump(&self.shared.counters.downlinks_sent);
        }
    }
}
