//! Friendly hours at work: used-up credit cuts nobody in them, and their end is announced.
//!
//! Who was cut before is on again in friendly hours, as a node that was told of them does by itself. A usage point where no energy was ever
//! used has not begun yet: it waits for its first payment, also in friendly hours.
//!
//! The clock is the state's own: while it is not trusted time stands still, and whoever was on in friendly hours stays on.

use super::Draft;
use crate::UtcSeconds;
use crate::calendar::LocalDay;
use crate::decide::supply;
use crate::prepay::PrepayDecision;
use crate::prepay::friendly::Held;
use crate::supply::SupplyOrder;
use crate::tariff::TimeOfDay;
use crate::usage_point::UsagePoint;

/// Whether used-up credit cuts the usage point in hand.
pub(in crate::decide) fn cuts(draft: &mut Draft<'_>, used_up: bool) -> bool {
    let Some(point) = &draft.point else {
        return used_up;
    };
    let (held, now) = (point.prepay.friendly, draft.now.at);
    let automatic = point.supply.order == SupplyOrder::Auto;
    let lent_until = point.prepay.emergency.until;
    let is_lent = point.prepay.emergency.is_active() && lent_until.is_some_and(|until| now < until);
    let has_begun = draft.register().0 > 0;
    let window = (used_up && automatic && !is_lent && has_begun)
        .then(|| draft.rules.friendly_window(draft.tariff(), now))
        .flatten()
        .filter(|window| window.holds(now));
    match (held, window) {
        (None, Some(window)) => hold(draft, window.until),
        (Some(held), Some(window)) if held.until != window.until => hold(draft, window.until),
        (Some(_), None) => draft.push_prepay(PrepayDecision::FriendlyOver),
        _ => {}
    }
    used_up && !is_lent && window.is_none()
}

/// The supply goes on until a moment, beyond what the credit pays for.
fn hold(draft: &mut Draft<'_>, until: UtcSeconds) {
    let register = draft.register();
    let through = draft.point.as_ref().map(|it| it.account.period.through);
    supply::settle(draft, register, through.unwrap_or(LocalDay(0)));
    draft.push_prepay(PrepayDecision::FriendlyHeld { until });
}

/// Whether a usage point's cut is to be announced now.
pub(super) fn notice_is_due(draft: &Draft<'_>, point: &UsagePoint) -> bool {
    let Some(Held {
        until,
        noticed: None,
    }) = point.prepay.friendly
    else {
        return false;
    };
    let rules = draft.rules.prepay_of(draft.state.tariff_of(point));
    let notice_s = i64::from(rules.friendly.notice_min) * 60;
    let left_s = until.0.saturating_sub(draft.now.at.0);
    left_s > 0 && left_s <= notice_s
}

pub(super) fn give_notice(draft: &mut Draft<'_>) {
    let held = draft.point.as_ref().and_then(|point| point.prepay.friendly);
    if let Some(Held { until, .. }) = held {
        let cut_at = TimeOfDay(draft.rules.calendar.minute_of(until));
        draft.push_prepay(PrepayDecision::FriendlyNotice { until, cut_at });
    }
}
