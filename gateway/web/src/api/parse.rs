//! Bodies of requests. Plain functions over bytes: no panic on any input.

use crate::failure::{Failure, sentence};
use axum::http::StatusCode;
use gateway_core::Micro;
use gateway_core::supply::SupplyOrder;
use prepaid_common::quantity::NotAnAmount;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why a body was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Stable kebab-case name.
    pub name: &'static str,
    /// What is wrong, naming the field.
    pub message: String,
}

impl ParseError {
    pub(crate) fn named(name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { name, message }
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.name, error.message)
    }
}

/// A recharge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendRequest {
    /// Idempotency key of the caller, unique per payment.
    pub key: String,
    /// How much.
    pub amount: Micro,
}

/// An order for a supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupplyRequest {
    /// The order.
    pub order: SupplyOrder,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VendBody {
    key: String,
    amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenBody {
    token: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SupplyBody {
    order: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmptyBody {}

/// `{"key": "…", "amount": "12.50"}`
///
/// # Errors
/// `not-json`, `unknown-field`, `missing-field`, `field-unusable`, and those of [`parse_amount`].
pub fn parse_vend(body: &[u8]) -> Result<VendRequest, ParseError> {
    let VendBody { key, amount } = parse(body)?;
    let amount = parse_amount(&amount)?;
    Ok(VendRequest { key, amount })
}

/// `{"token": "20 digits"}`; whether it is one, the rules say.
///
/// # Errors
/// `not-json`, `unknown-field`, `missing-field`, `field-unusable`.
pub fn parse_token(body: &[u8]) -> Result<String, ParseError> {
    parse(body).map(|TokenBody { token }| token)
}

/// `{"order": "on"}`, `"off"` or `"auto"`
///
/// # Errors
/// `not-json`, `unknown-field`, `missing-field`, `field-unusable`, `no-such-order`.
pub fn parse_supply(body: &[u8]) -> Result<SupplyRequest, ParseError> {
    let SupplyBody { order } = parse(body)?;
    let order = parse_order(&order)?;
    Ok(SupplyRequest { order })
}

/// `{}`
///
/// # Errors
/// `not-json`, `unknown-field`, `field-unusable`.
pub fn parse_empty(body: &[u8]) -> Result<(), ParseError> {
    parse(body).map(|EmptyBody {}| ())
}

/// An exact amount as people write it: `12.50`; blanks around it are ignored.
///
/// # Errors
/// `amount-not-decimal`, `amount-too-precise`, `amount-too-large`.
pub fn parse_amount(text: &str) -> Result<Micro, ParseError> {
    text.trim().parse().map_err(|error| {
        let name = match error {
            NotAnAmount::NotDecimal => "amount-not-decimal",
            NotAnAmount::TooPrecise => "amount-too-precise",
            NotAnAmount::TooLarge => "amount-too-large",
        };
        ParseError::named(name, sentence(&error.to_string()))
    })
}

/// `on`, `off` or `auto`.
///
/// # Errors
/// `no-such-order`.
pub fn parse_order(text: &str) -> Result<SupplyOrder, ParseError> {
    match text {
        "on" => Ok(SupplyOrder::On),
        "off" => Ok(SupplyOrder::Off),
        "auto" => Ok(SupplyOrder::Auto),
        _ => Err(ParseError::named(
            "no-such-order",
            "A supply is ordered on, off or auto.",
        )),
    }
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ParseError> {
    serde_json::from_slice(body).map_err(|error| {
        let words = error.to_string();
        let name = if !error.is_data() {
            "not-json"
        } else if words.starts_with("unknown field") {
            "unknown-field"
        } else if words.starts_with("missing field") {
            "missing-field"
        } else {
            "field-unusable"
        };
        ParseError::named(name, sentence(&words))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Result<(&str, i64), &str>) {
        let found = parse_vend(body.as_bytes());
        let found = found.as_ref().map(|v| (v.key.as_str(), v.amount.0));
        assert_eq!(found.map_err(|error| error.name), expected);
    }

    #[test]
    fn vends_are_understood_or_refused_by_name() {
        check(r#"{"key":"k","amount":"12.50"}"#, Ok(("k", 12_500_000)));
        check(r#"{"key":"k","amount":" 1 "}"#, Ok(("k", 1_000_000)));
        check(r#"{"key":"k","amount":12.5}"#, Err("field-unusable"));
        check(r#"{"key":"k","amount":"12,50"}"#, Err("amount-not-decimal"));
        check(r#"{"key":"k","amount":"1e3"}"#, Err("amount-not-decimal"));
        check(
            r#"{"key":"k","amount":"0.0000001"}"#,
            Err("amount-too-precise"),
        );
        check(
            r#"{"key":"k","amount":"99999999999999"}"#,
            Err("amount-too-large"),
        );
        check(r#"{"key":"k"}"#, Err("missing-field"));
        check(
            r#"{"key":"k","amount":"1","amout":"2"}"#,
            Err("unknown-field"),
        );
        check(
            r#"{"key":"k","key":"l","amount":"1"}"#,
            Err("field-unusable"),
        );
        check("", Err("not-json"));
        check(r#"{"key":"k","amount":"1"} x"#, Err("not-json"));
        check("[", Err("not-json"));
    }

    #[test]
    fn an_unknown_field_is_named() {
        let error = parse_supply(br#"{"order":"on","until":"9"}"#).unwrap_err();
        assert!(error.message.contains("`until`"), "{}", error.message);
        assert_eq!(
            parse_supply(br#"{"order":"maybe"}"#).unwrap_err().name,
            "no-such-order"
        );
        assert_eq!(parse_empty(b"{}"), Ok(()));
        assert_eq!(
            parse_empty(br#"{"a":1}"#).unwrap_err().name,
            "unknown-field"
        );
    }
}
