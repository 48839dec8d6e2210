//! `[power]`: what the gateway's machine runs on, and when it is switched off.

use super::gpio::Gpio;
use super::keys::{key, optional, whole};
use super::{Key, Kind, Mistake, Values};
use crate::power::Ups;
use std::time::Duration;

/// `[power]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// Who says whether the mains is there, if no pin does.
    pub ups: Option<Ups>,
    /// How long it must say the same to be believed.
    pub still: Duration,
    /// How long the machine runs on its battery before it is switched off.
    pub shutdown_after: Option<Duration>,
}

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    optional(
        "ups",
        Kind::Text { max: 256 },
        "\"/sys/class/power_supply/*/online\"",
        "Who says whether the mains is there, instead of gpio.mains. A file, of the kernel or of a script: 1 or 0, or the words of an UPS\n\
         (OL, OB, OB LB; Charging, Discharging); with a * the mains is there if any of the files says so. Or a server of Network UPS Tools,\n\
         \"nut:NAME@HOST\" or \"nut:NAME@HOST:PORT\".",
    ),
    key(
        "ups_debounce_ms",
        whole(0, 60_000),
        "20",
        "Milliseconds the UPS must say the same. The time until everything is on disk counts from when it was first said.",
    ),
    optional(
        "shutdown_after_s",
        whole(1, 86_400),
        "600",
        "Seconds without mains after which the machine is switched off in order, at once if the UPS says that its battery is low; the mains coming\n\
         back before that is the end of it. Only for a machine that something switches on again (docs/gpio.md). Without this it runs until\n\
         the battery is empty, which harms nothing.",
    ),
];

pub(super) fn power(values: &Values, gpio: &Gpio, mistakes: &mut Vec<Mistake>) -> Power {
    let mut mistake = |key: &'static str, what: String| {
        mistakes.push(Mistake::at(values.line(key), key, what));
    };
    let ups = values.optional_text("power.ups");
    let ups = ups.and_then(|text| match text.parse::<Ups>() {
        Ok(ups) => Some(ups),
        Err(error) => {
            mistake("power.ups", error.to_string());
            None
        }
    });
    if ups.is_some() && gpio.mains.is_some() {
        let what = "gpio.mains says already whether the mains is there; name one of them";
        mistake("power.ups", what.into());
    }
    let is_set = values.optional_text("power.ups").is_some() || gpio.mains.is_some();
    // Absent is zero.
    let seconds: u64 = values.whole("power.shutdown_after_s");
    if seconds > 0 && !is_set {
        let what = "nothing says whether the mains is there; name power.ups or gpio.mains";
        mistake("power.shutdown_after_s", what.into());
    }
    Power {
        ups,
        still: Duration::from_millis(values.whole("power.ups_debounce_ms")),
        shutdown_after: (seconds > 0).then(|| Duration::from_secs(seconds)),
    }
}
