//! What our node is to have until told otherwise: a pure function of committed state, rules and time.
//!
//! Each part carries a number that is a fingerprint of its content; a node reports the numbers it has in force, so that either side may
//! restart and nothing is sent that is there already.

use super::lines::{Look, lines};
use crate::NodeId;
use crate::case::trial::Stage;
use crate::event::{Moment, Role};
use crate::rules::Rules;
use crate::state::State;
use crate::supply::Directive;
use crate::tariff::Tariff;
use crate::usage_point::UsagePoint;
use alloc::string::String;
use prepaid_common::wire::{Allowance, Events, Plan, Settings, SwitchReason, Trial};

/// Everything a node is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeTerms {
    /// Its lease; `None` at the head of a feeder, which has no relay.
    pub directive: Option<Directive>,
    /// Its limits, kept over power cuts.
    pub settings: Settings,
    /// What holds at a certain time; `None` at the head of a feeder.
    pub plan: Option<Plan>,
    /// Two lines for its display, up to 32 bytes: part of the plan.
    pub text: String,
    /// Ends the latch of its load limit.
    pub reset_overload: bool,
    /// Tampering it is to clear.
    pub clear_tamper: Events,
    /// A switch test it is to begin; asked for until it has.
    pub trial: Option<Trial>,
}

/// What a node in use is to have; `None` for one that meters nothing, or whose usage point has not begun with it.
#[must_use]
pub fn terms(state: &State, rules: &Rules, node: NodeId, now: Moment) -> Option<NodeTerms> {
    let clears = clears_by_itself(state, node);
    match state.nodes.get(&node)?.role? {
        Role::Feeder(_) => {
            let settings = rules.tamper.into_settings(false);
            Some(NodeTerms {
                directive: None,
                settings: numbered(settings),
                plan: None,
                text: String::new(),
                reset_overload: false,
                clear_tamper: clears,
                trial: None,
            })
        }
        Role::UsagePoint(id) => {
            let point = state.usage_points.get(&id)?;
            let tariff = state.tariff_of(point)?;
            let mut terms = of_point(state, (point, tariff), rules, (node, now))?;
            terms.clear_tamper |= clears;
            Some(terms)
        }
    }
}

fn of_point(
    state: &State,
    (point, tariff): (&UsagePoint, &Tariff),
    rules: &Rules,
    (node, now): (NodeId, Moment),
) -> Option<NodeTerms> {
    let prepay = rules.prepay_of(Some(tariff));
    let armed = !point.supply.shadow;
    let mut directive = point.directive(tariff)?;
    if armed {
        directive.load_limit_w = prepay.load_limit.for_own(point.load_limit_w);
        directive.press_to_reconnect = prepay.reconnect.press;
    }
    let limit = prepay.load_limit;
    let settings = Settings {
        load_persistence_s: limit.persistence_s.max(1),
        load_rest_s: limit.rest_s,
        trips_to_latch: limit.trips,
        trip_window_s: limit.window_s,
        press_resets_overload: limit.press_resets,
        reconnect_delay_s: if armed {
            prepay.reconnect.delay_of(node)
        } else {
            0
        },
        ..rules.tamper.into_settings(armed)
    };
    let window = crate::prepay::window(rules, point, Some(tariff), now.at);
    let (text, sound) = lines(&Look {
        state,
        point,
        tariff,
        register: point.register_for(state.raw_register(point)),
        window,
        notice_min: prepay.friendly.notice_min,
        calendar: rules.calendar,
        now: now.at,
    });
    let plan = Plan {
        friendly: window.map(|window| (window.from, window.until)),
        allowance: allowance(point, tariff),
        press_is_wanted: crate::prepay::press_is_wanted(point),
        sound,
        ..Plan::default()
    };
    let latched = point
        .guard
        .node
        .is_some_and(|node| node.why == SwitchReason::OverloadLatched);
    Some(NodeTerms {
        directive: Some(directive),
        settings: numbered(settings),
        plan: Some(planned(plan, &text)),
        text,
        // In shadow nothing stays open, neither what latched before.
        reset_overload: latched && (point.guard.resets || !armed),
        clear_tamper: point.guard.clears,
        trial: trial(point, now),
    })
}

/// A switch test that has begun and that its node has not shown yet. A node opens once for a number.
fn trial(point: &UsagePoint, now: Moment) -> Option<Trial> {
    let trial = point.guard.trial?;
    match trial.stage {
        Stage::Open {
            wait, opened: None, ..
        } if wait.lasts(now.at) => Some(Trial {
            trial_id: trial.wire_id(),
            seconds: wait.left_s(now.at),
        }),
        _ => None,
    }
}

/// The day's energy in the node's own registers.
fn allowance(point: &UsagePoint, tariff: &Tariff) -> Option<Allowance> {
    let (fit, day) = (point.meter?, point.guard.day?);
    Some(Allowance {
        resets_at: day.next_reset(),
        wh_per_day: tariff.allowance?.wh_per_day,
        ends_at: fit.to_raw(point.day_ends(tariff)?),
        credit_cutoff: fit.to_raw(point.affordable(tariff)),
    })
}

/// What a factory-new node reports of its empty EEPROM clears itself.
fn clears_by_itself(state: &State, node: NodeId) -> Events {
    let reading = state.readings.get(&node).map(|last| &last.reading);
    let new = reading.is_some_and(|reading| {
        Events(reading.tamper & Events::LATCHED.0) == Events::EEPROM_LOST
            && reading.boot_count.is_some_and(|boots| boots <= 1)
    });
    if new {
        Events::EEPROM_LOST
    } else {
        Events::NONE
    }
}

fn numbered(mut settings: Settings) -> Settings {
    settings.settings_id = 0;
    settings.settings_id = fingerprint(settings.to_bytes().into_iter());
    settings
}

fn planned(mut plan: Plan, text: &str) -> Plan {
    let times = plan
        .friendly
        .into_iter()
        .flat_map(|(from, until)| [from.0, until.0]);
    let day = plan.allowance.into_iter().flat_map(|day| {
        [
            day.resets_at.0,
            i64::from(day.wh_per_day),
            day.ends_at.0.cast_signed(),
            day.credit_cutoff.0.cast_signed(),
        ]
    });
    let parts = [
        u8::from(plan.friendly.is_some()),
        u8::from(plan.allowance.is_some()),
    ];
    let flags = [u8::from(plan.press_is_wanted), u8::from(plan.sound)];
    let numbers = times.chain(day).flat_map(i64::to_be_bytes);
    let content = parts
        .into_iter()
        .chain(flags)
        .chain(numbers)
        .chain(text.bytes());
    plan.plan_id = fingerprint(content);
    plan
}

/// 32-bit FNV-1a; never 0, which stands for "none" on the wire.
pub(crate) fn fingerprint(content: impl Iterator<Item = u8>) -> u32 {
    let hash = content.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
