//! A supply that opens for a moment as an experiment: what the feeder delivers less, against what the meter counted.
//!
//! Decided here: what a switch test is, what it needs, and what its readings say. Deliberately not: when it may begin (the dispatcher), and
//! how a supply is opened: our node opens for the seconds it is told, once, and closes by itself, gateway alive or dead; beside a shop-bought meter the gateway
//! keeps the seconds itself ([`crate::guard::kept`]).
//!
//! Terms: a *planned* trial is one a person asked for, with consent; a *natural* one is a supply that opened for another reason (credit used up,
//! an order) while a case on its feeder is open.
//!
//! The physics: an open relay takes away what passes it. With `M` what the meter counted and `D` by how much less the feeder delivers (with
//! the other meters' powers taken off), a meter that counts all has `D = M`, one that counts a part `D > M`; premises on another line `D = 0`. A bypass
//! around meter and relay changes neither, and shows itself behind the open relay: voltage or current where there can be none.
//!
//! Invariants: a trial posts nothing, accuses nobody and ends by itself; no reading of a trial is older than it.

mod ranking;
mod weighing;

pub use ranking::reweigh;
pub use weighing::{Around, Sample, reckon};

use crate::guard::kept::Wait;
use crate::{UsagePointId, UtcSeconds};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::{format, string::ToString};
use core::fmt;
use prepaid_common::wire::MAX_TRIAL_S;
use serde::{Deserialize, Serialize};

/// Shortest switch test, seconds: nodes call a voltage behind an open relay an event after ten, and a feeder meter is read some times.
pub const SHORTEST_S: u16 = 20;
/// Longest one, seconds.
pub const LONGEST_S: u16 = MAX_TRIAL_S;
/// Findings a case keeps: the last ones.
pub const MOST_FINDINGS: usize = 20;
/// How long a test counts, seconds.
pub const THIRTY_DAYS_S: i64 = 30 * 86_400;
/// Around an opening nobody is asked for so long, seconds: readings are some seconds old when they come.
pub const EDGE_S: i64 = 6;
/// Seconds before and after the opening of a natural trial.
pub const NATURAL_S: u16 = 120;

/// What a site says about switch tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRules {
    /// Whether there are any.
    pub allowed: bool,
    /// How long one lasts if nothing is said, and at most, seconds.
    pub seconds: u16,
    /// How long before it the resident is told, seconds.
    pub notice_s: u16,
    /// Local minutes of the day between which one may begin.
    pub hours: (u16, u16),
    /// So many at one usage point within thirty days: each that opened its supply counts, whether it found something or not.
    pub most_in_30_days: u8,
    /// The terms of supply allow them, so that nobody is asked each time.
    pub by_terms: bool,
    /// Usage points that are never interrupted for a test: life support, a vaccine refrigerator.
    pub never: BTreeSet<UsagePointId>,
}

impl Default for TrialRules {
    /// None; where they are allowed, a minute, told five minutes before, by day.
    fn default() -> Self {
        Self {
            allowed: false,
            seconds: 60,
            notice_s: 300,
            hours: (9 * 60, 17 * 60),
            most_in_30_days: 3,
            by_terms: false,
            never: BTreeSet::new(),
        }
    }
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// The resident is told; it begins then.
    Announced {
        /// When, by the gateway's own clock.
        starts: UtcSeconds,
    },
    /// The supply is to be open.
    Open {
        /// How long.
        wait: Wait,
        /// When it was reported open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opened: Option<UtcSeconds>,
        /// When it was reported closed again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<UtcSeconds>,
    },
    /// It is over for the resident; readings of after it are awaited.
    Weighed {
        /// When it opened.
        opened: UtcSeconds,
        /// When it closed, or up to when it was looked at.
        closed: UtcSeconds,
        /// From when on the readings can be compared.
        due: UtcSeconds,
    },
}

/// A trial at a usage point. Journalled state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The journal number of the decision that began it.
    pub number: u64,
    /// The case.
    pub case: u64,
    /// How long it is to last, seconds.
    pub seconds: u16,
    /// Nobody asked for it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub natural: bool,
    /// Where it stands.
    pub stage: Stage,
}

impl Trial {
    /// The number by which our node knows it: another for each of the last 65,536 records.
    #[must_use]
    pub fn wire_id(&self) -> u16 {
        let [.., a, b] = self.number.to_be_bytes();
        u16::from_be_bytes([a, b])
    }

    /// Whether the supply is to be open for it now.
    #[must_use]
    pub fn opens(&self, clock: UtcSeconds) -> bool {
        matches!(self.stage, Stage::Open { wait, .. } if wait.lasts(clock))
    }

    /// Whether the supply is told to open, and nothing has been heard of it since: once in each trial that is asked for.
    #[must_use]
    pub(crate) fn begins(&self) -> bool {
        matches!(
            self.stage,
            Stage::Open {
                opened: None,
                closed: None,
                ..
            }
        )
    }

