//! Reconnection: by itself or by a press, and how a street comes back after an outage.
//!
//! Terms: a supply that may be closed and waits for a press is *ready for reconnection* (COSEM disconnect control, class 70). What the node
//! opened for a while (a trip) or for the day (the allowance) closes by itself all the same.

use crate::NodeId;

/// How supplies come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconnect {
    /// Whether a supply that was opened by credit, order or latch waits for a press at the node, the page or the command line: nothing
    /// closes by itself into a house where something was left on.
    pub press: bool,
    /// Seconds a node stays open after power returned.
    pub delay_s: u16,
    /// Seconds over which the nodes of a site are spread after that.
    pub spread_s: u16,
}

/// 2^32 divided by the golden ratio: consecutive numbers fall far from each other.
const GOLDEN: u32 = 0x9e37_79b9;

impl Reconnect {
    /// Seconds a node stays open after power returned: always the same for a node, evenly spread over a site's numbers.
    #[must_use]
    pub fn delay_of(&self, node: NodeId) -> u16 {
        let place = u64::from(node.0.wrapping_mul(GOLDEN));
        let spread = (place * (u64::from(self.spread_s) + 1)) >> 32;
        let spread = u16::try_from(spread).unwrap_or(self.spread_s);
        self.delay_s.saturating_add(spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_nodes_come_back_far_apart() {
        let rules = Reconnect {
            press: false,
            delay_s: 10,
            spread_s: 299,
        };
        let mut delays: alloc::vec::Vec<_> = (1..=100).map(|n| rules.delay_of(NodeId(n))).collect();
        delays.sort_unstable();
        assert!(delays[0] >= 10 && delays[99] <= 309, "{delays:?}");
        // A hundred in 300 s: in no 30 s more than twice the fair share of ten.
        for from in (10..310).step_by(30) {
            let here = delays.iter().filter(|d| (from..from + 30).contains(*d));
            assert!(here.count() <= 20, "{from}: {delays:?}");
        }
        assert_eq!(Reconnect::default().delay_of(NodeId(7)), 0);
    }
}
