//! Residents told about a case.

use super::Draft;
use crate::UsagePointId;
use crate::case::{Case, LossReport, News, Outcome, ResidentNotice};
use crate::decision::Decision;

/// Tells the first suspect, where the site does before it is confirmed.
pub(super) fn suspected(
    draft: &mut Draft<'_>,
    case: u64,
    report: &LossReport,
    told: &[ResidentNotice],
) {
    if let Some(usage_point) = draft.rules.resident.suspect(report, told) {
        tell(draft, case, usage_point, News::Suspicion);
    }
}

/// Tells whom the end of a case concerns.
pub(super) fn closed(
    draft: &mut Draft<'_>,
    case: &Case,
    outcome: Outcome,
    whose: Option<UsagePointId>,
) {
    for (usage_point, news) in draft.rules.resident.closed(case, outcome, whose) {
        tell(draft, case.number, usage_point, news);
    }
}

fn tell(draft: &mut Draft<'_>, case: u64, usage_point: UsagePointId, news: News) {
    let texts = draft.rules.resident.texts.get(&news).cloned();
    let texts = texts.unwrap_or_default();
    draft.push(Decision::ResidentTold {
        case,
        usage_point,
        news,
        text: texts.display,
        page: texts.page,
    });
}