    /// Whether people are still to come through it: it is announced or open.
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        !self.natural && !matches!(self.stage, Stage::Weighed { .. })
    }
}

/// Why a trial ended without readings to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialEnd {
    /// A person took it back.
    TakenBack,
    /// The supply was off when it should have begun, or went off for another reason.
    SupplyOff,
    /// The gateway was away when it should have begun.
    Missed,
    /// The case was closed before.
    CaseClosed,
    /// The switch did not open.
    DidNotOpen,
    /// Readings that could be compared did not come.
    NotWeighed,
}

impl TrialEnd {
    /// Words for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::TakenBack => "taken back",
            Self::SupplyOff => "did not take place: the supply was off",
            Self::Missed => "did not take place: the gateway was away at its time",
            Self::CaseClosed => "did not take place: the case is closed",
            Self::DidNotOpen => "the switch did not open",
            Self::NotWeighed => "ended without readings to compare",
        }
    }
}

/// What a trial says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Voltage or current behind the open relay: it is bridged.
    Bridged,
    /// The feeder fell by more than the meter counted.
    CountsPart,
    /// The feeder fell by what the meter counted.
    CountsAll,
    /// The feeder fell by less than the meter counted.
    CountsTooMuch,
    /// The feeder did not fall: the premises hang on another line.
    NotHere,
    /// Too little was in use there.
    TooLittleLoad,
    /// Others on the feeder switched too much.
    Restless,
    /// Too few readings before or while it was open.
    TooFewReadings,
}

impl Says {
    /// What to do next, for a lineman.
    #[must_use]
    pub fn next(self) -> &'static str {
        match self {
            Self::Bridged => "Look behind the meter's board for a second path to the house.",
            Self::CountsPart => {
                "Look at the meter's seal and terminals, and compare it with a clamp meter under load."
            }
            Self::CountsAll => "Look at the line before it, and at the next suspect.",
            Self::CountsTooMuch => {
                "Test the meter, and see whether something else feeds the house."
            }
            Self::NotHere => "Follow its service cable to the pole.",
            Self::TooLittleLoad => "Test again when something is in use there.",
            Self::Restless => "Test again at a quieter hour.",
            Self::TooFewReadings => {
                "See whether the feeder's meter and this one are heard, and test again."
            }
        }
    }
}

/// What the readings around an opening say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reckoned {
    /// The conclusion.
    pub says: Says,
    /// By how much less the feeder delivered, the other meters' powers taken off, watts.
    pub fell_w: i32,
    /// Twice its standard error, watts.
    pub within_w: u32,
    /// By how much less the meter counted, watts.
    pub metered_w: i32,
    /// Highest voltage behind the open relay, tenths of a volt; absent if it is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voltage_out_dv: Option<u16>,
    /// Highest current while the relay was open, milliamperes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_ma: Option<u32>,
}

/// What a trial found. Part of the case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// When it opened.
    pub at: UtcSeconds,
    /// Where.
    pub usage_point: UsagePointId,
    /// Nobody asked for it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub natural: bool,
    /// What the readings say.
    pub reckoned: Reckoned,
}

impl fmt::Display for Finding {
    /// In words for a lineman.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.natural {
            true => "the supply opened by itself",
            false => "switch test",
        };
        let r = &self.reckoned;
        let fell = format!(
            "the feeder fell by {} W (± {} W), the meter by {} W",
            r.fell_w, r.within_w, r.metered_w
        );
        let percent = || i64::from(r.metered_w) * 100 / i64::from(r.fell_w.max(1));
        let words = match r.says {
            Says::Bridged => {
                let volts = r
                    .voltage_out_dv
                    .map_or_else(String::new, |dv| format!("{}.{} V", dv / 10, dv % 10));
                let amps = r.current_ma.filter(|ma| *ma >= weighing::ALIVE_MA);
                let amps = amps.map_or_else(String::new, |ma| format!(" {ma} mA"));
                format!(
                    "{volts}{amps} behind the open relay: there is a bridge around meter and relay"
                )
            }
            Says::CountsPart => format!(
                "{fell}: it registers {} % of what its switch carries",
                percent()
            ),
            Says::CountsAll => {
                format!(
                    "{fell}: it counts what its switch carries; what is missing does not pass it"
                )
            }
            Says::CountsTooMuch => format!("{fell}: it counts more than its premises take"),
            Says::NotHere if r.voltage_out_dv.is_none() => {
                format!("{fell}: these premises hang on another line, or a bridge feeds them")
            }
            Says::NotHere => format!("{fell}: these premises hang on another line"),
            Says::TooLittleLoad => format!("{fell}: too little was in use to say anything"),
            Says::Restless => format!("{fell}: too much was switched elsewhere to say anything"),
            Says::TooFewReadings => "too few readings to say anything".to_string(),
        };
        let next = r.says.next();
        write!(f, "{what} at {}: {words}. {next}", self.usage_point)
    }
}

