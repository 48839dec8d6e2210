//! What a closed case teaches the watch.

use super::{Case, Outcome, Verdict};
use crate::loss::Phase;
use crate::{FeederId, UsagePointId, UtcSeconds};

/// What was learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lesson {
    /// The feeder.
    pub feeder: FeederId,
    /// The circuit.
    pub phase: Option<Phase>,
    /// When it was learnt.
    pub at: UtcSeconds,
    /// Begin and end of the loss.
    pub span: (UtcSeconds, UtcSeconds),
    /// What the case was.
    pub outcome: Outcome,
    /// Whom it was about, as the watch explained it.
    pub about: Option<(UsagePointId, Verdict)>,
}

impl Lesson {
    /// What a case teaches; nothing while it is open.
    #[must_use]
    pub fn of(case: &Case) -> Option<Self> {
        let closing = case.closing.as_ref()?;
        let first = case.report.suspects.first();
        Some(Self {
            feeder: case.report.feeder,
            phase: case.report.phase,
            at: closing.at,
            span: (case.report.since, case.report.at),
            outcome: closing.outcome,
            about: first.map(|suspect| (suspect.usage_point, case.report.verdict)),
        })
    }
}
