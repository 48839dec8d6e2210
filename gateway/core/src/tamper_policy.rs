//! What a site holds to be tampering, and what follows from it: an alarm, or a supply that stays open until a person has looked.
//!
//! The thresholds go to the nodes, which judge by themselves with hysteresis and persistence, with the gateway dead (`meter-node`). Nobody
//! is accused or cut on a single sample: no persistence is zero. Acknowledging an alarm says that somebody has seen it, and clears nothing; clearing
//! is an act of its own ([`crate::guard::GuardCommand`]).

use alloc::string::String;
use alloc::vec::Vec;
use prepaid_common::wire::{Events, SENSOR_MS, SUPPLY_LOW_MS, Settings, doublings};

/// What a lineman does about each sign.
const NEXT: [(Events, &str); 9] = [
    (
        Events::PHASE_NEUTRAL_DIFFERENCE,
        "Look for a phase or neutral led past the meter, or a load that returns through earth.",
    ),
    (
        Events::LOAD_VOLTAGE_WHILE_OPEN,
        "Look for a second path to the house around meter and relay.",
    ),
    (
        Events::CURRENT_WHILE_OPEN,
        "Look for a bridge across the relay; if there is none its contacts are welded: replace it.",
    ),
    (
        Events::REVERSED,
        "Look for supply and load swapped at the terminals, or a source behind the meter.",
    ),
    (
        Events::COVER_OPEN,
        "Look at seal and terminals, and close it.",
    ),
    (
        Events::MAGNET,
        "Look for a magnet at the meter, and take it away.",
    ),
    (
        Events::FROZEN_REGISTER,
        "Compare the meter with a clamp meter under load; replace it if it does not count.",
    ),
    (
        Events::EEPROM_LOST,
        "Compare the register with the last one noted; replace the node if it happens again.",
    ),
    (
        Events::CURRENT_WITHOUT_VOLTAGE,
        "Look for the meter's voltage lead: loose or cut.",
    ),
];

/// What a lineman does about these signs, in sentences; then the tampering is cleared with a note.
#[must_use]
pub fn next(events: Events) -> String {
    let those = NEXT.iter().filter(|(event, _)| events.contains(*event));
    let words: Vec<&str> = those.map(|(_, words)| *words).collect();
    words.join(" ")
}

/// A site's thresholds and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TamperPolicy {
    /// Phase and neutral current may differ by this part of the larger one, in hundredths of a percent.
    pub difference_per_myriad: u16,
    /// ... and by at least so many milliamperes.
    pub difference_floor_ma: u16,
    /// Seconds they must differ.
    pub difference_s: u16,
    /// Voltage behind an open relay, in tenths of a volt.
    pub load_voltage_dv: u16,
    /// Current through an open relay, in milliamperes.
    pub open_current_ma: u16,
    /// Seconds voltage or current must be there behind an open relay.
    pub open_s: u16,
    /// Backward power in watts.
    pub reversed_w: u16,
    /// Seconds it must flow.
    pub reversed_s: u16,
    /// Apparent power that must register as active power, in volt-amperes.
    pub frozen_va: u16,
    /// Seconds there may be none.
    pub frozen_s: u16,
    /// Supply voltage below this is too low to rely on, in tenths of a volt.
    pub supply_low_dv: u16,
    /// Milliseconds for which it must be too low, or well again, before a node says so; nodes know 10 s and its doublings.
    pub supply_low_ms: u32,
    /// Milliseconds for which cover or magnet sensor must be on; nodes know 500 ms and its doublings.
    pub sensor_ms: u32,
    /// Minutes for which a supply voltage must be missing, while the neighbours have theirs, before that is an alarm; 0: never one.
    pub supply_missing_min: u16,
    /// Whether premises may export.
    pub export_allowed: bool,
    /// Events that open the supply until an operator clears them; none: alarm only.
    pub latch_on: Events,
}

impl Default for TamperPolicy {
    /// What a node does until it is told: see [`Settings`].
    fn default() -> Self {
        let node = Settings::default();
        Self {
            difference_per_myriad: node.difference_per_myriad,
            difference_floor_ma: node.difference_floor_ma,
            difference_s: node.difference_s,
            load_voltage_dv: node.load_voltage_dv,
            open_current_ma: node.open_current_ma,
            open_s: node.open_s,
            reversed_w: node.reversed_w,
            reversed_s: node.reversed_s,
            frozen_va: node.frozen_va,
            frozen_s: node.frozen_s,
            supply_low_dv: node.supply_low_dv,
            supply_low_ms: SUPPLY_LOW_MS,
            sensor_ms: SENSOR_MS,
            // Longer than a fuse takes to be changed in the street, and several readings.
            supply_missing_min: 2,
            export_allowed: node.export_allowed,
            latch_on: Events::NONE,
        }
    }
}

impl TamperPolicy {
    /// These thresholds in the settings of a node that carries cuts out, or not.
    #[must_use]
    pub(crate) fn into_settings(self, armed: bool) -> Settings {
        Settings {
            difference_per_myriad: self.difference_per_myriad,
            difference_floor_ma: self.difference_floor_ma,
            difference_s: self.difference_s,
            load_voltage_dv: self.load_voltage_dv,
            open_current_ma: self.open_current_ma,
            open_s: self.open_s,
            reversed_w: self.reversed_w,
            reversed_s: self.reversed_s,
            frozen_va: self.frozen_va,
            frozen_s: self.frozen_s,
            supply_low_dv: self.supply_low_dv,
            supply_low_doublings: doublings(self.supply_low_ms, SUPPLY_LOW_MS),
            sensor_doublings: doublings(self.sensor_ms, SENSOR_MS),
            export_allowed: self.export_allowed,
            cut_on: if armed { self.latch_on } else { Events::NONE },
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_that_latches_says_what_to_do_next() {
        for (event, name) in Events::NAMES {
            assert_eq!(
                next(event).is_empty(),
                !Events::LATCHED.contains(event),
                "{name}"
            );
        }
        let both = next(Events::MAGNET | Events::REVERSED);
        assert!(
            both.contains("swapped") && both.contains("magnet"),
            "{both}"
        );
    }
}
