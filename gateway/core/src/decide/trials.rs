//! Switch tests: planned by a person with consent, begun, ended and compared by the passing of time; and supplies that open anyway.
//!
//! Invariants: nothing here keeps a supply open beyond its seconds; a test begins only into a supply that is on, and only one on a feeder at a
//! time; missing readings end it without a finding.

use super::cases::{self, check_text};
use super::{Draft, kept, supply, usable};
use crate::case::trial::{self, NATURAL_S, SHORTEST_S, Stage, THIRTY_DAYS_S, TrialEnd};
use crate::case::{Case, CaseCommand, Layout, Opening, Trial, TrialDecision, TrialRefusal};
use crate::decision::Decision;
use crate::event::{Answer, Role};
use crate::guard::kept::Wait;
use crate::refusal::Refusal;
use crate::supply::{Reason, Relay};
use crate::usage_point::UsagePoint;
use crate::{FeederId, UsagePointId, UtcSeconds};
use alloc::string::String;

/// A test whose time passed longer ago, seconds, is not made up for.
const LATE_S: i64 = 300;
/// So long after its seconds the switch has reported, seconds.
const REPORT_S: i64 = 30;
/// Comparing takes a moment; without an answer for so long, seconds, there is none.
const COMPARE_S: i64 = 900;

pub(super) fn ask(draft: &mut Draft<'_>, command: &CaseCommand) -> Result<Answer, Refusal> {
    match command {
        CaseCommand::Try {
            case,
            usage_point,
            seconds,
            consent,
            dry_run,
            by,
        } => {
            let whose = may_be_tried(draft, *case, *usage_point, (*seconds, consent, by))?;
            if !dry_run {
                plan(draft, (*case, whose), *seconds, consent, by);
            }
            Ok(Answer::Done)
        }
        CaseCommand::TakeBack { case, by } => {
            usable(by)?;
            let points = &draft.state.usage_points;
            let is_it = |point: &&UsagePoint| {
                point
                    .guard
                    .trial
                    .is_some_and(|trial| trial.case == *case && trial.is_ahead())
            };
            let found = points.values().find(is_it).map(|point| point.id);
            let whose = found.ok_or(TrialRefusal::NonePlanned)?;
            draft.take(whose)?;
            end(draft, TrialEnd::TakenBack, by);
            Ok(Answer::Done)
        }
        CaseCommand::Found {
            case,
            number,
            finding,
        } => {
            draft.take(finding.usage_point)?;
            let trial = draft.point.as_ref().and_then(|point| point.guard.trial);
            if trial.is_some_and(|trial| trial.number == *number) {
                draft.push(Decision::Trial(TrialDecision::Found {
                    case: *case,
                    finding: finding.clone(),
                }));
                cases::found(draft, *case, finding);
            }
            Ok(Answer::Done)
        }
        _ => Ok(Answer::Done),
    }
}

fn may_be_tried(
    draft: &mut Draft<'_>,
    case: u64,
    usage_point: Option<UsagePointId>,
    (seconds, consent, by): (Option<u16>, &str, &str),
) -> Result<UsagePointId, Refusal> {
    check_text(by, consent, true)?;
    let (state, rules) = (draft.state, &draft.rules.trials);
    let found = state.cases.get(&case).ok_or(Refusal::NoSuchCase)?;
    if !found.is_open() {
        return Err(Refusal::CaseIsClosed);
    }
    let whose = usage_point.or_else(|| found.first_suspect());
    let whose = whose.ok_or(Refusal::NoSuchUsagePoint)?;
    draft.take(whose)?;
    let minute = u32::from(draft.rules.calendar.minute_of(draft.now.at));
    let (from, until) = (u32::from(rules.hours.0), u32::from(rules.hours.1));
    let seconds = seconds.unwrap_or(rules.seconds);
    let refusal = if !rules.allowed {
        Some(TrialRefusal::NotAllowed)
    } else if rules.never.contains(&whose) {
        Some(TrialRefusal::NeverHere)
    } else if consent.trim().is_empty() && !rules.by_terms {
        Some(TrialRefusal::NoConsent)
    } else if !(SHORTEST_S..=rules.seconds).contains(&seconds) {
        Some(TrialRefusal::SecondsOutOfRange)
    } else if !draft.now.clock_trusted || !(from..until).contains(&minute) {
        Some(TrialRefusal::OutsideHours)
    } else if !draft
        .point
        .as_ref()
        .is_some_and(|point| is_on(draft, point))
    {
        Some(TrialRefusal::SupplyNotOn)
    } else if another_runs(draft, found.report.feeder) {
        Some(TrialRefusal::OneAtATime)
    } else if tests_lately(draft, whose) >= usize::from(rules.most_in_30_days) {
        Some(TrialRefusal::TooOften)
    } else {
        None
    };
    refusal.map_or(Ok(whose), |refusal| Err(refusal.into()))
}

