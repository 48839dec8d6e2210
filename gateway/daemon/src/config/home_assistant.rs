//! `[home_assistant]`: what is published for Home Assistant.

use super::keys::key;
use super::{Key, Kind, Mistake, Values};

/// `[home_assistant]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeAssistant {
    /// Whether anything is published.
    pub enabled: bool,
    /// What the topics of the discovery begin with.
    pub discovery_prefix: String,
    /// What the topics of states begin with.
    pub prefix: String,
}

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    key(
        "enabled",
        Kind::OneOf(&["no", "yes"]),
        "\"no\"",
        "\"yes\": credit, units left, register, power and supply of every usage point are published for Home Assistant,\n\
         read-only: the gateway subscribes to nothing (docs/home-assistant.md).",
    ),
    key(
        "discovery_prefix",
        Kind::Text { max: 64 },
        "\"homeassistant\"",
        "What Home Assistant's discovery topics begin with, as set there.",
    ),
    key(
        "prefix",
        Kind::Text { max: 64 },
        "\"prepaid\"",
        "What the topics of the states begin with.",
    ),
];

pub(super) fn home_assistant(values: &Values, mistakes: &mut Vec<Mistake>) -> HomeAssistant {
    for key in ["home_assistant.discovery_prefix", "home_assistant.prefix"] {
        let topic = values.text(key);
        let edges = topic.starts_with(['/', '$']) || topic.ends_with('/');
        let nodes = topic.split('/').next() == Some("pg");
        if edges || nodes || topic.contains(['+', '#']) {
            let what = "write levels with slashes between them, without + and #, and not below pg";
            mistakes.push(Mistake::at(values.line(key), key, what));
        }
    }
    HomeAssistant {
        enabled: values.text("home_assistant.enabled") == "yes",
        discovery_prefix: values.text("home_assistant.discovery_prefix"),
        prefix: values.text("home_assistant.prefix"),
    }
}
