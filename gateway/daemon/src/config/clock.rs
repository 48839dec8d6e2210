//! `[clock]`: whether the time may be believed.

use super::keys::{key, whole};
use super::{Key, Kind, Values};
use std::path::PathBuf;

/// `[clock]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockConfig {
    /// Whether the machine's clock is believed.
    pub trust: ClockTrust,
    /// Folder of a battery-backed clock.
    pub battery: PathBuf,
    /// How long the clock may be untrusted before there is an alarm, in seconds.
    pub alarm_after_s: u64,
}

/// `clock.trust`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTrust {
    /// Once the kernel says it is synchronised.
    Kernel,
    /// From the start.
    Always,
}

/// Its keys.
pub(super) const KEYS: &[Key] = &[
    key(
        "trust",
        Kind::OneOf(&["kernel", "always"]),
        "\"kernel\"",
        "\"kernel\": once the kernel, timesyncd or chrony says that the clock is synchronised, and for 104 days after; once a person has\n\
         set it on the page or with `clock set`; from a battery-backed clock that was seen steady beside a known time.\n\
         \"always\": at once; only for machines whose clock is right at boot.\n\
         Until the clock is trusted energy is counted, but nothing time-based is charged or cut.",
    ),
    key(
        "battery",
        Kind::Path,
        "\"/sys/class/rtc/rtc0\"",
        "Folder of a battery-backed clock. It need not exist.",
    ),
    key(
        "alarm_after_min",
        whole(0, 1_440),
        "10",
        "Minutes for which nothing may know the time before there is an alarm.",
    ),
];

pub(super) fn clock(values: &Values) -> ClockConfig {
    ClockConfig {
        trust: match values.text("clock.trust").as_str() {
            "always" => ClockTrust::Always,
            _ => ClockTrust::Kernel,
        },
        battery: values.text("clock.battery").into(),
        alarm_after_s: values.whole::<u64>("clock.alarm_after_min") * 60,
    }
}
