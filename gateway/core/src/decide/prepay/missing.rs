//! Missing readings and registers that went backwards, at work.

use super::Draft;
use crate::alarm::{AlarmKind, Subject};
use crate::decide::supply;
use crate::metering::MeterFit;
use crate::prepay::stale::expected;
use crate::prepay::{PrepayDecision, usable_note};
use crate::refusal::Refusal;
use crate::usage_point::UsagePoint;
use crate::{Micro, WattHours};
use alloc::format;

/// Seconds since the meter of a usage point was heard; nothing without a meter that was ever heard.
fn silent_s(draft: &Draft<'_>, point: &UsagePoint) -> Option<u64> {
    let last = draft.state.readings.get(&point.meter?.node)?;
    Some(draft.now.at.seconds_since(last.at))
}

/// Whether the meter of the usage point in hand is being heard: its day can be closed with what is known.
pub(in crate::decide) fn is_heard(draft: &Draft<'_>) -> bool {
    let silent = || silent_s(draft, draft.point.as_ref()?);
    draft.accepted.is_some() || silent().is_some_and(|s| s <= u64::from(draft.rules.silent_after_s))
}

/// What is due at a usage point that has not been heard for long.
pub(super) fn pass(draft: &mut Draft<'_>, point: &UsagePoint) {
    let rules = draft.rules.prepay_of(draft.state.tariff_of(point)).stale;
    let Some(silent_s) = silent_s(draft, point) else {
        return;
    };
    let days = silent_s / 86_400;
    if rules.alarm_days > 0 && days >= u64::from(rules.alarm_days) {
        let details = format!("no reading for {days} days");
        let subject = Subject::UsagePoint(point.id);
        draft.raise(AlarmKind::ReadingsMissing, subject, details);
    }
    let hours = rules.hours_due(silent_s);
    let charged = point.prepay.provisional.map_or(0, |it| it.hours);
    if hours > charged && point.prepay.hold.is_none() && draft.take(point.id).is_ok() {
        charge(draft, hours);
    }
}

/// Charges what the profile expects in so many hours, less what was charged before.
fn charge(draft: &mut Draft<'_>, hours: u32) {
    let register = draft.register();
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    let Some(energy) = expected(&point.prepay.profile, hours) else {
        return;
    };
    let cost = |register| {
        let account = &point.account;
        account.pending(tariff, point.connection(), register)
    };
    let due = cost(register.saturating_add(energy)) - cost(register);
    let amount = (due - point.prepay.provisional()).max(Micro::ZERO);
    draft.push_prepay(PrepayDecision::ProvisionalCharged {
        hours,
        energy,
        amount,
    });
    supply::review(draft);
}

/// A reading of the usage point in hand has come: what was charged without one is posted back.
pub(in crate::decide) fn heard(draft: &mut Draft<'_>) {
    let Some(point) = &draft.point else { return };
    let (id, provisional) = (point.id, point.prepay.provisional);
    draft.clear(AlarmKind::ReadingsMissing, Subject::UsagePoint(id));
    if let Some(provisional) = provisional {
        let amount = provisional.amount;
        draft.push_prepay(PrepayDecision::ProvisionalReversed { amount });
    }
}

/// The register of the usage point in hand went backwards: no energy is charged until somebody has looked.
pub(in crate::decide) fn hold(draft: &mut Draft<'_>, register: WattHours) {
    let held = draft.point.as_ref().and_then(|point| point.prepay.hold);
    if held.is_none() {
        draft.push_prepay(PrepayDecision::HoldPlaced { register });
    }
}

/// An operator has looked.
pub(super) fn clear(
    draft: &mut Draft<'_>,
    note: &str,
    charged: bool,
    by: &str,
) -> Result<(), Refusal> {
    usable_note(note)?;
    let point = draft.point.as_ref().ok_or(Refusal::NoSuchUsagePoint)?;
    if point.prepay.hold.is_none() {
        return Err(Refusal::NothingHeld);
    }
    // Let go: the meter's register now is where the account stands.
    let raw = draft.state.raw_register(point);
    let let_go = |(fit, raw_start): (MeterFit, WattHours)| MeterFit {
        raw_start,
        point_start: point.account.settled_to,
        ..fit
    };
    let fit = point.meter.zip(raw).map(let_go).filter(|_| !charged);
    draft.push_prepay(PrepayDecision::HoldCleared {
        note: note.into(),
        charged,
        fit,
        by: by.into(),
    });
    let today = draft.rules.calendar.day_of(draft.now.at);
    let register = draft.register();
    supply::settle(draft, register, today);
    Ok(())
}

/// The meter of the usage point in hand is taken away: what it has counted is charged, and what held it is gone with it.
pub(in crate::decide) fn end_hold_with_meter(draft: &mut Draft<'_>) {
    let held = draft.point.as_ref().and_then(|point| point.prepay.hold);
    if held.is_some() {
        draft.push_prepay(PrepayDecision::HoldCleared {
            note: "the meter is taken away".into(),
            charged: true,
            fit: None,
            by: "gateway".into(),
        });
    }
}