/// What became of a trial. Journalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "trial", rename_all = "kebab-case")]
pub enum TrialDecision {
    /// A person planned one; the resident is told.
    Planned {
        /// The case.
        case: u64,
        /// Where.
        usage_point: UsagePointId,
        /// It, announced.
        planned: Trial,
        /// Who agreed to it, and how; the terms of supply if nothing stands here.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        consent: String,
        /// Who planned it.
        by: String,
    },
    /// It goes on.
    Advanced {
        /// The case.
        case: u64,
        /// Where.
        usage_point: UsagePointId,
        /// It.
        to: Trial,
    },
    /// It ended without a finding.
    Ended {
        /// The case.
        case: u64,
        /// Where.
        usage_point: UsagePointId,
        /// Why.
        why: TrialEnd,
        /// Who, if a person took it back.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        by: String,
    },
    /// Its readings were compared.
    Found {
        /// The case.
        case: u64,
        /// What.
        finding: Finding,
    },
}

impl TrialDecision {
    /// The case it belongs to.
    #[must_use]
    pub fn case(&self) -> u64 {
        match self {
            Self::Planned { case, .. }
            | Self::Advanced { case, .. }
            | Self::Ended { case, .. }
            | Self::Found { case, .. } => *case,
        }
    }

    /// Where.
    #[must_use]
    pub fn usage_point(&self) -> UsagePointId {
        match self {
            Self::Planned { usage_point, .. }
            | Self::Advanced { usage_point, .. }
            | Self::Ended { usage_point, .. } => *usage_point,
            Self::Found { finding, .. } => finding.usage_point,
        }
    }

    /// Words for the journal's readers.
    #[must_use]
    pub fn words(&self) -> String {
        let place = self.usage_point();
        match self {
            Self::Planned {
                planned,
                consent,
                by,
                ..
            } => {
                let seconds = planned.seconds;
                let agreed = if consent.is_empty() {
                    "the terms of supply"
                } else {
                    consent
                };
                format!("switch test of {seconds} s at {place} planned by {by}; consent: {agreed}")
            }
            Self::Advanced { to, .. } => match to.stage {
                Stage::Announced { .. } => format!("switch test at {place} announced"),
                Stage::Open { wait, .. } => {
                    format!("switch test at {place}: open for {} s", wait.seconds)
                }
                Stage::Weighed { .. } if to.natural => {
                    format!("the supply of {place} opened: its readings are compared")
                }
                Stage::Weighed { .. } => {
                    format!("switch test at {place}: its readings are compared")
                }
            },
            Self::Ended { why, by, .. } if !by.is_empty() => {
                format!("switch test at {place} {} by {by}", why.words())
            }
            Self::Ended { why, .. } => format!("switch test at {place} {}", why.words()),
            Self::Found { finding, .. } => finding.to_string(),
        }
    }
}

/// Why a switch test was not planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialRefusal {
    /// The site allows none.
    NotAllowed,
    /// Never at this usage point.
    NeverHere,
    /// Nobody has agreed.
    NoConsent,
    /// Outside the hours of the site.
    OutsideHours,
    /// Too short or too long.
    SecondsOutOfRange,
    /// The supply is off, or has no switch, or is in shadow.
    SupplyNotOn,
    /// Another one on the same feeder is not over.
    OneAtATime,
    /// There were as many as the site allows.
    TooOften,
    /// None is planned.
    NonePlanned,
}

impl TrialRefusal {
    /// Stable name for metrics and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAllowed => "switch-tests-not-allowed",
            Self::NeverHere => "never-interrupted",
            Self::NoConsent => "no-consent",
            Self::OutsideHours => "outside-hours",
            Self::SecondsOutOfRange => "seconds-out-of-range",
            Self::SupplyNotOn => "supply-not-on",
            Self::OneAtATime => "one-at-a-time",
            Self::TooOften => "too-often",
            Self::NonePlanned => "none-planned",
        }
    }
}

impl fmt::Display for TrialRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAllowed => "this site allows no switch tests; set loss.switch_test.allowed",
            Self::NeverHere => "this usage point is never interrupted for a test (loss.switch_test.never)",
            Self::NoConsent => "say who agreed and how, or set loss.switch_test.by_terms if the terms of supply allow it",
            Self::OutsideHours => "now is outside loss.switch_test.from and until, or the clock is not trusted",
            Self::SecondsOutOfRange => "a switch test lasts 20 seconds to loss.switch_test.seconds",
            Self::SupplyNotOn => "the supply is not on, has no switch, or is in shadow",
            Self::OneAtATime => "another switch test is not over",
            Self::TooOften => "there were as many switch tests in thirty days as loss.switch_test.most_in_30_days allows",
            Self::NonePlanned => "no switch test is planned there",
        })
    }
}

#[cfg(test)]
mod tests;
