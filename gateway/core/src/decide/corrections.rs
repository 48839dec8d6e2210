//! Corrections: made at once up to the site's limit, proposed and approved by another person above it.

use super::debts::{self, Signed};
use super::{Draft, assess, supply, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::case::Standing;
use crate::correction::{
    Asked, CorrectionAct, CorrectionCommand, CorrectionDecision, LONGEST_REASON, MOST_PROPOSALS,
    Proposal,
};
use crate::decision::Decision;
use crate::event::Answer;
use crate::person::{Who, is_certain};
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use crate::state::Vend;
use crate::{Micro, UsagePointId, UtcSeconds, agent};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

const DAY_S: i64 = 86_400;

pub(super) fn ask(draft: &mut Draft<'_>, command: &CorrectionCommand) -> Result<Answer, Refusal> {
    usable(command.by())?;
    draft.state.cloud.takes_money()?;
    let person = Who::of(command.by());
    if agent::agent_of(&draft.state.agents, &person).is_some() {
        return Err(MoneyRefusal::NotForAgents.into());
    }
    match command {
        CorrectionCommand::Make {
            key,
            usage_point,
            what,
            reason,
            by,
        } => once(draft, key.as_deref(), *usage_point, (what, reason, by)),
        CorrectionCommand::Approve { proposal, by } => {
            let answer = approve(draft, *proposal, by)?;
            if let Answer::Corrected { number } = answer {
                assess::ended(draft, *proposal, Standing::Posted { posting: number });
            }
            Ok(answer)
        }
        CorrectionCommand::Refuse {
            proposal,
            reason,
            by,
        } => {
            reasoned(reason)?;
            let waits = take(draft, *proposal)?;
            let usage_point = draft.point.as_ref().map(|point| point.id);
            let (reason, by) = (reason.clone(), by.clone());
            let refused = CorrectionDecision::Refused {
                proposal: waits.number,
                reason,
                by,
            };
            decide(draft, usage_point, refused);
            assess::ended(draft, waits.number, Standing::Refused);
            Ok(Answer::Done)
        }
    }
}

/// Why, on a statement.
pub(super) fn reasoned(reason: &str) -> Result<(), Refusal> {
    let bad = reason.trim().is_empty()
        || reason.len() > LONGEST_REASON
        || reason.chars().any(char::is_control);
    if bad {
        Err(MoneyRefusal::ReasonUnusable.into())
    } else {
        Ok(())
    }
}

/// Makes a correction, once for each key.
fn once(
    draft: &mut Draft<'_>,
    key: Option<&str>,
    usage_point: UsagePointId,
    (what, reason, by): (&CorrectionAct, &str, &str),
) -> Result<Answer, Refusal> {
    reasoned(reason)?;
    draft.take(usage_point)?;
    let Some(key) = key else {
        return make(draft, usage_point, what, (reason, by));
    };
    usable(key)?;
    let asked = draft.point.as_ref().map(|point| point.asked.iter());
    let known = asked.and_then(|mut asked| asked.find(|asked| asked.key == key));
    if let Some(known) = known {
        if known.act == *what {
            return Ok(match known.made {
                proposal if known.proposed => Answer::Proposed { proposal },
                number => Answer::Corrected { number },
            });
        }
        let number = known.made;
        let details = format!(
            "key {key} stands for the correction of record {number}; asked again for another"
        );
        let subject = Subject::UsagePoint(usage_point);
        draft.raise(AlarmKind::VendConflict, subject, details);
        return Err(MoneyRefusal::KeyUsedForOther.into());
    }
    let answer = make(draft, usage_point, what, (reason, by))?;
    let (number, proposed) = match answer {
        Answer::Proposed { proposal } => (proposal, true),
        Answer::Corrected { number } => (number, false),
        other => return Ok(other),
    };
    let asked = Asked {
        key: key.into(),
        act: what.clone(),
        made: number,
        proposed,
    };
    decide(draft, Some(usage_point), CorrectionDecision::Keyed(asked));
    Ok(answer)
}

fn make(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    what: &CorrectionAct,
    (reason, by): (&str, &str),
) -> Result<Answer, Refusal> {
    check(draft, what)?;
    let amount = worth(draft, what);
    if amount > draft.prepay().correction.alone_up_to {
        counts(draft, by)?;
        let waiting = draft.point.as_ref().map(|point| point.proposals.len());
        if waiting.unwrap_or_default() >= MOST_PROPOSALS {
            return Err(MoneyRefusal::TooManyProposals.into());
        }
        let proposal = draft.next_number();
        let proposed = CorrectionDecision::Proposed {
            what: what.clone(),
            amount,
            reason: reason.into(),
            by: by.into(),
        };
        decide(draft, Some(usage_point), proposed);
        return Ok(Answer::Proposed { proposal });
    }
    let signed = Signed {
        reason: reason.into(),
        by: by.into(),
        approved_by: None,
    };
    carry_out(draft, what, signed)
}

fn approve(draft: &mut Draft<'_>, proposal: u64, by: &str) -> Result<Answer, Refusal> {
    let waits = take(draft, proposal)?;
    if Who::of(by) == Who::of(&waits.by) {
        return Err(MoneyRefusal::SamePerson.into());
    }
    counts(draft, by)?;
    let expires = expires_at(&waits, draft.prepay().correction.expires_days);
    if draft.now.clock_trusted && draft.now.at > expires {
        return Err(MoneyRefusal::NoSuchProposal.into());
    }
    check(draft, &waits.act)?;
    let usage_point = draft.point.as_ref().map(|point| point.id);
    let by = by.into();
    decide(
        draft,
        usage_point,
        CorrectionDecision::Approved { proposal, by },
    );
    let signed = Signed {
        reason: waits.reason,
        by: waits.by,
        approved_by: draft.decisions.last().and_then(approver),
    };
    let act = debts::as_proposed(&waits.act, waits.amount);
    carry_out(draft, &act, signed)
}

/// Above the limit only somebody counts who is known to be one certain person.
fn counts(draft: &Draft<'_>, by: &str) -> Result<(), Refusal> {
    if is_certain(&draft.state.people, by) {
        Ok(())
    } else {
        Err(MoneyRefusal::NeedsOwnLogin.into())
    }
}

fn approver(decision: &Decision) -> Option<alloc::string::String> {
    match decision {
        Decision::Correction { what, .. } => match what.as_ref() {
            CorrectionDecision::Approved { by, .. } => Some(by.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Takes the usage point of a proposal in hand.
fn take(draft: &mut Draft<'_>, number: u64) -> Result<Proposal, Refusal> {
    let mut points = draft.state.usage_points.values();
    let found = points.find_map(|point| {
        let mut waiting = point.proposals.iter();
        let waits = waiting.find(|waits| waits.number == number)?;
        Some((point.id, waits.clone()))
    });
    let (id, waits) = found.ok_or(MoneyRefusal::NoSuchProposal)?;
    draft.take(id)?;
    Ok(waits)
}

fn expires_at(waits: &Proposal, days: u16) -> UtcSeconds {
    UtcSeconds(waits.at.0.saturating_add(i64::from(days) * DAY_S))
}

/// The amount a second person is asked for above the limit.
fn worth(draft: &Draft<'_>, what: &CorrectionAct) -> Micro {
    match what {
        CorrectionAct::Credit { amount, .. } => Micro(amount.0.saturating_abs()),
        CorrectionAct::Reverse { receipt } => vend(draft, *receipt)
            .map(|vend| vend.amount)
            .unwrap_or_default(),
        CorrectionAct::Debt(change) => debts::worth(draft, change),
    }
}

fn vend<'a>(draft: &Draft<'a>, receipt: u64) -> Result<&'a Vend, Refusal> {
    let id = draft.point.as_ref().map(|point| point.id);
    let mut vends = draft.state.vends.values();
    let vend = vends.find(|vend| vend.receipt == receipt && Some(vend.usage_point) == id);
    Ok(vend.ok_or(MoneyRefusal::NoSuchReceipt)?)
}

fn check(draft: &Draft<'_>, what: &CorrectionAct) -> Result<(), Refusal> {
    match what {
        CorrectionAct::Credit { amount, receipt } => {
            if *amount == Micro::ZERO {
                return Err(MoneyRefusal::NothingToDo.into());
            }
            if receipt.is_some_and(|receipt| receipt == 0 || receipt > draft.state.number) {
                return Err(MoneyRefusal::NoSuchReceipt.into());
            }
            let largest = draft.prepay().largest_balance;
            let balance = draft.point.as_ref().map(|point| point.account.balance);
            let after = balance.unwrap_or_default().checked_add(*amount);
            if after.is_none_or(|after| after.0.saturating_abs() > largest.0) {
                return Err(Refusal::BalanceTooLarge);
            }
        }
        CorrectionAct::Reverse { receipt } => {
            if vend(draft, *receipt)?.reversed.is_some() {
                return Err(MoneyRefusal::ReversedBefore.into());
            }
        }
        CorrectionAct::Debt(change) => debts::check(draft, change)?,
    }
    Ok(())
}

/// Does what was checked and, if need be, approved.
fn carry_out(
    draft: &mut Draft<'_>,
    what: &CorrectionAct,
    signed: Signed,
) -> Result<Answer, Refusal> {
    let day = draft.rules.calendar.day_of(draft.now.at);
    let usage_point = draft.point.as_ref().map(|point| point.id);
    let decision = match what {
        CorrectionAct::Debt(change) => {
            debts::carry_out(draft, change, signed);
            return Ok(corrected(draft));
        }
        CorrectionAct::Credit { amount, receipt } => CorrectionDecision::Posted {
            amount: *amount,
            receipt: *receipt,
            reason: signed.reason,
            by: signed.by,
            approved_by: signed.approved_by,
        },
        CorrectionAct::Reverse { receipt } => {
            let vend = vend(draft, *receipt)?;
            debts::close_days(draft, day);
            let debts = draft.point.as_ref();
            let debts = debts.map(|point| point.debts.give_back(&vend.parts.debts));
            CorrectionDecision::Reversed {
                receipt: *receipt,
                key: vend.key.clone(),
                amount: vend.amount,
                debts: debts.unwrap_or_default(),
                agent: vend.parts.agent,
                commission: vend.parts.commission,
                reason: signed.reason,
                by: signed.by,
                approved_by: signed.approved_by,
            }
        }
    };
    decide(draft, usage_point, decision);
    let answer = corrected(draft);
    supply::review(draft);
    Ok(answer)
}

/// The record that moved the money; what follows it are its consequences.
fn corrected(draft: &Draft<'_>) -> Answer {
    let moves = |decision: &Decision| match decision {
        Decision::Correction { what, .. } => !matches!(
            what.as_ref(),
            CorrectionDecision::Approved { .. }
                | CorrectionDecision::Proposed { .. }
                | CorrectionDecision::Keyed(_)
        ),
        Decision::Debt { what, .. } => what.collected() == Micro::ZERO,
        _ => false,
    };
    let place = draft.decisions.iter().rposition(moves).unwrap_or(0);
    Answer::Corrected {
        number: super::number_after(draft.state, place),
    }
}

fn decide(draft: &mut Draft<'_>, usage_point: Option<UsagePointId>, what: CorrectionDecision) {
    if let Some(usage_point) = usage_point {
        let what = Box::new(what);
        draft.push(Decision::Correction { usage_point, what });
    }
}

/// Lets proposals go that nobody approved in time.
pub(super) fn expire(draft: &mut Draft<'_>) {
    let state = draft.state;
    for point in state.usage_points.values() {
        if point.proposals.is_empty() {
            continue;
        }
        let days = draft
            .rules
            .prepay_of(state.tariff_of(point))
            .correction
            .expires_days;
        let late = |waits: &&Proposal| draft.now.at > expires_at(waits, days);
        let late: Vec<u64> = point
            .proposals
            .iter()
            .filter(late)
            .map(|p| p.number)
            .collect();
        for proposal in late {
            decide(
                draft,
                Some(point.id),
                CorrectionDecision::Expired { proposal },
            );
            assess::ended(draft, proposal, Standing::Expired);
        }
    }
}
