//! Answers to the questions of residents. The questions themselves are asked on `/my`.

use super::accounts::show_accounts;
use super::filled::Filled;
use super::{find, submit};
use crate::access::Operator;
use crate::app::App;
use crate::failure::{Failure, PageFailure};
use crate::routes::{Needs, Routes};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use gateway_core::person::Deed;
use gateway_core::question::{QuestionCommand, QuestionRefusal};
use gateway_core::{Command, Refusal};
use serde::Deserialize;

/// Addresses of answers.
pub(crate) fn routes() -> Routes {
    let decide = Needs::May(Deed::DecideDisputes);
    Routes::under("").post("/usage-point/{id}/question/{number}", decide, reply)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplyForm {
    text: String,
}

async fn reply(
    State(app): State<App>,
    Extension(operator): Extension<Operator>,
    Path((id, number)): Path<(String, String)>,
    headers: HeaderMap,
    Filled(form): Filled<ReplyForm>,
) -> Result<Response, PageFailure> {
    let none = |_| Failure::from(Refusal::from(QuestionRefusal::NoSuchQuestion));
    let number = number.parse().map_err(none)?;
    let usage_point = find(&app, &id).await?.point.id;
    let command = QuestionCommand::Reply {
        usage_point,
        number,
        text: form.text,
        by: operator.by.clone(),
    };
    match submit(&app, Command::Question(command)).await {
        Ok(_) => Ok(Redirect::to("/accounts").into_response()),
        Err(failure) => {
            let asking = (&operator, &headers);
            Ok(show_accounts(&app, asking, Some(failure)).await?)
        }
    }
}
