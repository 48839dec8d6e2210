//! People: who may use the gateway, and as what.
//!
//! Decided here: which people there are, their roles, and what each role may do ([`Role::may`], one table). Deliberately not: whether
//! somebody is who they say; passwords are checked outside, and their hashes pass through here without being kept.
//!
//! Terms: a *person* has a name and one role; programs are people too. A *deed* is a kind of thing that can be asked for. A resident is
//! bound to usage points here; which account an agent sells from, the agents say. An *author* is the text in a record that says who did it ([`author`]).
//!
//! Invariants: names differ also when written in other case; there is always a supplier once there has been one; no password or hash is in
//! the state or the journal.

mod apply;
pub mod author;
mod deed;
mod secret;
mod who;

pub(crate) use apply::apply;
pub use deed::{ALL_DEEDS, Deed};
pub use secret::SecretHash;
pub use who::{Who, is_certain};

use crate::UsagePointId;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Longest name, in bytes: with the way in behind it still a line on a receipt.
pub const LONGEST_NAME: usize = 32;
/// People of a site: a resident for each of 1,000 usage points, a second one for many, and the staff.
pub const MOST_PEOPLE: usize = 2_000;
/// Usage points of a resident: a landlord's house.
pub const MOST_POINTS: usize = 50;

/// What a person is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The supplier's administrator: everything.
    Supplier,
    /// The clerk at the site: money, supplies, alarms, cases, residents' PINs.
    Operator,
    /// Sells for a commission from an account of their own, and does nothing else.
    Agent,
    /// Reads everything, changes nothing.
    Auditor,
    /// Puts in meters and arms supplies.
    Installer,
    /// Lives at a usage point: sees it and recharges it.
    Resident,
    /// A program: reads, recharges and switches.
    Program,
}

/// Every role.
pub const ALL_ROLES: [Role; 7] = [
    Role::Supplier,
    Role::Operator,
    Role::Agent,
    Role::Auditor,
    Role::Installer,
    Role::Resident,
    Role::Program,
];

impl Role {
    /// The word for it, on the command line, in the journal and on pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Supplier => "supplier",
            Self::Operator => "operator",
            Self::Agent => "agent",
            Self::Auditor => "auditor",
            Self::Installer => "installer",
            Self::Resident => "resident",
            Self::Program => "program",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// There is no such role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchRole;

impl fmt::Display for NoSuchRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a role is supplier, operator, agent, auditor, installer, resident or program")
    }
}

impl core::error::Error for NoSuchRole {}

impl FromStr for Role {
    type Err = NoSuchRole;

    fn from_str(word: &str) -> Result<Self, NoSuchRole> {
        let role = ALL_ROLES.into_iter().find(|role| role.word() == word);
        role.ok_or(NoSuchRole)
    }
}

/// Somebody who may use the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Their name, unique whatever the case: see [`is_name`].
    pub name: String,
    /// What they are here.
    pub role: Role,
    /// The usage points of a resident; of others empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usage_points: Vec<UsagePointId>,
}

impl Person {
    /// Whether this is a usage point of theirs.
    #[must_use]
    pub fn lives_at(&self, usage_point: UsagePointId) -> bool {
        self.role == Role::Resident && self.usage_points.contains(&usage_point)
    }
}

/// The key of a name in the state: names that differ in case only are the same.
#[must_use]
pub fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Names the gateway itself writes where others write theirs.
const TAKEN: [&str; 7] = [
    "gateway",
    "keypad",
    "configuration",
    "head-end",
    "cloud",
    "nobody",
    "root",
];

/// Whether a text can be a person's name: 1 to 32 letters, digits, dots, hyphens, underscores of ASCII, beginning with a letter or
/// digit, and none the gateway itself writes.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && text.as_bytes()[0].is_ascii_alphanumeric()
        && !TAKEN.contains(&key(text).as_str())
}

/// What is asked for about people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum PersonCommand {
    /// Somebody new.
    Add {
        /// Who.
        person: Person,
        /// Hash of their password, PIN or bearer secret; without one they cannot log in.
        secret: Option<SecretHash>,
        /// Whether they are to choose another one at the first login.
        must_change: bool,
        /// Who adds them.
        by: String,
    },
    /// Another role, other usage points, another account.
    Change {
        /// Who, as they are from now on.
        person: Person,
        /// Who changes it.
        by: String,
    },
    /// Another password, PIN or bearer secret.
    SetSecret {
        /// Whose.
        name: String,
        /// Its hash.
        secret: SecretHash,
        /// Whether they are to choose another one at the next login.
        must_change: bool,
        /// Who sets it; the person themselves or somebody else.
        by: String,
    },
    /// Somebody leaves.
    Remove {
        /// Who.
        name: String,
        /// Who removes them.
        by: String,
    },
}

impl PersonCommand {
    /// The same in the name of somebody.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Self {
        match &mut self {
            Self::Add { by, .. }
            | Self::Change { by, .. }
            | Self::SetSecret { by, .. }
            | Self::Remove { by, .. } => *by = who.into(),
        }
        self
    }

    /// What it asks for, given what the person is now: residents are added and get their PINs at the counter.
    #[must_use]
    pub fn deed(&self, now: Option<Role>) -> Deed {
        let is_resident = |role: Option<Role>| role == Some(Role::Resident);
        let counter = match self {
            Self::Add { person, .. } => is_resident(Some(person.role)),
            Self::Change { person, .. } => is_resident(now) && is_resident(Some(person.role)),
            Self::SetSecret { .. } | Self::Remove { .. } => is_resident(now),
        };
        if counter {
            Deed::SetResidentPins
        } else {
            Deed::ManagePeople
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Add { person, .. } | Self::Change { person, .. } => &person.name,
            Self::SetSecret { name, .. } | Self::Remove { name, .. } => name,
        }
    }
}

/// What became true about people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum PersonDecision {
    /// Somebody may use the gateway.
    Added {
        /// Who.
        person: Person,
        /// Who added them.
        by: String,
    },
    /// Somebody may do other things than before.
    Changed {
        /// Who, as they are from now on.
        person: Person,
        /// Who changed it.
        by: String,
    },
    /// Somebody has another password, PIN or bearer secret. What it is, is written nowhere here.
    SecretSet {
        /// Who.
        name: String,
        /// Who set it.
        by: String,
    },
    /// Somebody may not use the gateway any more.
    Removed {
        /// Who.
        name: String,
        /// Who removed them.
        by: String,
    },
}

impl PersonDecision {
    /// Whom it is about.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Added { person, .. } | Self::Changed { person, .. } => &person.name,
            Self::SecretSet { name, .. } | Self::Removed { name, .. } => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_not_the_gateways_own() {
        for name in ["asha", "UP-0007", "170012345678", "r.k_iyer-2"] {
            assert!(is_name(name), "{name}");
        }
        let long = "x".repeat(33);
        for text in [
            "",
            " ",
            "a b",
            "a via page",
            "Keypad",
            "root",
            "-x",
            "é",
            &long,
        ] {
            assert!(!is_name(text), "{text:?}");
        }
    }

    #[test]
    fn roles_are_written_as_they_are_read() {
        for role in ALL_ROLES {
            assert_eq!(role.word().parse(), Ok(role));
        }
        assert_eq!("admin".parse::<Role>(), Err(NoSuchRole));
    }
}
