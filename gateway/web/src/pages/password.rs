//! `/password`: everybody chooses their own.

use super::filled::Filled;
use super::login::open_session;
use super::submit;
use crate::access::{Access, Operator, Verdict, hash_for, session_secret};
use crate::app::App;
use crate::failure::{Failure, PageFailure, sentence};
use crate::view::{Page, PasswordView, Shell, Tab};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::Command;
use gateway_core::person::{PersonCommand, Role, SecretHash, key};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    #[serde(default, rename = "username")]
    _username: String,
    current: String,
    new: String,
    again: String,
}

/// The form.
pub(crate) async fn password_form(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
) -> Response {
    if app.0.access == Access::Open {
        return Redirect::to("/").into_response();
    }
    form(&app, &operator, &headers, None)
}

fn form(app: &App, operator: &Operator, headers: &HeaderMap, error: Option<&str>) -> Response {
    let is_pin = operator.person.role == Role::Resident;
    let page = Page {
        title: if is_pin { "PIN" } else { "Password" },
        tab: Tab::None,
        is_live: false,
        reload_s: None,
    };
    let view = PasswordView {
        name: &operator.person.name,
        is_pin,
        must_change: operator.must_change,
        error,
    };
    Shell::answer(app, Some(operator), headers, &page, &view)
}

/// Another password. The session goes on under a new secret; all others of this person end.
pub(crate) async fn change_password(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    headers: HeaderMap,
    Filled(entry): Filled<Entry>,
) -> Result<Response, PageFailure> {
    if app.0.access == Access::Open {
        return Ok(Redirect::to("/").into_response());
    }
    let refuse = |status: StatusCode, words: &str| {
        let mut response = form(&app, &operator, &headers, Some(words));
        *response.status_mut() = status;
        Ok(response)
    };
    let unusable = StatusCode::UNPROCESSABLE_ENTITY;
    if entry.new != entry.again {
        return refuse(unusable, "The two new ones differ.");
    }
    if entry.new == entry.current {
        return refuse(unusable, "Choose another one than you have now.");
    }
    let name = operator.person.name.clone();
    let known = app.read(move |rows| rows.person(&name)).await?;
    let Some((person, Some(secret))) = known else {
        return Err(Failure::from(gateway_core::Refusal::NoSuchPerson).into());
    };
    let now = (app.0.stopwatch)();
    if app
        .0
        .names
        .take(&key(&person.name), std::net::IpAddr::from([0; 4]), now)
        .is_err()
    {
        return refuse(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many tries. Wait some minutes.",
        );
    }
    let hash = secret.hash.text().to_owned();
    match app.0.passwords.check(entry.current, hash).await {
        Verdict::Right => {}
        Verdict::Wrong => return refuse(unusable, "The one you have now is not right."),
        Verdict::Busy => return refuse(StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment."),
    }
    let hash = match hashed(person.role, entry.new).await? {
        Ok(hash) => hash,
        Err(words) => return refuse(unusable, &words),
    };
    let command = PersonCommand::SetSecret {
        name: person.name.clone(),
        secret: hash.clone(),
        must_change: false,
        by: operator.by.clone(),
    };
    submit(&app, Command::Person(command)).await?;
    if let Some(old) = session_secret(&headers) {
        app.0.sessions.close(old);
    }
    let response = open_session(&app, &person.name, hash.text(), operator.home())?;
    Ok(response)
}

/// Hashes off the asynchronous threads; what is wrong with the secret, in words.
pub(super) async fn hashed(
    role: Role,
    secret: String,
) -> Result<Result<SecretHash, String>, Failure> {
    let task = tokio::task::spawn_blocking(move || hash_for(role, &secret)).await;
    let hash = task.map_err(|_| {
        let words = "The gateway is stopping; try again in a moment.";
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "gateway-unavailable",
            words,
        )
    })?;
    Ok(hash.map_err(|error| sentence(&error.to_string())))
}
