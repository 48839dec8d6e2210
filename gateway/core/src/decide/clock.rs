//! Setting the clock, and what it would collect.

use super::{Draft, time, usable};
use crate::clock::{
    AHEAD_AT_MOST_S, BACK_AT_MOST_S, ClockOrder, ClockQuote, ClockRefusal, EARLIEST, FAR_S, LATEST,
};
use crate::decision::Decision;
use crate::event::{Answer, Moment};
use crate::ledger::LedgerAccount;
use crate::refusal::Refusal;
use crate::{Micro, UsagePointId, UtcSeconds};
use alloc::collections::BTreeSet;

/// Writes down that the clock is set. What becomes due is collected as time passes.
pub(super) fn set(draft: &mut Draft<'_>, order: &ClockOrder) -> Result<Answer, Refusal> {
    usable(&order.by)?;
    check(draft, order)?;
    if is_far(floor(draft, order), order.to) && !order.far {
        return Err(ClockRefusal::FarAhead.into());
    }
    draft.push(Decision::ClockSet {
        from: draft.clock,
        to: order.to,
        by: order.by.clone(),
    });
    Ok(Answer::Done)
}

/// What setting it would do at once: the passing of time decided at that moment, and thrown away.
pub(super) fn quote(draft: &Draft<'_>, order: &ClockOrder) -> Result<Answer, Refusal> {
    check(draft, order)?;
    let clock = Moment {
        at: order.to,
        clock_trusted: true,
    };
    let mut later = Draft::new(draft.state, draft.rules, clock);
    time::pass(&mut later)?;
    let (floor, calendar) = (floor(draft, order), draft.rules.calendar);
    let (mut charged, mut points) = (Micro::ZERO, BTreeSet::<UsagePointId>::new());
    for posting in later.decisions.iter().flat_map(Decision::postings) {
        if let LedgerAccount::Credit(point) = posting.from {
            charged += posting.amount;
            points.insert(point);
        }
    }
    let is_cut = |decision: &&Decision| matches!(decision, Decision::SupplyDesired { reasons, .. } if !reasons.is_empty());
    let days = match floor {
        UtcSeconds(0) => 0,
        floor => calendar.day_of(order.to).0 - calendar.day_of(floor).0,
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let behind_s = floor.0.saturating_sub(order.to.0);
    Ok(Answer::ClockQuoted(ClockQuote {
        floor,
        to: order.to,
        days: u32::try_from(days).unwrap_or(0),
        usage_points: count(points.len()),
        charged,
        cuts: count(later.decisions.iter().filter(is_cut).count()),
        stands_still_s: u32::try_from(behind_s).unwrap_or(0),
        is_far: is_far(floor, order.to),
    }))
}

fn floor(draft: &Draft<'_>, order: &ClockOrder) -> UtcSeconds {
    match draft.state.floor().max(order.known.floor) {
        known if known < EARLIEST => UtcSeconds(0),
        known => known,
    }
}

fn check(draft: &Draft<'_>, order: &ClockOrder) -> Result<(), Refusal> {
    if order.known.kept {
        return Err(ClockRefusal::Kept.into());
    }
    let floor = floor(draft, order);
    let earliest = EARLIEST.0.max(floor.0 - BACK_AT_MOST_S);
    let latest = match floor {
        UtcSeconds(0) => LATEST.0,
        floor => LATEST.0.min(floor.0.saturating_add(AHEAD_AT_MOST_S)),
    };
    match order.to.0 {
        at if at < earliest => Err(ClockRefusal::BeforeKnown.into()),
        at if at > latest => Err(ClockRefusal::TooFarAhead.into()),
        _ => Ok(()),
    }
}

/// Without a floor there is nothing to be far from.
fn is_far(floor: UtcSeconds, to: UtcSeconds) -> bool {
    floor != UtcSeconds(0) && to.0 - floor.0 > FAR_S
}
