//! `/people`: who may use the gateway.
//!
//! Names and roles are everybody's here who may see people; who may change what depends on whom it is about
//! ([`PersonCommand::deed`]), so the handlers ask once they know.

use super::form_unusable;
use super::password::hashed;
use super::submit;
use crate::access::{Operator, random_hex};
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::view::{Page, PeopleView, Shell, SlipView, Tab};
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use gateway_core::person::{Person, PersonCommand, Role, SecretHash};
use gateway_core::{Command, Refusal, UsagePointId};
use serde::Deserialize;

/// Digits of a PIN.
const PIN_DIGITS: usize = 6;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonForm {
    #[serde(default)]
    name: String,
    role: String,
    /// Numbers of usage points, separated by commas or blanks.
    #[serde(default)]
    usage_points: String,
}

type Sent<T> = Result<Form<T>, FormRejection>;

impl PersonForm {
    fn person(&self, name: &str) -> Result<Person, Failure> {
        let role: Role = self
            .role
            .parse()
            .map_err(|error| Failure::unusable("role-unusable", format!("{error}")))?;
        let separators = |c: char| c == ',' || c.is_whitespace();
        let words = self
            .usage_points
            .split(separators)
            .filter(|w| !w.is_empty());
        let points: Result<Vec<UsagePointId>, _> = words.map(str::parse).collect();
        let points = points.map_err(|_| Failure::from(Refusal::NoSuchUsagePoint))?;
        // A form has every field; those that do not go with the role are left out.
        Ok(Person {
            name: name.trim().to_owned(),
            role,
            usage_points: if role == Role::Resident {
                points
            } else {
                Vec::new()
            },
        })
    }
}

/// The list.
pub(crate) async fn people(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    Ok(list(&app, &operator, &headers, None).await?)
}

async fn list(
    app: &App,
    operator: &Operator,
    headers: &HeaderMap,
    error: Option<&Failure>,
) -> Result<Response, Failure> {
    let people = app.read(|rows| rows.people()).await?;
    let page = Page {
        title: "People",
        tab: Tab::People,
        is_live: false,
        reload_s: None,
    };
    let view = PeopleView::new(
        &people,
        operator,
        error.map(|failure| failure.message.as_str()),
    );
    let mut response = Shell::answer(app, Some(operator), headers, &page, &view);
    if let Some(failure) = error {
        *response.status_mut() = failure.status;
    }
    Ok(response)
}

/// Somebody new, with a secret made here and shown once.
pub(crate) async fn add_person(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
    form: Sent<PersonForm>,
) -> Result<Response, PageFailure> {
    let Form(form) = form.map_err(|_| form_unusable())?;
    let result = async {
        let person = form.person(&form.name)?;
        let (secret, hash) = made(person.role).await?;
        let add = PersonCommand::Add {
            person: person.clone(),
            secret: Some(hash),
            must_change: person.role != Role::Program,
            by: operator.by.clone(),
        };
        carry_out(&app, &operator, None, add).await?;
        Ok((person, secret))
    };
    slip(&app, &operator, &headers, result.await).await
}

/// Another secret, made here and shown once.
pub(crate) async fn new_secret(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let result = async {
        let person = find(&app, &name).await?;
        let (secret, hash) = made(person.role).await?;
        let set = PersonCommand::SetSecret {
            name: person.name.clone(),
            secret: hash,
            must_change: person.role != Role::Program,
            by: operator.by.clone(),
        };
        carry_out(&app, &operator, Some(person.role), set).await?;
        Ok((person, secret))
    };
    slip(&app, &operator, &headers, result.await).await
}

/// Another role, other usage points.
pub(crate) async fn change_role(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
    form: Sent<PersonForm>,
) -> Result<Response, PageFailure> {
    let Form(form) = form.map_err(|_| form_unusable())?;
    let result = async {
        let known = find(&app, &name).await?;
        let change = PersonCommand::Change {
            person: form.person(&known.name)?,
            by: operator.by.clone(),
        };
        carry_out(&app, &operator, Some(known.role), change).await
    };
    done(&app, &operator, &headers, result.await).await
}

