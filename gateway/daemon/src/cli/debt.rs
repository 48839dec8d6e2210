//! `debt list|open|change|write-off`

use super::args::Target;
use super::ask::{ask, unexpected};
use super::correct::{self, Why};
use super::said::{Result, Said};
use super::table::{Align, Table};
use crate::control::{Request, Response};
use clap::{Args, Subcommand};
use gateway_core::correction::CorrectionAct;
use gateway_core::debt::{Cap, CapPeriod, Debt, DebtChange, DebtKind, Terms};
use gateway_core::{Micro, UsagePointId};
use serde_json::json;

/// `debt …`
#[derive(Debug, Subcommand)]
pub enum DebtAction {
    /// List debts, and how they are paid back
    List {
        /// The usage point; every one if absent
        usage_point: Option<UsagePointId>,
        /// Which gateway.
        #[command(flatten)]
        target: Target,
    },
    /// Open a debt
    Open {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// arrears, appliance, fraud or accumulated
        kind: DebtKind,
        /// How much is owed
        amount: Micro,
        /// How it is paid back.
        #[command(flatten)]
        terms: TermsArgs,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
    /// Raise a debt, or have it paid back otherwise
    Change {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// arrears, appliance, fraud or accumulated
        kind: DebtKind,
        /// How much more is owed
        #[arg(long, default_value = "0")]
        add: Micro,
        /// How it is paid back from now on: all of it, not what changes.
        #[command(flatten)]
        terms: TermsArgs,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
    /// Write a debt off: less is owed, and nobody has paid it
    WriteOff {
        /// The usage point, for example UP-0007 or 7
        usage_point: UsagePointId,
        /// arrears, appliance, fraud or accumulated
        kind: DebtKind,
        /// How much; all of it if absent
        amount: Option<Micro>,
        /// Why, and which gateway.
        #[command(flatten)]
        why: Why,
    },
}

/// How a debt is paid back.
#[derive(Debug, Args)]
pub struct TermsArgs {
    /// Part of each recharge, in percent, for example 10 or 12.5
    #[arg(long, value_parser = hundredths)]
    pub percent: Option<u16>,
    /// Amount of each day
    #[arg(long)]
    pub per_day: Option<Micro>,
    /// The most in a period, for example 50/week; day, week or month
    #[arg(long, value_parser = cap)]
    pub cap: Option<Cap>,
}

impl TermsArgs {
    /// They, if any was given.
    pub fn terms(&self) -> Option<Terms> {
        let none = self.percent.is_none() && self.per_day.is_none() && self.cap.is_none();
        (!none).then(|| Terms {
            percent_hundredths: self.percent.unwrap_or_default(),
            per_day: self.per_day.unwrap_or_default(),
            cap: self.cap,
        })
    }
}

/// A percentage in hundredths of a percent.
pub fn hundredths(text: &str) -> std::result::Result<u16, String> {
    let wrong = || "a percentage is from 0 to 100, with up to two decimals".to_owned();
    let micro: Micro = text.parse().map_err(|_| wrong())?;
    let whole = u16::try_from(micro.0 / 10_000).map_err(|_| wrong())?;
    if micro.0 % 10_000 == 0 && whole <= 10_000 {
        Ok(whole)
    } else {
        Err(wrong())
    }
}

fn cap(text: &str) -> std::result::Result<Cap, String> {
    let wrong = || "write a cap like 50/week; day, week or month".to_owned();
    let (amount, per) = text.split_once('/').ok_or_else(wrong)?;
    let amount = amount.parse().map_err(|_| wrong())?;
    let mut periods = [CapPeriod::Day, CapPeriod::Week, CapPeriod::Month].into_iter();
    let per = periods
        .find(|period| period.name() == per)
        .ok_or_else(wrong)?;
    Ok(Cap { amount, per })
}

/// Does it.
pub fn carry_out(action: &DebtAction) -> Result {
    match action {
        DebtAction::List {
            usage_point,
            target,
        } => list(target, *usage_point),
        DebtAction::Open {
            usage_point,
            kind,
            amount,
            terms,
            why,
        } => {
            let change = DebtChange::Open {
                kind: *kind,
                amount: *amount,
                terms: terms.terms().unwrap_or_default(),
            };
            correct::make(
                "open the debt",
                *usage_point,
                CorrectionAct::Debt(change),
                why,
            )
        }
        DebtAction::Change {
            usage_point,
            kind,
            add,
            terms,
            why,
        } => {
            let change = DebtChange::Change {
                kind: *kind,
                add: *add,
                terms: terms.terms(),
            };
            correct::make(
                "change the debt",
                *usage_point,
                CorrectionAct::Debt(change),
                why,
            )
        }
        DebtAction::WriteOff {
            usage_point,
            kind,
            amount,
            why,
        } => {
            let (kind, amount) = (*kind, *amount);
            let change = DebtChange::WriteOff { kind, amount };
            correct::make(
                "write the debt off",
                *usage_point,
                CorrectionAct::Debt(change),
                why,
            )
        }
    }
}

fn list(target: &Target, id: Option<UsagePointId>) -> Result {
    const DOING: &str = "list the debts";
    let points = match ask(target, DOING, &Request::Owed { id })? {
        Response::Owed { points } => points,
        other => return Err(unexpected(DOING, &other)),
    };
    let mut table = Table::new(&[
        ("usage point", Align::Left),
        ("name", Align::Left),
        ("debt", Align::Left),
        ("owed", Align::Right),
        ("paid back by", Align::Left),
    ]);
    let mut any = false;
    for point in &points {
        let owed = |debt: &&Debt| debt.remaining > Micro::ZERO;
        for debt in point.debts.registers.iter().filter(owed) {
            any = true;
            table.row(vec![
                point.usage_point.to_string(),
                point.label.clone(),
                debt.kind.to_string(),
                debt.remaining.to_string(),
                terms_words(&debt.terms),
            ]);
        }
    }
    let text = if any {
        table.render()
    } else {
        "nothing is owed".into()
    };
    Ok(Said::done(text, json!({ "usage_points": points })))
}

/// How a debt is paid back, in words.
fn terms_words(terms: &Terms) -> String {
    let mut parts = Vec::new();
    if terms.percent_hundredths > 0 {
        let percent = Micro(i64::from(terms.percent_hundredths) * 10_000);
        parts.push(format!("{percent} % of each recharge"));
    }
    if terms.per_day > Micro::ZERO {
        parts.push(format!("{} a day", terms.per_day));
    }
    if parts.is_empty() {
        parts.push("nothing yet".into());
    }
    if let Some(cap) = terms.cap {
        parts.push(format!("at most {} a {}", cap.amount, cap.per.name()));
    }
    parts.join(", ")
}
