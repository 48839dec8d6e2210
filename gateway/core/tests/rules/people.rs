//! People: who may be added, and what is left of a password in what is written down.

use crate::site::{POINT, Site};
use Role::{Agent, Operator, Resident, Supplier};
use gateway_core::person::{Person, PersonCommand, Role, SecretHash};
use gateway_core::{Command, Refusal, UsagePointId};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";

fn person(name: &str, role: Role, points: &[UsagePointId]) -> Person {
    Person {
        name: name.into(),
        role,
        usage_points: points.to_vec(),
    }
}

fn add(person: Person) -> PersonCommand {
    PersonCommand::Add {
        person,
        secret: SecretHash::new(HASH.into()),
        must_change: true,
        by: "root via command line".into(),
    }
}

fn ask(site: &mut Site, command: PersonCommand) -> Result<(), Refusal> {
    site.command(Command::Person(command)).map(|_| ())
}

#[test]
fn people_are_added_changed_and_removed_and_a_supplier_stays() {
    let mut site = Site::with_one_point();
    let by = || "asha via page".to_owned();
    let change = |person| PersonCommand::Change { person, by: by() };
    let remove = |name: &str| PersonCommand::Remove {
        name: name.into(),
        by: by(),
    };
    let elsewhere = UsagePointId(999);
    for (command, expected) in [
        (add(person("asha", Supplier, &[])), Ok(())),
        (
            add(person("Asha", Operator, &[])),
            Err(Refusal::PersonExists),
        ),
        (
            add(person("a b", Operator, &[])),
            Err(Refusal::PersonNameUnusable),
        ),
        (
            add(person("keypad", Operator, &[])),
            Err(Refusal::PersonNameUnusable),
        ),
        (
            add(person("UP-0001", Resident, &[])),
            Err(Refusal::RoleNeedsPoints),
        ),
        (
            add(person("ravi", Operator, &[POINT])),
            Err(Refusal::RoleNeedsPoints),
        ),
        (
            add(person("UP-0001", Resident, &[elsewhere])),
            Err(Refusal::NoSuchUsagePoint),
        ),
        (add(person("UP-0001", Resident, &[POINT])), Ok(())),
        (remove("asha"), Err(Refusal::LastSupplier)),
        (
            change(person("asha", Operator, &[])),
            Err(Refusal::LastSupplier),
        ),
        (
            change(person("ravi", Operator, &[])),
            Err(Refusal::NoSuchPerson),
        ),
        (add(person("ravi", Agent, &[])), Ok(())),
        (change(person("RAVI", Supplier, &[])), Ok(())),
        (remove("ASHA"), Ok(())),
        (remove("asha"), Err(Refusal::NoSuchPerson)),
    ] {
        let words = format!("{command:?}");
        assert_eq!(ask(&mut site, command), expected, "{words}");
    }
    let left: Vec<_> = site
        .state
        .people
        .values()
        .map(|p| (p.name.as_str(), p.role))
        .collect();
    assert_eq!(left, [("ravi", Supplier), ("UP-0001", Resident)]);
}

#[test]
fn no_hash_is_written_down() {
    let mut site = Site::with_one_point();
    ask(&mut site, add(person("asha", Supplier, &[]))).expect("added");
    let set = PersonCommand::SetSecret {
        name: "asha".into(),
        secret: SecretHash::new(HASH.into()).expect("a hash"),
        must_change: false,
        by: "asha via page".into(),
    };
    assert!(!format!("{set:?}").contains("argon2id"), "{set:?}");
    ask(&mut site, set).expect("set");
    let written: Vec<_> = site
        .journal
        .iter()
        .map(|r| serde_json::to_string(r).expect("JSON"))
        .collect();
    assert!(
        written.iter().any(|line| line.contains("secret-set")),
        "{written:?}"
    );
    for line in &written {
        assert!(!line.contains("argon2id"), "{line}");
    }
    assert!(SecretHash::new("a password".into()).is_none());
}
