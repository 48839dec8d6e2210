//! `[loss]`: the watch over the feeders.

use super::keys::{key, optional, required, whole};
use super::{Key, Kind, Mistake, Values};
use gateway_core::case::Ground;
use gateway_core::loss::{Phase, Settings, Unmetered};
use gateway_core::tariff::TimeOfDay;

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    key(
        "years_between_false_alarms",
        whole(1, 1_000),
        "25",
        "One false alarm in so many years is accepted of each feeder. Fewer years find thefts some hours earlier.",
    ),
    key(
        "learn_days",
        whole(3, 28),
        "7",
        "Days at the start that are taken for honest and teach a feeder its losses. A week shows every kind of day.",
    ),
    key(
        "gateway_w",
        whole(0, 1_000),
        "0",
        "What this gateway itself takes from the feeder past every meter, in watts.",
    ),
];

/// Those of a load without a meter.
pub(super) const UNMETERED: &[Key] = &[
    required(
        "name",
        Kind::Text { max: 64 },
        "What people call it: street light 3.",
    ),
    required(
        "watts",
        whole(1, 100_000),
        "What it takes while it is on, in watts.",
    ),
    key(
        "on",
        Kind::Time,
        "\"00:00\"",
        "Local time it goes on; by a photocell, the mean of the year.",
    ),
    key(
        "off",
        Kind::Time,
        "\"00:00\"",
        "Local time it goes off; before on: the next day; the same: it never does.",
    ),
    optional(
        "phase",
        Kind::OneOf(&["A", "B", "C"]),
        "\"B\"",
        "The feeder's phase it hangs on, if that is known.",
    ),
    key(
        "feeder",
        whole(0, 99_999_999),
        "0",
        "Number of the feeder it hangs on; 0 where there is only one.",
    ),
];

pub(super) fn loss(values: &Values, utc_offset_s: i32, mistakes: &mut Vec<Mistake>) -> Ground {
    let mut unmetered = Vec::new();
    let gateway_w: u32 = values.whole("loss.gateway_w");
    if gateway_w > 0 {
        let load = Unmetered {
            phase: None,
            watts: gateway_w,
            on_s: 0,
            off_s: 0,
        };
        unmetered.push((None, load));
    }
    for load in values.many("loss.unmetered") {
        let mut second = |key: &'static str| {
            let second = load.text(key).parse::<TimeOfDay>();
            let second = second.map(|time| u32::from(time.0) * 60 % 86_400);
            second.unwrap_or_else(|_| {
                let what = "write a time as 18:30";
                mistakes.push(Mistake::at(load.line(key), key, what));
                0
            })
        };
        let (on_s, off_s) = (second("loss.unmetered.on"), second("loss.unmetered.off"));
        let phase = match load.text("loss.unmetered.phase").as_str() {
            "A" => Some(Phase::A),
            "B" => Some(Phase::B),
            "C" => Some(Phase::C),
            _ => None,
        };
        let feeder: u32 = load.whole("loss.unmetered.feeder");
        let watts = load.whole("loss.unmetered.watts");
        let load = Unmetered {
            phase,
            watts,
            on_s,
            off_s,
        };
        unmetered.push(((feeder > 0).then_some(gateway_core::FeederId(feeder)), load));
    }
    Ground {
        settings: Settings {
            utc_offset_s,
            learn_days: values.whole("loss.learn_days"),
            years_between_false_alarms: values.whole("loss.years_between_false_alarms"),
            ..Settings::default()
        },
        unmetered,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use gateway_core::FeederId;

    #[test]
    fn loads_without_a_meter_are_read_with_their_hours_phase_and_feeder() {
        let text = "[site]\nutc_offset = \"-03:00\"\n[loss]\ngateway_w = 8\nlearn_days = 14\nyears_between_false_alarms = 5\n\
                    [[loss.unmetered]]\nname = \"lights\"\nwatts = 240\non = \"18:30\"\noff = \"06:00\"\nphase = \"B\"\nfeeder = 2\n\
                    [[loss.unmetered]]\nname = \"pump\"\nwatts = 50\n";
        let ground = Config::parse(text).expect("a configuration").loss;
        let of = |feeder: Option<u32>, phase, watts, hours: (u32, u32)| {
            let (on_s, off_s) = (hours.0 * 60, hours.1 * 60);
            let load = Unmetered {
                phase,
                watts,
                on_s,
                off_s,
            };
            (feeder.map(FeederId), load)
        };
        assert_eq!(
            ground.unmetered,
            [
                of(None, None, 8, (0, 0)),
                of(Some(2), Some(Phase::B), 240, (18 * 60 + 30, 6 * 60)),
                of(None, None, 50, (0, 0)),
            ]
        );
        let settings = ground.settings;
        assert_eq!((settings.utc_offset_s, settings.learn_days), (-10_800, 14));
        assert_eq!(settings.years_between_false_alarms, 5);
        let empty = Config::parse("").expect("a configuration").loss;
        assert!(empty.unmetered.is_empty());
        for (right, wrong) in [
            ("watts = 50", "watts = 0"),
            ("name = \"pump\"\n", ""),
            ("\"B\"", "\"D\""),
            ("\"18:30\"", "\"25:00\""),
            ("learn_days = 14", "learn_days = 2"),
        ] {
            let text = text.replace(right, wrong);
            assert!(Config::parse(&text).is_err(), "{wrong}");
        }
    }
}
