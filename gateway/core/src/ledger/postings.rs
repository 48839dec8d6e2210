//! Which movements of money vends, debts, corrections and floats make.
//!
//! Invariant: every amount is posted as it stands in the decision, so the postings of a record follow from it alone.

use super::{LedgerAccount, Posting};
use crate::agent::AgentDecision;
use crate::correction::CorrectionDecision;
use crate::debt::{DebtDecision, Take};
use crate::prepay::VendParts;
use crate::{Micro, UsagePointId};
use alloc::vec::Vec;

/// One movement; a negative amount goes the other way, none is none.
fn moved(from: LedgerAccount, to: LedgerAccount, amount: Micro) -> Option<Posting> {
    let (from, to) = if amount < Micro::ZERO {
        (to, from)
    } else {
        (from, to)
    };
    let amount = Micro(amount.0.saturating_abs());
    (amount > Micro::ZERO).then_some(Posting { from, to, amount })
}

fn to_debts(point: UsagePointId, takes: &[Take]) -> impl Iterator<Item = Posting> + '_ {
    let posting = move |take: &Take| {
        let debt = LedgerAccount::Debt(point, take.debt);
        moved(LedgerAccount::Credit(point), debt, take.amount)
    };
    takes.iter().filter_map(posting)
}

/// The whole payment to the credit, then from it to each debt; the agent's commission to the float.
pub(crate) fn of_vend(point: UsagePointId, amount: Micro, parts: &VendParts) -> Vec<Posting> {
    let float = parts.agent.map(LedgerAccount::Float);
    let from = float.unwrap_or(LedgerAccount::Payments);
    let paid = moved(from, LedgerAccount::Credit(point), amount);
    let earned = float.and_then(|to| moved(LedgerAccount::Commission, to, parts.commission));
    let debts = to_debts(point, &parts.debts);
    paid.into_iter().chain(debts).chain(earned).collect()
}

pub(crate) fn of_debt(point: UsagePointId, what: &DebtDecision) -> Vec<Posting> {
    let claim = |kind, amount| {
        let (debt, claims) = (
            LedgerAccount::Debt(point, kind),
            LedgerAccount::Claims(kind),
        );
        moved(debt, claims, amount).into_iter().collect()
    };
    match what {
        DebtDecision::Opened { kind, amount, .. } => claim(*kind, *amount),
        DebtDecision::Changed { kind, added, .. } => claim(*kind, *added),
        DebtDecision::WrittenOff { kind, amount, .. } => {
            let off = LedgerAccount::WrittenOff(*kind);
            let debt = LedgerAccount::Debt(point, *kind);
            moved(off, debt, *amount).into_iter().collect()
        }
        DebtDecision::Collected { takes, .. } => to_debts(point, takes).collect(),
    }
}

pub(crate) fn of_correction(point: UsagePointId, what: &CorrectionDecision) -> Vec<Posting> {
    let credit = LedgerAccount::Credit(point);
    match what {
        CorrectionDecision::Posted { amount, .. } => {
            let posted = moved(LedgerAccount::Corrections, credit, *amount);
            posted.into_iter().collect()
        }
        CorrectionDecision::Reversed {
            amount,
            debts,
            agent,
            commission,
            ..
        } => {
            let float = agent.map(LedgerAccount::Float);
            let to = float.unwrap_or(LedgerAccount::Payments);
            let earned = float.and_then(|from| moved(from, LedgerAccount::Commission, *commission));
            let paid_back = moved(credit, to, *amount);
            let debts = to_debts(point, debts);
            paid_back.into_iter().chain(debts).chain(earned).collect()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn of_agent(what: &AgentDecision) -> Vec<Posting> {
    match what {
        AgentDecision::FloatMoved { id, amount, .. } => {
            let float = LedgerAccount::Float(*id);
            let posted = moved(LedgerAccount::Payments, float, *amount);
            posted.into_iter().collect()
        }
        AgentDecision::Set { .. } => Vec::new(),
    }
}
