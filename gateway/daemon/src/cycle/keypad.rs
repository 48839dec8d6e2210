//! Digits typed at a node: a token, entered once however often the report that carries them comes.
//!
//! A node repeats what was typed in each new report until one of them is acknowledged, and the frame's counter keeps the very same
//! frame out. So digits that a node's last stored report carried already are the same typing; a report without any ends it.

use super::Cycle;
use gateway_core::event::Role;
use gateway_core::{Answer, Command, Event, NodeId, Refusal};
use prepaid_common::wire;
use std::collections::BTreeMap;

/// What each node's last report carried. Forgotten at a restart: a token counts once all the same, by its identifier.
#[derive(Debug, Default)]
pub struct Keypads(BTreeMap<NodeId, String>);

impl Keypads {
    /// Takes note of what a report carries; the digits if they are typed anew.
    fn typed(&mut self, node: NodeId, digits: Option<&str>) -> Option<String> {
        let Some(digits) = digits else {
            self.0.remove(&node);
            return None;
        };
        let before = self.0.insert(node, digits.to_owned());
        (before.as_deref() != Some(digits)).then(|| digits.to_owned())
    }

    /// What was noted is not stored: everything counts as typed anew.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

impl Cycle {
    /// Enters what was typed at a usage point's node; the result goes to the node's display after the commit.
    pub(super) fn typed(&mut self, node: NodeId, digits: Option<&str>) {
        let Some(token) = self.keypads.typed(node, digits) else {
            return;
        };
        let role = self.state.nodes.get(&node).and_then(|node| node.role);
        let Some(Role::UsagePoint(usage_point)) = role else {
            return;
        };
        let by = "keypad".to_owned();
        let command = Command::EnterToken {
            usage_point,
            token,
            by,
        };
        let answer = self.event(&Event::Command(command));
        self.batch.urgent = true;
        self.batch.texts.push((node, words(&answer)));
    }

    /// Shows a text at a node once. One that is lost is lost: the page has it too.
    pub(super) fn show(&mut self, node: NodeId, text: &str) {
        let command = wire::Command {
            text: Some(wire::Short::truncated(text)),
            ..wire::Command::default()
        };
        if let Ok(frame) = self.links.command(node, &command) {
            let _ = self.send(node, frame);
        }
    }
}

/// 32 characters for a display.
fn words(answer: &Result<Answer, Refusal>) -> String {
    match answer {
        Ok(Answer::TokenTaken { words, .. }) => words.clone(),
        Ok(_) => String::new(),
        Err(refusal) => format!("REFUSED {}", refusal.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_entered_once() {
        let (a, b) = (NodeId(1), NodeId(2));
        let mut keypads = Keypads::default();
        for (node, digits, entered) in [
            (a, None, false),
            (a, Some("1"), true),
            (a, Some("1"), false),
            (b, Some("1"), true),
            (a, Some("2"), true),
            (a, None, false),
            (a, Some("2"), true),
        ] {
            let typed = keypads.typed(node, digits);
            assert_eq!(typed.is_some(), entered, "{node} {digits:?}");
        }
        keypads.forget();
        assert!(keypads.typed(a, Some("2")).is_some());
    }
}
