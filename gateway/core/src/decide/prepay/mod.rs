//! Prepayment rules at work: each noun's part of a review of a usage point, of the passing of time, and of what people ask.
//!
//! [`super::supply::review`] asks here whether used-up credit cuts, and tells about credit; whoever brings money tells
//! [`credited`] right after.

mod emergency;
mod friendly;
mod missing;
mod stages;

pub(super) use emergency::{credited, review as review_emergency};
pub(super) use friendly::cuts;
pub(super) use missing::{end_hold_with_meter, heard, hold, is_heard};
pub(super) use stages::review as review_stages;

use super::{Draft, supply, usable};
use crate::decision::Decision;
use crate::event::Answer;
use crate::prepay::{CreditStatus, PrepayCommand, PrepayDecision};
use crate::refusal::Refusal;
use crate::supply::Reason;
use crate::usage_point::UsagePoint;

impl Draft<'_> {
    /// Decides something about the account in hand.
    fn push_prepay(&mut self, what: PrepayDecision) {
        if let Some(usage_point) = self.point.as_ref().map(|point| point.id) {
            self.push(Decision::Prepay { usage_point, what });
        }
    }
}

/// What people ask of the rules.
pub(super) fn ask(draft: &mut Draft<'_>, command: &PrepayCommand) -> Result<Answer, Refusal> {
    match command {
        PrepayCommand::ActivateEmergency { usage_point, by } => {
            usable(by)?;
            draft.take(*usage_point)?;
            // Also when refused: looking has brought the emergency credit up to date, and the supply follows it.
            let activated = emergency::activate(draft, by);
            supply::review(draft);
            activated?;
            return Ok(Answer::Done);
        }
        PrepayCommand::WithdrawEmergency { usage_point, by } => {
            usable(by)?;
            draft.take(*usage_point)?;
            emergency::withdraw(draft, by)?;
        }
        PrepayCommand::ClearHold {
            usage_point,
            note,
            charge,
            by,
        } => {
            usable(by)?;
            draft.take(*usage_point)?;
            missing::clear(draft, note, *charge, by)?;
        }
    }
    supply::review(draft);
    Ok(Answer::Done)
}

/// What the passing of time brings; only while the clock is trusted.
pub(super) fn pass(draft: &mut Draft<'_>) {
    let state = draft.state;
    for point in state.usage_points.values() {
        if is_due(draft, point) && draft.take(point.id).is_ok() {
            supply::review(draft);
        }
        if friendly::notice_is_due(draft, point) && draft.take(point.id).is_ok() {
            friendly::give_notice(draft);
        }
        missing::pass(draft, point);
    }
    draft.put_down();
}

/// Whether time alone changes what credit means for a supply.
fn is_due(draft: &Draft<'_>, point: &UsagePoint) -> bool {
    let now = draft.now.at;
    let over = |until| now >= until;
    let held_over = point.prepay.friendly.is_some_and(|held| over(held.until));
    let emergency = point.prepay.emergency;
    let days_over = emergency.status == CreditStatus::InUse && emergency.until.is_some_and(over);
    let is_off = point.supply.reasons.has(Reason::CreditExhausted);
    let tariff = draft.state.tariff_of(point);
    held_over || days_over || is_off && draft.rules.is_friendly(tariff, now)
}
