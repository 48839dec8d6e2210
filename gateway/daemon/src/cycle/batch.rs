//! What waits for the next commit.

use super::Settings;
use gateway_core::event::Answer;
use gateway_core::metering::LastReading;
use gateway_core::{NodeId, Refusal, UtcSeconds};
use gateway_field::Ack;
use gateway_web::DeskError;
use prepaid_common::wire::Counter;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a command's sender gets back.
pub type Reply = Result<Answer, DeskError>;

/// Decisions, readings and everything that follows from them, until they are on disk.
#[derive(Default)]
pub struct Batch {
    /// Decisions, readings, keys of new nodes: what goes to the disk.
    pub rows: gateway_store::Batch,
    /// Nodes whose lease may have to be sent.
    pub nodes: BTreeSet<NodeId>,
    /// To be acknowledged.
    pub acks: Vec<Ack>,
    /// Frame counters that become final.
    pub counters: Vec<(NodeId, Counter)>,
    /// Frames that answer greetings.
    pub frames: Vec<(NodeId, Vec<u8>)>,
    /// Words for the displays of nodes at which something was typed.
    pub texts: Vec<(NodeId, String)>,
    /// The clock is set: to what, and the stopwatch then.
    pub clock: Option<(UtcSeconds, u64)>,
    /// Answers to commands.
    pub replies: Vec<(oneshot::Sender<Reply>, Result<Answer, Refusal>)>,
    /// Frames or readings refused: node and reason.
    pub rejected: Vec<(NodeId, &'static str)>,
    /// Do not wait for more.
    pub urgent: bool,
    /// When the first of it came.
    pub since: Option<Instant>,
}

impl Batch {
    /// How much there is, for the limit on one commit.
    pub fn len(&self) -> usize {
        self.rows.readings.len() + self.rows.records.len() + self.replies.len() + self.acks.len()
    }

    /// Whether it is time to commit.
    pub fn is_due(&self, settings: &Settings) -> bool {
        let waited = self
            .since
            .is_some_and(|since| since.elapsed() >= settings.gather);
        let hurry = settings.gather == Duration::ZERO && self.since.is_some();
        self.urgent || hurry || waited || self.len() >= settings.batch
    }

    /// Starts the wait if nothing was waiting.
    pub fn touch(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// An accepted reading.
    pub fn accepted(&mut self, last: LastReading) {
        self.touch();
        self.nodes.insert(last.reading.node);
        self.rows.readings.push(last);
    }

    /// An answer to give after the commit.
    pub fn reply(&mut self, to: oneshot::Sender<Reply>, answer: Result<Answer, Refusal>) {
        self.touch();
        self.urgent = true;
        self.replies.push((to, answer));
    }

    /// Makes the key of a new node. Without randomness there is no key and the node cannot connect; `node add` says so.
    pub fn new_key(&mut self, node: NodeId) {
        let mut key = [0; 16];
        if getrandom::fill(&mut key).is_ok() {
            self.rows.node_keys.push((node, key));
        }
    }
}
