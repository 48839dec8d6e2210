//! `token enter`

use super::args::EnterArgs;
use super::ask::{command, unexpected};
use super::said::{Result, Said};
use crate::control::Response;
use gateway_core::{Answer, Command};
use serde_json::json;

/// `token enter`
pub fn enter(args: &EnterArgs) -> Result {
    const DOING: &str = "enter the token";
    let entered = Command::EnterToken {
        usage_point: args.usage_point,
        token: args.token.concat(),
        // The daemon writes down the user behind the connection.
        by: String::new(),
    };
    let answer = command(&args.target, DOING, entered)?;
    let Answer::TokenTaken {
        receipt,
        usage_point,
        words,
        units_100wh,
        amount,
        available,
    } = answer
    else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    let worth = match units_100wh {
        0 => String::new(),
        _ => format!(", worth {amount}"),
    };
    let text =
        format!("{words}{worth}\n{usage_point} has a credit of {available} now, receipt {receipt}");
    let json = json!({
        "receipt": receipt,
        "usage_point": usage_point.to_string(),
        "result": words,
        "units_wh": u64::from(units_100wh) * 100,
        "amount_micro": amount,
        "available_micro": available,
    });
    Ok(Said::done(text, json))
}
