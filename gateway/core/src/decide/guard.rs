//! Guards of a supply: what people ask for, and what a node says.

use super::{Draft, cases, kept, supply, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::{Answer, Reading};
use crate::guard::kept::Wait;
use crate::guard::{GuardCommand, GuardDecision, measured};
use crate::prepay::allowance;
use crate::refusal::Refusal;
use crate::supply::{Reason, Relay};
use crate::tamper_policy;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use prepaid_common::wire::{Events, Evidence};

/// Largest load limit: 10 MW, beyond any low-voltage connection.
const LARGEST_LIMIT_W: u32 = 10_000_000;
/// Longest note about what was found, in bytes.
const LONGEST_NOTE: usize = 200;

pub(super) fn ask(draft: &mut Draft<'_>, command: &GuardCommand) -> Result<Answer, Refusal> {
    let usage_point = command.usage_point();
    match command {
        GuardCommand::LimitLoad { watts, by, .. } => {
            usable(by)?;
            draft.take(usage_point)?;
            if *watts > LARGEST_LIMIT_W {
                return Err(Refusal::LoadOutOfRange);
            }
            let before = draft.point.as_ref().map(|point| point.load_limit_w);
            if before != Some(*watts) {
                draft.push(Decision::Guard(GuardDecision::LoadLimitSet {
                    usage_point,
                    watts: *watts,
                    by: by.clone(),
                }));
            }
        }
        GuardCommand::ResetOverload { by, .. } => {
            usable(by)?;
            draft.take(usage_point)?;
            must_hold(draft, Reason::OverloadLatched, Refusal::OverloadNotLatched)?;
            draft.push(Decision::Guard(GuardDecision::OverloadReset {
                usage_point,
                by: by.clone(),
            }));
            supply::review(draft);
        }
        GuardCommand::Close { by, .. } => {
            usable(by)?;
            draft.take(usage_point)?;
            draft.pressed = true;
            if kept::press_resets(draft) {
                draft.push(Decision::Guard(GuardDecision::OverloadReset {
                    usage_point,
                    by: by.clone(),
                }));
                supply::review(draft);
                return Ok(Answer::Done);
            }
            must_hold(draft, Reason::AwaitsPress, Refusal::NotReadyForReconnection)?;
            draft.push(Decision::Guard(GuardDecision::Pressed {
                usage_point,
                by: by.clone(),
            }));
            supply::review(draft);
        }
        GuardCommand::ClearTamper { note, by, .. } => {
            usable(by)?;
            if note.len() > LONGEST_NOTE || note.chars().any(char::is_control) {
                return Err(Refusal::NoteUnusable);
            }
            draft.take(usage_point)?;
            if !clear_tamper(draft, usage_point, note, by) {
                return Err(Refusal::NothingToClear);
            }
            supply::review(draft);
        }
    }
    Ok(Answer::Done)
}

fn must_hold(draft: &Draft<'_>, reason: Reason, refusal: Refusal) -> Result<(), Refusal> {
    let holds = draft.point.as_ref().map(|point| point.supply.reasons);
    holds
        .filter(|holds| holds.has(reason))
        .map(drop)
        .ok_or(refusal)
}

/// Clears what the node of the usage point in hand has latched, and marks the alarm as seen. False: there is nothing to clear.
pub(super) fn clear_tamper(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    note: &str,
    by: &str,
) -> bool {
    let (kind, subject) = (AlarmKind::Tamper, Subject::UsagePoint(usage_point));
    let alarm = draft.state.alarms.get(&(kind, subject));
    if alarm.is_some_and(|alarm| alarm.acknowledged_by.is_none()) {
        draft.push(Decision::AlarmAcknowledged {
            kind,
            subject,
            by: by.into(),
        });
    }
    let guard = draft.point.as_ref().map(|point| point.guard);
    let events = guard.map_or(Events::NONE, |guard| guard.tampered & !guard.clears);
    if events.is_empty() {
        return false;
    }
    draft.push(Decision::Guard(GuardDecision::TamperCleared {
        usage_point,
        events,
        note: note.into(),
        by: by.into(),
    }));
    true
}

/// Whether another day of the usage point's energy allowance has begun than the one that runs.
pub(super) fn day_is_over(draft: &Draft<'_>) -> bool {
    reset(draft).is_some_and(|reset| {
        let day = draft.point.as_ref().and_then(|point| point.guard.day);
        day.is_none_or(|day| day.began < reset)
    })
}

/// The latest reset of the usage point in hand; `None` without an allowance, and while the clock is not trusted.
fn reset(draft: &Draft<'_>) -> Option<UtcSeconds> {
    let allowance = draft.tariff()?.allowance?;
    let (calendar, now) = (draft.rules.calendar, draft.now);
    now.clock_trusted
        .then(|| allowance::reset_before(allowance, calendar, now.at))
}

/// Begins a day of the energy allowance with the register at its reset, as far as it is known; the first one with the register now.
pub(super) fn begin_day(draft: &mut Draft<'_>) {
    if !day_is_over(draft) {
        return;
    }
    let (Some(began), Some(point)) = (reset(draft), &draft.point) else {
        return;
    };
    let known = draft.known.as_ref().filter(|_| point.guard.day.is_some());
    let register = known.map_or_else(|| draft.register(), |known| known.register_at(began));
    draft.push(Decision::Guard(GuardDecision::DayBegun {
        usage_point: point.id,
        began,
        register,
    }));
}

/// A day that begins while its supply is off for the energy of the day before: nothing flowed, so the last register is the one at the
/// reset. After more than one reset nobody knows that; then a reading tells.
pub(super) fn pass(draft: &mut Draft<'_>) {
    let state = draft.state;
    let off = |point: &&UsagePoint| point.supply.reasons.has(Reason::AllowanceUsed);
    for point in state.usage_points.values().filter(off) {
        if draft.take(point.id).is_err() {
            continue;
        }
        let day = point.guard.day.map(allowance::Day::next_reset);
        if day.is_some() && day == reset(draft) {
            begin_day(draft);
            supply::review(draft);
        }
    }
    draft.put_down();
}

/// Takes note of the relay and of why the node holds it so; gives back what was reported before.
pub(super) fn heard(draft: &mut Draft<'_>, reading: &Reading) -> Option<Relay> {
    let point = draft.point.as_ref()?;
    let before = point.supply.reported;
    let sealed = draft.state.nodes.get(&reading.node);
    if sealed.is_some_and(|node| !node.link.is_sealed()) {
        return before;
    }
    let relay = reading.relay.or(before)?;
    let said = reading.status.as_deref().map(|status| status.switch);
    let news = said.filter(|said| point.guard.node != Some(*said));
    let wait = reading
        .status
        .as_deref()
        .filter(|status| status.wait_s > 0)
        .map(|status| Wait {
            from: draft.clock,
            seconds: status.wait_s,
        });
    if before != Some(relay) || news.is_some() {
        draft.push(Decision::SupplyReported {
            usage_point: point.id,
            relay,
            node: news,
            wait: news.and(wait),
            since: Some(draft.now.at),
        });
    }
    before
}

/// Latched event bits are tampering until somebody clears them; the others only tell the node's state.
pub(super) fn tampering(draft: &mut Draft<'_>, id: UsagePointId, reading: &Reading) {
    // A factory-new node has nothing in its EEPROM the first time it starts.
    let new = reading.boot_count.is_some_and(|boots| boots <= 1);
    let expected = if new {
        Events::EEPROM_LOST
    } else {
        Events::NONE
    };
    let latched = Events(reading.tamper & Events::LATCHED.0 & !expected.0);
    let Some(point) = &draft.point else { return };
    let before = point.guard.tampered;
    let evidence = reading.status.as_deref().and_then(|status| status.evidence);
    if latched != before {
        let evidence = evidence.filter(|_| !(latched & !before).is_empty());
        draft.push(Decision::Guard(GuardDecision::TamperReported {
            usage_point: id,
            events: latched,
            evidence,
        }));
    }
    if latched.is_empty() {
        return draft.clear(AlarmKind::Tamper, Subject::UsagePoint(id));
    }
    let details = details(latched, evidence, reading);
    let known = draft.decisions.len();
    if !before.is_empty() && !(latched & !before).is_empty() {
        // More than the open alarm says: it is raised anew, and whoever saw the first has not seen this.
        draft.decisions.push(Decision::AlarmRaised {
            kind: AlarmKind::Tamper,
            subject: Subject::UsagePoint(id),
            details: details.clone(),
        });
    } else {
        draft.raise(AlarmKind::Tamper, Subject::UsagePoint(id), details.clone());
    }
    if draft.decisions.len() > known {
        cases::join(draft, id, &details);
    }
}

/// What was latched and what the sensors said then, as far as it is known; else what they say now.
fn details(latched: Events, evidence: Option<Evidence>, reading: &Reading) -> String {
    let names: Vec<_> = latched.names().collect();
    let now = Evidence {
        events: latched,
        phase_current_ma: reading.current_ma.unwrap_or_default(),
        neutral_current_ma: reading.neutral_ma.unwrap_or_default(),
        voltage_in_dv: reading.voltage_dv.unwrap_or_default(),
        voltage_out_dv: reading.voltage_out_dv.unwrap_or_default(),
        active_power_w: reading.power_w.unwrap_or_default(),
    };
    let evidence = evidence.unwrap_or(now);
    let next = tamper_policy::next(latched);
    format!("{}; {}. {next}", names.join(", "), measured(&evidence))
}
