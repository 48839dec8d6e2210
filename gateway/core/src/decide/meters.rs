//! Work on meters: install, replace, move, retire; and readings of meters that are not our nodes.
//!
//! A replacement closes the old meter at its final register, in the same event as the new one begins, so that no energy falls between them
//! and the account never notices. A meter is known by its serial number where its link tells one: the first one told is kept, and
//! a reading with another one is refused.

use super::{Draft, prepay, readings, supply, switches, usable};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::{Answer, Reading, Role};
use crate::meter_link::{
    Install, MeterLink, MeterOrder, MeterReading, Node, PointSetting, Switch, SwitchLink,
};
use crate::metering::{self, Limits, Meaning, MeterFit};
use crate::refusal::Refusal;
use crate::supply::Relay;
use crate::{NodeId, UsagePointId, WattHours};
use alloc::format;

/// Who notes what a meter says of itself.
const GATEWAY: &str = "gateway";
/// Who arms and disarms by the site's own setting.
const CONFIGURATION: &str = "configuration";

pub(super) fn work(draft: &mut Draft<'_>, order: &MeterOrder, by: &str) -> Result<Answer, Refusal> {
    usable(by)?;
    match order {
        MeterOrder::Add {
            node,
            role,
            install,
        } => {
            let node = node.unwrap_or_else(|| draft.state.next_node());
            if draft.state.nodes.contains_key(&node) || node.0 == 0 {
                return Err(Refusal::NodeExists);
            }
            if let Role::UsagePoint(id) = role {
                draft.take(*id)?;
            }
            if draft.state.node_for(*role).is_some() {
                return Err(Refusal::MeterInPlace);
            }
            check(draft, None, &install.link, install.switch.as_ref())?;
            put(draft, (node, *role, None), install, by);
            Ok(Answer::NodeAdded { node })
        }
        MeterOrder::Replace {
            node: old,
            final_register,
            install,
        } => {
            let role = in_use(draft, *old)?.1;
            check(draft, Some(*old), &install.link, install.switch.as_ref())?;
            close(draft, *old, role, *final_register)?;
            let node = draft.state.next_node();
            put(draft, (node, role, Some(*old)), install, by);
            Ok(Answer::NodeAdded { node })
        }
        MeterOrder::Move { node, link, switch } => relink(draft, *node, (link, switch), by),
        MeterOrder::Retire {
            node,
            final_register,
        } => {
            let role = in_use(draft, *node)?.1;
            close(draft, *node, role, *final_register)?;
            draft.push(Decision::NodeRetired {
                node: *node,
                role,
                by: by.into(),
            });
            draft.clear(AlarmKind::NodeSilent, Subject::Node(*node));
            supply::review(draft);
            Ok(Answer::Done)
        }
    }
}

/// The same meter is reached another way.
fn relink(
    draft: &mut Draft<'_>,
    node: NodeId,
    (link, switch): (&MeterLink, &Option<Switch>),
    by: &str,
) -> Result<Answer, Refusal> {
    let (known, _) = in_use(draft, node)?;
    // A sealed node's key belongs to it, not to the way it is reached.
    if known.link.is_sealed() != link.is_sealed() {
        return Err(Refusal::WrongLink);
    }
    check(draft, Some(node), link, switch.as_ref())?;
    let serial = known.link.serial();
    if serial.is_some() && link.serial().is_some() && serial != link.serial() {
        return Err(Refusal::SerialDiffers);
    }
    let serial = link.serial().or(serial).map(Into::into);
    let link = link.clone().with_serial(serial);
    if (&link, switch) != (&known.link, &known.switch) {
        draft.push(Decision::NodeLinked {
            node,
            link,
            switch: switch.clone(),
            by: by.into(),
        });
    }
    Ok(Answer::Done)
}

/// A node that meters something, and what.
fn in_use<'a>(draft: &Draft<'a>, node: NodeId) -> Result<(&'a Node, Role), Refusal> {
    let node = draft.state.nodes.get(&node).ok_or(Refusal::NoSuchNode)?;
    let role = node.role.ok_or(Refusal::NodeMetersNothing)?;
    Ok((node, role))
}

