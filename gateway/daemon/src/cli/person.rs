//! `person …`: who may use the gateway.

use super::args::Target;
use super::ask::{ask, command, unexpected};
use super::operator::typed_twice;
use super::said::{Failure, Result, Said};
use super::secret::{random_hex, random_pin};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::{Args, Subcommand};
use gateway_core::person::{Person, PersonCommand, Role, SecretHash};
use gateway_core::{Command, UsagePointId};
use serde_json::{Value, json};

/// Random bytes of a generated password: 80 bits.
const PASSWORD_BYTES: usize = 10;
/// Random bytes of a program's bearer secret.
const BEARER_BYTES: usize = 32;
/// Digits of a generated PIN.
const PIN_DIGITS: usize = 6;

/// `person …`
#[derive(Debug, Subcommand)]
pub enum PersonAction {
    /// Let somebody use the gateway
    Add(AddPerson),
    /// List everybody
    List {
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Give somebody another role
    Role(ChangePerson),
    /// Give somebody another password or PIN, or a program another secret
    Password(SetPassword),
    /// Let somebody use the gateway no more
    Remove {
        /// Their name
        name: String,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
}

/// What a person is.
#[derive(Debug, Args)]
pub struct PersonArgs {
    /// Their name: letters, digits, dots, hyphens, underscores; of a resident often the number of the usage point
    pub name: String,
    /// supplier, operator, agent, auditor, installer, resident or program
    #[arg(long)]
    pub role: Role,
    /// Usage points of a resident
    #[arg(long = "usage-point")]
    pub usage_points: Vec<UsagePointId>,
}

impl PersonArgs {
    fn person(&self) -> Person {
        Person {
            name: self.name.clone(),
            role: self.role,
            usage_points: self.usage_points.clone(),
        }
    }
}

/// `person add`
#[derive(Debug, Args)]
pub struct AddPerson {
    /// Who.
    #[command(flatten)]
    pub person: PersonArgs,
    /// Make a random password or PIN and print it; without it, it is read twice from standard input
    #[arg(long)]
    pub generate: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `person role`
#[derive(Debug, Args)]
pub struct ChangePerson {
    /// Who.
    #[command(flatten)]
    pub person: PersonArgs,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `person password`
#[derive(Debug, Args)]
pub struct SetPassword {
    /// Their name
    pub name: String,
    /// Make a random one and print it; without it, it is read twice from standard input
    #[arg(long)]
    pub generate: bool,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// Does it.
pub fn carry_out(action: &PersonAction) -> Result {
    match action {
        PersonAction::Add(args) => add(args),
        PersonAction::List { target } => list(target),
        PersonAction::Role(args) => change(args),
        PersonAction::Password(args) => set_password(args),
        PersonAction::Remove { name, target } => remove(target, name),
    }
}

struct Chosen {
    hash: SecretHash,
    /// What was made here and is shown once.
    shown: Option<String>,
    /// A secret somebody else has seen is to be replaced; a program cannot.
    must_change: bool,
}

/// A program's secret is always made here; people's are typed or made.
fn choose(role: Role, generate: bool, doing: &'static str) -> std::result::Result<Chosen, Failure> {
    let no_random = || Failure::refused(doing, "no-randomness", "try again");
    let made = match role {
        Role::Program => Some(random_hex(BEARER_BYTES).ok_or_else(no_random)?),
        _ if !generate => None,
        Role::Resident => Some(random_pin(PIN_DIGITS).ok_or_else(no_random)?),
        _ => Some(random_hex(PASSWORD_BYTES).ok_or_else(no_random)?),
    };
    let secret = match &made {
        Some(made) => made.clone(),
        None => typed_twice()?,
    };
    let hash = gateway_web::hash_for(role, &secret)
        .map_err(|error| Failure::refused(doing, "password-unusable", error))?;
    Ok(Chosen {
        hash,
        shown: made,
        must_change: role != Role::Program,
    })
}

fn said(text: &str, mut json: Value, role: Role, shown: Option<&str>) -> Said {
    let word = match role {
        Role::Program => "bearer secret",
        Role::Resident => "PIN",
        _ => "password",
    };
    let text = match shown {
        None => text.to_owned(),
        Some(secret) => {
            json["secret"] = secret.into();
            format!("{text}\n{word}: {secret}\nit is shown this once")
        }
    };
    Said::done(text, json)
}

fn add(args: &AddPerson) -> Result {
    const DOING: &str = "add the person";
    let person = args.person.person();
    let chosen = choose(person.role, args.generate, DOING)?;
    let add = PersonCommand::Add {
        person: person.clone(),
        secret: Some(chosen.hash),
        must_change: chosen.must_change,
        // The daemon writes down the user behind the connection.
        by: String::new(),
    };
    command(&args.target, DOING, Command::Person(add))?;
    let text = format!("{} added as {}", person.name, person.role);
    let json = json!({ "person": person });
    Ok(said(&text, json, person.role, chosen.shown.as_deref()))
}

fn people(target: &Target, doing: &'static str) -> std::result::Result<Vec<Person>, Failure> {
    match ask(target, doing, &Request::People {})? {
        Response::People { people } => Ok(people),
        other => Err(unexpected(doing, &other)),
    }
}

fn list(target: &Target) -> Result {
    let people = people(target, "list the people")?;
    let mut table = Table::new(&[
        ("name", Align::Left),
        ("role", Align::Left),
        ("of", Align::Left),
    ]);
    for person in &people {
        let points: Vec<String> = person
            .usage_points
            .iter()
            .map(ToString::to_string)
            .collect();
        table.row(vec![
            person.name.clone(),
            person.role.to_string(),
            points.join(", "),
        ]);
    }
    let text = if people.is_empty() {
        "nobody yet".into()
    } else {
        table.render()
    };
    Ok(Said::done(text, json!({ "people": people })))
}

fn change(args: &ChangePerson) -> Result {
    let person = args.person.person();
    let change = PersonCommand::Change {
        person: person.clone(),
        by: String::new(),
    };
    command(&args.target, "change the role", Command::Person(change))?;
    let text = format!("{} is {} from now on", person.name, person.role);
    Ok(Said::done(text, json!({ "person": person })))
}

fn set_password(args: &SetPassword) -> Result {
    const DOING: &str = "set the password";
    let everybody = people(&args.target, DOING)?;
    let known = everybody
        .iter()
        .find(|person| person.name.eq_ignore_ascii_case(&args.name));
    let person = known.ok_or_else(|| {
        let refusal = gateway_core::Refusal::NoSuchPerson;
        Failure::refused(DOING, refusal.name(), refusal)
    })?;
    let chosen = choose(person.role, args.generate, DOING)?;
    let set = PersonCommand::SetSecret {
        name: person.name.clone(),
        secret: chosen.hash,
        must_change: chosen.must_change,
        by: String::new(),
    };
    command(&args.target, DOING, Command::Person(set))?;
    let text = format!("{} has another password", person.name);
    let json = json!({ "name": person.name });
    Ok(said(&text, json, person.role, chosen.shown.as_deref()))
}

fn remove(target: &Target, name: &str) -> Result {
    let remove = PersonCommand::Remove {
        name: name.to_owned(),
        by: String::new(),
    };
    command(target, "remove the person", Command::Person(remove))?;
    Ok(Said::done(
        format!("{name} removed"),
        json!({ "name": name }),
    ))
}
