//! Who is asking: a session, a program's bearer secret, or nobody in particular where the page is open.

use super::password::bearer_hash;
use super::session::{Mark, Session};
use super::{Access, Limiter};
use crate::app::App;
use crate::committed::{Known, ReadError};
use crate::failure::Failure;
use axum::http::header::{self, HeaderMap};
use axum::http::{Method, StatusCode};
use gateway_core::person::author::{Way, author};
use gateway_core::person::{Deed, Person, Role};
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// Names of the session cookie; with TLS browsers enforce the prefix: Secure, this host, whole path.
pub(super) const COOKIE: &str = "prepaid-session";
pub(super) const COOKIE_TLS: &str = "__Host-prepaid-session";

/// Who is asking; every handler behind the gate finds one.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    /// Name and way in, for the journal.
    pub by: String,
    /// Who they are.
    pub person: Person,
    /// Whether there is a session to end.
    pub can_log_out: bool,
    /// Whether they have to choose another password first.
    pub must_change: bool,
}

impl Operator {
    /// Whether their role covers something.
    pub(crate) fn may(&self, deed: Deed) -> bool {
        self.person.role.may(deed)
    }

    /// Where they begin.
    pub(crate) fn home(&self) -> &'static str {
        home(self.person.role)
    }
}

/// Where somebody of a role begins.
pub(crate) fn home(role: Role) -> &'static str {
    match role {
        Role::Resident => "/my",
        Role::Agent => "/agent",
        _ => "/",
    }
}

/// What is asked for, as far as it matters for who asks.
pub(super) struct Asked<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub from: IpAddr,
    pub is_api: bool,
    /// Live refreshing does not keep a session open.
    pub touches: bool,
}

/// Who asks; `None`: nobody who is known.
pub(super) async fn identify(app: &App, asked: &Asked<'_>) -> Result<Option<Operator>, Failure> {
    if app.0.access == Access::Open {
        return Ok(Some(everybody(asked.is_api)));
    }
    if asked.is_api
        && let Some(secret) = bearer(asked.headers)
    {
        return program(app, secret, asked.from).await;
    }
    let now = (app.0.stopwatch)();
    let session = session_secret(asked.headers)
        .and_then(|secret| app.0.sessions.get(secret, now, asked.touches));
    let Some(Session { name, mark, .. }) = session else {
        return Ok(None);
    };
    let Some((person, Some(secret))) = read(app, &name).await? else {
        return Ok(None);
    };
    if mark_of(secret.hash.text()) != mark {
        return Ok(None);
    }
    let way = if asked.is_api { Way::Api } else { Way::Page };
    Ok(Some(Operator {
        by: author(&person.name, way),
        person,
        can_log_out: true,
        must_change: secret.must_change,
    }))
}

/// Everybody, where there are no passwords.
fn everybody(is_api: bool) -> Operator {
    let way = if is_api { Way::Api } else { Way::Page };
    let name = "operator".to_owned();
    Operator {
        by: author(&name, way),
        person: Person {
            name,
            role: Role::Supplier,
            usage_points: Vec::new(),
        },
        can_log_out: false,
        must_change: false,
    }
}

/// A wrong secret costs its sender a try, as a wrong password does; 256 bits are not guessed, but the log is not to be filled.
async fn program(app: &App, secret: &str, from: IpAddr) -> Result<Option<Operator>, Failure> {
    let hash = bearer_hash(secret);
    let found = app.read(move |rows| rows.program(&hash)).await?;
    let Some(person) = found else {
        let limiter: &Limiter = &app.0.limiter;
        return match limiter.take(from, (app.0.stopwatch)()) {
            Ok(()) => {
                log::warn!(from:% = from; "refused: unknown bearer secret");
                Ok(None)
            }
            Err(_) => Err(Failure::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-tries",
                "Too many unknown secrets. Wait a minute and try again.",
            )),
        };
    };
    Ok(Some(Operator {
        by: author(&person.name, Way::Api),
        person,
        can_log_out: false,
        must_change: false,
    }))
}

/// Somebody's rows by the name in a session.
async fn read(app: &App, name: &str) -> Result<Option<Known>, ReadError> {
    let name = name.to_owned();
    app.read(move |rows| rows.person(&name)).await
}

/// Names a password without telling anything about it: a session remembers by which one it was opened.
pub(crate) fn mark_of(hash: &str) -> Mark {
    Sha256::digest(hash.as_bytes()).into()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(secret.trim())
}

/// The session secret among the cookies.
pub(crate) fn session_secret(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE || *name == COOKIE_TLS)
        .map(|(_, secret)| secret)
}
