//! What one cycle writes.

use gateway_core::loss::live::Round;
use gateway_core::metering::LastReading;
use gateway_core::person::SecretHash;
use gateway_core::{NodeId, Record, UtcSeconds};

/// A node's secret key, 128 bits.
pub type NodeKey = [u8; 16];

/// What a person proves to be themselves with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonSecret {
    /// Hash of a password, PIN or bearer secret.
    pub hash: SecretHash,
    /// Whether they are to choose another one at the next login.
    pub must_change: bool,
}

/// Frames that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The node they claimed to come from, if it is known at this site. Numbers of unknown nodes are not kept: whoever forges
    /// frames could fill the table with them.
    pub node: Option<NodeId>,
    /// Stable name of the reason.
    pub reason: String,
    /// How many: in a batch, since the last one; when read, altogether.
    pub count: u64,
    /// When the last one came.
    pub last_at: UtcSeconds,
}

/// What one cycle writes: all of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Decisions, numbered on from the journal's head.
    pub records: Vec<Record>,
    /// Accepted readings, in the order they were accepted.
    pub readings: Vec<LastReading>,
    /// Registers at quarter-hours, for the watch over the feeders.
    pub rounds: Vec<Round>,
    /// New keys of nodes; a node's former key is replaced.
    pub node_keys: Vec<(NodeId, NodeKey)>,
    /// Passwords of people, in the order they were set; `None`: the person left.
    pub person_secrets: Vec<(String, Option<PersonSecret>)>,
    /// Frames rejected since the last batch.
    pub rejections: Vec<Rejection>,
    /// When the gateway tested the whole way from a node's publish to the disk; written so that the disk is in the test.
    pub tested_at: Option<UtcSeconds>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.readings.is_empty()
            && self.rounds.is_empty()
            && self.node_keys.is_empty()
            && self.person_secrets.is_empty()
            && self.rejections.is_empty()
            && self.tested_at.is_none()
    }

    /// Empties the batch for the next cycle.
    pub fn clear(&mut self) {
        self.records.clear();
        self.readings.clear();
        self.rounds.clear();
        self.node_keys.clear();
        self.person_secrets.clear();
        self.rejections.clear();
        self.tested_at = None;
    }
}
