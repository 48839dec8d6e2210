//! Who may use the gateway.

use super::{Draft, usable};
use crate::decision::Decision;
use crate::event::Answer;
use crate::person::{
    MOST_PEOPLE, MOST_POINTS, Person, PersonCommand, PersonDecision, Role, SecretHash, is_name, key,
};
use crate::refusal::Refusal;
use alloc::string::ToString as _;

pub(super) fn ask(draft: &mut Draft<'_>, command: &PersonCommand) -> Result<Answer, Refusal> {
    let decision = match command {
        PersonCommand::Add {
            person, secret, by, ..
        } => {
            usable(by)?;
            check(draft, person)?;
            check_secret(secret.as_ref())?;
            if draft.state.people.contains_key(&key(&person.name)) {
                return Err(Refusal::PersonExists);
            }
            if draft.state.people.len() >= MOST_PEOPLE {
                return Err(Refusal::TooManyPeople);
            }
            PersonDecision::Added {
                person: person.clone(),
                by: by.clone(),
            }
        }
        PersonCommand::Change { person, by } => {
            usable(by)?;
            let known = known(draft, &person.name)?;
            check(draft, person)?;
            let person = Person {
                name: known.name.clone(),
                ..person.clone()
            };
            if *known == person {
                return Ok(Answer::Done);
            }
            if person.role != Role::Supplier {
                is_not_the_last_supplier(draft, known)?;
            }
            PersonDecision::Changed {
                person,
                by: by.clone(),
            }
        }
        PersonCommand::SetSecret {
            name, secret, by, ..
        } => {
            usable(by)?;
            check_secret(Some(secret))?;
            PersonDecision::SecretSet {
                name: known(draft, name)?.name.to_string(),
                by: by.clone(),
            }
        }
        PersonCommand::Remove { name, by } => {
            usable(by)?;
            let known = known(draft, name)?;
            is_not_the_last_supplier(draft, known)?;
            PersonDecision::Removed {
                name: known.name.to_string(),
                by: by.clone(),
            }
        }
    };
    draft.decisions.push(Decision::Person(decision));
    Ok(Answer::Done)
}

fn known<'a>(draft: &Draft<'a>, name: &str) -> Result<&'a Person, Refusal> {
    let person = draft.state.people.get(&key(name));
    person.ok_or(Refusal::NoSuchPerson)
}

/// Name and role make sense together: residents live somewhere, nobody else does; agents sell from an account, nobody else does.
fn check(draft: &Draft<'_>, person: &Person) -> Result<(), Refusal> {
    if !is_name(&person.name) {
        return Err(Refusal::PersonNameUnusable);
    }
    let points = &person.usage_points;
    let is_resident = person.role == Role::Resident;
    if is_resident == points.is_empty() || points.len() > MOST_POINTS {
        return Err(Refusal::RoleNeedsPoints);
    }
    let all = &draft.state.usage_points;
    if points.iter().any(|point| !all.contains_key(point)) {
        return Err(Refusal::NoSuchUsagePoint);
    }
    Ok(())
}

fn check_secret(secret: Option<&SecretHash>) -> Result<(), Refusal> {
    let bad = secret.is_some_and(|secret| secret.clone().checked().is_none());
    if bad {
        Err(Refusal::SecretUnusable)
    } else {
        Ok(())
    }
}

fn is_not_the_last_supplier(draft: &Draft<'_>, person: &Person) -> Result<(), Refusal> {
    let people = draft.state.people.values();
    let suppliers = people.filter(|p| p.role == Role::Supplier).count();
    if person.role == Role::Supplier && suppliers == 1 {
        return Err(Refusal::LastSupplier);
    }
    Ok(())
}
