//! Transfer tokens: entered once, by whatever channel, and turned into what they say.
//!
//! A credit is worth what its energy costs the account: *cost(now + energy) − cost(now)* in the open billing period, after
//! everything used so far has been settled. So a token of 10 kWh lasts for 10 kWh of use, whatever block the account has reached, until the
//! period ends; daily charges come out of the same credit. The settlement in the journal before the entry shows the position it was
//! priced from.
//!
//! Decided here: what a token moves. Not decided here: whether it is taken ([`crate::tokens`]).
//!
//! Invariants: a refused token is not used up; an entry that changes nothing is not journalled, so nobody can fill the card
//! by typing; a token is one posting.

use super::{Draft, prepay, supply, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::Answer;
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use crate::tokens::{
    Effect, Entry, Made, MakeToken, PointTokens, Rejection, TokenCredit, TokenNumber, TokenRules,
    VendingTime, code_for,
};
use crate::{Micro, UsagePointId, WattHours};
use alloc::format;
use alloc::string::ToString as _;

pub(super) fn enter(
    draft: &mut Draft<'_>,
    rules: &TokenRules,
    (usage_point, token, by): (UsagePointId, &str, &str),
) -> Result<Answer, Refusal> {
    usable(by)?;
    draft.take(usage_point)?;
    draft.state.cloud.takes_money()?;
    let token: TokenNumber = token.parse().map_err(Refusal::Token)?;
    let tokens = provision(draft, rules, usage_point)?;
    let entry = rules.judge(&tokens, token, draft.now.at);
    let amount = match &entry.outcome {
        Ok(effect) => worth(draft, rules.credit, effect)?,
        Err(rejection) => {
            let mut after = tokens.acceptance.clone();
            after.apply(&entry);
            let refusal = Refusal::Token(*rejection);
            if after != tokens.acceptance {
                push(draft, usage_point, entry, Micro::ZERO, by);
            }
            return Err(refusal);
        }
    };
    let (words, units_100wh) = match &entry.outcome {
        Ok(effect @ Effect::Credit { amount_100wh, .. }) => (effect.to_string(), *amount_100wh),
        Ok(effect) => (effect.to_string(), 0),
        Err(rejection) => (rejection.to_string(), 0),
    };
    let clears_tamper = matches!(entry.outcome, Ok(Effect::ClearTamper { .. }));
    let receipt = push(draft, usage_point, entry, amount, by);
    if amount > Micro::ZERO {
        prepay::credited(draft, amount);
    }
    if clears_tamper {
        super::guard::clear_tamper(draft, usage_point, "", by);
    }
    supply::review(draft);
    let register = draft.register();
    let available = match (&draft.point, draft.tariff()) {
        (Some(point), Some(tariff)) => point.available(tariff, register),
        _ => amount,
    };
    Ok(Answer::TokenTaken {
        receipt,
        usage_point,
        words,
        units_100wh,
        amount,
        available,
    })
}

/// Makes the entry of a credit token of an abandoned branch again, unless its identifier is used up here too.
pub(super) fn restore(
    draft: &mut Draft<'_>,
    rules: &TokenRules,
    (usage_point, entry, amount, by): (UsagePointId, &Entry, Micro, &str),
) -> Result<Answer, Refusal> {
    usable(by)?;
    draft.take(usage_point)?;
    let Ok(effect @ Effect::Credit { tid, .. }) = &entry.outcome else {
        return Err(Refusal::RestoreNotMoney);
    };
    let tokens = provision(draft, rules, usage_point)?;
    tokens.acceptance.restorable(*tid).map_err(Refusal::Token)?;
    if amount <= Micro::ZERO {
        return Err(Refusal::AmountNotPositive);
    }
    let (words, entry) = (effect.to_string(), entry.clone());
    let receipt = push(draft, usage_point, entry, amount, by);
    prepay::credited(draft, amount);
    supply::review(draft);
    Ok(Answer::TokenTaken {
        receipt,
        usage_point,
        words,
        units_100wh: 0,
        amount,
        available: balance(draft),
    })
}

/// Makes a token, once for each key. It moves no money: that is done when it is entered.
pub(super) fn make(
    draft: &mut Draft<'_>,
    rules: &TokenRules,
    order: &MakeToken,
) -> Result<Answer, Refusal> {
    usable(&order.by)?;
    usable(&order.key)?;
    let usage_point = order.usage_point;
    draft.take(usage_point)?;
    draft.state.cloud.takes_money()?;
    let code = code_for(order.amount_100wh).filter(|_| order.amount_100wh > 0);
    let code = code.ok_or(Refusal::AmountNotPositive)?;
    let tokens = provision(draft, rules, usage_point)?;
    let missing = || Refusal::Token(Rejection::KeyNotProvisioned);
    let meter = rules.keys.get(&usage_point).ok_or_else(missing)?;
    let key = tokens.acceptance.present_key(&meter.key);
    let key = key.ok_or_else(missing)?;
    let known = tokens.made.iter().find(|made| made.key == order.key);
    let (made, repeated) = match known {
        Some(known) if known.code != code => {
            let details = format!(
                "key {} stands for a token of {} x 100 Wh; asked again for {}",
                order.key,
                known.amount_100wh(),
                order.amount_100wh
            );
            let subject = Subject::UsagePoint(usage_point);
            draft.raise(AlarmKind::VendConflict, subject, details);
            return Err(MoneyRefusal::KeyUsedForOther.into());
        }
        Some(known) => (known.clone(), true),
        None => {
            let offset = i64::from(draft.rules.calendar.utc_offset_s);
            let wall = VendingTime(draft.now.at.0.saturating_add(offset));
            let tid = tokens.next_tid(wall);
            let made = Made {
                key: order.key.clone(),
                tid: tid.ok_or(Refusal::Token(Rejection::KeyExpired))?,
                base_date: tokens.acceptance.terms().base_date,
                random: order.random & 0xf,
                code,
            };
            draft.push(Decision::TokenMade {
                usage_point,
                made: made.clone(),
                by: order.by.clone(),
            });
            (made, false)
        }
    };
    Ok(Answer::TokenMade {
        usage_point,
        token: made.token(&key).ok_or_else(missing)?.to_string(),
        units_100wh: made.amount_100wh(),
        repeated,
    })
}

/// The usage point's token state; if the site's file has another key than before, that is decided first.
fn provision(
    draft: &mut Draft<'_>,
    rules: &TokenRules,
    usage_point: UsagePointId,
) -> Result<PointTokens, Refusal> {
    let known = draft.state.tokens.get(&usage_point);
    let Some(meter) = rules.keys.get(&usage_point) else {
        let missing = Refusal::Token(Rejection::KeyNotProvisioned);
        return known.cloned().ok_or(missing);
    };
    let (check, terms, expiry) = (meter.key.check(), meter.terms, meter.expiry);
    if let Some(known) = known.filter(|known| known.provisioned == (check, terms, expiry)) {
        return Ok(known.clone());
    }
    let provisioned = (check, terms, expiry);
    let tokens = PointTokens::provision(known.cloned(), usage_point, provisioned);
    let tokens = tokens.map_err(Refusal::Token)?;
    draft.push(Decision::TokenProvisioned {
        usage_point,
        check,
        terms,
        expiry,
    });
    Ok(tokens)
}

fn push(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    entry: Entry,
    amount: Micro,
    by: &str,
) -> u64 {
    let receipt = draft.next_number();
    draft.push(Decision::TokenEntered {
        usage_point,
        entry,
        amount,
        by: by.into(),
    });
    receipt
}

/// What a token moves. Settles what was used so far if that matters.
fn worth(draft: &mut Draft<'_>, credit: TokenCredit, effect: &Effect) -> Result<Micro, Refusal> {
    match effect {
        Effect::MeterTest { .. } => Err(Refusal::TokenTestNotHere),
        Effect::UnbalanceLimit { .. } => Err(Refusal::UnbalanceLimitNotHere),
        Effect::Credit { amount_100wh, .. } => {
            let amount = match credit {
                TokenCredit::Money => TokenCredit::tenths(*amount_100wh),
                TokenCredit::EnergyAtTariff => at_tariff(draft, *amount_100wh)?,
            };
            if amount <= Micro::ZERO {
                return Err(Refusal::TokenWorthNothing);
            }
            let after = balance(draft).checked_add(amount);
            if after.is_none_or(|after| after > draft.prepay().largest_balance) {
                return Err(Refusal::BalanceTooLarge);
            }
            Ok(amount)
        }
        // A debt is not credit and stays.
        Effect::ClearCredit { .. } => {
            settle(draft);
            Ok(-balance(draft).max(Micro::ZERO))
        }
        _ => Ok(Micro::ZERO),
    }
}

fn at_tariff(draft: &mut Draft<'_>, amount_100wh: u32) -> Result<Micro, Refusal> {
    settle(draft);
    let tariff = draft.tariff().ok_or(Refusal::NoSuchTariff)?;
    let point = draft.point.as_ref().ok_or(Refusal::NoSuchUsagePoint)?;
    let now = point.account.settled_to;
    let then = now.saturating_add(WattHours(u64::from(amount_100wh) * 100));
    let cost = |register| point.account.pending(tariff, point.connection(), register);
    Ok(cost(then) - cost(now))
}

fn settle(draft: &mut Draft<'_>) {
    let today = draft.rules.calendar.day_of(draft.now.at);
    let register = draft.register();
    supply::settle(draft, register, today);
}

fn balance(draft: &Draft<'_>) -> Micro {
    let point = draft.point.as_ref();
    point.map(|point| point.account.balance).unwrap_or_default()
}
