//! What a program sends, and the plain answer to it.

use super::answers::Done;
use super::parse::parse;
use crate::access::Operator;
use crate::app::App;
use crate::failure::{ApiFailure, Failure};
use crate::pages::submit;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, ExtensionRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::{Extension, Json};
use gateway_core::Command;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What a request that changes something is answered.
pub(super) type Answered = Result<Json<Done>, ApiFailure>;

/// A JSON request that is not read yet.
pub(super) struct Sent {
    pub(super) body: Bytes,
    /// Who sent it.
    pub(super) by: String,
}

/// A JSON request.
pub(super) struct Asked<T> {
    pub(super) body: T,
    /// Who sent it.
    pub(super) by: String,
}

/// `{}`: the address says it all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

impl FromRequest<App> for Sent {
    type Rejection = ApiFailure;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiFailure> {
        let (mut parts, body) = request.into_parts();
        // Every address that takes a body asks for a login first; without one nothing gets here.
        let nobody = |_: ExtensionRejection| {
            Failure::new(StatusCode::UNAUTHORIZED, "not-logged-in", "Log in first.")
        };
        let operator = Extension::<Operator>::from_request_parts(&mut parts, app).await;
        let Extension(operator) = operator.map_err(nobody)?;
        is_json(&parts.headers)?;
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, app).await.map_err(unread)?;
        Ok(Self {
            body,
            by: operator.by,
        })
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Asked<T> {
    type Rejection = ApiFailure;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiFailure> {
        let Sent { body, by } = Sent::from_request(request, app).await?;
        let body = parse(&body)?;
        Ok(Self { body, by })
    }
}

/// The content type is what keeps foreign forms out, so it is not optional.
fn is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content-type-not-json",
        "Send Content-Type: application/json.",
    ))
}

fn unread(rejection: BytesRejection) -> Failure {
    let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
    let (name, words) = if too_large {
        ("body-too-large", "The body is larger than 16 KiB.")
    } else {
        ("body-unreadable", "The body did not arrive whole.")
    };
    Failure::new(rejection.status(), name, words)
}

/// Has a command decided and committed, and says so.
pub(super) async fn done(app: &App, command: Command) -> Answered {
    Ok(Json(submit(app, command).await?.into()))
}
