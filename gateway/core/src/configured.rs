//! Settings that the head-end has ordered. They stand above the site's configuration file.
//!
//! Decided here: which are in force, and what going back means. Not decided here: which keys may be ordered and what they may hold: the
//! daemon asks the schema of the file itself before it lets an order in, and says when it could not start with them.
//!
//! Term: the *change* is what one order has set; going back undoes the last one.

use crate::decision::Decision;
use alloc::collections::BTreeMap;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// A value of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A whole number.
    Whole(i64),
    /// Anything else: text, an amount, a word.
    Text(String),
}

/// Changes by key, written `table.key`; `None` goes back to what the file says.
pub type Changes = BTreeMap<String, Option<Setting>>;

/// The settings in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// By key.
    pub values: BTreeMap<String, Setting>,
    /// Those before the last change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Setting>,
    /// Number of the record that made the last change; 0: there was none, or it was undone.
    pub number: u64,
}

impl Configured {
    /// Whether nothing was ever ordered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.number == 0 && self.values.is_empty()
    }

    /// The settings after a change.
    #[must_use]
    pub fn with(&self, changes: &Changes) -> BTreeMap<String, Setting> {
        let mut values = self.values.clone();
        for (key, value) in changes {
            match value {
                Some(value) => values.insert(key.clone(), value.clone()),
                None => values.remove(key),
            };
        }
        values
    }
}

/// What happens to ordered settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "settings", rename_all = "kebab-case")]
pub enum SettingsDecision {
    /// The head-end has ordered some.
    Ordered {
        /// Which.
        values: Changes,
        /// Who.
        by: String,
    },
    /// The gateway did not start with the last change; those before it are in force.
    Undone {
        /// The record that made it.
        change: u64,
        /// Why, in words.
        why: String,
    },
}

impl Configured {
    /// Makes a decision true.
    pub(crate) fn apply(&mut self, number: u64, decision: &Decision) {
        match decision {
            Decision::Settings(SettingsDecision::Ordered { values, .. }) => {
                let after = self.with(values);
                self.before = core::mem::replace(&mut self.values, after);
                self.number = number;
            }
            Decision::Settings(SettingsDecision::Undone { .. }) => {
                self.values = core::mem::take(&mut self.before);
                self.number = 0;
            }
            _ => {}
        }
    }
}
