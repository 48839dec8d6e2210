//! Vends: credit issued once per idempotency key.
//!
//! A key has three fates: new (credit is issued), the same again (the same receipt, nothing is issued), the same with
//! other content (refused, and an alarm, because somebody's payment is not where they think it is).

use super::{Draft, supply, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::Answer;
use crate::refusal::Refusal;
use crate::{Micro, UsagePointId};
use alloc::format;

pub(super) fn vend(
    draft: &mut Draft<'_>,
    key: &str,
    usage_point: UsagePointId,
    amount: Micro,
    by: &str,
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
        return Ok(answer(draft, made.receipt, usage_point, amount, true));
    }
    draft.state.cloud.takes_money()?;
    if amount <= Micro::ZERO {
        return Err(Refusal::AmountNotPositive);
    }
    if amount > draft.prepay().largest_vend {
        return Err(Refusal::AmountTooLarge);
    }
    let balance = draft
        .point
        .as_ref()
        .map(|point| point.account.balance)
        .unwrap_or_default();
    let after = balance.checked_add(amount);
    if after.is_none_or(|after| after > draft.prepay().largest_balance) {
        return Err(Refusal::BalanceTooLarge);
    }
    let receipt = draft.next_number();
    draft.push(Decision::Vended {
        usage_point,
        amount,
        key: key.into(),
        by: by.into(),
    });
    supply::review(draft);
    Ok(answer(draft, receipt, usage_point, amount, false))
}

fn answer(
    draft: &Draft<'_>,
    receipt: u64,
    usage_point: UsagePointId,
    amount: Micro,
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
    }
}
