//! Readings: from a raw register to credit used.

use super::bands::{self, Known};
use super::{Draft, guard, kept, neighbours, prepay, supply, switches, trials, versions};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::{Answer, Reading, Role};
use crate::meter_link::Node;
use crate::metering::{self, LastReading, Limits, Meaning, MeterFit, RegisterBreak};
use crate::refusal::Refusal;
use crate::supply::{Relay, SupplyOrder};
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, WattHours};
use alloc::format;

pub(super) fn accept(draft: &mut Draft<'_>, reading: &Reading) -> Result<Answer, Refusal> {
    let node = draft
        .state
        .nodes
        .get(&reading.node)
        .ok_or(Refusal::NoSuchNode)?;
    let role = node.role.ok_or(Refusal::NodeMetersNothing)?;
    draft.clear(AlarmKind::NodeSilent, Subject::Node(reading.node));
    match role {
        Role::Feeder(_) => observe(draft, reading),
        Role::UsagePoint(id) => {
            draft.take(id)?;
            match draft.point.as_ref().and_then(|point| point.meter) {
                Some(fit) => advance(draft, fit, reading)?,
                None => fit_new_meter(draft, id, reading),
            }
            prepay::heard(draft);
            let today = draft.rules.calendar.day_of(draft.now.at);
            if draft
                .point
                .as_ref()
                .is_some_and(|point| point.account.period.through < today)
            {
                let register = draft.register();
                supply::settle(draft, register, today);
            }
            bands::follow(draft);
            guard::begin_day(draft);
            kept::watch_load(draft, reading);
            let before = guard::heard(draft, reading);
            supply::review(draft);
            match draft.state.nodes.get(&reading.node) {
                Some(node) if !node.link.is_sealed() => report_switch(draft, node, reading),
                _ => judge_relay(draft, reading, before),
            }
            neighbours::check(draft, reading);
            guard::tampering(draft, id, reading);
            trials::heard(draft, before);
        }
    }
    Ok(Answer::Done)
}

fn observe(draft: &mut Draft<'_>, reading: &Reading) {
    draft.accepted = Some(LastReading {
        at: draft.now.at,
        reading: reading.clone(),
        over: None,
        dark_since: None,
    });
}

/// The first reading of a new meter: the usage point's register goes on from where it stood.
fn fit_new_meter(draft: &mut Draft<'_>, id: UsagePointId, reading: &Reading) {
    let point_start = draft
        .point
        .as_ref()
        .map(|p| p.account.settled_to)
        .unwrap_or_default();
    let fit = MeterFit {
        node: reading.node,
        raw_start: reading.register,
        point_start,
    };
    let set_aside = WattHours(0);
    draft.push(Decision::MeterFitted {
        usage_point: id,
        fit,
        cause: None,
        set_aside,
    });
    observe(draft, reading);
}

fn advance(draft: &mut Draft<'_>, fit: MeterFit, reading: &Reading) -> Result<(), Refusal> {
    let node = draft.state.nodes.get(&reading.node);
    // A register typed in at installation is judged like a reading: a slip must not become energy.
    let typed = node
        .and_then(|node| node.initial)
        .map(|initial| LastReading {
            at: initial.at,
            reading: Reading {
                register: initial.register,
                boot_count: None,
                uptime_s: None,
                ..reading.clone()
            },
            over: None,
            dark_since: None,
        });
    let Some(last) = draft.state.readings.get(&reading.node).or(typed.as_ref()) else {
        // The last reading is gone (a repaired database): judge by the settlement instead.
        return match fit.to_point(reading.register) {
            Some(_) => {
                observe(draft, reading);
                Ok(())
            }
            None => Err(Refusal::ReadingOlder),
        };
    };
    let max_power_w = draft
        .point
        .as_ref()
        .map_or(draft.rules.default_max_power_w, |p| p.max_power_w);
    let limits = Limits {
        max_power_w,
        wraps_at: reading.wraps_at,
    };
    match metering::judge(last, reading, draft.now, limits) {
        Meaning::Advance => {
            if draft.now.clock_trusted && needs_times(draft) {
                draft.known = Some(Known::between(last, reading, draft.now.at, fit));
                close_days(draft);
            }
            observe(draft, reading);
        }
        Meaning::Older => return Err(Refusal::ReadingOlder),
        Meaning::Break {
            cause,
            advance,
            set_aside,
        } => {
            let before = fit
                .to_point(last.reading.register)
                .unwrap_or(fit.point_start);
            break_register(
                draft,
                reading,
                before.saturating_add(advance),
                cause,
                set_aside,
            );
        }
    }
    Ok(())
}

