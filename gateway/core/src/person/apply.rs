//! How decisions change who there is.

use super::{Person, PersonDecision, key};
use crate::Decision;
use alloc::collections::BTreeMap;
use alloc::string::String;

/// Makes a decision about people true; others change nothing.
pub(crate) fn apply(people: &mut BTreeMap<String, Person>, decision: &Decision) {
    let Decision::Person(decision) = decision else {
        return;
    };
    match decision {
        PersonDecision::Added { person, .. } | PersonDecision::Changed { person, .. } => {
            people.insert(key(&person.name), person.clone());
        }
        PersonDecision::Removed { name, .. } => {
            people.remove(&key(name));
        }
        PersonDecision::SecretSet { .. } => {}
    }
}
