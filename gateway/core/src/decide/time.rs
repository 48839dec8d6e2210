//! What the passing of time brings: daily charges and silent nodes.

use super::{Draft, supply};
use crate::alarm::{AlarmKind, Subject};
use crate::event::Answer;
use crate::refusal::Refusal;
use alloc::format;
use alloc::vec::Vec;

/// A reading shortly after midnight tells better than the clock where a day's energy ends; without one, the day is
/// closed on what is known after this long.
const WAIT_FOR_READING_S: i64 = 900;

pub(super) fn pass(draft: &mut Draft<'_>) -> Result<Answer, Refusal> {
    if draft.now.clock_trusted {
        collect_daily(draft);
    }
    notice_silence(draft);
    Ok(Answer::Done)
}

fn collect_daily(draft: &mut Draft<'_>) {
    let calendar = draft.rules.calendar;
    let today = calendar.day_of(draft.now.at);
    if draft.now.at.0.saturating_sub(calendar.start_of(today).0) < WAIT_FOR_READING_S {
        return;
    }
    let behind = |point: &&crate::UsagePoint| point.account.period.through < today;
    let due: Vec<_> = draft
        .state
        .usage_points
        .values()
        .filter(behind)
        .map(|p| p.id)
        .collect();
    for id in due {
        if draft.take(id).is_ok() {
            let register = draft.register();
            supply::settle(draft, register, today);
            supply::review(draft);
        }
    }
    draft.point = None;
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
