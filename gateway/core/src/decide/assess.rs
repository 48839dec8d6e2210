//! Assessments of confirmed cases: asked for, and what a second person makes of them.

use super::{Draft, corrections};
use crate::case::{
    Assessment, AssessmentDecision, CaseCommand, Estimate, LONGEST_NOTE, Outcome, Standing,
    estimate,
};
use crate::correction::{CorrectionAct, CorrectionCommand, LONGEST_REASON};
use crate::debt::{DebtChange, DebtKind};
use crate::decision::Decision;
use crate::event::Answer;
use crate::prepay::MoneyRefusal;
use crate::refusal::Refusal;
use crate::{Micro, UsagePointId};
use alloc::format;

/// Charges a confirmed case to whose premises it was.
pub(super) fn ask(draft: &mut Draft<'_>, command: &CaseCommand) -> Result<Answer, Refusal> {
    let CaseCommand::Assess {
        case: number,
        usage_point,
        amount,
        terms,
        reason,
        by,
    } = command
    else {
        return Ok(Answer::Done);
    };
    let case = draft.state.cases.get(number).ok_or(Refusal::NoSuchCase)?;
    let closing = case.closing.as_ref();
    let closing = closing.filter(|closing| closing.outcome == Outcome::Confirmed);
    let closing = closing.ok_or(MoneyRefusal::CaseNotConfirmed)?;
    let whose = usage_point.or(closing.usage_point);
    let whose = whose.ok_or(Refusal::NoSuchUsagePoint)?;
    let there = |of: &Assessment| of.usage_point == whose && of.holds();
    if case.assessments.iter().any(there) {
        return Err(MoneyRefusal::CaseAssessedBefore.into());
    }
    let report = &case.report;
    let reckoned = estimate(draft.state, draft.rules.calendar, report, whose);
    let amount = amount.or(reckoned.map(|reckoned: Estimate| reckoned.amount));
    let amount = amount.unwrap_or(Micro::ZERO);
    let owed = draft.state.usage_points.get(&whose);
    let owed = owed.and_then(|point| point.debts.of(DebtKind::Fraud));
    let change = match owed.filter(|debt| debt.remaining > Micro::ZERO) {
        Some(_) => DebtChange::Change {
            kind: DebtKind::Fraud,
            add: amount,
            terms: None,
        },
        None => DebtChange::Open {
            kind: DebtKind::Fraud,
            amount,
            terms: *terms,
        },
    };
    // The statement names the case.
    let room = LONGEST_REASON.min(LONGEST_NOTE);
    let with_case = format!("case {number}: {}", reason.trim());
    if reason.trim().is_empty() || with_case.len() > room {
        return Err(MoneyRefusal::ReasonUnusable.into());
    }
    let correct = CorrectionCommand::Make {
        // The case itself knows what it was charged.
        key: None,
        usage_point: whose,
        what: CorrectionAct::Debt(change),
        reason: with_case,
        by: by.clone(),
    };
    let answer = corrections::ask(draft, &correct)?;
    let standing = match answer {
        Answer::Proposed { proposal } => Standing::Waiting { proposal },
        Answer::Corrected { number } => Standing::Posted { posting: number },
        other => return Ok(other),
    };
    let made = AssessmentDecision::Made {
        amount,
        energy: report.energy,
        since: report.since,
        until: report.at,
        standing,
        reason: reason.trim().into(),
        by: by.clone(),
    };
    decide(draft, *number, whose, made);
    Ok(answer)
}

/// Tells the case of a proposal what has become of it; others know of no case.
pub(super) fn ended(draft: &mut Draft<'_>, proposal: u64, standing: Standing) {
    let waits = Standing::Waiting { proposal };
    let mut cases = draft.state.cases.values();
    let found = cases.find_map(|case| {
        let mut all = case.assessments.iter();
        let assessment = all.find(|assessment| assessment.standing == waits)?;
        Some((case.number, assessment.usage_point))
    });
    if let Some((case, whose)) = found {
        let ended = AssessmentDecision::Ended { proposal, standing };
        decide(draft, case, whose, ended);
    }
}

fn decide(draft: &mut Draft<'_>, case: u64, usage_point: UsagePointId, what: AssessmentDecision) {
    draft.push(Decision::Assessment {
        case,
        usage_point,
        what,
    });
}
