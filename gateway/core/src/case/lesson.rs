//! What a closed case teaches the watch.

use super::{Case, Outcome, Verdict};
use crate::loss::{Evidence, Form, Known, Phase};
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
    /// Whom people found it to be about.
    pub at_whom: Option<UsagePointId>,
    /// The course of the loss; nothing where there was none.
    pub form: Option<Form>,
    /// Mean power lost.
    pub watts: u32,
}

/// Premises where a theft was confirmed are so much likelier the next time, as a logarithm: five times. Where somebody was suspected and
/// nothing was wrong, the other way round. Chosen so that it decides between explanations that are about as good, and nothing else.
const AGAIN_NATS: f64 = 1.6;

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
            at_whom: closing.usage_point,
            form: form(case),
            watts: case.report.watts,
        })
    }

    /// What the watch has no need to find again: a theft that was confirmed ended when the case was closed, and is a new one if it goes on;
    /// what was false or technical is how the site is.
    #[must_use]
    pub fn known(&self) -> Option<Known> {
        let confirmed = self.outcome == Outcome::Confirmed;
        Some(Known {
            phase: self.phase,
            form: self.form?,
            from: self.span.0,
            until: confirmed.then_some(self.at),
            watts: i64::from(self.watts),
            seen: self.span.1,
        })
    }

    /// Whose rank changes, and by how many nats.
    #[must_use]
    pub fn expects(&self) -> Option<(UsagePointId, f64)> {
        match self.outcome {
            Outcome::Confirmed => Some((self.at_whom?, AGAIN_NATS)),
            Outcome::False => Some((self.about?.0, -AGAIN_NATS)),
            Outcome::Technical => None,
        }
    }
}

fn form(case: &Case) -> Option<Form> {
    let first = case.report.suspects.first().map(|s| s.usage_point);
    let has = |evidence| case.report.evidence.contains(&evidence);
    match case.report.verdict {
        Verdict::Tap if has(Evidence::LossInTheEvening) => Some(Form::Evening),
        Verdict::Tap if has(Evidence::LossAtNight) => Some(Form::Night),
        Verdict::Tap => Some(Form::AroundTheClock),
        Verdict::PartlyRegistered => first.map(Form::PartOf),
        Verdict::Bypassed => first.map(Form::Standing),
        // Papers are put right, and then the watch begins anew.
        _ => None,
    }
}
