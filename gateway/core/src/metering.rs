//! What a register's new value means.
//!
//! A meter's register should only ever advance. When it does something else, this counter state machine decides from the evidence (the
//! last accepted value, the time and uptime since, the boot count, the register's width) what happened, and what cannot be
//! explained is set aside, shown, and never guessed into money.
//!
//! A meter's raw register maps onto the usage point's own, continuous register through a [`MeterFit`]; a roll-over, restart
//! or replacement begins a new fit, so money never notices.

use crate::event::{Moment, Reading};
use crate::guard::kept::Over;
use crate::{NodeId, UtcSeconds, WattHours};
use serde::{Deserialize, Serialize};

/// How a meter's raw register maps onto the usage point's register: `raw_start` ↦ `point_start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterFit {
    /// The node that meters the usage point.
    pub node: NodeId,
    /// Raw register at the beginning of the fit.
    pub raw_start: WattHours,
    /// The usage point's register at that moment.
    pub point_start: WattHours,
}

impl MeterFit {
    /// The usage point's register for a raw value; `None` if the raw register lies before the fit.
    #[must_use]
    pub fn to_point(&self, raw: WattHours) -> Option<WattHours> {
        raw.since(self.raw_start)
            .map(|advance| self.point_start.saturating_add(advance))
    }

    /// The raw register at which the usage point's register has a value; never before the beginning of the fit.
    #[must_use]
    pub fn to_raw(&self, point: WattHours) -> WattHours {
        self.raw_start
            .saturating_add(point.since(self.point_start).unwrap_or_default())
    }
}

/// The last accepted reading of a node: telemetry, stored with the readings, not journalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReading {
    /// When it was accepted.
    pub at: UtcSeconds,
    /// The reading itself.
    pub reading: Reading,
    /// The load above its limit that it and those before it show; not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
    /// Since when its supply voltage is missing in every reading; not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dark_since: Option<UtcSeconds>,
}

/// Why a register's new value could not be taken as an advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegisterBreak {
    /// It passed the end of its range and began again at zero; the advance is known and charged.
    RolledOver,
    /// The node restarted and lost its last watt-hours; they are gone, charging goes on from the new value.
    Restarted,
    /// It advanced more than the connection can carry; the excess is set aside.
    Jumped,
    /// It went backwards without a restart: reset or tampered with.
    WentBackwards,
}

/// What a new register value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It advanced, perhaps by nothing: take it.
    Advance,
    /// It is older than what is known (reordered on the way): ignore it.
    Older,
    /// Something happened to the register. `advance` is the part that is known and charged; `set_aside` is the rest.
    Break {
        /// What happened.
        cause: RegisterBreak,
        /// Advance known to have happened.
        advance: WattHours,
        /// Energy in dispute.
        set_aside: WattHours,
    },
}

/// What is known of a connection and its meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest power the connection can carry, in watts.
    pub max_power_w: u32,
    /// Where the raw register begins again at zero, if it ever does.
    pub wraps_at: Option<WattHours>,
}

/// Energy allowed on top of power times time: reading delays, clock steps of a few seconds.
const SLACK_WH: u64 = 50;
/// A restart may lose what the node had not yet saved; more than this is not explained by a restart.
const RESTART_LOSS_WH: u64 = 200;
/// When nothing tells the time that passed, assume at most this long an absence of the gateway.
const LONGEST_ABSENCE_S: u64 = 31 * 86_400;

/// Decides what a new reading's register means after the last accepted one.
#[must_use]
pub fn judge(last: &LastReading, new: &Reading, now: Moment, limits: Limits) -> Meaning {
    let most = plausible_advance(last, new, now, limits);
    match new.register.since(last.reading.register) {
        Some(advance) if advance.0 <= most => Meaning::Advance,
        Some(advance) => {
            let set_aside = advance;
            Meaning::Break {
                cause: RegisterBreak::Jumped,
                advance: WattHours(0),
                set_aside,
            }
        }
        None => backwards(last, new, limits, most),
    }
}

fn backwards(last: &LastReading, new: &Reading, limits: Limits, most: u64) -> Meaning {
    let back = last.reading.register.0 - new.register.0;
    let restarted = match (last.reading.boot_count, new.boot_count) {
        (Some(before), Some(after)) => after > before,
        _ => false,
    };
    if let Some(wrap) = limits.wraps_at {
        let advance =
            (wrap.0.saturating_sub(last.reading.register.0)).saturating_add(new.register.0);
        if advance <= most {
            let cause = RegisterBreak::RolledOver;
            return Meaning::Break {
                cause,
                advance: WattHours(advance),
                set_aside: WattHours(0),
            };
        }
    }
    let older = match (last.reading.uptime_s, new.uptime_s) {
        (Some(before), Some(after)) => !restarted && after < before,
        _ => false,
    };
    if older {
        return Meaning::Older;
    }
    let cause = if restarted && back <= RESTART_LOSS_WH {
        RegisterBreak::Restarted
    } else {
        RegisterBreak::WentBackwards
    };
    Meaning::Break {
        cause,
        advance: WattHours(0),
        set_aside: WattHours(0),
    }
}

/// The largest advance the connection can have carried since the last reading.
///
/// Within one start of the node its own uptime tells how long that was, whatever the clock says. Across a restart the clock
/// does; while it cannot be trusted, a month is assumed, because nobody knows how long the gateway was away.
fn plausible_advance(last: &LastReading, new: &Reading, now: Moment, limits: Limits) -> u64 {
    let by_clock = now.at.seconds_since(last.at);
    let by_uptime = uptime_between(&last.reading, new);
    let elapsed = match by_uptime {
        Some(uptime) => by_clock.max(uptime.min(LONGEST_ABSENCE_S)),
        None if now.clock_trusted => by_clock,
        None => by_clock.max(LONGEST_ABSENCE_S),
    };
    elapsed.saturating_mul(u64::from(limits.max_power_w)) / 3_600 + SLACK_WH
}

/// Seconds between two readings by the node's uptime, if it has not restarted in between.
fn uptime_between(before: &Reading, after: &Reading) -> Option<u64> {
    if before.boot_count != after.boot_count {
        return None;
    }
    let seconds = after.uptime_s?.checked_sub(before.uptime_s?)?;
    Some(u64::from(seconds))
}
