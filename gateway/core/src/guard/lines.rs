//! The two lines a node shows for the gateway, and whether its buzzer sounds. What the node knows better (a trip, a wait, a press that is wanted)
//! it shows by itself, before these.
//!
//! In order: an order off; a planned switch test; friendly hours that are about to end for a supply that is on by them alone; emergency credit
//! that is offered or used; a message of the supplier; news of a case that concerns these premises; little credit; what is left of the
//! day's energy, in tenths, so that not every watt-hour is sent.

use crate::UtcSeconds;
use crate::WattHours;
use crate::alarm::{AlarmKind, Subject};
use crate::calendar::Calendar;
use crate::case::trial::Stage;
use crate::case::{self, Trial};
use crate::prepay::friendly::Window;
use crate::state::State;
use crate::supply::{Reason, SupplyOrder};
use crate::tariff::Tariff;
use crate::usage_point::UsagePoint;
use alloc::format;
use alloc::string::String;

/// Characters of a line.
const LINE: usize = 16;

/// What the choice looks at.
pub(super) struct Look<'a> {
    pub state: &'a State,
    pub point: &'a UsagePoint,
    pub tariff: &'a Tariff,
    pub register: WattHours,
    /// The friendly window that holds this moment or comes next.
    pub window: Option<Window>,
    /// Minutes before its end at which people are told.
    pub notice_min: u16,
    pub calendar: Calendar,
    pub now: UtcSeconds,
}

/// The lines, up to 32 characters, and whether to sound.
pub(super) fn lines(look: &Look<'_>) -> (String, bool) {
    let supply = &look.point.supply;
    if supply.order == SupplyOrder::Off {
        return ("Switched off by supplier".into(), false);
    }
    if let Some(until) = friendly_end(look) {
        let minute = look.calendar.minute_of(until);
        let at = format!("CUT AT {:02}:{:02}", minute / 60, minute % 60);
        return (two("CREDIT USED UP", &at), true);
    }
    if let Some((starts, seconds)) = look.point.guard.trial.and_then(announced) {
        let minute = look.calendar.minute_of(starts);
        let at = format!("AT {:02}:{:02}, {seconds} s", minute / 60, minute % 60);
        return (two("SUPPLY TEST", &at), true);
    }
    let emergency = look.point.prepay.emergency_text();
    if let Some(text) = emergency.filter(|_| supply.order == SupplyOrder::Auto) {
        return (text.into(), true);
    }
    if let Some(message) = &look.point.message {
        return (message.text.clone(), false);
    }
    if let Some(notice) = case::standing(&look.state.cases, look.point.id, look.now) {
        return (notice.display.clone(), false);
    }
    if supply.in_force().has(Reason::CreditExhausted) {
        // The node's own words ask for a press where one helps.
        return (String::new(), false);
    }
    let stage = look.point.prepay.low_credit_text();
    if let Some(text) = stage.filter(|_| supply.order == SupplyOrder::Auto) {
        return (text, true);
    }
    let low = &(AlarmKind::LowCredit, Subject::UsagePoint(look.point.id));
    if look.state.alarms.contains_key(low) && supply.order == SupplyOrder::Auto {
        return (two("LOW CREDIT", "RECHARGE SOON"), true);
    }
    let left = look.point.day_ends(look.tariff).zip(look.tariff.allowance);
    if let Some((end, allowance)) = left
        && !supply.shadow
    {
        let left = end.since(look.register).unwrap_or_default().0;
        let step = u64::from(allowance.wh_per_day).div_ceil(10).max(1);
        let shown = left.div_ceil(step).saturating_mul(step);
        let shown = shown.min(allowance.wh_per_day.into());
        return (two("LEFT TODAY", &format!("{shown} Wh")), false);
    }
    (String::new(), false)
}

/// When friendly hours end that alone keep this supply on, if that is near.
fn friendly_end(look: &Look<'_>) -> Option<UtcSeconds> {
    let window = look.window.filter(|window| window.holds(look.now))?;
    let near = window.until.0 - look.now.0 <= i64::from(look.notice_min) * 60;
    let used_up = look.point.is_used_up(look.tariff, look.register);
    let auto = look.point.supply.order == SupplyOrder::Auto && !look.point.supply.shadow;
    (near && used_up && auto).then_some(window.until)
}

/// When a planned switch test begins.
fn announced(trial: Trial) -> Option<(UtcSeconds, u16)> {
    match trial.stage {
        Stage::Announced { starts } => Some((starts, trial.seconds)),
        _ => None,
    }
}

/// Two lines as one text: the first filled up, so that the second begins where it should.
fn two(first: &str, second: &str) -> String {
    format!("{first:<LINE$}{second}")
}
