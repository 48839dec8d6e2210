//! Settling, and what credit means for the supply.

use super::{Draft, bands, debts, kept, prepay, usable, versions};
use crate::account::NO_DAY;
use crate::alarm::{AlarmKind, Subject};
use crate::calendar::LocalDay;
use crate::decision::Decision;
use crate::event::Answer;
use crate::refusal::Refusal;
use crate::supply::{Reason, Supply, SupplyOrder};
use crate::{UsagePointId, WattHours};
use alloc::format;

/// A settlement closes at most one period; a gateway that was off for ten years closes 120.
const MOST_PERIODS: usize = 1_200;

/// Orders a supply on, off or automatic.
pub(super) fn order(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    order: SupplyOrder,
    by: &str,
) -> Result<Answer, Refusal> {
    usable(by)?;
    draft.take(usage_point)?;
    if draft
        .point
        .as_ref()
        .is_some_and(|point| point.supply.order != order)
    {
        draft.push(Decision::SupplyOrdered {
            usage_point,
            order,
            by: by.into(),
        });
    }
    review(draft);
    Ok(Answer::Done)
}

/// Settles the usage point in hand up to a register and a day; does nothing while the clock is not trusted, except
/// that energy is settled into the day already reached.
pub(super) fn settle(draft: &mut Draft<'_>, register: WattHours, today: LocalDay) {
    settle_charges(draft, register, today);
    debts::collect(draft, today);
}

fn settle_charges(draft: &mut Draft<'_>, register: WattHours, today: LocalDay) {
    for _ in 0..MOST_PERIODS {
        let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
            return;
        };
        let today = if draft.now.clock_trusted {
            today
        } else {
            point.account.period.through
        };
        let day_known = draft.rules.calendar.day_of(draft.now.at);
        if draft.now.clock_trusted && day_known > NO_DAY && point.account.knows_no_day() {
            begin_days(draft, register, day_known);
            continue;
        }
        if let Some((version, day)) = versions::next_change(draft, today)
            && day <= point.account.period.period.last()
        {
            versions::change(draft, register, version, day);
            continue;
        }
        let calendar = draft.rules.calendar;
        let advance = bands::advance_to(draft, point, tariff, register);
        let connection = point.connection();
        let account = &point.account;
        let through = account.period.through;
        let Some(mut settlement) = account.settle(tariff, connection, calendar, &advance, today)
        else {
            return;
        };
        settlement.heard = settlement.through > through && prepay::is_heard(draft);
        draft.push(Decision::Settled {
            usage_point: point.id,
            settlement,
        });
        if settlement.opens.is_none() {
            return;
        }
    }
}

/// Time is known for the first time since the account was opened: days begin to count.
fn begin_days(draft: &mut Draft<'_>, register: WattHours, today: LocalDay) {
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    let calendar = draft.rules.calendar;
    let advance = bands::advance_to(draft, point, tariff, register);
    let (account, connection) = (&point.account, point.connection());
    let settlement = account.begin_days(tariff, connection, calendar, &advance, today);
    draft.push(Decision::Settled {
        usage_point: point.id,
        settlement,
    });
}

/// Brings the reasons and the low-credit alarm of the usage point in hand up to date with its credit.
pub(super) fn review(draft: &mut Draft<'_>) {
    let register = draft.register();
    prepay::review_emergency(draft, register);
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    let id = point.id;
    let used_up = point.is_used_up(tariff, register);
    let exhausted = prepay::cuts(draft, used_up);
    let Some(point) = &draft.point else { return };
    let reasons = Supply::reasons_for(point.supply.order, exhausted)
        .and(point.guard_reasons(tariff, register));
    let reasons = kept::reasons(draft, reasons);
    if reasons != point.supply.reasons {
        let shadow = point.supply.shadow;
        if reasons.has(Reason::CreditExhausted) {
            let through = point.account.period.through;
            settle(draft, register, through);
        }
        draft.push(Decision::SupplyDesired {
            usage_point: id,
            reasons,
            since: Some(draft.now.at),
            shadow,
        });
    }
    let (Some(point), Some(tariff)) = (&draft.point, draft.tariff()) else {
        return;
    };
    let available = point.available(tariff, register);
    prepay::review_stages(draft, available);
    if available <= draft.prepay().low_credit {
        let details = format!("{available:.2} left");
        draft.raise(AlarmKind::LowCredit, Subject::UsagePoint(id), details);
    } else {
        draft.clear(AlarmKind::LowCredit, Subject::UsagePoint(id));
    }
}
