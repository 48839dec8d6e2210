//! `/login` and `/logout`

use crate::access::{Access, Verdict, home, mark_of, peer_address, session_cookie, session_secret};
use crate::app::App;
use crate::committed::{Known, ReadError};
use crate::failure::Failure;
use crate::view::{LoginView, Page, Shell, Tab};
use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::UsagePointId;
use gateway_core::person::{Role, key};
use serde::Deserialize;
use std::net::IpAddr;
use std::time::Duration;

/// Who is meant when no name is given: the one person of a site from the time before there were people.
const OPERATOR: &str = "operator";
/// Longest name looked up; longer ones are nobody's.
const LONGEST_NAME: usize = 64;
/// A hash that fits no password a person can type, so that a name nobody has takes as long as a wrong password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Target {
    next: String,
    /// Printed in the code of a resident's slip.
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The form.
pub(crate) async fn login_form(
    State(app): State<App>,
    target: Result<Query<Target>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    if app.0.access == Access::Open {
        return Redirect::to("/").into_response();
    }
    let target = target.map(|Query(target)| target).unwrap_or_default();
    form(&app, &headers, (&target.next, &target.name), None)
}

fn form(
    app: &App,
    headers: &HeaderMap,
    (next, name): (&str, &str),
    error: Option<&str>,
) -> Response {
    let page = Page {
        title: "Log in",
        tab: Tab::None,
        is_live: false,
        reload_s: None,
    };
    let next = safe_target(next);
    Shell::answer(app, None, headers, &page, &LoginView { next, name, error })
}

/// A try.
pub(crate) async fn login(State(app): State<App>, request: Request) -> Response {
    if app.0.access == Access::Open {
        return Redirect::to("/").into_response();
    }
    let (from, headers) = (
        peer_address(request.extensions()),
        request.headers().clone(),
    );
    let Ok(Form(entry)) = Form::<Entry>::from_request(request, &()).await else {
        return Failure::unusable("form-unusable", "The login form was not understood.")
            .into_page();
    };
    let refuse = |status: StatusCode, words: &str| {
        let mut response = form(&app, &headers, (&entry.next, &entry.name), Some(words));
        *response.status_mut() = status;
        response
    };
    let tried = match check(&app, &entry, from).await {
        Ok(tried) => tried,
        Err(error) => return Failure::from(error).into_page(),
    };
    match tried {
        Tried::TooOften(wait) => {
            let wait_s = wait.as_secs().max(1);
            let words = format!("Too many tries. Wait {wait_s} s and try again.");
            let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, &words);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
            response
        }
        Tried::Wrong => refuse(
            StatusCode::UNAUTHORIZED,
            "Name and password do not go together.",
        ),
        Tried::Busy => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people are logging in at once. Try again in a moment.",
        ),
        Tried::Right(name, role, hash) => {
            if let Some(old) = session_secret(&headers) {
                app.0.sessions.close(old);
            }
            let target = match safe_target(&entry.next) {
                "/" => home(role),
                target => target,
            };
            let session = open_session(&app, &name, &hash, target);
            session.unwrap_or_else(|failure| failure.into_page())
        }
    }
}

enum Tried {
    /// Name, role and hash of who logged in.
    Right(String, Role, String),
    Wrong,
    Busy,
    TooOften(Duration),
}

/// Checks a name and a password, within the limits.
async fn check(app: &App, entry: &Entry, from: IpAddr) -> Result<Tried, ReadError> {
    let now = (app.0.stopwatch)();
    let name = match entry.name.trim() {
        "" => OPERATOR,
        name => name,
    };
    if let Err(wait) = app.0.limiter.take(from, now) {
        log::warn!(from:% = from; "login refused: too many tries");
        return Ok(Tried::TooOften(wait));
    }
    let known = find(app, name).await?;
    let resident = known
        .as_ref()
        .filter(|(person, _)| person.role == Role::Resident);
    let resident = resident.map(|(person, _)| key(&person.name));
    if let Some(name) = &resident
        && let Err(wait) = app.0.names.take(name, from, now)
    {
        log::warn!(name = name, from:% = from; "login refused: too many tries at this PIN");
        return Ok(Tried::TooOften(wait));
    }
    let hash = known.as_ref().and_then(|(_, secret)| secret.as_ref());
    let hash = hash.map_or_else(|| NOBODY.to_owned(), |secret| secret.hash.text().to_owned());
    let verdict = app
        .0
        .passwords
        .check(entry.password.clone(), hash.clone())
        .await;
    Ok(match (verdict, known) {
        (Verdict::Busy, _) => Tried::Busy,
        (Verdict::Right, Some((person, _))) => {
            app.0.limiter.forgive(from);
            if let Some(name) = &resident {
                app.0.names.trust(name, from);
            }
            log::info!(by = person.name, from:% = from; "logged in");
            Tried::Right(person.name, person.role, hash)
        }
        (Verdict::Right | Verdict::Wrong, _) => {
            // Not what was typed: people type their password into the field of the name.
            log::warn!(from:% = from; "login refused: wrong name or password");
            Tried::Wrong
        }
    })
}

/// Somebody by name; a resident also by the number of the usage point written in any way.
async fn find(app: &App, name: &str) -> Result<Option<Known>, ReadError> {
    if name.len() > LONGEST_NAME {
        return Ok(None);
    }
    let name = name.to_owned();
    app.read(move |rows| {
        if let Some(known) = rows.person(&name)? {
            return Ok(Some(known));
        }
        match name.parse::<UsagePointId>() {
            Ok(point) => rows.person(&point.to_string()),
            Err(_) => Ok(None),
        }
    })
    .await
}

/// A new session of somebody, and where to go.
pub(super) fn open_session(
    app: &App,
    name: &str,
    hash: &str,
    target: &str,
) -> Result<Response, Failure> {
    let now = (app.0.stopwatch)();
    let secret = app.0.sessions.open((name, mark_of(hash)), now);
    let secret = secret.map_err(|_| {
        Failure::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no-random-numbers",
            "The system has no random numbers. Try again in a moment.",
        )
    })?;
    Ok(with_cookie(app, &secret, target))
}

/// Ends the session on the server, then in the browser.
pub(crate) async fn logout(State(app): State<App>, headers: HeaderMap) -> Response {
    if let Some(secret) = session_secret(&headers) {
        app.0.sessions.close(secret);
    }
    with_cookie(&app, "", "/login")
}

fn with_cookie(app: &App, secret: &str, target: &str) -> Response {
    let cookie = session_cookie(app, secret);
    ([(header::SET_COOKIE, cookie)], Redirect::to(target)).into_response()
}

/// A page of this site; anything else becomes the first page, so that no link leads through the login elsewhere.
fn safe_target(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::safe_target;

    #[test]
    fn logins_lead_nowhere_else() {
        for ours in ["/", "/alarms", "/usage-point/UP-0001?days=7"] {
            assert_eq!(safe_target(ours), ours);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/\u{e9}",
        ] {
            assert_eq!(safe_target(foreign), "/", "{foreign}");
        }
    }
}
