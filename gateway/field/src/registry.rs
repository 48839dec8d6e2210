//! Which clients are connected, and the hand-over when the same client connects again.
//!
//! Invariants: at most one connection per client; a take-over ends the older connection of that
//! client and no other; `Connected` and `Disconnected` of a node alternate, a take-over shows
//! neither. Client ids of site clients are kept apart per account, so nobody takes over another
//! account's client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prepaid_common::NodeId;
use tokio::sync::{broadcast, oneshot};

use crate::bucket::{Bucket, Rate};
use crate::downlink::DownQueue;
use crate::rejection::Rejection;

/// Events kept for a slow reader of the event stream: a whole site that comes and goes once.
const EVENT_BACKLOG: usize = 4096;

/// A node came or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldEvent {
    /// The node has authenticated.
    Connected(NodeId),
    /// The node's connection ended and no newer one took over.
    Disconnected(NodeId),
}

/// Who a connection belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClientKey {
    Node(NodeId),
    Site { user: String, client_id: String },
}

struct Entry {
    connection: u64,
    end: oneshot::Sender<Rejection>,
    take_overs: Bucket,
    down: Option<Arc<DownQueue>>,
}

#[derive(Default)]
struct Tables {
    next_connection: u64,
    clients: BTreeMap<ClientKey, Entry>,
}

pub(crate) struct Registry {
    take_overs: Rate,
    tables: Mutex<Tables>,
    events: broadcast::Sender<FieldEvent>,
}

/// A client's place; gives it back when dropped, unless a newer connection has it.
pub(crate) struct Presence {
    registry: Arc<Registry>,
    key: ClientKey,
    connection: u64,
    /// Resolves when a newer connection takes over.
    pub ended: oneshot::Receiver<Rejection>,
}

impl Registry {
    pub fn new(take_overs: Rate) -> Arc<Self> {
        let events = broadcast::channel(EVENT_BACKLOG).0;
        Arc::new(Self {
            take_overs,
            tables: Mutex::default(),
            events,
        })
    }

    /// Registers a connection, taking over an older one of the same client.
    pub fn enter(
        self: &Arc<Self>,
        key: ClientKey,
        down: Option<Arc<DownQueue>>,
        now: Instant,
    ) -> Result<Presence, Rejection> {
        let mut tables = self.lock();
        let take_overs = match tables.clients.get_mut(&key) {
            Some(older) => {
                if !older.take_overs.try_take(now) {
                    return Err(Rejection::TakeOverRateLimited);
                }
                older.take_overs
            }
            None => Bucket::new(self.take_overs, now),
        };
        let connection = tables.next_connection;
        tables.next_connection += 1;
        let (end, ended) = oneshot::channel();
        let entry = Entry {
            connection,
            end,
            take_overs,
            down,
        };
        match tables.clients.insert(key.clone(), entry) {
            // It may be ending by itself at this moment; then nobody listens.
            Some(older) => drop(older.end.send(Rejection::TakenOver)),
            None => self.announce(&key, FieldEvent::Connected),
        }
        Ok(Presence {
            registry: self.clone(),
            key,
            connection,
            ended,
        })
    }

    /// A number that no other connection has.
    pub fn next_number(&self) -> u64 {
        let mut tables = self.lock();
        tables.next_connection += 1;
        tables.next_connection
    }

    pub fn subscribe(&self) -> broadcast::Receiver<FieldEvent> {
        self.events.subscribe()
    }

    pub fn is_connected(&self, node: NodeId) -> bool {
        self.has(&ClientKey::Node(node))
    }

    /// Whether this client has a connection.
    pub fn has(&self, key: &ClientKey) -> bool {
        self.lock().clients.contains_key(key)
    }

    /// The downlink queue of a connected node.
    pub fn down_queue(&self, node: NodeId) -> Option<Arc<DownQueue>> {
        self.lock()
            .clients
            .get(&ClientKey::Node(node))
            .and_then(|entry| entry.down.clone())
    }

    /// Connected nodes (without the self-test) in ascending order.
    pub fn nodes(&self) -> Vec<NodeId> {
        let tables = self.lock();
        let node = |key: &ClientKey| match key {
            ClientKey::Node(node) if node.0 != 0 => Some(*node),
            _ => None,
        };
        tables.clients.keys().filter_map(node).collect()
    }

    /// Connected site clients.
    pub fn site_clients(&self) -> usize {
        let tables = self.lock();
        tables
            .clients
            .keys()
            .filter(|key| matches!(key, ClientKey::Site { .. }))
            .count()
    }

    fn announce(&self, key: &ClientKey, event: fn(NodeId) -> FieldEvent) {
        if let ClientKey::Node(node) = key
            && node.0 != 0
        {
            // Nobody may be listening.
            let _ = self.events.send(event(*node));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut tables = self.registry.lock();
        if tables
            .clients
            .get(&self.key)
            .is_some_and(|entry| entry.connection == self.connection)
        {
            tables.clients.remove(&self.key);
            self.registry.announce(&self.key, FieldEvent::Disconnected);
        }
    }
}
