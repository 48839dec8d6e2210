//! rumqttd's router between the site's clients, used so that its known faults cannot be reached.
//!
//! Decided here: how messages travel. Not decided here: who may send what (`acl`).
//!
//! - One thread alone sends to the router, so a stuck router stops that thread and nobody else;
//!   sessions wait for it with a limit, and nodes never do.
//! - Links are reused and never disconnected: the router mixes up connection numbers when they end.
//! - Every topic carries the prefix `s/`: the router panics on a first character outside ASCII and
//!   hides topics that start with `$`.
//! - A message's QoS travels as its first byte: the router delivers at the subscription's QoS. So
//!   its own acknowledgements, retained messages and wills are never used.
//! - Distinct topics and filters are counted, since the router never frees one.
//!
//! A subscriber that falls more than 256 KiB per filter behind misses messages before it is closed
//! as a slow reader: between site clients a message is not a ledger entry.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::config::Limits;
use crate::error::FieldError;
use crate::rejection::Rejection;
use crate::retained::Retained;
use crate::router_feed::{self, Command};
use crate::router_link::RouterLink;

/// Commands waiting for the router thread; its own queue holds 1,000.
const COMMANDS: usize = 256;
/// How long a session waits for the router before it calls it dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// Prefix of everything between site clients.
pub(crate) const SITE_PREFIX: &str = "s/";
/// The one topic outside of it, for the self-test.
pub(crate) const SELF_TEST_TOPIC: &str = "self-test";

#[derive(Default)]
struct Known {
    topics: BTreeSet<String>,
    filters: BTreeSet<String>,
}

/// The way into the router for all site clients.
pub(crate) struct SiteRouter {
    limits: Limits,
    commands: mpsc::Sender<Command>,
    known: Mutex<Known>,
    retained: Mutex<Retained>,
}

impl SiteRouter {
    /// Starts the router and the thread that feeds it. Both live as long as the process.
    pub fn start(limits: &Limits) -> Result<Arc<Self>, FieldError> {
        let (commands, received) = mpsc::channel(COMMANDS);
        let feed = router_feed::prepare(limits, received);
        thread::Builder::new()
            .name("site-router-feed".to_owned())
            .spawn(feed)
            .map_err(|error| FieldError::System(error.to_string()))?;
        Ok(Arc::new(Self {
            limits: limits.clone(),
            commands,
            known: Mutex::default(),
            retained: Mutex::new(Retained::new(limits.retained, limits.retained_bytes)),
        }))
    }

    /// A link of one's own, to receive.
    pub async fn open(self: &Arc<Self>) -> Result<RouterLink, Rejection> {
        let (reply, answer) = oneshot::channel();
        self.command(Command::Open { reply }).await?;
        let opened = timeout(PATIENCE, answer).await;
        let (link, receiver) = opened
            .ok()
            .and_then(Result::ok)
            .ok_or(Rejection::RouterUnavailable)?;
        Ok(RouterLink::new(self.clone(), link, receiver))
    }

    /// Hands a message to every subscriber. `Err` names the limit that it met.
    pub async fn publish(&self, topic: &str, qos: u8, payload: &[u8]) -> Result<(), Rejection> {
        {
            let mut known = lock(&self.known);
            if !known.topics.contains(topic) {
                if known.topics.len() >= self.limits.topics {
                    return Err(Rejection::TooManyTopics);
                }
                known.topics.insert(topic.to_owned());
            }
        }
        self.publish_raw(format!("{SITE_PREFIX}{topic}"), qos, payload)
            .await
    }

    pub async fn publish_raw(
        &self,
        topic: String,
        qos: u8,
        payload: &[u8],
    ) -> Result<(), Rejection> {
        let mut body = BytesMut::with_capacity(1 + payload.len());
        body.put_u8(qos);
        body.put_slice(payload);
        self.command(Command::Publish {
            topic,
            body: body.freeze(),
        })
        .await
    }

    /// Keeps a retained message, or removes it with an empty payload.
    pub fn retain(&self, topic: &str, qos: u8, payload: &Bytes) -> Result<(), Rejection> {
        let kept = lock(&self.retained).keep(topic, qos, payload);
        kept.map_err(|_full| Rejection::RetainedStoreFull)
    }

    /// The retained messages of a filter.
    pub fn retained(&self, filter: &str) -> Vec<(String, u8, Bytes)> {
        lock(&self.retained).matching(filter)
    }

    /// Whether the router may be given this filter; remembers it if so.
    pub fn may_use_filter(&self, filter: &str) -> bool {
        let mut known = lock(&self.known);
        if known.filters.contains(filter) {
            return true;
        }
        known.filters.len() < self.limits.filters && known.filters.insert(filter.to_owned())
    }

    pub async fn command(&self, command: Command) -> Result<(), Rejection> {
        match timeout(PATIENCE, self.commands.send(command)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Rejection::RouterUnavailable),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
