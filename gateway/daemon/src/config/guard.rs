//! `[prepay.load_limit]`, `[prepay.reconnect]` and `[tamper]`: what opens a supply besides credit and orders.

use super::keys::{key, whole};
use super::{Key, Kind, Values};
use gateway_core::prepay::{LoadLimit, Reconnect};
use gateway_core::tamper_policy::TamperPolicy;
use prepaid_common::wire::Events;

/// Largest time a node keeps, in seconds.
const LONGEST_S: i64 = 65_535;

/// Keys of `[prepay.load_limit]`.
pub(super) const LOAD_LIMIT: &[Key] = &[
    key(
        "watts",
        whole(0, 10_000_000),
        "0",
        "Largest power of a usage point that has no limit of its own (`switch limit`, or a token); 0: none.",
    ),
    key(
        "persistence_s",
        whole(1, LONGEST_S),
        "30",
        "Seconds the load stays above it before the supply opens: longer than a motor starts.",
    ),
    key(
        "rest_s",
        whole(1, LONGEST_S),
        "120",
        "Seconds the supply then stays open before it is tried again.",
    ),
    key(
        "trips",
        whole(0, 255),
        "5",
        "So many trips within window_s, and the supply stays open until somebody resets it; 0: it never does.",
    ),
    key(
        "window_s",
        whole(1, LONGEST_S),
        "3600",
        "Seconds in which trips add up.",
    ),
    key(
        "reset",
        Kind::OneOf(&["operator", "press"]),
        "\"operator\"",
        "Who ends it: an operator only, or a press at the node too.",
    ),
];

/// Keys of `[prepay.reconnect]`.
pub(super) const RECONNECT: &[Key] = &[
    key(
        "mode",
        Kind::OneOf(&["automatic", "press"]),
        "\"automatic\"",
        "\"automatic\": a supply comes back with its credit.\n\
         \"press\": it is then ready, and waits for a press at the node, on the page or `switch close`: nothing closes by itself\n\
         into a house where something was left on.",
    ),
    key(
        "delay_s",
        whole(0, 3_600),
        "0",
        "Seconds nodes stay open after power returned.",
    ),
    key(
        "spread_s",
        whole(0, 3_600),
        "0",
        "Seconds over which they come back after that, each always at the same place: the feeder does not get the whole street at once.",
    ),
];

/// Keys of `[tamper]`.
pub(super) const TAMPER: &[Key] = &[
    key(
        "latch_on",
        Kind::SomeOf(&[
            "phase-neutral-difference",
            "load-voltage-while-open",
            "current-while-open",
            "reversed",
            "cover-open",
            "magnet",
            "frozen-register",
            "eeprom-lost",
            "current-without-voltage",
        ]),
        "[]",
        "Tampering that opens the supply until an operator clears it (`switch clear-tamper`); none: alarm only.",
    ),
    key(
        "difference_per_myriad",
        whole(0, 10_000),
        "625",
        "Phase and neutral current may differ by this part of the larger one, in hundredths of a percent.",
    ),
    key(
        "difference_floor_ma",
        whole(1, LONGEST_S),
        "100",
        "... and by at least so many milliamperes: leakage of old wiring.",
    ),
    key(
        "difference_s",
        whole(1, LONGEST_S),
        "60",
        "Seconds they must differ; also current without voltage.",
    ),
    key(
        "load_voltage_dv",
        whole(1, LONGEST_S),
        "500",
        "Voltage behind an open relay that no stray coupling makes, in tenths of a volt.",
    ),
    key(
        "open_current_ma",
        whole(1, LONGEST_S),
        "100",
        "Current through an open relay that no noise makes, in milliamperes.",
    ),
    key(
        "open_s",
        whole(1, LONGEST_S),
        "10",
        "Seconds voltage or current must be there behind an open relay: a motor runs down.",
    ),
    key(
        "reversed_w",
        whole(1, LONGEST_S),
        "50",
        "Backward power beyond noise, in watts.",
    ),
    key(
        "reversed_s",
        whole(1, LONGEST_S),
        "60",
        "Seconds it must flow.",
    ),
    key(
        "frozen_va",
        whole(1, LONGEST_S),
        "230",
        "Apparent power that must register as active power, in volt-amperes: far above a capacitor at the socket.",
    ),
    key(
        "frozen_s",
        whole(1, LONGEST_S),
        "600",
        "Seconds there may be none.",
    ),
    key(
        "supply_low_dv",
        whole(1, LONGEST_S),
        "1600",
        "Supply voltage below this is too low to rely on, in tenths of a volt; below a quarter of it, it is missing.",
    ),
    key(
        "supply_low_s",
        whole(1, 1_280),
        "10",
        "Seconds it must be too low, or well again (a sixteenth above), before a node says so. Nodes know 10, 20, 40 ... 1280: the next longer one counts.",
    ),
    key(
        "sensor_ms",
        whole(1, 64_000),
        "500",
        "Milliseconds a cover or magnet sensor must be on. Nodes know 500, 1000, 2000 ... 64000: the next longer one counts.",
    ),
    key(
        "supply_missing_min",
        whole(0, 1_440),
        "2",
        "Minutes a supply voltage must be missing, while the neighbours have theirs, before the gateway raises an alarm; 0: never.",
    ),
    key(
        "export",
        Kind::OneOf(&["none", "allowed"]),
        "\"none\"",
        "Whether premises may export; if not, backward power is tampering.",
    ),
];

