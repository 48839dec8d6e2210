//! Passwords of people: on their way past the core into the table that holds them, in the transaction of the record that says so.

use gateway_core::Command;
use gateway_core::person::PersonCommand;
use gateway_store::PersonSecret;

/// A person's secret as it is to be from now on; `None`: the person left.
pub type Secret = (String, Option<PersonSecret>);

/// What a command does to somebody's secret, if it is obeyed.
pub fn secret_in(command: &Command) -> Option<Secret> {
    let Command::Person(command) = command else {
        return None;
    };
    let secret = |hash: &gateway_core::person::SecretHash, must_change: &bool| PersonSecret {
        hash: hash.clone(),
        must_change: *must_change,
    };
    let name = command.name().to_owned();
    match command {
        PersonCommand::Add {
            secret: hash,
            must_change,
            ..
        } => Some((name, hash.as_ref().map(|hash| secret(hash, must_change)))),
        PersonCommand::SetSecret {
            secret: hash,
            must_change,
            ..
        } => Some((name, Some(secret(hash, must_change)))),
        PersonCommand::Remove { .. } => Some((name, None)),
        PersonCommand::Change { .. } => None,
    }
}
