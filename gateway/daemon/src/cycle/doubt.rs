//! Whether the nodes have seen a later gateway than this one: a restored image, or a copy that is running.
//!
//! A node's first hello of a start says the highest gateway counter it has seen. One of an epoch that this start has just begun, or of a later
//! one, was not counted by this database. One node alone could claim that to stop all sales, so two have to, where there are more than two.

use gateway_core::NodeId;
use std::collections::BTreeSet;

/// Nodes that have to agree, where there are enough.
const WITNESSES: usize = 2;

/// What nodes have said since the start.
#[derive(Debug)]
pub struct Doubt {
    epoch: u32,
    greeted: BTreeSet<NodeId>,
    doubting: BTreeSet<NodeId>,
}

impl Doubt {
    /// Nothing was said yet in this start of the daemon.
    pub fn new(epoch: u32) -> Self {
        Self {
            epoch,
            greeted: BTreeSet::new(),
            doubting: BTreeSet::new(),
        }
    }

    /// A node has said hello. True: there is evidence now, and was not before.
    pub fn hello(&mut self, node: NodeId, seen_epoch: u32, nodes: usize) -> bool {
        let is_first = self.greeted.insert(node);
        if !is_first || seen_epoch < self.epoch {
            return false;
        }
        self.doubting.insert(node);
        self.doubting.len() == if nodes > WITNESSES { WITNESSES } else { 1 }
    }

    /// The evidence in words.
    pub fn words(&self) -> String {
        let names: Vec<String> = self.doubting.iter().map(ToString::to_string).collect();
        let names = names.join(" and ");
        format!(
            "{names} had seen a later gateway when start {} began",
            self.epoch
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Doubt;
    use gateway_core::NodeId;

    #[test]
    fn two_nodes_are_evidence_and_one_is_not() {
        for (hellos, nodes, expected) in [
            (&[(1, 9), (2, 8)][..], 30, &[false, false][..]),
            (
                &[(1, 10), (2, 9), (3, 12), (4, 12)],
                30,
                &[false, false, true, false],
            ),
            (&[(1, 10), (1, 10)], 30, &[false, false]),
            (&[(1, 10)], 2, &[true]),
            (&[(1, 3), (1, 10)], 1, &[false, false]),
        ] {
            let mut doubt = Doubt::new(10);
            let told: Vec<bool> = hellos
                .iter()
                .map(|(node, seen)| doubt.hello(NodeId(*node), *seen, nodes))
                .collect();
            assert_eq!(told, expected, "{hellos:?}");
        }
    }
}
