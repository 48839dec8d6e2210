//! The operator's password from the time before there were people, or set while the gateway was down: it becomes that of the person
//! `operator`, and the file goes.

use gateway_core::person::{Person, PersonCommand, Role, SecretHash};
use gateway_core::{Command, Refusal};
use gateway_store::Reader;
use gateway_web::{Desk, DeskError};
use std::path::Path;

/// Who the password belongs to.
const OPERATOR: &str = "operator";
/// Author of what the file brings about.
const BY: &str = "configuration";

/// Takes over the file if there is one. Whoever can write into the data directory may do everything, so the person becomes supplier
/// (again): this is the way back in for a site whose people have all forgotten their passwords.
///
/// # Errors
/// It is not stored; the file stays.
pub async fn take_over_password(file: &Path, desk: &dyn Desk) -> Result<(), DeskError> {
    let Ok(hash) = std::fs::read_to_string(file) else {
        return Ok(());
    };
    let Some(secret) = SecretHash::new(hash.trim().to_owned()) else {
        log::error!("{} holds no hash; set the password again", file.display());
        return Ok(());
    };
    let person = Person {
        name: OPERATOR.into(),
        role: Role::Supplier,
        usage_points: Vec::new(),
    };
    let by = || BY.to_owned();
    let add = PersonCommand::Add {
        person: person.clone(),
        secret: Some(secret.clone()),
        must_change: false,
        by: by(),
    };
    match desk.submit(Command::Person(add)).await {
        Err(DeskError::Refused(Refusal::PersonExists)) => {
            let change = PersonCommand::Change { person, by: by() };
            desk.submit(Command::Person(change)).await?;
            let set = PersonCommand::SetSecret {
                name: OPERATOR.into(),
                secret,
                must_change: false,
                by: by(),
            };
            desk.submit(Command::Person(set)).await?;
        }
        answer => drop(answer?),
    }
    log::info!("the operator's password is that of the person `{OPERATOR}`, role supplier");
    if let Err(error) = std::fs::remove_file(file) {
        log::warn!(
            "{} stays and is taken over again at the next start: {error}",
            file.display()
        );
    }
    Ok(())
}

/// Whether somebody can manage the site on the page.
pub fn has_supplier(database: &Path) -> bool {
    let found = Reader::open(database).and_then(|reader| {
        for person in reader.people()? {
            if person.role == Role::Supplier
                && reader.person(&person.name)?.is_some_and(|p| p.1.is_some())
            {
                return Ok(true);
            }
        }
        Ok(false)
    });
    found.unwrap_or(false)
}
