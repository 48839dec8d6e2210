//! What a browser sends: a form, or the fields of a link. One that is not understood gets the same words everywhere.

use super::form_unusable;
use crate::app::App;
use crate::failure::PageFailure;
use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

/// A form that was filled in.
pub(crate) struct Filled<T>(pub(super) T);

/// The fields of an address, as a form sent by GET or a link of the page makes them.
pub(crate) struct Linked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Filled<T> {
    type Rejection = PageFailure;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageFailure> {
        let form = Form::from_request(request, app).await;
        let Form(form) = form.map_err(|_| form_unusable())?;
        Ok(Self(form))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Linked<T> {
    type Rejection = PageFailure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, PageFailure> {
        let query = Query::from_request_parts(parts, app).await;
        let Query(query) = query.map_err(|_| form_unusable())?;
        Ok(Self(query))
    }
}
