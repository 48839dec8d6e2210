//! Charging a confirmed case: the card on its page.

use super::cases::CaseInputs;
use super::curves::{moment, named};
use crate::format::Money;
use gateway_core::case::{Assessment, Estimate, Outcome, Standing};

/// What was charged of a case.
pub(crate) struct AssessmentLine {
    pub when: String,
    pub href: String,
    pub name: String,
    pub amount: Money,
    pub standing: String,
    pub why: String,
}

/// The form.
pub(crate) struct AssessForm {
    /// Whose premises.
    pub usage_point: String,
    pub name: String,
    /// How the estimate is reckoned, if there is one.
    pub words: Option<String>,
    /// The amount in the field.
    pub amount: String,
}

/// What was charged so far, oldest first.
pub(super) fn lines(inputs: &CaseInputs<'_>) -> Vec<AssessmentLine> {
    let line = |of: &Assessment| AssessmentLine {
        when: moment(inputs.rules.calendar, of.at),
        href: format!("/usage-point/{}", of.usage_point),
        name: named(inputs.rows, of.usage_point),
        amount: Money::new(of.amount, inputs.currency),
        standing: of.standing.words(),
        why: format!("{} kWh; {}, by {}", of.energy, of.reason, of.by),
    };
    inputs.case.assessments.iter().map(line).collect()
}

/// The form, where the case was confirmed and is not charged to those premises yet.
pub(super) fn form(inputs: &CaseInputs<'_>) -> Option<AssessForm> {
    let closing = inputs.case.closing.as_ref()?;
    let whose = closing.usage_point?;
    let charged = |of: &Assessment| of.usage_point == whose && of.holds();
    let is_charged = inputs.case.assessments.iter().any(charged);
    if closing.outcome != Outcome::Confirmed || is_charged || !inputs.may_charge {
        return None;
    }
    let reckoned = inputs.estimate;
    Some(AssessForm {
        usage_point: whose.to_string(),
        name: named(inputs.rows, whose),
        words: reckoned.map(Estimate::words),
        amount: reckoned.map_or_else(String::new, |reckoned| format!("{:.2}", reckoned.amount)),
    })
}

/// Whether something waits for a second person.
pub(super) fn waits(inputs: &CaseInputs<'_>) -> bool {
    let mut all = inputs.case.assessments.iter();
    all.any(|of| matches!(of.standing, Standing::Waiting { .. }))
}
