//! Low-credit stages at work.

use super::Draft;
use crate::Micro;
use crate::prepay::{PrepayDecision, Stage};
use alloc::format;
use alloc::vec::Vec;

/// Arms the stages the credit of the usage point in hand has risen above, and notes those it has fallen to.
pub(in crate::decide) fn review(draft: &mut Draft<'_>, available: Micro) {
    let rules: &[Stage] = &draft.prepay().stages;
    if rules.is_empty() {
        return;
    }
    let Some(point) = &draft.point else { return };
    let by_percent = rules.iter().any(|stage| matches!(stage, Stage::Percent(_)));
    let base = (draft.recharged && by_percent).then_some(available);
    let mut known = point.prepay.stages.clone();
    known.base = base.unwrap_or(known.base);
    let (mut armed, mut crossed) = (Vec::new(), Vec::new());
    for stage in rules.iter().copied() {
        let below = known.is_below(stage, &point.prepay.profile, available);
        match (below, known.of(stage)) {
            (Some(false), None) => armed.push(stage),
            (Some(false), Some(state)) if state.crossed.is_some_and(|at| available > at) => {
                armed.push(stage);
            }
            (Some(true), Some(state)) if state.crossed.is_none() => crossed.push(stage),
            _ => {}
        }
    }
    if !armed.is_empty() || base.is_some() {
        let stages = armed;
        draft.push_prepay(PrepayDecision::StagesArmed { stages, base });
    }
    for stage in crossed {
        let words = format!("{} left: {available:.2}", stage.words());
        let left = available;
        draft.push_prepay(PrepayDecision::StageCrossed { stage, left, words });
    }
}
