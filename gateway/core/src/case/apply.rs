//! How decisions change cases.

use super::trial::{MOST_FINDINGS, THIRTY_DAYS_S};
use super::{
    Case, Closing, FieldCheck, LossReport, Note, Opening, ResidentNotice, TamperNote,
    TrialDecision, assess,
};
use crate::{Decision, Micro, Record, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Makes a decision about cases true; others change nothing.
pub(crate) fn apply(cases: &mut BTreeMap<u64, Case>, record: &Record) {
    if let Decision::CaseOpened {
        report,
        money,
        forgets,
    } = &record.decision
    {
        if let Some(old) = forgets {
            cases.remove(old);
        }
        let case = Case::opened(record.number, record.at, (**report).clone(), *money);
        cases.insert(record.number, case);
    }
    let case = record.decision.case();
    if let Some(case) = case.and_then(|case| cases.get_mut(&case)) {
        case.advance(record.at, &record.decision);
    }
}

impl Case {
    fn opened(number: u64, at: UtcSeconds, report: LossReport, money: Micro) -> Self {
        Self {
            number,
            opened_at: at,
            report,
            money,
            recurred: 0,
            tampers: Vec::new(),
            notes: Vec::new(),
            checks: Vec::new(),
            notices: Vec::new(),
            assessments: Vec::new(),
            findings: Vec::new(),
            openings: Vec::new(),
            closing: None,
        }
    }

    fn advance(&mut self, at: UtcSeconds, decision: &Decision) {
        match decision.clone() {
            Decision::CaseEvidence {
                report,
                money,
                recurred,
                ..
            } => {
                (self.report, self.money) = (*report, money);
                self.recurred += u32::from(recurred);
            }
            Decision::CaseTamper {
                usage_point,
                details,
                ..
            } => self.tampers.push(TamperNote {
                at,
                usage_point,
                details,
            }),
            Decision::CaseNoted { text, by, .. } => self.notes.push(Note { at, by, text }),
            Decision::CaseFieldCheck {
                usage_point,
                found,
                text,
                by,
                ..
            } => self.checks.push(FieldCheck {
                at,
                by,
                usage_point,
                found,
                text,
            }),
            Decision::CaseClosed {
                outcome,
                usage_point,
                text,
                by,
                ..
            } => {
                self.closing = Some(Closing {
                    at,
                    by,
                    outcome,
                    usage_point,
                    text,
                });
            }
            Decision::ResidentTold {
                usage_point,
                news,
                text,
                ..
            } => self.notices.push(ResidentNotice {
                at,
                usage_point,
                news,
                display: text,
            }),
            Decision::Trial(decision) => self.tried(at, decision),
            Decision::Assessment { .. } => assess::apply(&mut self.assessments, at, decision),
            _ => {}
        }
    }
    fn tried(&mut self, at: UtcSeconds, decision: TrialDecision) {
        match decision {
            TrialDecision::Found { finding, .. } => {
                if self.findings.len() >= MOST_FINDINGS {
                    self.findings.remove(0);
                }
                self.findings.push(finding);
            }
            TrialDecision::Advanced {
                usage_point, to, ..
            } if to.begins() => {
                let lately = |opening: &Opening| at.0 - opening.at.0 < THIRTY_DAYS_S;
                self.openings.retain(lately);
                self.openings.push(Opening { at, usage_point });
            }
            _ => {}
        }
    }
}
