//! Vends: credit issued once per idempotency key.
//!
//! A key has three fates: new (credit is issued), the same again (the same receipt, nothing is issued), the same with
//! other content (refused, and an alarm, because somebody's payment is not where they think it is).

use super::{Draft, agents, debts, prepay, supply, usable};
use crate::agent::agent_of;
use crate::alarm::{AlarmKind, Subject};
use crate::debt::{Take, share};
use crate::decision::Decision;
use crate::event::{Answer, Command, Moment};
use crate::person::Who;
use crate::prepay::{MoneyRefusal, VendParts};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::state::State;
use crate::{Micro, UsagePointId};
use alloc::format;

/// What a vend has to obey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Under {
    /// The site's rules, and the float of the agent who makes it.
    TheRules,
    /// Nothing but the largest balance: it was made before, in a branch that was lost.
    AnEarlierBranch,
}

pub(super) fn ask(draft: &mut Draft<'_>, command: &Command) -> Result<Answer, Refusal> {
    match command {
        Command::Vend {
            key,
            usage_point,
            amount,
            by,
        } => vend(draft, key, *usage_point, *amount, (by, Under::TheRules)),
        Command::QuoteVend {
            usage_point,
            amount,
            by,
        } => {
            let site = (draft.state, draft.rules, draft.now);
            quote(site, *usage_point, *amount, by)
        }
        _ => Ok(Answer::Done),
    }
}

pub(super) fn vend(
    draft: &mut Draft<'_>,
    key: &str,
    usage_point: UsagePointId,
    amount: Micro,
    (by, under): (&str, Under),
) -> Result<Answer, Refusal> {
    usable(key)?;
    usable(by)?;
    draft.take(usage_point)?;
    if let Some(made) = draft.state.vends.get(key) {
        if (made.usage_point, made.amount) != (usage_point, amount) {
            let details = format!(
                "key {key} stands for receipt {}: {} to {}; asked again for {amount} to {usage_point}",
                made.receipt, made.amount, made.usage_point
            );
            draft.raise(
                AlarmKind::VendConflict,
                Subject::UsagePoint(usage_point),
                details,
            );
            return Err(Refusal::KeyUsedForOtherVend);
        }
        let (receipt, parts) = (made.receipt, &made.parts.debts);
        return Ok(answer(draft, receipt, (usage_point, amount), parts, true));
    }
    draft.state.cloud.takes_money()?;
    if amount <= Micro::ZERO {
        return Err(Refusal::AmountNotPositive);
    }
    let rules = draft.prepay();
    if under == Under::TheRules {
        rules.vend.allow(amount, rules.largest_vend)?;
    }
    let balance = draft
        .point
        .as_ref()
        .map(|point| point.account.balance)
        .unwrap_or_default();
    let after = balance.checked_add(amount);
    if after.is_none_or(|after| after > rules.largest_balance) {
        return Err(Refusal::BalanceTooLarge);
    }
    let mut parts = match under {
        Under::TheRules => of_agent(draft, amount, by)?,
        Under::AnEarlierBranch => VendParts::default(),
    };
    let today = draft.rules.calendar.day_of(draft.now.at);
    debts::collect(draft, today);
    let owed = draft.point.as_ref().map(|point| &point.debts);
    let takes = owed.map(|debts| debts.of_payment(&rules.debt, amount, today));
    parts.debts = takes.unwrap_or_default();
    let (receipt, takes) = (draft.next_number(), parts.debts.clone());
    draft.push(Decision::Vended {
        usage_point,
        amount,
        key: key.into(),
        by: by.into(),
        parts,
    });
    let to_debts: Micro = takes.iter().map(|take| take.amount).sum();
    prepay::credited(draft, amount - to_debts);
    supply::review(draft);
    Ok(answer(draft, receipt, (usage_point, amount), &takes, false))
}

/// The agent whose vend it is, if the float pays for it.
fn of_agent(draft: &Draft<'_>, amount: Micro, by: &str) -> Result<VendParts, Refusal> {
    let Some(agent) = agent_of(&draft.state.agents, &Who::of(by)) else {
        return Ok(VendParts::default());
    };
    if agent.closed {
        return Err(MoneyRefusal::AgentIsClosed.into());
    }
    let left = agents::float_of(draft, agent.id) + agent.overdraft;
    if amount > left {
        let left = left.max(Micro::ZERO);
        return Err(MoneyRefusal::FloatUsedUp { left }.into());
    }
    Ok(VendParts {
        agent: Some(agent.id),
        commission: share(amount, agent.commission_hundredths),
        ..VendParts::default()
    })
}

/// What a vend would do: the vend itself, made on a draft that nobody keeps.
fn quote(
    (state, rules, now): (&State, &Rules, Moment),
    usage_point: UsagePointId,
    amount: Micro,
    by: &str,
) -> Result<Answer, Refusal> {
    let mut trial = Draft::new(state, rules, now);
    // No vend has it: keys are made of printable characters that do not begin with a space.
    let key = " quote";
    match vend(&mut trial, key, usage_point, amount, (by, Under::TheRules))? {
        Answer::Vended {
            available, debts, ..
        } => {
            let to_debts: Micro = debts.iter().map(|take| take.amount).sum();
            Ok(Answer::Quoted {
                usage_point,
                amount,
                credit: amount - to_debts,
                debts,
                available,
            })
        }
        other => Ok(other),
    }
}

fn answer(
    draft: &Draft<'_>,
    receipt: u64,
    (usage_point, amount): (UsagePointId, Micro),
    debts: &[Take],
    repeated: bool,
) -> Answer {
    let register = draft.register();
    let available = match (&draft.point, draft.tariff()) {
        (Some(point), Some(tariff)) => point.available(tariff, register),
        _ => amount,
    };
    Answer::Vended {
        receipt,
        usage_point,
        amount,
        available,
        repeated,
        debts: debts.to_vec(),
    }
}
