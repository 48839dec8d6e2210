//! The gateway's end of the node protocol, without I/O: which frame is accepted, and what is
//! answered.
//!
//! Decided here: sessions, counters, duplicates, how often a node is answered. Not decided here:
//! what a report means, what a node is told, when a frame is stored. `docs/node-protocol.md`
//! describes the protocol.
//!
//! Terms: a report is *in flight* from its acceptance until the caller says
//! [`NodeLinks::committed`] or [`NodeLinks::uncommitted`]. The *floor* of a node is the highest
//! counter that is committed. A session is *offered* in a welcome and becomes *current* with the
//! first report in it, so that a replayed hello cannot end a session.
//!
//! Invariants: a counter is accepted at most once, whatever is replayed, reordered or restored; one
//! node's claims change nothing for another; no panic on any input; time and randomness are
//! arguments.

mod limiter;
mod node_link;

use node_link::NodeLink;
use prepaid_common::wire::{
    BufferTooSmall, Command, Counter, Direction, FrameRejection, Hello, Key, Kind, MAX_FRAME,
    Report, open_frame, peek,
};
use prepaid_common::{NodeId, UtcSeconds};
use std::collections::BTreeMap;

/// Reports of one node that may wait for their commit. A node keeps one in flight, and adds one for
/// each urgent change; at ten a second this is more than three seconds of a stalled disk.
pub const MAX_IN_FLIGHT: usize = 32;

/// What the caller knows at the moment a frame arrives.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// 64 fresh random bits from the operating system, used if a session is offered. Never the same
    /// twice.
    pub session_random: u64,
    /// The gateway's clock, for the welcome.
    pub now: UtcSeconds,
    /// Whether that clock is trusted.
    pub clock_trusted: bool,
    /// A clock that never goes back, for the limit on answers. Milliseconds.
    pub monotonic_ms: u64,
    /// What the node is to be told with a welcome, such as its lease.
    pub directive: Option<&'a Command>,
}

/// What became of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// A new report. Store it, then say [`NodeLinks::committed`] and acknowledge it to the node
    /// (PUBACK).
    Report {
        /// Above every counter accepted from this node before.
        counter: Counter,
        /// What the node says.
        report: Box<Report>,
    },
    /// Send this frame. The frame that caused it needs no storing: acknowledge it at once.
    Reply {
        /// A whole sealed frame.
        frame: Vec<u8>,
        /// Why.
        reason: ReplyReason,
    },
    /// The same report again.
    Duplicate {
        /// Its counter.
        counter: Counter,
        /// True: it is stored, acknowledge it again. False: it is in flight, acknowledge it after
        /// its commit.
        committed: bool,
    },
    /// Refused. Don't acknowledge; count it by `reason()`.
    Rejected(FrameRejection),
}

/// Why a frame is sent in answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyReason {
    /// A welcome for this hello.
    Welcome {
        /// What the node said.
        hello: Hello,
        /// `Some(epoch)`: the node has seen counters this gateway has not used yet, so the
        /// gateway's data were restored from a backup. Raise an alarm. The link already counts
        /// above what the node saw; nothing has to be persisted for safety, because every session
        /// is fresh. If you persist it, don't let one node alone exhaust the epochs.
        raised_gateway_epoch: Option<u32>,
    },
    /// A who: the report was authentic, but of a session that is not known (`StaleSession`; count
    /// it so).
    Who,
}

/// Why a command was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The gateway holds no key for this node.
    #[error("the node is not provisioned; add it first")]
    UnknownNode,
    /// The node has not confirmed a session. It learns its lease with the welcome instead.
    #[error("the node is not connected; it is told when it says hello")]
    NoSession,
    /// 2^32 frames or 2^24 starts are used up.
    #[error("the counters of this node are used up; give it a new key")]
    CounterExhausted,
    /// Never with a frame of this version.
    #[error(transparent)]
    TooLarge(#[from] BufferTooSmall),
}

