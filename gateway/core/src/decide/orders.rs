//! Orders of the head-end, enrolment, and the hold on money.
//!
//! An order goes through the same doors as a person's command. Whatever comes of it, `order-taken` is the last record of its
//! ruling, so that effect and memory are one transaction. Waiting (too early, clock not trusted, money held) takes nothing: the
//! head-end asks again.

use super::{Draft, commanded, tokens, usable, vends};
use crate::UsagePointId;
use crate::alarm::{AlarmKind, Subject};
use crate::case::CaseCommand;
use crate::cloud::{Enrolled, HoldCause};
use crate::configured::{Changes, SettingsDecision};
use crate::decision::{Decision, Record};
use crate::event::{Answer, Command};
use crate::order::{Act, Hex32, Known, Order, Outcome, Taken, is_same, look_up};
use crate::point_change::PointChange;
use crate::refusal::Refusal;
use crate::tokens::{BaseDate, Tid, TokenRules, VendingTime};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

/// Longest evidence: two numbers, two hashes and a sentence.
const LONGEST_EVIDENCE: usize = 200;

pub(super) fn take(
    draft: &mut Draft<'_>,
    rules: &TokenRules,
    order: &Order,
) -> Result<Answer, Refusal> {
    let enrolled = draft.state.cloud.enrolled.as_ref();
    let enrolled = enrolled.ok_or(Refusal::NotEnrolled)?;
    usable(&order.id)?;
    let floor = draft.state.cloud.floor;
    match look_up(&draft.state.orders, enrolled.number, floor, order.sequence) {
        Known::Taken(taken) if taken.order == order.id => {
            return Ok(Answer::Ordered {
                number: taken.number,
                outcome: taken.outcome.clone(),
                repeated: true,
            });
        }
        Known::Taken(taken) => {
            let (sequence, first) = (order.sequence, &taken.order);
            let details = format!(
                "sequence {sequence} is order {first}; {} came after",
                order.id
            );
            draft.raise(AlarmKind::OrderConflict, Subject::Site, details);
            return Err(Refusal::OrderSequenceReused);
        }
        Known::Old => return Err(Refusal::OrderSequenceOld),
        Known::New if order.with_former_key => return Err(Refusal::OrderKeyFormer),
        Known::New => {}
    }
    let outcome = match judge(draft, enrolled, order)? {
        Err(refusal) => Outcome::Refused { refusal },
        Ok(()) => match obey(draft, rules, order) {
            Ok(answer) => Outcome::Done {
                answer: Box::new(answer),
            },
            Err(refusal) => Outcome::Refused { refusal },
        },
    };
    Ok(record(draft, enrolled, order, outcome))
}

/// Whether it is obeyed now; the outer error lets it wait, the inner one is final.
fn judge(
    draft: &Draft<'_>,
    enrolled: &Enrolled,
    order: &Order,
) -> Result<Result<(), Refusal>, Refusal> {
    let name = order.act.name();
    if !draft.now.clock_trusted && !order.act.gives() {
        return Err(Refusal::OrderClockNotTrusted);
    }
    if draft.now.at > order.not_after {
        return Ok(Err(Refusal::OrderTooLate));
    }
    if draft.now.at < order.not_before {
        return Err(Refusal::OrderTooEarly);
    }
    if matches!(name, Some("vend" | "enter-token" | "restore")) {
        draft.state.cloud.takes_money()?;
    }
    let supply_of = order.act.supply_of();
    let sets = order.act.sets(&draft.state.agents);
    let same = |taken: &Taken| {
        let both = sets.as_deref().zip(taken.sets.as_deref());
        supply_of.is_some() && taken.supply_of == supply_of
            || both.is_some_and(|(ours, theirs)| is_same(ours, theirs))
    };
    let mut taken = draft.state.orders.values();
    let is_later = |taken: &Taken| {
        taken.enrolment == enrolled.number && taken.sequence > order.sequence && same(taken)
    };
    if taken.any(is_later) {
        return Ok(Err(Refusal::OrderSuperseded));
    }
    Ok(name.map(|_| ()).ok_or(Refusal::OrderNotAllowed))
}

