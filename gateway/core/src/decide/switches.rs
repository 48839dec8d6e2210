//! Whether a switch did what it was told: its own report, current and voltage have to agree within seconds.
//!
//! Decided here, for switches beside shop-bought meters (our nodes sense their own relay and report tampering by themselves):
//!
//! | desired | reported | current or energy | voltage behind the switch | alarm |
//! |---|---|---|---|---|
//! | open or closed | the other | | | switch does not answer |
//! | closed | closed | | none | switch does not answer |
//! | | open | yes | | welded |
//! | | open | no | yes | supplied from elsewhere |
//!
//! Nothing here switches: an alarm is for a person. What is not measured says nothing. Times are the gateway's, so that nothing is
//! raised while its clock is not trusted.

use super::{Draft, kept};
use crate::alarm::{AlarmKind, Subject};
use crate::decision::Decision;
use crate::event::Reading;
use crate::meter_link::Switch;
use crate::supply::Relay;
use crate::{UsagePointId, UtcSeconds};
use alloc::format;
use alloc::string::String;

/// A contactor drops within a second, a device on MQTT answers within two, a bus comes round within five.
const PATIENCE_S: i64 = 10;
/// After a contact has moved, its meter's next values are of after that: meters average over a second or two.
const SETTLED_S: i64 = 5;
/// Current through an open contact that is no leakage and no meter's own noise, in milliamperes: 23 W at 230 V.
const CURRENT_MA: u32 = 100;
/// The same as power, in watts.
const POWER_W: u32 = 20;
/// Energy between two readings with the contact open: twice the coarsest resolution of the shipped models (10 Wh).
const ENERGY_WH: u64 = 20;
/// Voltage that is a supply, in tenths of a volt; what long cables couple into an open one stays below it under a meter's load.
const VOLTAGE_DV: u16 = 1_000;
/// Voltage that is none.
const NO_VOLTAGE_DV: u16 = 500;

/// Takes note of the contact of the usage point in hand, as reported.
pub(super) fn report(draft: &mut Draft<'_>, relay: Relay) {
    let Some(point) = &draft.point else { return };
    let before = point.supply.reported;
    if before != Some(relay) {
        draft.push(Decision::SupplyReported {
            usage_point: point.id,
            relay,
            node: None,
            wait: None,
            since: Some(draft.now.at),
        });
        kept::moved(draft, before, relay);
    }
    answers(draft, None);
}

/// Compares a fresh reading with what its switch says.
pub(super) fn check(draft: &mut Draft<'_>, switch: &Switch, reading: &Reading) {
    let voltage = match switch.before_meter {
        true => reading.voltage_dv,
        false => reading.voltage_out_dv,
    };
    answers(draft, voltage);
    let Some(point) = &draft.point else { return };
    let (id, supply) = (point.id, point.supply);
    let settled = past(draft, supply.reported_since, SETTLED_S);
    let flows = flows(draft, reading);
    if supply.reported != Some(Relay::Open) {
        clear(draft, id, AlarmKind::SwitchWelded);
        clear(draft, id, AlarmKind::SuppliedFromElsewhere);
    } else if let Some(evidence) = flows.filter(|_| settled) {
        draft.raise(AlarmKind::SwitchWelded, Subject::UsagePoint(id), evidence);
    } else if let Some(volts) = voltage.filter(|volts| *volts >= VOLTAGE_DV && settled) {
        let volts = f64::from(volts) / 10.0;
        let details = format!("switch open, no current, {volts:.1} V behind it");
        let kind = AlarmKind::SuppliedFromElsewhere;
        draft.raise(kind, Subject::UsagePoint(id), details);
    } else if settled {
        clear(draft, id, AlarmKind::SwitchWelded);
        if voltage.is_some() {
            clear(draft, id, AlarmKind::SuppliedFromElsewhere);
        }
    }
}

/// The switch against what is desired of it; also as time passes.
pub(super) fn answers(draft: &mut Draft<'_>, voltage: Option<u16>) {
    let Some(point) = &draft.point else { return };
    let (id, supply) = (point.id, point.supply);
    let desired = supply.desired();
    let dead = voltage.is_some_and(|volts| volts < NO_VOLTAGE_DV);
    let waited = past(draft, supply.since, PATIENCE_S);
    let reported = supply.reported.map_or("nothing", words);
    if supply.reported != Some(desired) {
        if waited {
            let details = format!("desired {}, reported {reported}", words(desired));
            raise(draft, id, details);
        }
    } else if desired == Relay::Closed && dead {
        if past(draft, supply.reported_since, SETTLED_S) {
            raise(draft, id, "reported closed, no voltage behind it".into());
        }
    } else {
        clear(draft, id, AlarmKind::SwitchDoesNotAnswer);
    }
}

fn raise(draft: &mut Draft<'_>, id: UsagePointId, details: String) {
    let kind = AlarmKind::SwitchDoesNotAnswer;
    draft.raise(kind, Subject::UsagePoint(id), details);
}

fn clear(draft: &mut Draft<'_>, id: UsagePointId, kind: AlarmKind) {
    draft.clear(kind, Subject::UsagePoint(id));
}

/// Evidence that current passes the meter, if it does.
fn flows(draft: &Draft<'_>, reading: &Reading) -> Option<String> {
    let current = reading.current_ma.filter(|ma| *ma >= CURRENT_MA);
    let power = reading.power_w.filter(|w| w.unsigned_abs() >= POWER_W);
    let last = draft.state.readings.get(&reading.node);
    let was_open = last.filter(|last| last.reading.relay == Some(Relay::Open));
    let energy = was_open.and_then(|last| reading.register.since(last.reading.register));
    if let Some(ma) = current {
        let ampere = f64::from(ma) / 1000.0;
        Some(format!("switch open, {ampere:.2} A flow"))
    } else if let Some(watts) = power {
        Some(format!("switch open, {watts} W flow"))
    } else {
        let energy = energy.filter(|energy| energy.0 >= ENERGY_WH)?;
        Some(format!("switch open, {} Wh counted since", energy.0))
    }
}

/// Whether so many seconds have passed since a moment; unknown moments are long past.
fn past(draft: &Draft<'_>, since: Option<UtcSeconds>, seconds: i64) -> bool {
    draft.now.clock_trusted && since.is_none_or(|since| draft.now.at.0 - since.0 >= seconds)
}

fn words(relay: Relay) -> &'static str {
    match relay {
        Relay::Closed => "closed",
        Relay::Open => "open",
    }
}