/// One meter per address, one usage point per switch; the meter that is moved or replaced may keep its own.
fn check(
    draft: &Draft<'_>,
    except: Option<NodeId>,
    link: &MeterLink,
    switch: Option<&Switch>,
) -> Result<(), Refusal> {
    link.check()?;
    if let Some(switch) = switch {
        switch.check()?;
        let has_own = matches!(link, MeterLink::Modbus { .. });
        if link.is_sealed() || (!has_own && switch.link == SwitchLink::Meter) {
            return Err(Refusal::SwitchNotHere);
        }
    }
    let others = || {
        let nodes = draft.state.nodes.values();
        nodes.filter(|node| node.role.is_some() && Some(node.id) != except)
    };
    if others().any(|node| node.link.is_same_place(link)) {
        return Err(Refusal::AddressInUse);
    }
    let taken = |switch: &Switch| {
        others().any(|node| {
            node.switch
                .as_ref()
                .is_some_and(|other| other.is_same_place(switch))
        })
    };
    if switch.is_some_and(taken) {
        return Err(Refusal::SwitchInUse);
    }
    Ok(())
}

/// Settles a usage point up to its old meter's final register.
fn close(
    draft: &mut Draft<'_>,
    node: NodeId,
    role: Role,
    final_register: Option<WattHours>,
) -> Result<(), Refusal> {
    let Role::UsagePoint(id) = role else {
        return Ok(());
    };
    draft.take(id)?;
    prepay::end_hold_with_meter(draft);
    let register = match final_register {
        Some(register) => final_point(draft, node, register)?,
        None => draft.register(),
    };
    let today = draft.rules.calendar.day_of(draft.now.at);
    supply::settle(draft, register, today);
    Ok(())
}

/// The usage point's register for an old meter's final raw one. Typed by a person, so a jump is a slip, not energy.
fn final_point(draft: &Draft<'_>, node: NodeId, register: WattHours) -> Result<WattHours, Refusal> {
    let point = draft.point.as_ref().ok_or(Refusal::NoSuchUsagePoint)?;
    let fit = point.meter.filter(|fit| fit.node == node);
    let (Some(fit), Some(last)) = (fit, draft.state.readings.get(&node)) else {
        return Err(Refusal::NoMeterInPlace);
    };
    let last_one = Reading {
        register,
        uptime_s: None,
        boot_count: None,
        ..last.reading.clone()
    };
    let limits = Limits {
        max_power_w: point.max_power_w,
        wraps_at: None,
    };
    if register < last.reading.register {
        return Err(Refusal::FinalRegisterTooLow);
    }
    match metering::judge(last, &last_one, draft.now, limits) {
        Meaning::Advance => fit.to_point(register).ok_or(Refusal::FinalRegisterTooLow),
        _ => Err(Refusal::FinalRegisterTooHigh),
    }
}

fn put(
    draft: &mut Draft<'_>,
    (node, role, replaces): (NodeId, Role, Option<NodeId>),
    install: &Install,
    by: &str,
) {
    draft.push(Decision::NodeAdded {
        node,
        role,
        replaces,
        link: install.link.clone(),
        switch: install.switch.clone(),
        initial: install.initial,
        by: Some(by.into()),
    });
    if let Some(old) = replaces {
        draft.clear(AlarmKind::NodeSilent, Subject::Node(old));
        draft.clear(AlarmKind::AnotherMeterAnswers, Subject::Node(old));
    }
    let (Role::UsagePoint(id), Some(raw_start)) = (role, install.initial) else {
        return;
    };
    let point_start = draft
        .point
        .as_ref()
        .map(|point| point.account.settled_to)
        .unwrap_or_default();
    let fit = MeterFit {
        node,
        raw_start,
        point_start,
    };
    draft.push(Decision::MeterFitted {
        usage_point: id,
        fit,
        cause: None,
        set_aside: WattHours(0),
    });
    supply::review(draft);
}