/// Somebody leaves.
pub(crate) async fn remove_person(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageFailure> {
    let result = async {
        let known = find(&app, &name).await?;
        let remove = PersonCommand::Remove {
            name: known.name,
            by: operator.by.clone(),
        };
        carry_out(&app, &operator, Some(known.role), remove).await
    };
    done(&app, &operator, &headers, result.await).await
}

async fn carry_out(
    app: &App,
    operator: &Operator,
    role_now: Option<Role>,
    command: PersonCommand,
) -> Result<(), Failure> {
    if !operator.may(command.deed(role_now)) {
        return Err(Refusal::RoleMayNot.into());
    }
    submit(app, Command::Person(command)).await.map(drop)
}

async fn find(app: &App, name: &str) -> Result<Person, Failure> {
    let name = name.to_owned();
    let known = app.read(move |rows| rows.person(&name)).await?;
    known
        .map(|(person, _)| person)
        .ok_or_else(|| Refusal::NoSuchPerson.into())
}

/// A new secret and its hash.
async fn made(role: Role) -> Result<(String, SecretHash), Failure> {
    let random = match role {
        Role::Resident => pin(),
        Role::Program => random_hex::<32>(),
        _ => random_hex::<10>(),
    };
    let unavailable =
        |words: String| Failure::new(StatusCode::SERVICE_UNAVAILABLE, "no-random-numbers", words);
    let secret = random.map_err(|_| {
        unavailable("The system has no random numbers. Try again in a moment.".into())
    })?;
    let hash = hashed(role, secret.clone()).await?.map_err(unavailable)?;
    Ok((secret, hash))
}

/// Digits, each as likely as any other.
fn pin() -> Result<String, getrandom::Error> {
    let mut pin = String::new();
    while pin.len() < PIN_DIGITS {
        let mut random = [0_u8];
        getrandom::fill(&mut random)?;
        // 250 is the largest multiple of ten in a byte: above it low digits would be likelier.
        if random[0] < 250 {
            pin.push(char::from(b'0' + random[0] % 10));
        }
    }
    Ok(pin)
}

/// What is printed and handed over, or the list with what went wrong.
async fn slip(
    app: &App,
    operator: &Operator,
    headers: &HeaderMap,
    result: Result<(Person, String), Failure>,
) -> Result<Response, PageFailure> {
    let (person, secret) = match result {
        Ok(made) => made,
        Err(failure) => return Ok(list(app, operator, headers, Some(&failure)).await?),
    };
    let page = Page {
        title: "Slip",
        tab: Tab::People,
        is_live: false,
        reload_s: None,
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let scheme = if app.0.site.tls { "https" } else { "http" };
    let address = host.map(|host| format!("{scheme}://{host}"));
    let view = SlipView::new(&app.0.site.name, &person, &secret, address.as_deref());
    Ok(Shell::answer(app, Some(operator), headers, &page, &view))
}

async fn done(
    app: &App,
    operator: &Operator,
    headers: &HeaderMap,
    result: Result<(), Failure>,
) -> Result<Response, PageFailure> {
    match result {
        Ok(()) => Ok(Redirect::to("/people").into_response()),
        Err(failure) => Ok(list(app, operator, headers, Some(&failure)).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::person::Deed;

    #[test]
    fn what_does_not_go_with_the_role_is_left_out() {
        let form = |role: &str| PersonForm {
            name: " asha ".into(),
            role: role.into(),
            usage_points: "UP-0001, 7".into(),
        };
        let points = |role| {
            let person = form(role).person(" asha ").unwrap();
            (person.name, person.usage_points.len())
        };
        assert_eq!(points("resident"), ("asha".into(), 2));
        assert_eq!(points("agent"), ("asha".into(), 0));
        assert_eq!(points("auditor"), ("asha".into(), 0));
        assert!(form("admin").person("asha").is_err());
        let deed = PersonCommand::Remove {
            name: String::new(),
            by: String::new(),
        };
        assert_eq!(deed.deed(Some(Role::Resident)), Deed::SetResidentPins);
        assert_eq!(deed.deed(Some(Role::Operator)), Deed::ManagePeople);
    }
}
