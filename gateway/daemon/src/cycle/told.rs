//! What nodes were told, and presses on the page or the command line in place of one at the node. A press is an act of a moment: it is told for a minute and then
//! stale, so that no supply closes long after somebody looked.

use super::Cycle;
use super::hearing::Hearing;
use super::lease::Wanted;
use super::trials::Haste;
use gateway_core::guard::GuardDecision;
use gateway_core::{Decision, NodeId, Reading, Record};
use gateway_field::LinkBoard;
use prepaid_common::wire::SwitchReason;
use std::collections::BTreeMap;

/// A node that is connected answers within two seconds; one that has just lost its connection is back within a minute.
const VALID_MS: u64 = 60_000;

/// What nodes were told.
#[derive(Debug, Default)]
pub struct Told {
    /// What each was last sent, and when.
    pub sent: BTreeMap<NodeId, (Wanted, u64)>,
    /// Those told to close.
    pub presses: Presses,
    /// How well they are heard.
    pub hearing: Hearing,
    /// Around switch tests.
    pub haste: Haste,
}

impl Told {
    /// Nobody was told anything yet; how well nodes are heard is shown on the board of all links.
    pub fn shown_on(board: &LinkBoard) -> Self {
        Self {
            hearing: Hearing::on(board),
            ..Self::default()
        }
    }
}

/// Nodes that were told to close, and until when that holds.
#[derive(Debug, Default)]
pub struct Presses(BTreeMap<NodeId, u64>);

impl Presses {
    /// Whether a node is to be told now; forgotten once it waits no more, or when the press is stale.
    pub fn holds(&mut self, node: NodeId, last: Option<&Reading>, now_ms: u64) -> bool {
        let Some(until) = self.0.get(&node) else {
            return false;
        };
        let switch = last
            .and_then(|reading| reading.status.as_deref())
            .map(|s| s.switch.why);
        let holds = now_ms < *until && switch == Some(SwitchReason::WaitingForPress);
        if !holds {
            self.0.remove(&node);
        }
        holds
    }
}

impl Cycle {
    /// Takes note of the presses among records that are on disk.
    pub(super) fn press(&mut self, records: &[Record]) {
        for record in records {
            let Decision::Guard(GuardDecision::Pressed { usage_point, .. }) = &record.decision
            else {
                continue;
            };
            let point = self.state.usage_points.get(usage_point);
            if let Some(fit) = point.and_then(|point| point.meter) {
                let until = self.clock.monotonic_ms() + VALID_MS;
                self.told.presses.0.insert(fit.node, until);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::WattHours;
    use gateway_core::guard::{NodeStatus, NodeSwitch};

    #[test]
    fn a_press_ends_when_it_has_worked_and_when_it_is_stale() {
        let node = NodeId(1);
        let showing = |why| Reading {
            status: Some(Box::new(NodeStatus {
                switch: NodeSwitch { why, trips: 0 },
                wait_s: 0,
                echo: None,
                pressed: false,
                evidence: None,
            })),
            ..Reading::of(node, WattHours(0))
        };
        let waits = showing(SwitchReason::WaitingForPress);
        let connected = showing(SwitchReason::WithinLease);
        let check = |reading: &Reading, now_ms: u64, holds: bool, then: bool| {
            let mut presses = Presses([(node, VALID_MS)].into());
            assert_eq!(presses.holds(node, Some(reading), now_ms), holds);
            assert_eq!(presses.holds(node, Some(&waits), now_ms), then);
        };
        check(&waits, 0, true, true);
        check(&waits, VALID_MS, false, false);
        check(&connected, 0, false, false);
    }
}