/// Whether its supply is on, and something here can open and close it.
fn is_on(draft: &Draft<'_>, point: &UsagePoint) -> bool {
    let node = draft.state.node_for(Role::UsagePoint(point.id));
    let node = node.and_then(|node| draft.state.nodes.get(&node));
    let has_switch = node.is_some_and(|node| node.link.is_sealed() || node.switch.is_some());
    let supply = &point.supply;
    has_switch
        && !supply.shadow
        && supply.reasons.is_empty()
        && supply.reported == Some(Relay::Closed)
}

fn another_runs(draft: &Draft<'_>, feeder: FeederId) -> bool {
    let runs = |trial: Trial| {
        let case = draft.state.cases.get(&trial.case);
        case.is_some_and(|case| case.report.feeder == feeder)
    };
    let points = draft.state.usage_points.values();
    points.filter_map(|point| point.guard.trial).any(runs)
}

fn tests_lately(draft: &Draft<'_>, whose: UsagePointId) -> usize {
    let after = draft.now.at.0 - THIRTY_DAYS_S;
    let openings = draft.state.cases.values().flat_map(|case| &case.openings);
    let its = |opening: &&Opening| opening.usage_point == whose && opening.at.0 > after;
    openings.filter(its).count()
}

fn plan(
    draft: &mut Draft<'_>,
    (case, usage_point): (u64, UsagePointId),
    seconds: Option<u16>,
    consent: &str,
    by: &str,
) {
    let rules = &draft.rules.trials;
    let planned = Trial {
        number: draft.next_number(),
        case,
        seconds: seconds.unwrap_or(rules.seconds),
        natural: false,
        stage: Stage::Announced {
            starts: UtcSeconds(draft.clock.0 + i64::from(rules.notice_s)),
        },
    };
    draft.push(Decision::Trial(TrialDecision::Planned {
        case,
        usage_point,
        planned,
        consent: consent.trim().into(),
        by: by.into(),
    }));
}

/// Brings every trial on its way with the time.
pub(super) fn pass(draft: &mut Draft<'_>) {
    let state = draft.state;
    for point in state.usage_points.values() {
        if let Some(trial) = point.guard.trial
            && draft.take(point.id).is_ok()
        {
            follow(draft, trial);
        }
    }
    draft.put_down();
}

/// A reading or a switch has said something of the usage point in hand.
pub(super) fn heard(draft: &mut Draft<'_>, before: Option<Relay>) {
    let Some(point) = &draft.point else { return };
    match point.guard.trial {
        Some(trial) => follow(draft, trial),
        None => notice(draft, before),
    }
}

fn follow(draft: &mut Draft<'_>, trial: Trial) {
    let Some(point) = &draft.point else { return };
    let clock = draft.clock;
    match trial.stage {
        Stage::Announced { starts }
            if clock.0 < starts.0 - 86_400 || clock.0 > starts.0 + LATE_S =>
        {
            end(draft, TrialEnd::Missed, "");
        }
        Stage::Announced { starts } if clock >= starts => {
            let open = |case: &Case| case.is_open();
            if !draft.state.cases.get(&trial.case).is_some_and(open) {
                end(draft, TrialEnd::CaseClosed, "");
            } else if !is_on(draft, point) {
                end(draft, TrialEnd::SupplyOff, "");
            } else {
                let wait = Wait {
                    from: clock,
                    seconds: trial.seconds,
                };
                let (opened, closed) = (None, None);
                advance(
                    draft,
                    trial,
                    Stage::Open {
                        wait,
                        opened,
                        closed,
                    },
                );
                supply::review(draft);
            }
        }
        Stage::Announced { .. } => {}
        Stage::Open { .. } => follow_open(draft, trial),
        Stage::Weighed { due, .. } if draft.now.at.0 > due.0 + COMPARE_S => {
            end(draft, TrialEnd::NotWeighed, "");
        }
        Stage::Weighed { .. } => {}
    }
}

