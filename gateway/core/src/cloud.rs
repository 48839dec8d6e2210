//! What the site knows of its head-end, and whether money may be taken.
//!
//! Decided here: who is obeyed (the key pinned at enrolment), and when money is held. *Held*: there is evidence that this gateway is an older
//! copy of itself, so vends and tokens it has not heard of may exist. Nobody's supply changes because of it: leases go on, and credit already
//! given is used. Not decided here: what the evidence is worth (the daemon and the crate `cloud` gather it).
//!
//! Invariant: evidence that a person has answered is not evidence again.

use crate::configured::Configured;
use crate::decision::{Decision, Record};
use crate::order::{Hex32, Taken, place};
use crate::state::State;
use crate::{Refusal, UtcSeconds};
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What points to an older copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldCause {
    /// Nodes have seen a later gateway.
    Nodes,
    /// The head-end has stored records this journal does not have, or other ones.
    Diverged,
    /// The head-end knows another copy that went on.
    Copy,
    /// The head-end has accepted an instance started after this one.
    Superseded,
    /// A backup was restored.
    Restored,
}

/// Money is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Why.
    pub cause: HoldCause,
    /// What exactly; the same text is the same evidence.
    pub evidence: String,
    /// Since when.
    pub since: UtcSeconds,
}

/// The head-end this gateway obeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// Number of the record that enrolled it.
    pub number: u64,
    /// Its public key (Ed25519).
    pub cloud_key: Hex32,
    /// The key before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_key: Option<Hex32>,
    /// This gateway's public key.
    pub gateway_key: Hex32,
}

/// Evidence remembered as answered; the oldest goes first. Each is a restored image or a card.
const MOST_ANSWERED: usize = 32;

/// The head-end and the hold on money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cloud {
    /// The head-end, once there is one.
    pub enrolled: Option<Enrolled>,
    /// Which continuation of the journal this is, from 1.
    pub branch: u32,
    /// The last record of the branch before that the head-end has as well.
    pub branch_after: u64,
    /// Orders up to this sequence count as taken.
    pub floor: u64,
    /// Whether and why money is held.
    pub held: Option<Held>,
    /// Evidence that was answered.
    #[serde(default)]
    pub answered: Vec<String>,
    /// Settings that were ordered.
    #[serde(default, skip_serializing_if = "Configured::is_empty")]
    pub configured: Configured,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            enrolled: None,
            branch: 1,
            branch_after: 0,
            floor: 0,
            held: None,
            answered: Vec::new(),
            configured: Configured::default(),
        }
    }
}

impl Cloud {
    /// Whether money may be taken.
    ///
    /// # Errors
    /// It is held.
    pub fn takes_money(&self) -> Result<(), Refusal> {
        match self.held {
            Some(_) => Err(Refusal::MoneyHeld),
            None => Ok(()),
        }
    }

    pub(crate) fn enrol(&mut self, number: u64, cloud_key: Hex32, gateway_key: Hex32) {
        self.enrolled = Some(Enrolled {
            number,
            cloud_key,
            former_key: None,
            gateway_key,
        });
        self.floor = 0;
    }

    pub(crate) fn roll(&mut self, key: Hex32) {
        if let Some(enrolled) = &mut self.enrolled {
            enrolled.former_key = Some(enrolled.cloud_key);
            enrolled.cloud_key = key;
        }
    }

    pub(crate) fn release(&mut self) {
        if let Some(held) = self.held.take() {
            self.answered.push(held.evidence);
            let excess = self.answered.len().saturating_sub(MOST_ANSWERED);
            self.answered.drain(..excess);
        }
    }
}

impl State {
    /// Makes a record about the head-end true; others change nothing.
    pub(crate) fn apply_cloud(&mut self, record: &Record) {
        match &record.decision {
            Decision::CloudEnrolled {
                cloud_key,
                gateway_key,
                ..
            } => self.cloud.enrol(record.number, *cloud_key, *gateway_key),
            Decision::CloudKeyRolled { key } => self.cloud.roll(*key),
            Decision::OrderTaken {
                order,
                sequence,
                enrolment,
                supply_of,
                sets,
                result,
                ..
            } => {
                let taken = Taken {
                    order: order.clone(),
                    sequence: *sequence,
                    enrolment: *enrolment,
                    number: record.number,
                    supply_of: *supply_of,
                    sets: sets.clone(),
                    outcome: result.clone(),
                };
                self.orders.insert(place(*sequence), taken);
            }
            Decision::MoneyHeld { cause, evidence } => {
                self.cloud.held = Some(Held {
                    cause: *cause,
                    evidence: evidence.clone(),
                    since: record.at,
                });
            }
            Decision::MoneyReleased { .. } => self.cloud.release(),
            Decision::BranchBegun {
                branch,
                after,
                floor,
            } => {
                self.cloud.branch = *branch;
                self.cloud.branch_after = *after;
                self.cloud.floor = *floor;
            }
            decision => self.cloud.configured.apply(record.number, decision),
        }
    }
}
