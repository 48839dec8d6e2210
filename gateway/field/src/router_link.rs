//! One client's receiving end in the router.
//!
//! Dropping it takes its subscriptions back and leaves the link to the next client; a link that does
//! not come clean is never used again.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use rumqttd::Notification;
use rumqttd::local::{LinkError, LinkRx};
use rumqttd::protocol::{Packet, Publish};
use tokio::time::timeout;

use crate::rejection::Rejection;
use crate::router::{PATIENCE, SITE_PREFIX, SiteRouter};
use crate::router_feed::Command;

/// A message for a site client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub topic: String,
    /// As published: 0, 1 or 2.
    pub qos: u8,
    pub payload: Bytes,
}

/// One client's subscriptions in the router, on a link that is reused afterwards.
pub(crate) struct RouterLink {
    router: Arc<SiteRouter>,
    link: usize,
    receiver: Option<LinkRx>,
    subscribed: BTreeSet<String>,
    unsubscribing: usize,
    wake: bool,
    /// Being cleaned for its next user; dropping it now gives it up.
    closing: bool,
}

impl RouterLink {
    /// A link that has no subscriptions.
    pub fn new(router: Arc<SiteRouter>, link: usize, receiver: LinkRx) -> Self {
        Self {
            router,
            link,
            receiver: Some(receiver),
            subscribed: BTreeSet::new(),
            unsubscribing: 0,
            wake: false,
            closing: false,
        }
    }

    /// Receives what is published to `filter` from now on. The caller has asked `may_use_filter`.
    pub async fn subscribe(&mut self, filter: &str) -> Result<(), Rejection> {
        self.subscribe_raw(format!("{SITE_PREFIX}{filter}")).await
    }

    pub async fn subscribe_raw(&mut self, filter: String) -> Result<(), Rejection> {
        if self.subscribed.contains(&filter) {
            return Ok(());
        }
        self.subscribed.insert(filter.clone());
        self.router
            .command(Command::Subscribe {
                link: self.link,
                filter,
            })
            .await
    }

    /// Stops receiving `filter`; what is on its way may still come.
    pub async fn unsubscribe(&mut self, filter: &str) -> Result<(), Rejection> {
        let filter = format!("{SITE_PREFIX}{filter}");
        if !self.subscribed.remove(&filter) {
            return Ok(());
        }
        self.unsubscribing += 1;
        self.router
            .command(Command::Unsubscribe {
                link: self.link,
                filter,
            })
            .await
    }

    /// The next message. May be dropped while waiting.
    pub async fn next(&mut self) -> Result<Delivery, Rejection> {
        loop {
            if let Some(delivery) = self.advance().await? {
                return Ok(delivery);
            }
        }
    }

    async fn advance(&mut self) -> Result<Option<Delivery>, Rejection> {
        let gone = |_error: LinkError| Rejection::RouterUnavailable;
        let receiver = self.receiver.as_mut().ok_or(Rejection::RouterUnavailable)?;
        if self.wake {
            // The router pauses a link after a batch until it is told to go on.
            receiver.wake().await.map_err(gone)?;
            self.wake = false;
        }
        match receiver.next().await.map_err(gone)? {
            Some(Notification::Forward(forward)) => Ok(delivery(&forward.publish)),
            Some(Notification::Unschedule) => {
                self.wake = true;
                Ok(None)
            }
            Some(Notification::DeviceAck(ack)) => {
                if let Packet::UnsubAck(..) = ack.into() {
                    self.unsubscribing = self.unsubscribing.saturating_sub(1);
                }
                Ok(None)
            }
            Some(Notification::Disconnect(..)) => Err(Rejection::RouterUnavailable),
            _ => Ok(None),
        }
    }

    /// Takes all subscriptions back and leaves the link to the next client.
    ///
    /// A link that does not come clean in time is not used again.
    async fn close(mut self) {
        let clean = async {
            for filter in std::mem::take(&mut self.subscribed) {
                self.unsubscribing += 1;
                self.router
                    .command(Command::Unsubscribe {
                        link: self.link,
                        filter,
                    })
                    .await?;
            }
            while self.unsubscribing > 0 {
                self.advance().await?;
            }
            Ok::<(), Rejection>(())
        };
        if !matches!(timeout(PATIENCE, clean).await, Ok(Ok(()))) {
            log::warn!("failed to clean a link of the site router; it is not used again");
        } else if let Some(receiver) = self.receiver.take() {
            let _ = self
                .router
                .command(Command::Release {
                    link: self.link,
                    receiver,
                })
                .await;
        }
    }
}

impl Drop for RouterLink {
    fn drop(&mut self) {
        if self.closing {
            return;
        }
        let Some(receiver) = self.receiver.take() else {
            return;
        };
        let again = RouterLink {
            router: self.router.clone(),
            link: self.link,
            receiver: Some(receiver),
            subscribed: std::mem::take(&mut self.subscribed),
            unsubscribing: self.unsubscribing,
            wake: self.wake,
            closing: true,
        };
        // Without a runtime the process ends, and the link with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(again.close());
        }
    }
}

fn delivery(publish: &Publish) -> Option<Delivery> {
    let topic = std::str::from_utf8(&publish.topic).ok()?;
    let topic = topic.strip_prefix(SITE_PREFIX).unwrap_or(topic).to_owned();
    let qos = *publish.payload.first()?;
    Some(Delivery {
        topic,
        qos,
        payload: publish.payload.slice(1..),
    })
}