/// A test whose supply is to be open.
fn follow_open(draft: &mut Draft<'_>, trial: Trial) {
    let (
        Some(point),
        Stage::Open {
            wait,
            opened,
            closed,
        },
    ) = (&draft.point, trial.stage)
    else {
        return;
    };
    let (clock, supply) = (draft.clock, &point.supply);

    let now = draft.now.at;
    let others = supply.reasons.iter().any(|reason| reason != Reason::Trial);
    let is_open = supply.reported == Some(Relay::Open);
    let over = !wait.lasts(clock);
    let late = clock.0.saturating_sub(wait.from.0) > i64::from(wait.seconds) + REPORT_S;
    match (opened, closed) {
        _ if others => end(draft, TrialEnd::SupplyOff, ""),
        (None, _) if is_open => {
            let opened = supply.reported_since.or(Some(now));
            advance(
                draft,
                trial,
                Stage::Open {
                    wait,
                    opened,
                    closed,
                },
            );
        }
        (Some(opened), _) if (over && !is_open) || late => {
            let closed = if is_open {
                now
            } else {
                supply.reported_since.unwrap_or(now)
            };
            let due = UtcSeconds(now.0 + i64::from(trial.seconds));
            advance(
                draft,
                trial,
                Stage::Weighed {
                    opened,
                    closed,
                    due,
                },
            );
        }
        (None, _) if late => end(draft, TrialEnd::DidNotOpen, ""),
        _ => {}
    }
    if over {
        supply::review(draft);
    }
}

/// A supply opened that was closed, for credit or by order, while a case on its feeder is open: the same experiment for nothing.
fn notice(draft: &mut Draft<'_>, before: Option<Relay>) {
    let Some(point) = &draft.point else { return };
    let supply = &point.supply;
    let opened = (before, supply.reported) == (Some(Relay::Closed), Some(Relay::Open));
    let told = [
        Reason::CreditExhausted,
        Reason::OperatorOff,
        Reason::LoadLimitTripped,
    ];
    let known = told.into_iter().any(|reason| supply.reasons.has(reason));
    if !opened || !known || !draft.now.clock_trusted || draft.state.cases.is_empty() {
        return;
    }
    let (state, id, now) = (draft.state, point.id, draft.now.at);
    let layout = Layout::of(state);
    let here = |case: &&Case| {
        case.is_open()
            && case.report.going
            && layout
                .on(case.report.feeder)
                .iter()
                .any(|meter| meter.usage_point == id)
    };
    let Some(case) = state.cases.values().rev().find(here) else {
        return;
    };
    let case = (case.number, case.report.feeder);
    if another_runs(draft, case.1) {
        return;
    }
    let closed = UtcSeconds(now.0 + i64::from(NATURAL_S));
    let trial = Trial {
        number: draft.next_number(),
        case: case.0,
        seconds: NATURAL_S,
        natural: true,
        stage: Stage::Weighed {
            opened: now,
            closed,
            due: UtcSeconds(closed.0 + trial::EDGE_S),
        },
    };
    advance(draft, trial, trial.stage);
}

fn advance(draft: &mut Draft<'_>, trial: Trial, stage: Stage) {
    let Some(point) = &draft.point else { return };
    draft.push(Decision::Trial(TrialDecision::Advanced {
        case: trial.case,
        usage_point: point.id,
        to: Trial { stage, ..trial },
    }));
}

fn end(draft: &mut Draft<'_>, why: TrialEnd, by: &str) {
    let Some(point) = &draft.point else { return };
    let Some(trial) = point.guard.trial else {
        return;
    };
    draft.push(Decision::Trial(TrialDecision::Ended {
        case: trial.case,
        usage_point: point.id,
        why,
        by: String::from(by),
    }));
    supply::review(draft);
}

/// Whether the supply of the usage point in hand is to be open for a test, where the gateway keeps the seconds itself.
pub(super) fn opens(draft: &Draft<'_>, point: &UsagePoint) -> bool {
    let opens = point
        .guard
        .trial
        .is_some_and(|trial| trial.opens(draft.clock));
    opens && kept::is_kept(draft, point)
}
