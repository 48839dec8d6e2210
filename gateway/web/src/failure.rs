//! One shape for everything that goes wrong, for people and for programs.

use crate::committed::ReadError;
use crate::desk::DeskError;
use crate::view::Shell;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use gateway_core::Refusal;
use gateway_core::clock::ClockRefusal;
use gateway_core::prepay::MoneyRefusal;
use gateway_core::question::QuestionRefusal;
use serde::Serialize;
use std::borrow::Cow;

/// Something that went wrong, named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub status: StatusCode,
    /// Stable kebab-case name.
    pub name: Cow<'static, str>,
    /// A sentence that says what to do.
    pub message: String,
}

/// The API's only error body.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    message: &'a str,
}

impl Failure {
    pub(crate) fn new(
        status: StatusCode,
        name: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let (name, message) = (name.into(), message.into());
        Self {
            status,
            name,
            message,
        }
    }

    /// The request's content makes no sense.
    pub(crate) fn unusable(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, name, message)
    }

    /// There is no such page or entity.
    pub(crate) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    pub(crate) fn into_json(self) -> Response {
        let body = ErrorBody {
            error: &self.name,
            message: &self.message,
        };
        (self.status, Json(body)).into_response()
    }

    pub(crate) fn into_page(self) -> Response {
        let page = Shell::failure(&self);
        (self.status, Html(page)).into_response()
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "storage-unavailable",
            error.0,
        )
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::NoSuchUsagePoint
            | Refusal::NoSuchNode
            | Refusal::NoSuchTariff
            | Refusal::NoSuchAlarm
            | Refusal::NoSuchDispute
            | Refusal::NoSuchCase
            | Refusal::NoSuchPerson
            | Refusal::Question(QuestionRefusal::NoSuchQuestion) => StatusCode::NOT_FOUND,
            Refusal::KeyUsedForOtherVend
            | Refusal::UsagePointExists
            | Refusal::NodeExists
            | Refusal::CaseIsClosed
            | Refusal::Clock(ClockRefusal::FarAhead | ClockRefusal::Kept)
            | Refusal::PersonExists
            | Refusal::LastSupplier
            | Refusal::TariffDiffers
            | Refusal::Question(QuestionRefusal::TooManyQuestions) => StatusCode::CONFLICT,
            Refusal::RoleMayNot => StatusCode::FORBIDDEN,
            Refusal::Money(refusal) => status_of(refusal),
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, refusal.name(), sentence(&refusal.to_string()))
    }
}

/// Whether a refusal by the rules of money is about something that is not there, about who asks, or about what has happened before.
fn status_of(refusal: MoneyRefusal) -> StatusCode {
    match refusal {
        MoneyRefusal::NoSuchAgent
        | MoneyRefusal::NoSuchDebt
        | MoneyRefusal::NoSuchReceipt
        | MoneyRefusal::NoSuchProposal => StatusCode::NOT_FOUND,
        MoneyRefusal::NotForAgents
        | MoneyRefusal::SamePerson
        | MoneyRefusal::NeedsOwnLogin
        | MoneyRefusal::AgentIsClosed => StatusCode::FORBIDDEN,
        MoneyRefusal::AgentExists
        | MoneyRefusal::PersonIsAgents
        | MoneyRefusal::DebtExists
        | MoneyRefusal::CaseNotConfirmed
        | MoneyRefusal::CaseAssessedBefore
        | MoneyRefusal::ReversedBefore
        | MoneyRefusal::TooManyProposals
        | MoneyRefusal::FloatUsedUp { .. }
        | MoneyRefusal::KeyUsedForOther => StatusCode::CONFLICT,
        MoneyRefusal::VendAboveLargest { .. }
        | MoneyRefusal::VendBelowSmallest { .. }
        | MoneyRefusal::VendNoMultiple { .. }
        | MoneyRefusal::PercentTooLarge
        | MoneyRefusal::TermsUnusable
        | MoneyRefusal::MoreThanOwed
        | MoneyRefusal::NothingToDo
        | MoneyRefusal::ReasonUnusable => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Refused(refusal) => refusal.into(),
            DeskError::Unavailable(words) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "gateway-unavailable",
                words,
            ),
        }
    }
}

/// Words made to stand after "failed to …" as a sentence of their own.
pub(crate) fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let end = if words.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.unwrap_or_default(), letters.as_str())
}

/// A failure on a page.
pub(crate) struct PageFailure(pub Failure);

impl<E: Into<Failure>> From<E> for PageFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageFailure {
    fn into_response(self) -> Response {
        self.0.into_page()
    }
}

/// A failure in the API.
pub(crate) struct ApiFailure(pub Failure);

impl<E: Into<Failure>> From<E> for ApiFailure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        self.0.into_json()
    }
}