/// All nodes' links.
#[derive(Debug)]
pub struct NodeLinks {
    gateway_epoch: u32,
    links: BTreeMap<NodeId, NodeLink>,
}

impl NodeLinks {
    /// `gateway_epoch` is the number of starts of the daemon, persisted before use, at most
    /// [`Counter::MAX_EPOCH`].
    #[must_use]
    pub fn new(gateway_epoch: u32) -> Self {
        let gateway_epoch = gateway_epoch.min(Counter::MAX_EPOCH);
        Self {
            gateway_epoch,
            links: BTreeMap::new(),
        }
    }

    /// Adds a node, or replaces it and ends its session. `uplink_floor` is the highest counter ever
    /// committed.
    pub fn add(&mut self, node: NodeId, key: Key, uplink_floor: Counter) {
        self.links.insert(
            node,
            NodeLink::new(node, key, uplink_floor, self.gateway_epoch),
        );
    }

    /// Forgets a node. Returns false if it was not there.
    pub fn remove(&mut self, node: NodeId) -> bool {
        self.links.remove(&node).is_some()
    }

    /// Whether the node confirmed a session, so that [`NodeLinks::command`] can reach it.
    #[must_use]
    pub fn has_session(&self, node: NodeId) -> bool {
        self.links.get(&node).is_some_and(NodeLink::has_session)
    }

    /// Judges one frame from the node that the transport knows the sender as.
    pub fn uplink(&mut self, sender: NodeId, frame: &[u8], arrival: &Arrival<'_>) -> LinkOutcome {
        self.judge(sender, frame, arrival)
            .unwrap_or_else(LinkOutcome::Rejected)
    }

    fn judge(
        &mut self,
        sender: NodeId,
        frame: &[u8],
        arrival: &Arrival<'_>,
    ) -> Result<LinkOutcome, FrameRejection> {
        let header = peek(frame)?;
        if header.kind.direction() != Direction::Up {
            return Err(FrameRejection::WrongDirection);
        }
        if header.envelope.node != sender {
            return Err(FrameRejection::WrongNode);
        }
        let link = self
            .links
            .get_mut(&sender)
            .ok_or(FrameRejection::UnknownNode)?;
        let mut buffer = [0; MAX_FRAME];
        let copy = buffer
            .get_mut(..frame.len())
            .ok_or(FrameRejection::TooLong)?;
        copy.copy_from_slice(frame);
        let opened = open_frame(link.key(), sender, Direction::Up, copy)?;
        match header.kind {
            Kind::Hello => link.hello(opened.body, arrival),
            _ => link.report(header.envelope, opened.body, arrival),
        }
    }

    /// The report is on disk. From now on the same frame is a committed duplicate.
    pub fn committed(&mut self, node: NodeId, counter: Counter) {
        if let Some(link) = self.links.get_mut(&node) {
            link.committed(counter);
        }
    }

    /// Storing the report failed: the same frame is accepted when it comes again, unless a later
    /// one was accepted.
    pub fn uncommitted(&mut self, node: NodeId, counter: Counter) {
        if let Some(link) = self.links.get_mut(&node) {
            link.uncommitted(counter);
        }
    }

    /// The highest committed counter: what to pass to [`NodeLinks::add`] after a restart.
    #[must_use]
    pub fn uplink_floor(&self, node: NodeId) -> Option<Counter> {
        self.links.get(&node).map(NodeLink::floor)
    }

    /// Seals a command with the next counter of the node's current session.
    ///
    /// Commands are level, not edge: send again until the reports say so. A lost one needs no
    /// memory here.
    ///
    /// # Errors
    /// [`LinkError`].
    pub fn command(&mut self, node: NodeId, command: &Command) -> Result<Vec<u8>, LinkError> {
        self.links
            .get_mut(&node)
            .ok_or(LinkError::UnknownNode)?
            .command(command)
    }
}
