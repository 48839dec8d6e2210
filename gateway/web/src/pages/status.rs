//! `/healthz`, `/metrics`, and what does not exist.

use crate::access::peer_address;
use crate::app::App;
use crate::failure::Failure;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Whether the gateway does its work; the details need a login.
pub(crate) async fn healthz(State(app): State<App>) -> Response {
    let health = app.0.desk.health();
    if health.is_working() {
        (StatusCode::OK, "ok\n").into_response()
    } else {
        let words = "not working; the page says why\n";
        (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
    }
}

/// Counters in Prometheus text format, for this machine and the addresses the site allows.
pub(crate) async fn metrics(State(app): State<App>, request: Request) -> Response {
    let from = peer_address(request.extensions());
    if !from.is_loopback() && !app.0.site.metrics_from.contains(&from) {
        return Failure::new(
            StatusCode::FORBIDDEN,
            "metrics-not-allowed",
            "Metrics are for this machine only; the configuration can allow more (web.metrics_from).",
        )
        .into_json();
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.0.desk.metrics()).into_response()
}

/// Any other address.
pub(crate) async fn no_such_page(request: Request) -> Response {
    let failure = Failure::not_found("There is nothing at this address.");
    answer(&request, failure)
}

/// A known address with a method it does not have.
pub(crate) async fn no_such_method(request: Request) -> Response {
    let failure = Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This address cannot be used this way.",
    );
    answer(&request, failure)
}

fn answer(request: &Request, failure: Failure) -> Response {
    if request.uri().path().starts_with("/api/") {
        failure.into_json()
    } else {
        failure.into_page()
    }
}
