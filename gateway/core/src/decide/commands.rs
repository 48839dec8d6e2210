//! Commands of people: tariffs, usage points, nodes, alarms, disputes.

use super::{Draft, meters, prepay, supply, usable};
use crate::calendar::Month;
use crate::decision::Decision;
use crate::event::{Answer, Command, Role};
use crate::meter_link::MeterLink;
use crate::metering::MeterFit;
use crate::refusal::Refusal;
use crate::tariff::Tariff;
use crate::{NodeId, UsagePointId};
use alloc::boxed::Box;

pub(super) fn adopt_tariff(draft: &mut Draft<'_>, tariff: &Tariff) -> Result<Answer, Refusal> {
    match draft.state.tariffs.get(&tariff.id) {
        Some(known) if known == tariff => return Ok(Answer::Done),
        Some(known) if !known.is_amended_by(tariff, begun_until(draft)) => {
            return Err(Refusal::TariffDiffers);
        }
        _ => {}
    }
    tariff.check().map_err(|_| Refusal::TariffFaulty)?;
    draft.push(Decision::TariffAdopted {
        tariff: Box::new(tariff.clone()),
    });
    Ok(Answer::Done)
}

/// The latest month in which a billing period has begun.
fn begun_until(draft: &Draft<'_>) -> Month {
    let calendar = draft.rules.calendar;
    let begun = draft.state.usage_points.values();
    let begun = begun.map(|point| point.account.period.period.first.month());
    let today = calendar.period_of(calendar.day_of(draft.now.at)).first;
    begun.fold(today.month(), Month::max)
}

/// Largest sanctioned load: 10 MW, beyond any low-voltage connection.
pub(super) const LARGEST_LOAD_W: u32 = 10_000_000;

pub(super) fn set_sanctioned_load(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    load_w: u32,
    by: &str,
) -> Result<Answer, Refusal> {
    usable(by)?;
    draft.take(usage_point)?;
    if !(1..=LARGEST_LOAD_W).contains(&load_w) {
        return Err(Refusal::LoadOutOfRange);
    }
    let before = draft.point.as_ref().map(|point| point.sanctioned_load_w);
    if before != Some(load_w) {
        let by = by.into();
        draft.push(Decision::SanctionedLoadSet {
            usage_point,
            load_w,
            by,
        });
        supply::review(draft);
    }
    Ok(Answer::Done)
}

pub(super) fn add_usage_point(draft: &mut Draft<'_>, command: &Command) -> Result<Answer, Refusal> {
    let Command::AddUsagePoint {
        id,
        label,
        phases,
        tariff,
        max_power_w,
    } = command
    else {
        return Ok(Answer::Done);
    };
    usable(label)?;
    let day = draft.rules.calendar.day_of(draft.now.at);
    let version = draft.state.tariff_named(tariff, day);
    let tariff = version.ok_or(Refusal::NoSuchTariff)?.id.clone();
    let points = &draft.state.usage_points;
    let next_free = || {
        UsagePointId(
            points
                .keys()
                .next_back()
                .map_or(1, |last| last.0.saturating_add(1)),
        )
    };
    let usage_point = id.unwrap_or_else(next_free);
    if points.contains_key(&usage_point) {
        return Err(Refusal::UsagePointExists);
    }
    let added = Decision::UsagePointAdded {
        usage_point,
        label: label.clone(),
        phases: *phases,
        tariff,
        max_power_w: max_power_w.unwrap_or(draft.rules.default_max_power_w),
        period: draft.rules.calendar.period_of(day),
        day,
    };
    draft.point = crate::state::added_usage_point(&added);
    draft.decisions.push(added);
    meters::follow_site(draft);
    supply::review(draft);
    Ok(Answer::UsagePointAdded { usage_point })
}

pub(super) fn add_node(
    draft: &mut Draft<'_>,
    node: Option<NodeId>,
    role: Role,
) -> Result<Answer, Refusal> {
    let nodes = &draft.state.nodes;
    let node = node.unwrap_or_else(|| draft.state.next_node());
    if nodes.contains_key(&node) || node.0 == 0 {
        return Err(Refusal::NodeExists);
    }
    if let Role::UsagePoint(id) = role {
        draft.take(id)?;
        prepay::end_hold_with_meter(draft);
        let today = draft.rules.calendar.day_of(draft.now.at);
        let register = draft.register();
        supply::settle(draft, register, today);
    }
    let replaces = draft.state.node_for(role);
    draft.push(Decision::NodeAdded {
        node,
        role,
        replaces,
        link: MeterLink::Node,
        switch: None,
        initial: None,
        by: None,
    });
    Ok(Answer::NodeAdded { node })
}

pub(super) fn acknowledge(draft: &mut Draft<'_>, number: u64, by: &str) -> Result<Answer, Refusal> {
    usable(by)?;
    let alarm = draft
        .state
        .alarms
        .values()
        .find(|alarm| alarm.number == number);
    let alarm = alarm.ok_or(Refusal::NoSuchAlarm)?;
    if alarm.acknowledged_by.is_none() {
        let (kind, subject) = (alarm.kind, alarm.subject);
        draft.push(Decision::AlarmAcknowledged {
            kind,
            subject,
            by: by.into(),
        });
    }
    Ok(Answer::Done)
}

pub(super) fn resolve_dispute(
    draft: &mut Draft<'_>,
    usage_point: UsagePointId,
    number: u64,
    charge: bool,
    by: &str,
) -> Result<Answer, Refusal> {
    usable(by)?;
    draft.take(usage_point)?;
    let point = draft.point.as_ref().ok_or(Refusal::NoSuchUsagePoint)?;
    let dispute = point
        .disputes
        .iter()
        .find(|dispute| dispute.number == number);
    let energy = dispute.ok_or(Refusal::NoSuchDispute)?.energy;
    let fit = match (charge, point.meter) {
        (false, _) => None,
        (true, None) => return Err(Refusal::NoMeterInPlace),
        (true, Some(fit)) => {
            let point_start = fit.point_start.saturating_add(energy);
            Some(MeterFit { point_start, ..fit })
        }
    };
    let by = by.into();
    draft.push(Decision::DisputeResolved {
        usage_point,
        number,
        fit,
        charged: charge,
        by,
    });
    supply::review(draft);
    Ok(Answer::Done)
}
