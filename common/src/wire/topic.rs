//! Where MQTT carries the frames of a node.

use crate::NodeId;
use core::fmt;

/// A topic; write it with `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic {
    node: NodeId,
    leaf: &'static str,
}

/// `pg/1/<node, eight digits>/up`: frames of the node.
#[must_use]
pub const fn topic_up(node: NodeId) -> Topic {
    Topic { node, leaf: "up" }
}

/// `pg/1/<node, eight digits>/down`: frames to the node.
#[must_use]
pub const fn topic_down(node: NodeId) -> Topic {
    Topic { node, leaf: "down" }
}

/// MQTT client id and user name of a node: eight decimal digits (more for numbers that need them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MqttName(pub NodeId);

impl fmt::Display for MqttName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pg/1/{}/{}", MqttName(self.node), self.leaf)
    }
}
