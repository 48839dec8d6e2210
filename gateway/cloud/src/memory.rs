//! What outlives the program besides the journal: a file of the data directory.
//!
//! Losing it loses no row and no order. The gateway's key is in it, so without it the gateway has to be enrolled again; without its lineage a
//! head-end takes the gateway for an older copy.

use crate::message::{Instance, Mark};
use gateway_core::UtcSeconds;
use gateway_core::order::Hex;
use serde::{Deserialize, Serialize};

/// Instances kept. Each is a start that reached a broker and was not answered.
const MOST_INSTANCES: usize = 64;

/// The file. `Debug` never shows the seed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// From which the gateway's key follows: secret.
    pub seed: Hex<32>,
    /// Where the head-end is, if it was named at enrolment.
    #[serde(default)]
    pub url: Option<String>,
    /// The instance accepted last and those after it.
    #[serde(default)]
    pub lineage: Vec<Instance>,
    /// The last journal row acknowledged.
    #[serde(default)]
    pub journal: Option<Mark>,
    /// Up to where profile rows were acknowledged.
    #[serde(default)]
    pub profile: u64,
    /// When the head-end was heard last.
    #[serde(default)]
    pub heard_at: UtcSeconds,
    /// A UTC day (days since 1970), and the bytes published on it.
    #[serde(default)]
    pub bytes: (i64, u64),
    /// The bytes published on the day before.
    #[serde(default)]
    pub bytes_before: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("lineage", &self.lineage)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

impl Memory {
    /// A memory with nothing in it but a key's seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed: Hex(seed),
            url: None,
            lineage: Vec::new(),
            journal: None,
            profile: 0,
            heard_at: UtcSeconds(0),
            bytes: (0, 0),
            bytes_before: 0,
        }
    }

    /// Adds an instance that is about to say hello; the first one, the accepted one, always stays.
    pub fn add(&mut self, instance: Instance) {
        if self.lineage.last() != Some(&instance) {
            self.lineage.push(instance);
            if self.lineage.len() > MOST_INSTANCES {
                self.lineage.remove(1);
            }
        }
    }

    /// The head-end has accepted this instance.
    pub fn accepted(&mut self, instance: Instance) {
        self.lineage = vec![instance];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lineage_is_bounded_and_keeps_the_accepted_one() {
        let mut memory = Memory::new([0; 32]);
        memory.accepted(Hex([1; 8]));
        for start in 0..1_000_u64 {
            memory.add(Hex(start.to_be_bytes()));
            memory.add(Hex(start.to_be_bytes()));
        }
        assert_eq!(memory.lineage.len(), MOST_INSTANCES);
        assert_eq!(memory.lineage.first(), Some(&Hex([1; 8])));
        assert_eq!(memory.lineage.last(), Some(&Hex(999_u64.to_be_bytes())));
        assert!(!format!("{memory:?}").contains("seed"));
    }
}