/// A reading of a shop-bought meter: the right meter, then as any other.
pub(super) fn metered(draft: &mut Draft<'_>, metered: &MeterReading) -> Result<Answer, Refusal> {
    let id = metered.reading.node;
    let (node, role) = in_use(draft, id)?;
    if node.link.is_sealed() {
        return Err(Refusal::WrongLink);
    }
    let subject = Subject::Node(id);
    if let Some(serial) = &metered.serial {
        match node.link.serial() {
            Some(known) if known != serial => {
                let details = format!("expected serial number {known}, got {serial}");
                draft.raise(AlarmKind::AnotherMeterAnswers, subject, details);
                return Err(Refusal::AnotherMeterAnswers);
            }
            Some(_) => draft.clear(AlarmKind::AnotherMeterAnswers, subject),
            None => note_serial(draft, node, serial),
        }
    }
    let answer = readings::accept(draft, &metered.reading)?;
    if metered.register_set {
        let details = format!(
            "the device's counter was set or reset; it stands at {} kWh",
            metered.reading.register
        );
        draft.raise(AlarmKind::RegisterSet, subject_of(role, id), details);
    } else {
        draft.clear(AlarmKind::RegisterSet, subject_of(role, id));
    }
    Ok(answer)
}

fn subject_of(role: Role, node: NodeId) -> Subject {
    match role {
        Role::UsagePoint(id) => Subject::UsagePoint(id),
        Role::Feeder(_) => Subject::Node(node),
    }
}

fn note_serial(draft: &mut Draft<'_>, node: &Node, serial: &str) {
    let link = node.link.clone().with_serial(Some(serial.into()));
    if link != node.link && link.check().is_ok() {
        draft.push(Decision::NodeLinked {
            node: node.id,
            link,
            switch: node.switch.clone(),
            by: GATEWAY.into(),
        });
    }
}

/// A switch beside a shop-bought meter reports its contact.
pub(super) fn switched(
    draft: &mut Draft<'_>,
    node: NodeId,
    relay: Relay,
) -> Result<Answer, Refusal> {
    let (node, role) = in_use(draft, node)?;
    let (Role::UsagePoint(id), Some(_)) = (role, &node.switch) else {
        return Err(Refusal::WrongLink);
    };
    draft.take(id)?;
    switches::report(draft, relay);
    Ok(Answer::Done)
}

pub(super) fn set_point(
    draft: &mut Draft<'_>,
    usage_point: Option<UsagePointId>,
    setting: PointSetting,
    by: &str,
) -> Result<Answer, Refusal> {
    usable(by)?;
    let state = draft.state;
    match usage_point {
        Some(id) => {
            draft.take(id)?;
            set(draft, setting, by);
        }
        None => {
            for id in state.usage_points.keys() {
                draft.take(*id)?;
                set(draft, setting, by);
            }
        }
    }
    Ok(Answer::Done)
}

fn set(draft: &mut Draft<'_>, setting: PointSetting, by: &str) {
    let Some(point) = &draft.point else { return };
    let (usage_point, by) = (point.id, by.into());
    match setting {
        PointSetting::Phase { phase } if phase != point.feeder_phase => {
            draft.push(Decision::PhaseSet {
                usage_point,
                phase,
                by,
            });
        }
        PointSetting::Arming { arming } => {
            let armed = arming.armed(draft.rules.armed);
            if (arming, !armed) != (point.supply.arming, point.supply.shadow) {
                draft.push(Decision::ArmingSet {
                    usage_point,
                    arming,
                    armed,
                    by,
                });
            }
        }
        PointSetting::Feeder { feeder } if feeder != point.feeder => {
            draft.push(Decision::FeederSet {
                usage_point,
                feeder,
                by,
            });
        }
        PointSetting::Phase { .. } | PointSetting::Feeder { .. } => {}
    }
}

/// Brings the usage point in hand in line with the site's own setting, where nobody set it otherwise.
pub(super) fn follow_site(draft: &mut Draft<'_>) {
    let Some(point) = &draft.point else { return };
    let armed = point.supply.arming.armed(draft.rules.armed);
    if armed == point.supply.shadow {
        draft.push(Decision::ArmingSet {
            usage_point: point.id,
            arming: point.supply.arming,
            armed,
            by: CONFIGURATION.into(),
        });
    }
}
