//! Style sheet, script and icon: built in, nothing from elsewhere.

use crate::failure::{Failure, PageFailure};
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A file of the page. Short-lived in caches, so that an upgrade shows at the next visit.
pub(crate) async fn serve(Path(name): Path<String>) -> Result<Response, PageFailure> {
    let (kind, content) = match name.as_str() {
        "page.css" => (
            "text/css; charset=utf-8",
            include_str!("../static/page.css"),
        ),
        "paper.css" => (
            "text/css; charset=utf-8",
            include_str!("../static/paper.css"),
        ),
        "page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../static/page.js"),
        ),
        "icon.svg" => ("image/svg+xml", include_str!("../static/icon.svg")),
        _ => return Err(Failure::not_found("There is no such file.").into()),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    Ok((headers, content).into_response())
}