/// The load limit of a site, or of a class with what it inherits.
pub(super) fn load_limit(values: &Values) -> LoadLimit {
    LoadLimit {
        watts: values.whole("prepay.load_limit.watts"),
        persistence_s: values.whole("prepay.load_limit.persistence_s"),
        rest_s: values.whole("prepay.load_limit.rest_s"),
        trips: values.whole("prepay.load_limit.trips"),
        window_s: values.whole("prepay.load_limit.window_s"),
        press_resets: values.text("prepay.load_limit.reset") == "press",
    }
}

/// How supplies come back, of a site or a class.
pub(super) fn reconnect(values: &Values) -> Reconnect {
    Reconnect {
        press: values.text("prepay.reconnect.mode") == "press",
        delay_s: values.whole("prepay.reconnect.delay_s"),
        spread_s: values.whole("prepay.reconnect.spread_s"),
    }
}

/// What is tampering.
pub(super) fn tamper(values: &Values) -> TamperPolicy {
    let names = values.texts("tamper.latch_on");
    let events = names.iter().filter_map(|name| Events::named(name));
    TamperPolicy {
        difference_per_myriad: values.whole("tamper.difference_per_myriad"),
        difference_floor_ma: values.whole("tamper.difference_floor_ma"),
        difference_s: values.whole("tamper.difference_s"),
        load_voltage_dv: values.whole("tamper.load_voltage_dv"),
        open_current_ma: values.whole("tamper.open_current_ma"),
        open_s: values.whole("tamper.open_s"),
        reversed_w: values.whole("tamper.reversed_w"),
        reversed_s: values.whole("tamper.reversed_s"),
        frozen_va: values.whole("tamper.frozen_va"),
        frozen_s: values.whole("tamper.frozen_s"),
        supply_low_dv: values.whole("tamper.supply_low_dv"),
        supply_low_ms: values.whole::<u32>("tamper.supply_low_s") * 1_000,
        sensor_ms: values.whole("tamper.sensor_ms"),
        supply_missing_min: values.whole("tamper.supply_missing_min"),
        export_allowed: values.text("tamper.export") == "allowed",
        latch_on: events.fold(Events::NONE, |all, event| all | event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use gateway_core::prepay::PrepayRules;

    #[test]
    fn an_empty_file_is_what_the_core_and_a_new_node_do() {
        let rules = Config::parse("").expect("an empty file").rules();
        assert_eq!(rules.tamper, TamperPolicy::default());
        assert_eq!(rules.prepay.load_limit, PrepayRules::default().load_limit);
        assert_eq!(rules.prepay.reconnect, PrepayRules::default().reconnect);
    }

    #[test]
    fn a_class_has_its_own_limit_and_the_site_s_waits() {
        let text = "[prepay.load_limit]\nrest_s = 60\nwatts = 5000\n\
                    [[prepay.class]]\ncategory = \"mini-grid\"\nload_limit.watts = 300\nreconnect.mode = \"press\"\n\
                    [tamper]\nlatch_on = [\"magnet\", \"cover-open\"]\nsupply_missing_min = 30\nsupply_low_s = 30\nsensor_ms = 2000\n";
        let rules = Config::parse(text).expect("a file").rules();
        let class = &rules.classes["mini-grid"];
        assert_eq!((class.load_limit.watts, class.load_limit.rest_s), (300, 60));
        assert_eq!(
            (class.reconnect.press, rules.prepay.reconnect.press),
            (true, false)
        );
        assert_eq!(rules.tamper.latch_on, Events::MAGNET | Events::COVER_OPEN);
        assert_eq!(rules.tamper.supply_missing_min, 30);
        let tamper = (rules.tamper.supply_low_ms, rules.tamper.sensor_ms);
        assert_eq!(tamper, (30_000, 2_000));
    }
}
