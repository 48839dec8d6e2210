//! What a visitor may ask, and who there is.

use super::peer::{Caller, Visitor, visitor};
use super::server::{Office, read_rows};
use super::{Request, Response};
use gateway_core::person::{Deed, PersonCommand, Role};
use gateway_core::{Command, Refusal};
use gateway_store::{Reader, StoreError};
use std::path::Path;

/// Everybody who may use the gateway.
pub async fn list(office: &Office) -> Response {
    read_rows(office, |reader| {
        let people = reader.people()?;
        Ok(Response::People { people })
    })
    .await
}

/// Who asks, if their role covers what they ask for. What nobody may ask for is refused where it is carried out.
///
/// # Errors
/// The role does not cover it, or the database cannot be read.
pub async fn admitted(
    request: &Request,
    office: &Office,
    caller: &Caller,
) -> Result<Visitor, Box<Response>> {
    let (database, request, whose) = (office.database.clone(), request.clone(), caller.clone());
    let admit = move || admit(&whose, &request, &database);
    let admitted = tokio::task::spawn_blocking(admit).await;
    let failed = |message| Box::new(Response::Failed { message });
    match admitted {
        Ok(Ok(Some(visitor))) => Ok(visitor),
        Ok(Ok(None)) if caller.is_unknown() => Err(failed(
            "only reading is open to a user the gateway does not know; use sudo, so that the journal names you".into(),
        )),
        Ok(Ok(None)) => {
            let refusal = Refusal::RoleMayNot;
            Err(Box::new(Response::Refused { refusal }))
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed("the gateway is stopping; try again".into())),
    }
}

fn admit(
    caller: &Caller,
    request: &Request,
    database: &Path,
) -> Result<Option<Visitor>, StoreError> {
    let visitor = visitor(caller, database)?;
    let deed = deed(request, database)?;
    if deed.is_none_or(|deed| visitor.role.may(deed)) {
        return Ok(Some(visitor));
    }
    log::warn!(by = visitor.name, role:% = visitor.role; "refused: the role does not cover it");
    Ok(None)
}

fn deed(request: &Request, database: &Path) -> Result<Option<Deed>, StoreError> {
    Ok(Some(match request {
        Request::Command {
            command: Command::Person(command),
        } => command.deed(role_now(command, database)?),
        Request::Command { command } => return Ok(Deed::of(command)),
        Request::OnBehalfOf { .. } => return Ok(None),
        Request::NodeKey { .. } | Request::TestMeter { .. } | Request::BusWork { .. } => {
            Deed::WorkOnMeters
        }
        Request::CloudEnrol { .. } | Request::NotifyTest { .. } => Deed::ManageSite,
        Request::People {} => Deed::SeePeople,
        Request::UsagePoints {}
        | Request::UsagePoint { .. }
        | Request::Statement { .. }
        | Request::Receipt { .. }
        | Request::Owed { .. }
        | Request::Agents {}
        | Request::DayEnd { .. }
        | Request::LossMonth { .. }
        | Request::Alarms {}
        | Request::Cases { .. }
        | Request::CaseWorth { .. }
        | Request::Verify {}
        | Request::Meters {}
        | Request::Buses {}
        | Request::Pins {}
        | Request::Status {}
        | Request::Clock {}
        | Request::CloudStatus {}
        | Request::NotifyStatus {}
        | Request::CloudOrders {} => Deed::SeeSite,
    }))
}

fn role_now(command: &PersonCommand, database: &Path) -> Result<Option<Role>, StoreError> {
    let known = Reader::open(database)?.person(command.name())?;
    Ok(known.map(|(person, _)| person.role))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::person::SecretHash;
    use gateway_core::{NodeId, UsagePointId};
    use gateway_store::Store;

    fn set_secret(name: &str) -> Request {
        let hash = format!("sha256:{}", "0".repeat(64));
        Request::Command {
            command: Command::Person(PersonCommand::SetSecret {
                name: name.into(),
                secret: SecretHash::new(hash).unwrap(),
                must_change: true,
                by: String::new(),
            }),
        }
    }

    #[test]
    fn root_may_everything_and_a_stranger_of_the_group_what_an_operator_may() {
        let name = format!("pg-people-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let database = crate::config::database_in(&dir);
        drop(Store::open(&database).unwrap());
        let off = Request::Command {
            command: Command::OrderSupply {
                usage_point: UsagePointId(1),
                order: gateway_core::supply::SupplyOrder::Off,
                by: String::new(),
            },
        };
        let key = Request::NodeKey { node: NodeId(1) };
        let stranger = 3_999_999_999;
        for (uid, request, expected) in [
            (0, &key, true),
            (0, &set_secret("nobody-here"), true),
            (stranger, &off, true),
            (stranger, &Request::Status {}, true),
            (stranger, &key, false),
            (stranger, &set_secret("nobody-here"), false),
        ] {
            let admitted = admit(&Caller::of(uid), request, &database)
                .unwrap()
                .is_some();
            assert_eq!(admitted, expected, "{uid}: {request:?}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
