//! Debts: opened, changed and written off by people; days collected with the passing of time.

use super::{Draft, supply};
use crate::Micro;
use crate::account::NO_DAY;
use crate::calendar::LocalDay;
use crate::correction::CorrectionAct;
use crate::debt::{Debt, DebtChange, DebtDecision, DebtKind, Take, Terms};
use crate::decision::Decision;
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use alloc::string::String;
use alloc::vec::Vec;

/// Who changes a debt, why, and the second person if one was needed.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub reason: String,
    pub by: String,
    pub approved_by: Option<String>,
}

/// Collects the days of the usage point in hand through a day. While the clock is not trusted time stands still, and with it the days.
pub(super) fn collect(draft: &mut Draft<'_>, through: LocalDay) {
    let Some(point) = &draft.point else { return };
    let debts = &point.debts;
    if debts.remaining() <= Micro::ZERO || debts.through >= through {
        return;
    }
    // Days before the clock was ever right are none.
    if debts.through <= NO_DAY {
        let known = draft.rules.calendar.day_of(draft.now.at);
        collected(draft, known.max(through), Vec::new());
        return;
    }
    let takes = debts.of_days(&draft.prepay().debt, through);
    if !takes.is_empty() {
        collected(draft, through, takes);
    }
}

/// The same before something is owed again: days on which nothing could be collected do not come back.
pub(super) fn close_days(draft: &mut Draft<'_>, through: LocalDay) {
    collect(draft, through);
    let debts = draft.point.as_ref().map(|point| &point.debts);
    if debts.is_some_and(|debts| !debts.is_empty() && debts.through < through) {
        collected(draft, through, Vec::new());
    }
}

fn collected(draft: &mut Draft<'_>, through: LocalDay, takes: Vec<Take>) {
    if let Some(usage_point) = draft.point.as_ref().map(|point| point.id) {
        let what = DebtDecision::Collected { through, takes };
        draft.push(Decision::Debt { usage_point, what });
    }
}

/// What a second person agreed to: of a debt written off as a whole no more than was owed when it was proposed.
pub(super) fn as_proposed(act: &CorrectionAct, proposed: Micro) -> CorrectionAct {
    match act {
        CorrectionAct::Debt(DebtChange::WriteOff { kind, amount: None }) => {
            let (kind, amount) = (*kind, Some(proposed));
            CorrectionAct::Debt(DebtChange::WriteOff { kind, amount })
        }
        other => other.clone(),
    }
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
