//! `/login` and `/logout`

use crate::access::{Access, Verdict, peer_address, session_cookie, session_secret};
use crate::app::App;
use crate::failure::Failure;
use crate::view::{LoginView, Page, Shell, Tab};
use axum::Form;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Target {
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
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
    let next = target.map(|Query(target)| target.next).unwrap_or_default();
    form(&app, &headers, &next, None)
}

fn form(app: &App, headers: &HeaderMap, next: &str, error: Option<&str>) -> Response {
    let page = Page {
        title: "Log in",
        tab: Tab::None,
        is_live: false,
        reload_s: None,
    };
    let next = safe_target(next);
    Shell::answer(app, None, headers, &page, &LoginView { next, error })
}

/// A try.
pub(crate) async fn login(State(app): State<App>, request: Request) -> Response {
    let Access::Password { hash } = app.0.access.clone() else {
        return Redirect::to("/").into_response();
    };
    let (from, headers) = (peer_address(&request), request.headers().clone());
    let Ok(Form(entry)) = Form::<Entry>::from_request(request, &()).await else {
        return Failure::unusable("form-unusable", "The login form was not understood.")
            .into_page();
    };
    let now = (app.0.stopwatch)();
    let refuse = |status: StatusCode, words: &str| {
        let mut response = form(&app, &headers, &entry.next, Some(words));
        *response.status_mut() = status;
        response
    };
    if let Err(wait) = app.0.limiter.take(from, now) {
        log::warn!(from:% = from; "login refused: too many tries");
        let wait_s = wait.as_secs().max(1);
        let words = format!("Too many tries. Wait {wait_s} s and try again.");
        let mut response = refuse(StatusCode::TOO_MANY_REQUESTS, &words);
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
        return response;
    }
    match app.0.passwords.check(entry.password.clone(), hash).await {
        Verdict::Wrong => {
            log::warn!(from:% = from; "login refused: wrong password");
            refuse(StatusCode::UNAUTHORIZED, "The password is not right.")
        }
        Verdict::Busy => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people are logging in at once. Try again in a moment.",
        ),
        Verdict::Right => {
            app.0.limiter.forgive(from);
            if let Some(old) = session_secret(&headers) {
                app.0.sessions.close(old);
            }
            let Ok(secret) = app.0.sessions.open(now) else {
                return refuse(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The system has no random numbers. Try again in a moment.",
                );
            };
            log::info!(from:% = from; "logged in");
            with_cookie(&app, &secret, safe_target(&entry.next))
        }
    }
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
