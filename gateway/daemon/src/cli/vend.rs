//! `vend`

use super::args::VendArgs;
use super::ask::{command, unexpected};
use super::said::{Failure, Result, Said};
use super::secret::random_hex;
use crate::control::Response;
use gateway_core::{Answer, Command};
use serde_json::json;

/// Random bytes of a vend key that nobody chose: no two payments of a site ever share one.
const KEY_BYTES: usize = 8;

/// `vend`
pub fn vend(args: &VendArgs) -> Result {
    const DOING: &str = "vend";
    let key = match args.key.clone().or_else(|| random_hex(KEY_BYTES)) {
        Some(key) => key,
        None => {
            return Err(Failure::refused(
                DOING,
                "no-randomness",
                "name a key with --key",
            ));
        }
    };
    let vend = Command::Vend {
        key: key.clone(),
        usage_point: args.usage_point,
        amount: args.amount,
        // The daemon writes down the user behind the connection.
        by: String::new(),
    };
    let retry = |mut failure: Failure| {
        if failure.exit == super::Exit::Unreachable || failure.name == "not-carried-out" {
            failure
                .why
                .push_str(&format!("; repeating with --key {key} never credits twice"));
        }
        failure
    };
    let answer = command(&args.target, DOING, vend).map_err(retry)?;
    let Answer::Vended {
        receipt,
        usage_point,
        amount,
        available,
        repeated,
        debts,
    } = answer
    else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    let instalments: String = debts
        .iter()
        .map(|take| format!("\n{} of it went to {}", take.amount, take.debt))
        .collect();
    let text = match repeated {
        false => format!(
            "{amount} credited to {usage_point}, credit now {available}{instalments}\nreceipt {receipt}, key {key}"
        ),
        true => format!(
            "key {key} was vended before: {amount} to {usage_point}, nothing credited now, credit {available}\nreceipt {receipt}"
        ),
    };
    let json = json!({
        "receipt": receipt,
        "usage_point": usage_point.to_string(),
        "amount_micro": amount,
        "available_micro": available,
        "repeated": repeated,
        "debts": debts,
        "key": key,
    });
    Ok(Said::done(text, json))
}
