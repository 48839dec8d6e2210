//! Who somebody is, whichever way they came in.
//!
//! Everything that is done names who did it, as a text (`by`): the user of the machine (`asha`), a name or the shared login of the page
//! with the address it came from (`asha at 10.0.0.7`, `operator at 10.0.0.7`), or a name the head-end gives (`cloud asha`). A rule that
//! asks for *another* person compares people, not those texts.
//!
//! A user of the machine and a name on the page can be one human: `root` is whoever has the password of the machine, and `operator` on a page
//! without logins is whoever opens it. Where two people are asked for, both must be *certain*: a login of the site that may correct accounts, by
//! whatever way they come in; or a person of the head-end. At a site without any login the names of the machine's users count, but not those two.
//!
//! Decided here: which texts mean the same person, and which mean a certain one. Same name, same person: two people behind one shared login count as one, so a
//! second person needs a login of their own. Not decided here: who may do what.

use super::author::person_of;
use super::{Deed, Person, is_name, key};
use alloc::collections::BTreeMap;
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

/// Users of the machine and names of a page without logins that anybody can be.
const ANYBODY: [&str; 2] = ["root", "operator"];

/// Whether a `by` names one certain person, as far as the site can know: see above.
#[must_use]
pub fn is_certain(people: &BTreeMap<String, Person>, by: &str) -> bool {
    let who = Who::of(by);
    if !is_name(who.name()) {
        return false;
    }
    if by.starts_with("cloud ") {
        return true;
    }
    match people.get(&key(who.name())) {
        Some(person) => person.role.may(Deed::CorrectAccounts),
        None => people.is_empty() && !ANYBODY.contains(&who.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::person::Role;

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

    #[test]
    fn somebody_is_certain_who_has_a_login_or_is_named_by_the_head_end() {
        let person = |name: &str, role| {
            let usage_points = alloc::vec::Vec::new();
            let name: String = name.into();
            let person = Person {
                name: name.clone(),
                role,
                usage_points,
            };
            (name, person)
        };
        let nobody = BTreeMap::new();
        let people = BTreeMap::from([
            person("asha", Role::Operator),
            person("operator", Role::Supplier),
            person("shop", Role::Program),
        ]);
        for (by, alone, among) in [
            ("asha via page", true, true),
            ("Asha via command line", true, true),
            ("ravi via command line", true, false),
            ("root via command line", false, false),
            ("operator via page", false, true),
            ("shop via api", true, false),
            ("cloud ravi", true, true),
            ("cloud", false, false),
            ("gateway", false, false),
        ] {
            assert_eq!(is_certain(&nobody, by), alone, "{by} without logins");
            assert_eq!(is_certain(&people, by), among, "{by} among logins");
        }
    }
}
