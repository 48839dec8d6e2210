//! What the passing of time brings: daily charges and silent nodes.

use super::{
    Draft, bands, corrections, guard, kept, meters, points, prepay, supply, switches, trials,
};
use crate::alarm::{AlarmKind, Subject};
use crate::event::{Answer, Role};
use crate::refusal::Refusal;
use crate::usage_point::UsagePoint;
use alloc::format;

/// A reading shortly after midnight tells better than the clock where a day's energy ends; without one, the day is
/// closed on what is known after this long.
const WAIT_FOR_READING_S: i64 = 900;

pub(super) fn pass(draft: &mut Draft<'_>) -> Result<Answer, Refusal> {
    if draft.now.clock_trusted {
        collect(draft);
        points::end_messages(draft);
        corrections::expire(draft);
        guard::pass(draft);
        prepay::pass(draft);
        draft.clear(AlarmKind::ClockUntrusted, Subject::Site);
    }
    kept::pass(draft);
    trials::pass(draft);
    notice_silence(draft);
    look_at_supplies(draft);
    Ok(Answer::Done)
}

/// Follows the site's arming, and looks whether switches that report nothing have done what they were told.
fn look_at_supplies(draft: &mut Draft<'_>) {
    let state = draft.state;
    for point in state.usage_points.values() {
        let armed = point.supply.arming.armed(draft.rules.armed);
        if armed == point.supply.shadow && draft.take(point.id).is_ok() {
            meters::follow_site(draft);
        }
    }
    for node in state.nodes.values() {
        if let (Some(Role::UsagePoint(id)), Some(_)) = (node.role, &node.switch)
            && draft.take(id).is_ok()
        {
            switches::answers(draft, None);
        }
    }
    draft.put_down();
}

/// Collects the day's charge, and goes over to the band of this moment. A band begins at once, so that its lease does not wait for
/// a reading; the next reading tells what was used before.
fn collect(draft: &mut Draft<'_>) {
    let (state, calendar, now) = (draft.state, draft.rules.calendar, draft.now.at);
    let today = calendar.day_of(now);
    let day_is_known = now.0.saturating_sub(calendar.start_of(today).0) >= WAIT_FOR_READING_S;
    let behind = |point: &UsagePoint| day_is_known && point.account.period.through < today;
    let other_band = |point: &UsagePoint| {
        let tariff = state.tariff_of(point);
        tariff.is_some_and(|tariff| {
            !tariff.band.is_empty() && tariff.band_at(calendar, now) != point.account.band
        })
    };
    for point in state.usage_points.values() {
        let is_behind = behind(point);
        if !is_behind && !other_band(point) || draft.take(point.id).is_err() {
            continue;
        }
        if is_behind {
            let register = draft.register();
            supply::settle(draft, register, today);
        }
        bands::follow(draft);
        supply::review(draft);
    }
    draft.put_down();
}

fn notice_silence(draft: &mut Draft<'_>) {
    if !draft.now.clock_trusted {
        return;
    }
    for last in draft.state.readings.values() {
        let node = last.reading.node;
        let in_use = draft
            .state
            .nodes
            .get(&node)
            .is_some_and(|node| node.role.is_some());
        let silent_s = draft.now.at.seconds_since(last.at);
        if in_use && silent_s > u64::from(draft.rules.silent_after_s) {
            let details = format!("not heard for {} minutes", silent_s / 60);
            draft.raise(AlarmKind::NodeSilent, Subject::Node(node), details);
        }
    }
}