fn record(draft: &mut Draft<'_>, enrolled: &Enrolled, order: &Order, outcome: Outcome) -> Answer {
    let number = draft.next_number();
    let is_done = matches!(outcome, Outcome::Done { .. });
    draft.push(Decision::OrderTaken {
        order: order.id.clone(),
        sequence: order.sequence,
        enrolment: enrolled.number,
        act: order.act.name().unwrap_or("other").into(),
        supply_of: order.act.supply_of().filter(|_| is_done),
        sets: order.act.sets(&draft.state.agents).filter(|_| is_done),
        result: outcome.clone(),
    });
    Answer::Ordered {
        number,
        outcome,
        repeated: false,
    }
}

fn obey(draft: &mut Draft<'_>, rules: &TokenRules, order: &Order) -> Result<Answer, Refusal> {
    match &order.act {
        Act::Command(command) => {
            let command = in_its_name(command);
            match &command {
                Command::EnterToken {
                    usage_point,
                    token,
                    by,
                } => tokens::enter(draft, rules, (*usage_point, token, by)),
                command => commanded(draft, command),
            }
        }
        // The crate `cloud` moves its cursor when it sees that the order was taken.
        Act::Resend { .. } => Ok(Answer::Done),
        Act::Configure { is_fit: false, .. } => Err(Refusal::SettingsUnfit),
        Act::Configure { changes, by, .. } => order_settings(draft, changes, by),
        Act::RollKey { key } => {
            draft.push(Decision::CloudKeyRolled { key: *key });
            Ok(Answer::Done)
        }
        Act::Reconcile {
            branch,
            after,
            note,
        } => reconcile(draft, (*branch, *after, note), order.sequence),
        Act::Restore { record } => restore(draft, rules, record),
    }
}

fn order_settings(draft: &mut Draft<'_>, changes: &Changes, by: &str) -> Result<Answer, Refusal> {
    usable(by)?;
    let configured = &draft.state.cloud.configured;
    if configured.with(changes) != configured.values {
        let (values, by) = (changes.clone(), format!("cloud {by}"));
        draft.push(Decision::Settings(SettingsDecision::Ordered { values, by }));
    }
    Ok(Answer::Done)
}

/// Goes back to the settings before the last change.
pub(super) fn undo_settings(
    draft: &mut Draft<'_>,
    change: u64,
    why: &str,
) -> Result<Answer, Refusal> {
    if change == 0 || draft.state.cloud.configured.number != change {
        return Err(Refusal::NoSuchChange);
    }
    let why: String = why.chars().take(LONGEST_EVIDENCE).collect();
    draft.push(Decision::Settings(SettingsDecision::Undone {
        change,
        why: why.clone(),
    }));
    // Each time anew: whoever has seen the alarm of an earlier change has not seen this one's.
    draft.push(Decision::AlarmRaised {
        kind: AlarmKind::SettingsUndone,
        subject: Subject::Site,
        details: why,
    });
    Ok(Answer::Done)
}

/// The command with the head-end before the name it gives.
fn in_its_name(command: &Command) -> Command {
    let mut command = command.clone();
    let cloud = |by: &str| format!("cloud {by}");
    match &command {
        Command::Correct(asked) => {
            return Command::Correct(asked.clone().in_the_name_of(&cloud(asked.by())));
        }
        Command::Agent(asked) => {
            return Command::Agent(asked.clone().in_the_name_of(&cloud(asked.by())));
        }
        Command::Guard(asked) => {
            return Command::Guard(asked.clone().in_the_name_of(&cloud(asked.by())));
        }
        Command::Prepay(asked) => {
            return Command::Prepay(asked.clone().in_the_name_of(&cloud(asked.by())));
        }
        _ => {}
    }
    if let Command::ChangeUsagePoint(PointChange { by, .. })
    | Command::Case(
        CaseCommand::Note { by, .. }
        | CaseCommand::Check { by, .. }
        | CaseCommand::Close { by, .. }
        | CaseCommand::Try { by, .. }
        | CaseCommand::TakeBack { by, .. },
    )
    | Command::SetPoint { by, .. }
    | Command::WorkOnMeter { by, .. }
    | Command::Vend { by, .. }
    | Command::QuoteVend { by, .. }
    | Command::EnterToken { by, .. }
    | Command::OrderSupply { by, .. }
    | Command::SetSanctionedLoad { by, .. }
    | Command::AcknowledgeAlarm { by, .. }
    | Command::ResolveDispute { by, .. } = &mut command
    {
        *by = format!("cloud {by}");
    }
    command
}

