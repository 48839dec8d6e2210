//! Emergency credit at work: offered, activated, used, repaid.

use super::Draft;
use crate::prepay::emergency::repayment;
use crate::prepay::{CreditStatus, EmergencyRules, PrepayDecision};
use crate::refusal::Refusal;
use crate::{Micro, WattHours};
use alloc::string::String;

/// Who activates where nobody has to ask.
const AUTOMATIC: &str = "automatic";

/// Brings the emergency credit of the usage point in hand up to date with a register. Each step is small; a few may follow from one
/// reading, for example offered, activated, in use.
pub(in crate::decide) fn review(draft: &mut Draft<'_>, register: WattHours) {
    const MOST_STEPS: usize = 8;
    let rules = draft.prepay().emergency;
    for _ in 0..MOST_STEPS {
        let Some(next) = next(draft, rules, register) else {
            return;
        };
        draft.push_prepay(next);
    }
}

/// The next step, if one is due.
fn next(draft: &Draft<'_>, rules: EmergencyRules, register: WattHours) -> Option<PrepayDecision> {
    let (point, tariff) = (draft.point.as_ref()?, draft.tariff()?);
    let emergency = point.prepay.emergency;
    if emergency.status == CreditStatus::Enabled && !rules.lends() {
        return None;
    }
    let spent = point.is_without_credit(tariff, register);
    let own = point.available(tariff, register) + point.prepay.provisional();
    let is_low = spent || own <= rules.threshold;
    match emergency.status {
        CreditStatus::Enabled if emergency.revoked => {
            (!is_low).then_some(PrepayDecision::EmergencyWithdrawn)
        }
        CreditStatus::Enabled => {
            is_low.then_some(PrepayDecision::EmergencyOffered { limit: rules.limit })
        }
        CreditStatus::Selectable | CreditStatus::Selected if !is_low => {
            Some(PrepayDecision::EmergencyWithdrawn)
        }
        CreditStatus::Selectable => {
            let now = rules.automatic && (rules.days == 0 || spent);
            now.then(|| activation(draft, rules, AUTOMATIC.into()))
        }
        CreditStatus::Selected => {
            let from_now = emergency.until.and_then(|_| rules.until(draft.now.at));
            let until = from_now.or(emergency.until);
            let waits_for_clock = until.is_some() && !draft.now.clock_trusted;
            spent.then_some(PrepayDecision::EmergencyInUse {
                until,
                waits_for_clock,
            })
        }
        CreditStatus::InUse | CreditStatus::Exhausted if !spent => {
            let (amount, left) = (Micro::ZERO, Micro::ZERO);
            Some(PrepayDecision::EmergencyRepaid { amount, left })
        }
        CreditStatus::InUse if emergency.waits_for_clock => {
            // What the clock showed before says nothing of how long it has been.
            let until = rules.until(draft.now.at).or(emergency.until);
            let waits_for_clock = false;
            (draft.now.clock_trusted).then_some(PrepayDecision::EmergencyInUse {
                until,
                waits_for_clock,
            })
        }
        CreditStatus::InUse => {
            let over = match emergency.until {
                Some(until) => draft.now.at >= until,
                None => point.is_used_up(tariff, register),
            };
            over.then_some(PrepayDecision::EmergencyExhausted)
        }
        CreditStatus::Exhausted => None,
    }
}

fn activation(draft: &Draft<'_>, rules: EmergencyRules, by: String) -> PrepayDecision {
    let until = rules.until(draft.now.at);
    let limit = match until {
        Some(_) => Micro::ZERO,
        None => rules.limit,
    };
    PrepayDecision::EmergencyActivated { limit, until, by }
}

/// Somebody asks for what is offered.
pub(super) fn activate(draft: &mut Draft<'_>, by: &str) -> Result<(), Refusal> {
    // What a reading has changed since the last review counts.
    let register = draft.register();
    review(draft, register);
    let point = draft.point.as_ref().ok_or(Refusal::NoSuchUsagePoint)?;
    if point.prepay.emergency.status != CreditStatus::Selectable {
        return Err(Refusal::EmergencyNotOffered);
    }
    let activation = activation(draft, draft.prepay().emergency, by.into());
    draft.push_prepay(activation);
    Ok(())
}

/// Somebody takes back what is offered or activated.
pub(super) fn withdraw(draft: &mut Draft<'_>, by: &str) -> Result<(), Refusal> {
    let register = draft.register();
    review(draft, register);
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return Err(Refusal::NoSuchTariff);
    };
    let emergency = point.prepay.emergency;
    let is_there = emergency.status != CreditStatus::Enabled;
    if !is_there || emergency.revoked {
        return Err(Refusal::EmergencyNotOffered);
    }
    let own = point.available(tariff, register) + point.prepay.provisional();
    let owed = match emergency.is_active() {
        true => (Micro::ZERO - own).max(Micro::ZERO),
        false => Micro::ZERO,
    };
    let by = by.into();
    draft.push_prepay(PrepayDecision::EmergencyRevoked { owed, by });
    Ok(())
}

/// A payment has just been added to the credit of the usage point in hand: what is owed of emergency credit is repaid first.
pub(in crate::decide) fn credited(draft: &mut Draft<'_>, payment: Micro) {
    draft.recharged = true;
    let register = draft.register();
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    if !matches!(
        point.prepay.emergency.status,
        CreditStatus::InUse | CreditStatus::Exhausted
    ) {
        return;
    }
    let own = point.available(tariff, register) + point.prepay.provisional();
    let owed = (payment - own).max(Micro::ZERO);
    let (amount, left) = repayment(owed, payment);
    draft.push_prepay(PrepayDecision::EmergencyRepaid { amount, left });
}
