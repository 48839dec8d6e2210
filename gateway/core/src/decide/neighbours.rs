//! Supply voltage that is missing at one connection while its neighbours have theirs: a conductor that was cut or came loose, or a meter whose
//! voltage was taken away from it so that it counts nothing.
//!
//! Decided here: when that is worth a person. The voltage has to be missing in every reading for `[tamper] supply_missing_min`, and neighbours have to
//! show theirs in readings of that very time: a feeder that is dead as a whole accuses nobody, whichever meter says so first. Not decided here: what a
//! silent node means (it says nothing of its voltage), and what is too low (`[tamper] supply_low_dv`; a quarter of it is none).
//!
//! Terms: *neighbours* are the metered usage points of the same feeder, and of the same phase where both are noted.
//!
//! Invariants: never on a single sample; nothing is cut; a meter behind its own switch is not looked at.

use super::{Draft, cases};
use crate::alarm::{AlarmKind, Subject};
use crate::event::{Reading, Role};
use crate::meter_link::FeederPhase;
use crate::metering::LastReading;
use crate::usage_point::UsagePoint;
use crate::{UsagePointId, UtcSeconds};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Seconds after the beginning from which a neighbour's reading counts: the outage that took all of them reaches the last one by then.
const AFTER_S: i64 = 60;
/// Neighbours needed at least: one could be the odd one.
const LEAST: usize = 2;

/// Looks at the supply voltage in the reading just accepted, of the usage point in hand.
pub(super) fn check(draft: &mut Draft<'_>, reading: &Reading) {
    let limit_dv = draft.rules.tamper.supply_low_dv;
    let Some((volts, point)) = reading.voltage_dv.zip(draft.point.as_ref()) else {
        return;
    };
    let id = point.id;
    let node = draft.state.nodes.get(&reading.node);
    let switch = node.and_then(|node| node.switch.as_ref());
    if switch.is_some_and(|switch| switch.before_meter) {
        return;
    }
    let subject = Subject::UsagePoint(id);
    if volts >= limit_dv / 4 {
        if volts >= limit_dv {
            draft.clear(AlarmKind::SupplyMissing, subject);
        }
        return;
    }
    let before = draft.state.readings.get(&reading.node);
    let since = before.and_then(|last| last.dark_since);
    let since = since.unwrap_or(draft.now.at);
    if let Some(accepted) = &mut draft.accepted {
        accepted.dark_since = Some(since);
    }
    let lasted_s = draft.now.at.0.saturating_sub(since.0);
    let minutes = i64::from(draft.rules.tamper.supply_missing_min);
    if minutes == 0 || !draft.now.clock_trusted || lasted_s < minutes * 60 {
        return;
    }
    let open = draft.state.alarms.get(&(AlarmKind::SupplyMissing, subject));
    if open.is_some_and(|alarm| !alarm.cleared) {
        return;
    }
    if let Some(theirs) = neighbours(draft, id, since) {
        let (own, minutes) = (f64::from(volts) / 10.0, lasted_s / 60);
        let details = format!(
            "{own:.1} V for {minutes} min while {theirs}. Look for a conductor that is cut or loose, and for the meter's voltage lead"
        );
        cases::join(draft, id, &details);
        draft.raise(AlarmKind::SupplyMissing, subject, details);
    }
}

/// What the neighbours show, if it says that the supply is there.
fn neighbours(draft: &Draft<'_>, id: UsagePointId, since: UtcSeconds) -> Option<String> {
    let state = draft.state;
    let own = state.usage_points.get(&id)?;
    let limit_dv = draft.rules.tamper.supply_low_dv;
    let fresh = |last: &&LastReading| last.at.0 >= since.0 + AFTER_S;
    let theirs = state.nodes.values().filter_map(|node| {
        let Some(Role::UsagePoint(other)) = node.role else {
            return None;
        };
        let point = state.usage_points.get(&other)?;
        let last = state.readings.get(&node.id).filter(fresh)?;
        (other != id && are_near(own, point)).then_some(last.reading.voltage_dv?)
    });
    let mut theirs: Vec<u16> = theirs.collect();
    theirs.sort_unstable();
    let with = theirs.iter().filter(|volts| **volts >= limit_dv).count();
    // Where the phase is not noted, one dark phase could be the other neighbours' too.
    let most = match own.feeder_phase {
        Some(_) => with * 3 >= theirs.len() * 2,
        None => with == theirs.len(),
    };
    if with < LEAST || !most {
        return None;
    }
    let median = f64::from(theirs[theirs.len() / 2]) / 10.0;
    let phase = match own.feeder_phase {
        Some(phase) => format!(" on phase {}", phase.words()),
        None => String::new(),
    };
    let all = theirs.len();
    Some(format!(
        "{with} of {all} neighbours{phase} have {median:.0} V"
    ))
}

fn are_near(own: &UsagePoint, other: &UsagePoint) -> bool {
    let phase = match (own.feeder_phase, other.feeder_phase) {
        (Some(FeederPhase::Three) | None, _) | (_, Some(FeederPhase::Three) | None) => true,
        (Some(own), Some(other)) => own == other,
    };
    own.feeder == other.feeder && phase
}
