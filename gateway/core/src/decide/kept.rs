//! Guards the gateway keeps itself, for a switch beside a shop-bought meter ([`crate::guard::kept`] reckons).
//!
//! Decided here: when a load limit trips, what a switch that opened by itself waits for, and which reasons follow. A switch that opened though
//! nobody told it is taken for one that lost its power: it is brought back in its turn after the street, where the site spreads that. One that comes
//! back closed is left closed: missing power is no reason to cut.

use super::{Draft, supply, trials};
use crate::decision::Decision;
use crate::event::{Reading, Role};
use crate::guard::GuardDecision;
use crate::guard::kept::{Over, Wait};
use crate::supply::{Reason, Reasons, Relay};
use crate::usage_point::UsagePoint;

/// Seconds after a change of what is desired in which a switch may still do what it was told before.
const PATIENCE_S: i64 = 10;

/// What opens a supply until somebody acts: after it, a site may want a press before it closes.
const FOR_GOOD: [Reason; 4] = [
    Reason::CreditExhausted,
    Reason::OperatorOff,
    Reason::OverloadLatched,
    Reason::AwaitsPress,
];

/// Whether the gateway keeps the guards of a usage point: there is a switch, and no node of ours behind it.
pub(super) fn is_kept(draft: &Draft<'_>, point: &UsagePoint) -> bool {
    let state = draft.state;
    let fitted = point.meter.map(|fit| fit.node);
    // A meter that was installed and not read yet has a switch all the same.
    let node = fitted.or_else(|| state.node_for(Role::UsagePoint(point.id)));
    let node = node.and_then(|node| state.nodes.get(&node));
    node.is_some_and(|node| !node.link.is_sealed() && node.switch.is_some())
}

/// The usage point in hand, if its guards are kept here and carried out.
fn guarded<'a>(draft: &'a Draft<'_>) -> Option<&'a UsagePoint> {
    let point = draft.point.as_ref()?;
    (!point.supply.shadow && is_kept(draft, point)).then_some(point)
}

/// Looks at the power in the reading just accepted; trips the load limit of the usage point in hand when it was exceeded for long enough.
pub(super) fn watch_load(draft: &mut Draft<'_>, reading: &Reading) {
    let rules = draft.prepay().load_limit;
    let Some(point) = guarded(draft) else { return };
    let limit_w = rules.for_own(point.load_limit_w);
    let watts = reading.power_w.and_then(|watts| u32::try_from(watts).ok());
    let flows = point.supply.in_force().is_empty() && reading.relay != Some(Relay::Open);
    let Some(watts) = watts.filter(|watts| limit_w > 0 && *watts > limit_w && flows) else {
        return;
    };
    let before = draft.state.readings.get(&reading.node);
    let over = Over::with(before, reading.register, limit_w, draft.clock);
    let (usage_point, overload) = (point.id, point.guard.overload);
    let trips = over.lasted_s() >= i64::from(rules.persistence_s.max(1));
    if let Some(accepted) = &mut draft.accepted {
        accepted.over = Some(over).filter(|_| !trips);
    }
    if trips {
        let overload = overload.tripped(&rules, draft.clock);
        draft.push(Decision::Guard(GuardDecision::Tripped {
            usage_point,
            watts,
            limit_w,
            overload,
        }));
    }
}

/// The switch of the usage point in hand reports another position than before.
pub(super) fn moved(draft: &mut Draft<'_>, before: Option<Relay>, relay: Relay) {
    let Some(point) = guarded(draft) else { return };
    let opened = (before, relay) == (Some(Relay::Closed), Relay::Open);
    let now = draft.now.at.0;
    let told = |supply: &crate::supply::Supply| {
        let late = |since: crate::UtcSeconds| now.saturating_sub(since.0) < PATIENCE_S;
        supply.desired() == Relay::Open || supply.since.is_some_and(late)
    };
    let Some(fit) = point.meter.filter(|_| opened && !told(&point.supply)) else {
        return;
    };
    let usage_point = point.id;
    let seconds = draft.prepay().reconnect.delay_of(fit.node);
    if seconds > 0 {
        let wait = Wait {
            from: draft.clock,
            seconds,
        };
        draft.push(Decision::Guard(GuardDecision::PowerReturned {
            usage_point,
            wait,
        }));
        supply::review(draft);
    }
}

/// The reasons of the usage point in hand, given those besides the guards that are kept here.
pub(super) fn reasons(draft: &Draft<'_>, others: Reasons) -> Reasons {
    let Some(point) = guarded(draft) else {
        return others;
    };
    let overload = point.guard.overload;
    let lasts = |wait: Option<Wait>| wait.is_some_and(|wait| wait.lasts(draft.clock));
    let reasons = if overload.latched {
        others.with(Reason::OverloadLatched)
    } else if !others.is_empty() {
        others
    } else if lasts(overload.rest) {
        others.with(Reason::LoadLimitTripped)
    } else if lasts(point.guard.rejoins) {
        others.with(Reason::ReconnectDelay)
    } else if trials::opens(draft, point) {
        others.with(Reason::Trial)
    } else {
        others
    };
    let for_good = |reasons: Reasons| FOR_GOOD.into_iter().any(|reason| reasons.has(reason));
    let wants_press = draft.prepay().reconnect.press && !draft.pressed;
    if wants_press && for_good(point.supply.reasons) && !for_good(reasons) {
        reasons.with(Reason::AwaitsPress)
    } else {
        reasons
    }
}

/// Whether a press ends the latched load limit of the usage point in hand.
pub(super) fn press_resets(draft: &Draft<'_>) -> bool {
    let latched = guarded(draft).is_some_and(|point| point.guard.overload.latched);
    latched && draft.prepay().load_limit.press_resets
}

/// Closes what has rested or waited long enough, also while nothing is heard of its meter.
pub(super) fn pass(draft: &mut Draft<'_>) {
    let state = draft.state;
    for point in state.usage_points.values() {
        let reasons = point.supply.reasons;
        let waits = reasons.has(Reason::LoadLimitTripped) || reasons.has(Reason::ReconnectDelay);
        if waits && is_kept(draft, point) && draft.take(point.id).is_ok() {
            supply::review(draft);
        }
    }
    draft.put_down();
}
