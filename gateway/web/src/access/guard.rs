//! The one gate in front of every handler.

use super::Access;
use super::identity::{Asked, COOKIE, COOKIE_TLS, Operator, identify};
use crate::app::App;
use crate::failure::Failure;
use crate::routes::{Gatekeeper, Needs};
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Extensions, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::Refusal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The client's address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Checks host, origin, session and role, and sets the security headers.
pub(crate) async fn guard(
    State((app, gatekeeper)): State<(App, Gatekeeper)>,
    request: Request,
    next: Next,
) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let (mut parts, body) = request.into_parts();
    let mut response = match admit(&app, &gatekeeper, &parts).await {
        Ok(operator) => {
            if let Some(operator) = operator {
                parts.extensions.insert(operator);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(Turned::ToLogin(next)) => Redirect::to(&format!("/login?next={next}")).into_response(),
        Err(Turned::Elsewhere(path)) => Redirect::to(path).into_response(),
        Err(Turned::Away(failure)) if is_api => failure.into_json(),
        Err(Turned::Away(failure)) => failure.into_page(),
    };
    set_headers(&app, response.headers_mut());
    response
}

enum Turned {
    ToLogin(String),
    Elsewhere(&'static str),
    Away(Failure),
}

impl From<Failure> for Turned {
    fn from(failure: Failure) -> Self {
        Self::Away(failure)
    }
}

async fn admit(
    app: &App,
    gatekeeper: &Gatekeeper,
    request: &Parts,
) -> Result<Option<Operator>, Turned> {
    let (path, headers) = (request.uri.path(), &request.headers);
    let is_api = path.starts_with("/api/");
    check_method(&request.method, headers, is_api)?;
    let matched = request.extensions.get::<MatchedPath>();
    let needs = gatekeeper.needs(matched.map(MatchedPath::as_str), &request.method);
    let is_public = needs == Needs::Nothing;
    if app.0.access == Access::Open && !host_is_loopback(headers) && !is_public {
        return Err(Turned::Away(Failure::new(
            StatusCode::FORBIDDEN,
            "host-not-loopback",
            "Without a password this page answers only to localhost.",
        )));
    }
    if is_public {
        return Ok(None);
    }
    let is_fragment = headers.contains_key("x-fragment") || path == "/live";
    let asked = Asked {
        method: &request.method,
        headers,
        from: peer_address(&request.extensions),
        is_api,
        touches: !is_fragment,
    };
    let Some(operator) = identify(app, &asked).await? else {
        if asked.method == Method::GET && !is_api && !is_fragment {
            let target = request.uri.path_and_query();
            return Err(Turned::ToLogin(escape_query(
                target.map_or("/", |t| t.as_str()),
            )));
        }
        return Err(Turned::Away(Failure::new(
            StatusCode::UNAUTHORIZED,
            "login-needed",
            "Log in first.",
        )));
    };
    if operator.must_change && !matches!(path, "/password" | "/logout") {
        return Err(to_password(asked.method, is_api));
    }
    if !needs.admits(operator.person.role) {
        if path == "/" && asked.method == Method::GET && operator.home() != "/" {
            return Err(Turned::Elsewhere(operator.home()));
        }
        log::warn!(by = operator.by, from:% = asked.from; "refused: the role does not cover {path}");
        return Err(Turned::Away(Refusal::RoleMayNot.into()));
    }
    Ok(Some(operator))
}

fn to_password(method: &Method, is_api: bool) -> Turned {
    if method == Method::GET && !is_api {
        return Turned::Elsewhere("/password");
    }
    Turned::Away(Failure::new(
        StatusCode::FORBIDDEN,
        "password-to-be-changed",
        "Choose a password of your own first.",
    ))
}

/// The client's address; unspecified when the server did not say.
pub(crate) fn peer_address(extensions: &Extensions) -> IpAddr {
    let info = extensions.get::<ConnectInfo<Peer>>();
    info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| {
        peer.0.0.ip().to_canonical()
    })
}

/// GET and HEAD change nothing; a POST must come from this very site.
///
/// Browsers say where a POST comes from (`Sec-Fetch-Site`, `Origin`). A program says nothing; it is let through to the
/// API only, whose JSON content type no foreign form can send.
fn check_method(method: &Method, headers: &HeaderMap, is_api: bool) -> Result<(), Failure> {
    match *method {
        Method::GET | Method::HEAD => return Ok(()),
        Method::POST => {}
        _ => {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Use GET to read and POST to change.",
            ));
        }
    }
    let foreign = Failure::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        "The request did not come from this page. Open the page and try again.",
    );
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site_is_ours = text("sec-fetch-site").map(|site| site == "same-origin");
    let origin_is_ours = text("origin").map(|origin| {
        let host = text("host").unwrap_or("");
        !host.is_empty()
            && [format!("http://{host}"), format!("https://{host}")]
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(origin))
    });
    match (site_is_ours, origin_is_ours) {
        (Some(false), _) | (_, Some(false)) => Err(foreign),
        (None, None) if !is_api => Err(foreign),
        _ => Ok(()),
    }
}

fn host_is_loopback(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("");
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `Set-Cookie` for a session; an empty secret takes the cookie away.
pub(crate) fn session_cookie(app: &App, secret: &str) -> String {
    let (name, secure) = if app.0.site.tls {
        (COOKIE_TLS, "; Secure")
    } else {
        (COOKIE, "")
    };
    let age = if secret.is_empty() { "; Max-Age=0" } else { "" };
    format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict{secure}{age}")
}

fn set_headers(app: &App, headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    // Not `no-referrer`: with it browsers send `Origin: null` with the forms of this very page.
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    if app.0.site.tls {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// Percent-encodes everything that is not plain in a query value.
fn escape_query(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    text.bytes()
        .map(|b| {
            if plain(b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}
