//! Cases: opened and kept current by what the watch reports, advanced and closed by people.

use super::{Draft, assess, residents, trials, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::case::{
    self, Case, CaseCommand, Finding, LONGEST_NOTE, LossReport, MOST_CASES, MOST_NOTES, Outcome,
    SAME_WITHIN_DAYS, TamperNote, trial,
};
use crate::decision::Decision;
use crate::event::Answer;
use crate::refusal::Refusal;
use crate::{Micro, UsagePointId};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

const DAY_S: i64 = 86_400;
/// Energy below this is not worth a case: a kettle. Wrong papers and ratios lose nothing and are a case all the same.
const LEAST_WH: u64 = 50;

pub(super) fn ask(draft: &mut Draft<'_>, command: &CaseCommand) -> Result<Answer, Refusal> {
    match command {
        CaseCommand::Report { report } => {
            hear(draft, report);
            Ok(Answer::Done)
        }
        CaseCommand::Note { case, text, by } => note(draft, *case, text, by),
        CaseCommand::Check {
            case,
            usage_point,
            found,
            text,
            by,
        } => {
            check_text(by, text, true)?;
            still_open(draft, *case)?;
            known(draft, *usage_point)?;
            if draft.case(*case)?.checks.len() >= MOST_NOTES {
                return Err(Refusal::CaseIsFull);
            }
            draft.push(Decision::CaseFieldCheck {
                case: *case,
                usage_point: *usage_point,
                found: *found,
                text: text.clone(),
                by: by.clone(),
            });
            Ok(Answer::Done)
        }
        CaseCommand::Close { .. } => close(draft, command),
        CaseCommand::Assess { .. } => assess::ask(draft, command),
        CaseCommand::Try { .. } | CaseCommand::TakeBack { .. } | CaseCommand::Found { .. } => {
            trials::ask(draft, command)
        }
    }
}

/// What the watch says: a new case, news of one, or nothing new.
fn hear(draft: &mut Draft<'_>, report: &LossReport) {
    let circuit = (report.feeder, report.phase);
    if cases_know(draft, report) {
        return;
    }
    let about = |case: &&Case| continues(&case.report, report);
    let of_circuit = |case: &&Case| case.is_open() && case.circuit() == circuit && about(case);
    let open = draft.state.cases.values().rev().find(of_circuit);
    match open {
        Some(case) if same(case, report) => {
            let mut report = report.clone();
            trial::reweigh(&mut report, &case.findings, draft.rules.calendar);
            if report.is_news_after(&case.report) {
                let recurred = report.going && !case.report.going;
                tell(draft, case, &report, recurred);
            }
        }
        _ if !report.going => {}
        _ if report.energy.0 < LEAST_WH && !report.verdict.is_technical() => {}
        _ => open_case(draft, report),
    }
}

/// What an opening of a supply has shown ranks the suspects of its case anew.
pub(super) fn found(draft: &mut Draft<'_>, case: u64, finding: &Finding) {
    let Some(case) = draft.state.cases.get(&case).filter(|case| case.is_open()) else {
        return;
    };
    let mut report = case.report.clone();
    let findings = core::slice::from_ref(finding);
    if trial::reweigh(&mut report, findings, draft.rules.calendar) {
        tell(draft, case, &report, false);
    }
}

/// News of a case.
fn tell(draft: &mut Draft<'_>, case: &Case, report: &LossReport, recurred: bool) {
    let (number, money) = (case.number, worth(draft, report));
    draft.push(Decision::CaseEvidence {
        case: number,
        report: Box::new(report.clone()),
        money,
        recurred,
    });
    join_open_tampers(draft, number, report, &case.tampers);
    residents::suspected(draft, number, report, &case.notices);
    if recurred {
        raise(draft, number, report, money);
    }
}

/// Whether a report says nothing later than what a case like it has heard, or than when a person closed it.
fn cases_know(draft: &Draft<'_>, report: &LossReport) -> bool {
    let cases = draft.state.cases.values();
    let mut like_it = cases.filter(|case| {
        case.circuit() == (report.feeder, report.phase) && continues(&case.report, report)
    });
    like_it.any(|case| case.heard_until() >= report.at)
}

/// Whether one report can go on from another: papers and equipment are a matter of their own, each meter's too, unless a loss turns out
/// to be one.
fn continues(before: &LossReport, report: &LossReport) -> bool {
    let whom = |report: &LossReport| report.suspects.first().map(|s| s.usage_point);
    match (before.verdict.is_technical(), report.verdict.is_technical()) {
        (true, true) => before.verdict == report.verdict && whom(before) == whom(report),
        (true, false) => false,
        (false, true) => (report.since.0 - before.since.0).abs() <= DAY_S,
        (false, false) => true,
    }
}

/// Whether a report is about the case and not about a later theft on the same line.
fn same(case: &Case, report: &LossReport) -> bool {
    let pause = report.since.0.saturating_sub(case.report.at.0);
    pause <= SAME_WITHIN_DAYS * 86_400
}

fn open_case(draft: &mut Draft<'_>, report: &LossReport) {
    let money = worth(draft, report);
    let number = draft.next_number();
    let cases = &draft.state.cases;
    let oldest = || cases.values().find(|case| !case.is_open());
    let forgets = if cases.len() >= MOST_CASES {
        oldest().map(|case| case.number)
    } else {
        None
    };
    draft.push(Decision::CaseOpened {
        report: Box::new(report.clone()),
        money,
        forgets,
    });
    join_open_tampers(draft, number, report, &[]);
    raise(draft, number, report, money);
    residents::suspected(draft, number, report, &[]);
}

fn raise(draft: &mut Draft<'_>, case: u64, report: &LossReport, money: Micro) {
    let details = format!(
        "case {case}: {}; {} W since then, {} kWh so far, worth about {money}",
        in_words(report),
        report.watts,
        report.energy
    );
    draft.raise(AlarmKind::EnergyMissing, Subject::Case(case), details);
}

/// The verdict with feeder and phase.
fn in_words(report: &LossReport) -> String {
    let first = report.suspects.first().map(|s| s.usage_point.to_string());
    let what = report.verdict.words(first.as_deref());
    match report.phase {
        Some(phase) => format!("{what}, {} phase {phase}", report.feeder),
        None => format!("{what}, {}", report.feeder),
    }
}

/// Tampering that suspects' nodes report already belongs to the case.
fn join_open_tampers(draft: &mut Draft<'_>, case: u64, report: &LossReport, joined: &[TamperNote]) {
    for suspect in &report.suspects {
        let usage_point = suspect.usage_point;
        let subject = (AlarmKind::Tamper, Subject::UsagePoint(usage_point));
        let there = joined.iter().any(|note| note.usage_point == usage_point);
        let alarm = draft.state.alarms.get(&subject);
        if let Some(alarm) = alarm.filter(|alarm| !alarm.cleared && !there) {
            let details = alarm.details.clone();
            draft.push(Decision::CaseTamper {
                case,
                usage_point,
                details,
            });
        }
    }
}

/// A node's report of tampering joins the open case that suspects its usage point.
pub(super) fn join(draft: &mut Draft<'_>, usage_point: UsagePointId, details: &str) {
    let about = |case: &&Case| {
        case.is_open() && case.suspects(usage_point) && case.tampers.len() < case::MOST_TAMPERS
    };
    if let Some(case) = draft.state.cases.values().rev().find(about) {
        let case = case.number;
        draft.push(Decision::CaseTamper {
            case,
            usage_point,
            details: details.to_string(),
        });
    }
}

/// What the lost energy would have cost the first suspect where its account stands; without a suspect, what it would have cost the first
/// usage point.
fn worth(draft: &Draft<'_>, report: &LossReport) -> Micro {
    let points = &draft.state.usage_points;
    let suspect = report.suspects.first().map(|suspect| suspect.usage_point);
    let known = suspect.filter(|id| points.contains_key(id));
    let whose = known.or_else(|| points.keys().next().copied());
    let reckoned =
        whose.and_then(|whose| case::estimate(draft.state, draft.rules.calendar, report, whose));
    reckoned.map_or(Micro::ZERO, |reckoned| reckoned.amount)
}

fn note(draft: &mut Draft<'_>, case: u64, text: &str, by: &str) -> Result<Answer, Refusal> {
    check_text(by, text, false)?;
    if draft.case(case)?.notes.len() >= MOST_NOTES {
        return Err(Refusal::CaseIsFull);
    }
    draft.push(Decision::CaseNoted {
        case,
        text: text.into(),
        by: by.into(),
    });
    Ok(Answer::Done)
}

fn close(draft: &mut Draft<'_>, command: &CaseCommand) -> Result<Answer, Refusal> {
    let CaseCommand::Close {
        case,
        outcome,
        usage_point,
        text,
        by,
    } = command
    else {
        return Ok(Answer::Done);
    };
    check_text(by, text, true)?;
    still_open(draft, *case)?;
    known(draft, *usage_point)?;
    let confirmed = *outcome == Outcome::Confirmed;
    let found = draft.state.cases.get(case).ok_or(Refusal::NoSuchCase)?;
    let first = found.first_suspect().filter(|_| confirmed);
    let whose = usage_point.or(first);
    draft.push(Decision::CaseClosed {
        case: *case,
        outcome: *outcome,
        usage_point: whose,
        text: text.clone(),
        by: by.clone(),
    });
    let (kind, subject) = (AlarmKind::EnergyMissing, Subject::Case(*case));
    let alarm = draft.state.alarms.get(&(kind, subject));
    if alarm.is_some_and(|alarm| alarm.acknowledged_by.is_none()) {
        let by = by.clone();
        draft.push(Decision::AlarmAcknowledged { kind, subject, by });
    }
    draft.clear(kind, subject);
    residents::closed(draft, found, *outcome, whose);
    Ok(Answer::Done)
}

impl Draft<'_> {
    fn case(&self, number: u64) -> Result<&Case, Refusal> {
        self.state.cases.get(&number).ok_or(Refusal::NoSuchCase)
    }
}

fn still_open(draft: &Draft<'_>, case: u64) -> Result<(), Refusal> {
    if draft.case(case)?.is_open() {
        Ok(())
    } else {
        Err(Refusal::CaseIsClosed)
    }
}

fn known(draft: &Draft<'_>, usage_point: Option<UsagePointId>) -> Result<(), Refusal> {
    match usage_point {
        Some(id) if !draft.state.usage_points.contains_key(&id) => Err(Refusal::NoSuchUsagePoint),
        _ => Ok(()),
    }
}

pub(super) fn check_text(by: &str, text: &str, may_be_empty: bool) -> Result<(), Refusal> {
    usable(by)?;
    let empty = text.trim().is_empty() && !may_be_empty;
    let control = |c: char| c.is_control() && c != '\n';
    if empty || text.len() > LONGEST_NOTE || text.chars().any(control) {
        return Err(Refusal::NoteUnusable);
    }
    Ok(())
}