/// Whether it matters when the advance happened: a day has passed, or the tariff knows times of day.
fn needs_times(draft: &Draft<'_>) -> bool {
    let today = draft.rules.calendar.day_of(draft.now.at);
    let behind = |point: &UsagePoint| point.account.period.through < today;
    draft.point.as_ref().is_some_and(behind)
        || guard::day_is_over(draft)
        || draft.tariff().is_some_and(|tariff| !tariff.band.is_empty())
}

/// Closes what ended before this reading, each at its register: billing periods at the last register known until their end,
/// so that the rest of the advance belongs to the new period; a tariff version at the register of its last moment.
fn close_days(draft: &mut Draft<'_>) {
    let calendar = draft.rules.calendar;
    let today = calendar.day_of(draft.now.at);
    loop {
        let (Some(point), Some(known)) = (&draft.point, &draft.known) else {
            return;
        };
        let through = point.account.period.through;
        if through >= today {
            return;
        }
        let next_period = point.account.period.period.first_of_next();
        let change = versions::next_change(draft, today).map(|(_, day)| day);
        let change = change.filter(|day| *day < next_period);
        let day = change.unwrap_or(next_period);
        if day > today || day <= through {
            return;
        }
        let boundary = calendar.start_of(day);
        let register = match change {
            Some(_) => known.register_at(boundary),
            None => known.latest(boundary),
        };
        supply::settle(draft, register, day);
    }
}

fn break_register(
    draft: &mut Draft<'_>,
    reading: &Reading,
    point_start: WattHours,
    cause: RegisterBreak,
    set_aside: WattHours,
) {
    let Some(id) = draft.point.as_ref().map(|point| point.id) else {
        return;
    };
    let today = draft.rules.calendar.day_of(draft.now.at);
    supply::settle(draft, point_start, today);
    let fit = MeterFit {
        node: reading.node,
        raw_start: reading.register,
        point_start,
    };
    draft.push(Decision::MeterFitted {
        usage_point: id,
        fit,
        cause: Some(cause),
        set_aside,
    });
    observe(draft, reading);
    if cause == RegisterBreak::WentBackwards {
        prepay::hold(draft, point_start);
    }
    let kind = match cause {
        RegisterBreak::RolledOver => return,
        RegisterBreak::Restarted => AlarmKind::RegisterRestarted,
        RegisterBreak::Jumped => AlarmKind::RegisterJumped,
        RegisterBreak::WentBackwards => AlarmKind::RegisterWentBackwards,
    };
    let before = draft
        .state
        .readings
        .get(&reading.node)
        .map(|last| last.reading.register);
    let details = format!(
        "from {} to {} kWh",
        before.unwrap_or_default(),
        reading.register
    );
    draft.raise(kind, Subject::UsagePoint(id), details);
}

/// Takes note of the contact beside a shop-bought meter, and of one that does not do what it says.
fn report_switch(draft: &mut Draft<'_>, node: &Node, reading: &Reading) {
    let Some(switch) = &node.switch else { return };
    if let Some(relay) = reading.relay {
        switches::report(draft, relay);
    }
    switches::check(draft, switch, reading);
}

/// Takes note of a relay that does not do what its lease says.
fn judge_relay(draft: &mut Draft<'_>, reading: &Reading, before: Option<Relay>) {
    let (Some(point), Some(tariff), Some(relay)) = (&draft.point, draft.tariff(), reading.relay)
    else {
        return;
    };
    let id = point.id;
    let Some(directive) = point.directive(tariff) else {
        return;
    };
    let told = reading.cutoff == Some(directive.cutoff) || directive.order != SupplyOrder::Auto;
    let stuck = told && before == Some(relay) && relay != point.supply.desired();
    let agrees = relay == point.supply.desired();
    if stuck && reading.lease_id.is_some() && draft.seen_before(reading) {
        let details = format!("desired {:?}, sensed {relay:?}", point.supply.desired());
        draft.raise(
            AlarmKind::SwitchDoesNotAnswer,
            Subject::UsagePoint(id),
            details,
        );
    } else if agrees {
        draft.clear(AlarmKind::SwitchDoesNotAnswer, Subject::UsagePoint(id));
    }
}

impl Draft<'_> {
    /// Whether the reading before this one carried the same lease at least ten seconds of uptime ago: a relay has
    /// had its time.
    fn seen_before(&self, reading: &Reading) -> bool {
        let Some(last) = self.state.readings.get(&reading.node) else {
            return false;
        };
        let waited = match (last.reading.uptime_s, reading.uptime_s) {
            (Some(before), Some(after)) => after.saturating_sub(before) >= 10,
            _ => false,
        };
        last.reading.lease_id == reading.lease_id && waited
    }
}
