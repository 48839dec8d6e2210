//! `token enter`, `token make`

use super::args::{EnterArgs, Target};
use super::ask::{command, unexpected};
use super::said::{Failure, Result, Said};
use crate::control::Response;
use clap::Args;
use gateway_core::tokens::MakeToken;
use gateway_core::{Answer, Command, Micro, UsagePointId};
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

/// `token make`
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// The usage point, for example UP-0007 or 7
    pub usage_point: UsagePointId,
    /// Energy in kWh, in steps of 0.1
    #[arg(long)]
    pub kwh: Micro,
    /// Key of this very token: the same key again gives the same digits and makes nothing more
    #[arg(long)]
    pub key: Option<String>,
    /// Which gateway.
    #[command(flatten)]
    pub target: Target,
}

/// `token make`
pub fn make(args: &MakeArgs) -> Result {
    const DOING: &str = "make the token";
    let no_randomness = |error: getrandom::Error| {
        let why = format!("the system gives no random numbers: {error}");
        Failure::refused(DOING, "no-randomness", why)
    };
    let random = getrandom::u32().map_err(no_randomness)?;
    let steps = args.kwh.0.checked_rem(100_000) == Some(0);
    let amount_100wh = u32::try_from(args.kwh.0 / 100_000).ok().filter(|_| steps);
    let Some(amount_100wh) = amount_100wh else {
        let why = "a token carries 0.1 to 1820162.4 kWh, in steps of 0.1";
        return Err(Failure::refused(DOING, "amount-unusable", why));
    };
    let order = MakeToken {
        // Without a key of the caller's, each call is a token of its own.
        key: match &args.key {
            Some(key) => key.clone(),
            None => format!(
                "{random:08x}{:08x}",
                getrandom::u32().map_err(no_randomness)?
            ),
        },
        usage_point: args.usage_point,
        amount_100wh,
        random: random.to_be_bytes()[0] & 0xf,
        by: String::new(),
    };
    let answer = command(&args.target, DOING, Command::MakeToken(order))?;
    let Answer::TokenMade {
        usage_point,
        token,
        units_100wh,
        repeated,
    } = answer
    else {
        return Err(unexpected(DOING, &Response::Done { answer }));
    };
    let (whole, tenth) = (units_100wh / 10, units_100wh % 10);
    let groups: Vec<&str> = (0..token.len())
        .step_by(4)
        .filter_map(|i| token.get(i..i + 4))
        .collect();
    let text = format!(
        "{}\n{whole}.{tenth} kWh for {usage_point}",
        groups.join(" ")
    );
    let json = json!({
        "token": token,
        "usage_point": usage_point.to_string(),
        "units_wh": u64::from(units_100wh) * 100,
        "repeated": repeated,
    });
    Ok(Said::done(text, json))
}
