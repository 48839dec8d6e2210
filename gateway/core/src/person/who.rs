//! Who somebody is, whichever way they came in.
//!
//! Everything that is done names who did it, as a text (`by`): the user of the machine (`asha`), a name or the shared login of the page
//! with the address it came from (`asha at 10.0.0.7`, `operator at 10.0.0.7`), or a name the head-end gives (`cloud asha`). A rule that
//! asks for *another* person compares people, not those texts.
//!
//! Decided here: which texts mean the same person. Same name, same person: two people behind one shared login count as one, so a
//! second person needs a login of their own. Not decided here: who may do what.

use super::author::person_of;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// A person's name without where they came from, in small letters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Who(String);

impl Who {
    /// The person behind a `by`: without the head-end's mark before it and the address after it.
    #[must_use]
    pub fn of(by: &str) -> Self {
        Self(person_of(by).to_lowercase())
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Who;

    #[test]
    fn people_are_compared_and_not_where_they_sit() {
        for (one, other, same) in [
            ("operator at 10.0.0.7", "operator at 10.0.0.8", true),
            ("asha at 10.0.0.7", "asha", true),
            ("asha via page", "asha via command line", true),
            ("Asha", "asha", true),
            ("cloud asha", "asha", true),
            ("asha", "ravi", false),
            ("operator at 10.0.0.7", "asha at 10.0.0.7", false),
            ("uid 1000", "uid 1001", false),
            ("cloud", "operator", false),
        ] {
            assert_eq!(Who::of(one) == Who::of(other), same, "{one}, {other}");
        }
    }
}
