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
    if args.quote {
        return quote(args);
    }
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

/// `vend --quote`
fn quote(args: &VendArgs) -> Result {
    const DOING: &str = "say what the vend would do";
    let asked = Command::QuoteVend {
        usage_point: args.usage_point,
        amount: args.amount,
        by: String::new(),
    };
    let answer = command(&args.target, DOING, asked)?;
    let Answer::Quoted {
        usage_point,
        amount,
        debts,
        credit,
        available,
    } = answer
    else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    let mut text = format!("{amount} to {usage_point}, nothing is credited yet\n");
    for take in &debts {
        text.push_str(&format!(
            "{} of it would go to {}\n",
            take.amount, take.debt
        ));
    }
    text.push_str(&format!(
        "{credit} would become credit, {available} available after it"
    ));
    let json = json!({
        "usage_point": usage_point.to_string(),
        "amount_micro": amount,
        "debts": debts,
        "credit_micro": credit,
        "available_micro": available,
    });
    Ok(Said::done(text, json))
}