fn reconcile(
    draft: &mut Draft<'_>,
    (branch, after, note): (u32, u64, &str),
    sequence: u64,
) -> Result<Answer, Refusal> {
    usable(note)?;
    if branch <= draft.state.cloud.branch || after > draft.state.number {
        return Err(Refusal::BranchNotNext);
    }
    draft.push(Decision::BranchBegun {
        branch,
        after,
        floor: sequence.saturating_sub(1),
    });
    if draft.state.cloud.held.is_some() {
        release(draft, note, "cloud")?;
    }
    Ok(Answer::Done)
}

/// Makes a movement of an abandoned branch again, unless it has been made here too.
fn restore(draft: &mut Draft<'_>, rules: &TokenRules, record: &Record) -> Result<Answer, Refusal> {
    match &record.decision {
        Decision::Vended {
            usage_point,
            amount,
            key,
            by,
            ..
        } => {
            let by = (by.as_str(), vends::Under::AnEarlierBranch);
            vends::vend(draft, key, *usage_point, *amount, by)
        }
        Decision::TokenEntered {
            usage_point,
            entry,
            amount,
            by,
        } => tokens::restore(draft, rules, (*usage_point, entry, *amount, by)),
        _ => Err(Refusal::RestoreNotMoney),
    }
}

pub(super) fn enrol(
    draft: &mut Draft<'_>,
    cloud_key: Hex32,
    gateway_key: Hex32,
    by: &str,
) -> Result<Answer, Refusal> {
    usable(by)?;
    let same = |enrolled: &Enrolled| {
        (enrolled.cloud_key, enrolled.gateway_key) == (cloud_key, gateway_key)
    };
    if !draft.state.cloud.enrolled.as_ref().is_some_and(same) {
        draft.push(Decision::CloudEnrolled {
            cloud_key,
            gateway_key,
            by: by.into(),
        });
    }
    Ok(Answer::Done)
}

pub(super) fn hold(
    draft: &mut Draft<'_>,
    cause: HoldCause,
    evidence: &str,
) -> Result<Answer, Refusal> {
    let cloud = &draft.state.cloud;
    let evidence: String = evidence.chars().take(LONGEST_EVIDENCE).collect();
    if cloud.held.is_none() && !cloud.answered.contains(&evidence) {
        draft.push(Decision::MoneyHeld {
            cause,
            evidence: evidence.clone(),
        });
        draft.raise(AlarmKind::MoneyHeld, Subject::Site, evidence);
        if cause == HoldCause::Restored {
            outdate_tokens(draft);
        }
    }
    Ok(Answer::Done)
}

/// Which tokens were used after the backup is not known, so that none of that time is taken: they go back to where they were bought, or come again
/// as records of the head-end. Vending systems write local time.
fn outdate_tokens(draft: &mut Draft<'_>) {
    let offset = i64::from(draft.rules.calendar.utc_offset_s);
    let local = VendingTime(draft.now.at.0.saturating_add(offset));
    let tokens = draft.state.tokens.iter();
    let until = |base: BaseDate| base.tid_at(local).unwrap_or(Tid::LAST);
    let outdated: Vec<(UsagePointId, Tid)> = tokens
        .map(|(id, tokens)| (*id, until(tokens.acceptance.terms().base_date)))
        .collect();
    for (usage_point, until) in outdated {
        draft.push(Decision::TokensOutdated { usage_point, until });
    }
}

pub(super) fn release(draft: &mut Draft<'_>, note: &str, by: &str) -> Result<Answer, Refusal> {
    usable(note)?;
    usable(by)?;
    if draft.state.cloud.held.is_none() {
        return Err(Refusal::MoneyNotHeld);
    }
    draft.push(Decision::MoneyReleased {
        note: note.to_string(),
        by: by.into(),
    });
    draft.clear(AlarmKind::MoneyHeld, Subject::Site);
    Ok(Answer::Done)
}
