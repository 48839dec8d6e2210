//! Shop-bought meters: their readings in, the state of their switches out.
//!
//! Drivers of buses and devices get a list of what is installed and what each switch is to be, after every commit that changes it.
//! It is level, not edge: a driver compares it with what the switch reports and tells it again until both agree.

use super::Cycle;
use gateway_core::meter_link::MeterLink;
use gateway_core::{Decision, Event, NodeId, Record};

impl Cycle {
    /// Takes a driver's news of a meter. There is nobody to answer: what is refused is counted by node.
    pub(super) fn metered(&mut self, event: Event) {
        self.batch.touch();
        let node = match &event {
            Event::Metered(metered) => metered.reading.node,
            Event::Switched { node, .. } => *node,
            _ => return,
        };
        if let Err(refusal) = self.event(&event) {
            self.batch.rejected.push((node, refusal.name()));
        }
    }

    /// Whether a node speaks in sealed frames, and so has a key.
    pub(super) fn is_sealed(&self, node: NodeId) -> bool {
        let node = self.state.nodes.get(&node);
        node.is_some_and(|node| node.link.is_sealed())
    }

    /// Sends a node a frame the way it is reached. False: it is not sent, and what it says is said again.
    pub(super) fn send(&self, node: NodeId, frame: Vec<u8>) -> bool {
        match self.state.nodes.get(&node).map(|node| &node.link) {
            Some(MeterLink::NodeOnBus { bus, .. }) => self.buses.send(bus, node, frame),
            _ => self.field.send(node, frame).is_ok(),
        }
    }

    /// Whether a node learns from a sealed word what is stored, because nothing on its way is told by a PUBACK of ours.
    pub(super) fn hears_by_word(&self, node: NodeId) -> bool {
        let link = self.state.nodes.get(&node).map(|node| &node.link);
        self.field.is_external() || matches!(link, Some(MeterLink::NodeOnBus { .. }))
    }

    /// Tells the drivers what is true now.
    pub(super) fn show_installed(&self) {
        let now: Vec<_> = self.state.installed().collect();
        self.installed.send_if_modified(|shown| {
            let news = *shown != now;
            if news {
                *shown = now;
            }
            news
        });
    }

    /// Turns nodes away that were replaced or retired.
    pub(super) fn turn_away(&mut self, record: &Record) {
        let gone = match record.decision {
            Decision::NodeAdded { replaces, .. } => replaces,
            Decision::NodeRetired { node, .. } => Some(node),
            _ => None,
        };
        if let Some(old) = gone {
            self.links.remove(old);
            self.credentials.remove_node(old);
            self.told.sent.remove(&old);
        }
    }
}
