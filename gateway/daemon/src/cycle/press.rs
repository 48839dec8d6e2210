//! The button of a node, pressed while its credit is used up: it asks for emergency credit.
//!
//! A node repeats the press in each new report until one is acknowledged. What the first one activated is not offered any more, so the
//! others are refused and change nothing.

use super::Cycle;
use gateway_core::event::Role;
use gateway_core::prepay::PrepayCommand;
use gateway_core::{Command, Event, NodeId, Refusal};

impl Cycle {
    /// Activates emergency credit at the usage point of a node, if it is offered there.
    pub(super) fn pressed(&mut self, node: NodeId) {
        let role = self.state.nodes.get(&node).and_then(|node| node.role);
        let Some(Role::UsagePoint(usage_point)) = role else {
            return;
        };
        let by = "button".to_owned();
        let command = PrepayCommand::ActivateEmergency { usage_point, by };
        match self.event(&Event::Command(Command::Prepay(command))) {
            Ok(_) => self.batch.urgent = true,
            Err(Refusal::EmergencyNotOffered) => {}
            Err(refusal) => self.batch.rejected.push((node, refusal.name())),
        }
    }
}
