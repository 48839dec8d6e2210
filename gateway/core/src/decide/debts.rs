//! Debts: opened, changed and written off by people; days collected with the passing of time.

use super::{Draft, supply};
use crate::Micro;
use crate::calendar::LocalDay;
use crate::debt::{Debt, DebtChange, DebtDecision, DebtKind, Terms};
use crate::decision::Decision;
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use alloc::string::String;

/// Who changes a debt, why, and the second person if one was needed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub reason: String,
    pub by: String,
    pub approved_by: Option<String>,
}

/// Collects the days of the usage point in hand through a day. While the clock is not trusted days wait.
pub(super) fn collect(draft: &mut Draft<'_>, through: LocalDay) {
    let Some(point) = draft.point.as_ref().filter(|_| draft.now.clock_trusted) else {
        return;
    };
    let debts = &point.debts;
    if debts.remaining() <= Micro::ZERO || debts.through >= through {
        return;
    }
    let takes = debts.of_days(&draft.prepay().debt, through);
    if takes.is_empty() {
        return;
    }
    let usage_point = point.id;
    let what = DebtDecision::Collected { through, takes };
    draft.push(Decision::Debt { usage_point, what });
}

/// The amount that a change moves: what a second person is asked for.
pub(super) fn worth(draft: &Draft<'_>, change: &DebtChange) -> Micro {
    match change {
        DebtChange::Open { amount, .. } => *amount,
        DebtChange::Change { add, .. } => *add,
        DebtChange::WriteOff { kind, amount } => {
            let owed = register(draft, *kind).map(|debt| debt.remaining);
            amount.or(owed).unwrap_or_default()
        }
    }
}

fn register(draft: &Draft<'_>, kind: DebtKind) -> Option<Debt> {
    draft.point.as_ref()?.debts.of(kind).copied()
}

fn owed(draft: &Draft<'_>, kind: DebtKind) -> Option<Debt> {
    register(draft, kind).filter(|debt| debt.remaining > Micro::ZERO)
}

/// Whether a change makes sense now.
pub(super) fn check(draft: &Draft<'_>, change: &DebtChange) -> Result<(), Refusal> {
    let sound = |terms: &Terms| {
        let unusable = MoneyRefusal::TermsUnusable;
        terms.are_sound().then_some(()).ok_or(unusable)
    };
    let largest = draft.prepay().largest_balance;
    match change {
        DebtChange::Open {
            kind,
            amount,
            terms,
        } => {
            if owed(draft, *kind).is_some() {
                return Err(MoneyRefusal::DebtExists.into());
            }
            bounded(*amount, largest)?;
            sound(terms)?;
        }
        DebtChange::Change { kind, add, terms } => {
            let debt = owed(draft, *kind).ok_or(MoneyRefusal::NoSuchDebt)?;
            if *add == Micro::ZERO && terms.is_none_or(|terms| terms == debt.terms) {
                return Err(MoneyRefusal::NothingToDo.into());
            }
            if *add != Micro::ZERO {
                bounded(*add, largest)?;
                bounded(debt.remaining + *add, largest)?;
            }
            terms.as_ref().map_or(Ok(()), sound)?;
        }
        DebtChange::WriteOff { kind, amount } => {
            let debt = owed(draft, *kind).ok_or(MoneyRefusal::NoSuchDebt)?;
            let amount = amount.unwrap_or(debt.remaining);
            if amount <= Micro::ZERO {
                return Err(Refusal::AmountNotPositive);
            }
            if amount > debt.remaining {
                return Err(MoneyRefusal::MoreThanOwed.into());
            }
        }
    }
    Ok(())
}

fn bounded(amount: Micro, largest: Micro) -> Result<(), Refusal> {
    if amount <= Micro::ZERO {
        return Err(Refusal::AmountNotPositive);
    }
    if amount > largest {
        return Err(MoneyRefusal::VendAboveLargest { largest }.into());
    }
    Ok(())
}

/// Carries a change out that was checked; days until today are collected as before.
pub(super) fn carry_out(draft: &mut Draft<'_>, change: &DebtChange, signed: Signed) {
    let day = draft.rules.calendar.day_of(draft.now.at);
    collect(draft, day);
    let Signed {
        reason,
        by,
        approved_by,
    } = signed;
    let what = match *change {
        DebtChange::Open {
            kind,
            amount,
            terms,
        } => DebtDecision::Opened {
            kind,
            amount,
            terms,
            day,
            reason,
            by,
            approved_by,
        },
        DebtChange::Change { kind, add, terms } => DebtDecision::Changed {
            kind,
            added: add,
            terms,
            day,
            reason,
            by,
            approved_by,
        },
        DebtChange::WriteOff { kind, amount } => DebtDecision::WrittenOff {
            kind,
            // Collecting may have paid part of what was to be written off.
            amount: {
                let owed = register(draft, kind).map(|debt| debt.remaining);
                let owed = owed.unwrap_or_default();
                amount.unwrap_or(owed).min(owed)
            },
            day,
            reason,
            by,
            approved_by,
        },
    };
    let Some(usage_point) = draft.point.as_ref().map(|point| point.id) else {
        return;
    };
    draft.push(Decision::Debt { usage_point, what });
    supply::review(draft);
}
