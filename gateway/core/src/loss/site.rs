//! What a feeder is, what one reading round brings, and what the watch says about it.
//!
//! Terms: an *interval* is the time between two reading rounds; a *register* is a cumulative energy
//! counter in Wh; the
//! *phase label* of a meter is what the installer wrote down, which can be wrong.

use crate::{UsagePointId, UtcSeconds, WattHours};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One of the three phases of a low-voltage feeder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// L1.
    A,
    /// L2.
    B,
    /// L3.
    C,
}

impl Phase {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// 0, 1 or 2.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
            Self::C => 2,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(["A", "B", "C"][self.index()])
    }
}

/// A meter on the feeder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterSite {
    /// The premises it measures.
    pub id: UsagePointId,
    /// The phase it is said to hang on; it is checked against the energies, and learnt if absent.
    pub phase: Option<Phase>,
}

/// A known load without a meter: a street light, the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmetered {
    /// The phase it hangs on; absent if not known or three-phase.
    pub phase: Option<Phase>,
    /// Its power while on, W.
    pub watts: u32,
    /// Local second of the day it goes on, 0 to 86,399.
    pub on_s: u32,
    /// Local second of the day it goes off; smaller than `on_s` for a load that burns over
    /// midnight, equal for always.
    pub off_s: u32,
}

/// A feeder to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its meters, in the order of [`Interval::meters`].
    pub meters: Vec<MeterSite>,
    /// Its known loads without a meter.
    pub unmetered: Vec<Unmetered>,
    /// How it is to be watched.
    pub settings: Settings,
}

/// How a feeder is to be watched. The defaults are for 15-minute rounds of class 1 meters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Local time minus UTC, seconds: evening and night are local.
    pub utc_offset_s: i32,
    /// Length of an interval, seconds.
    pub interval_s: u32,
    /// Days at the start that are believed honest and teach the site its losses, phases and noise.
    /// Seven days show every hour of the day and both kinds of day at least twice.
    pub learn_days: u32,
    /// One false alarm in so many feeder-years is accepted, per feeder. Twenty-five years is one in
    /// the life of a site.
    pub years_between_false_alarms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            utc_offset_s: 0,
            interval_s: 900,
            learn_days: 7,
            years_between_false_alarms: 25,
        }
    }
}

/// What the feeder meter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeederReading {
    /// One register per phase.
    PerPhase([WattHours; 3]),
    /// One register for all phases together.
    Total(WattHours),
}

/// What one meter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeterReading {
    /// Its register; absent if the reading is missing.
    pub register: Option<WattHours>,
    /// Mean voltage of the interval in 0.1 V; absent if not measured.
    pub decivolts: Option<u32>,
}

/// One reading round. A meter beyond the end of `meters` counts as missing; one too many is
/// ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// The moment of the round.
    pub end: UtcSeconds,
    /// The feeder meter; absent if missing.
    pub feeder: Option<FeederReading>,
    /// The meters, in the order of [`Site::meters`].
    pub meters: Vec<MeterReading>,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Energy leaves the feeder unmetered; whose it is stands in the findings beside this one, or
    /// is not known.
    FeederLoss,
    /// This meter does not register what its premises use, or the loss hangs nearest to it.
    Meter {
        /// The premises.
        meter: UsagePointId,
    },
    /// The loss of this circuit is over; `since` is when it ended.
    Ended,
    /// What the feeder meter shows differs from the meters in proportion to everything: itself or its current transformers.
    FeederMeter,
    /// This meter's energy does not come from where it is noted.
    Misplaced {
        /// The premises.
        meter: UsagePointId,
        /// The phase it appears on; nothing if it appears nowhere on this feeder.
        to: Option<Phase>,
    },
    /// This meter counts more than its premises take.
    CountsTooMuch {
        /// The premises.
        meter: UsagePointId,
    },
}

impl Kind {
    /// Whether it says that energy is taken or lost; the others speak of meters, papers, and of an end.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(self, Self::FeederLoss | Self::Meter { .. })
    }
}

/// Why the watch says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// The feeder delivers more than its meters register, around the clock.
    LossAroundTheClock,
    /// The feeder delivers more than its meters register, in the evening.
    LossInTheEvening,
    /// The feeder delivers more than its meters register, at night.
    LossAtNight,
    /// The loss rises and falls with what this meter registers: it registers a part only.
    LossFollowsRegister,
    /// The loss appears while this register stands still at a time of day its premises use energy.
    LossWhileRegisterStands,
    /// The voltages sag as if the lost energy were drawn at these premises.
    VoltageSagsHere,
    /// The phase label of this meter contradicts its energies.
    PhaseLabelContradicted,
    /// The loss has grown by half or more since it began.
    LossGrows,
    /// The loss has shrunk by a third or more since it began.
    LossShrinks,
    /// The loss comes back night after night, and not by day.
    RecursAtNight,
    /// The loss comes back evening after evening, and at no other time.
    RecursInTheEvening,
    /// The difference is the same share of everything the meters count.
    FollowsEverything,
    /// The meters count more than the feeder delivers.
    MoreCountedThanDelivered,
    /// What this meter counts is missing on the phase it is noted on and appears on another.
    AppearsOnAnotherPhase,
    /// What this meter counts appears on no phase of this feeder.
    AppearsOnNoPhase,
    /// Voltage or current behind its open relay, while the supply was opened for a test or otherwise.
    BridgedInTest,
    /// When its supply opened, the feeder fell by more than the meter counted.
    CountsPartInTest,
    /// When its supply opened, the feeder fell by what the meter counted.
    CountsAllInTest,
    /// When its supply opened, the feeder did not fall.
    NotHereInTest,
    /// This register has fallen below its habit by what is lost, at the same hours.
    RegisterFell,
    /// This register counts next to nothing at any hour.
    RegisterStandsAlways,
}

impl Evidence {
    /// Words for a page or a lineman.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::LossAroundTheClock => "the feeder loses energy around the clock",
            Self::LossInTheEvening => "the feeder loses energy in the evening",
            Self::LossAtNight => "the feeder loses energy at night",
            Self::LossFollowsRegister => "the loss follows this meter: it registers only a part",
            Self::LossWhileRegisterStands => "the loss appears while this register stands still",
            Self::VoltageSagsHere => "the voltage sags here as if the lost energy were drawn here",
            Self::PhaseLabelContradicted => "this meter hangs on another phase than noted",
            Self::LossGrows => "the loss has grown since it began",
            Self::LossShrinks => "the loss has shrunk since it began",
            Self::RecursAtNight => "the loss comes back every night and is gone by day",
            Self::RecursInTheEvening => "the loss comes back every evening and is gone otherwise",
            Self::FollowsEverything => {
                "the difference is the same share of everything, day and night: look at the feeder meter, its current transformers and \
                 the ratio set for them before anybody's house"
            }
            Self::MoreCountedThanDelivered => {
                "the meters count more than the feeder delivers, which no theft does"
            }
            Self::AppearsOnAnotherPhase => {
                "what this meter counts is missing on the phase it is noted on and appears on another: follow its service cable to the pole"
            }
            Self::RegisterFell => {
                "this register counts less than it used to by just what is lost, at the same hours"
            }
            Self::RegisterStandsAlways => "this register counts next to nothing at any hour",
            Self::AppearsOnNoPhase => {
                "what this meter counts is not delivered by this feeder: follow its service cable to the pole"
            }
            Self::BridgedInTest => {
                "there was voltage or current behind its open relay: look for the bridge around meter and relay"
            }
            Self::CountsPartInTest => {
                "the feeder fell by more than this meter counted when its supply opened: look at the meter and its terminals"
            }
            Self::CountsAllInTest => {
                "it counted all that went off with its supply: what is missing does not pass this meter, look at the line before it"
            }
            Self::NotHereInTest => {
                "the feeder did not fall when its supply opened: follow its service cable to the pole"
            }
        }
    }
}

/// One statement of the watch. Findings with the same `at` and `phase` belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// End of the interval after which it was known.
    pub at: UtcSeconds,
    /// What it is about.
    pub kind: Kind,
    /// The phase that loses; absent if only the total is measured.
    pub phase: Option<Phase>,
    /// How sure, 0 to 1000 permille.
    pub confidence_permille: u16,
    /// When it began, to a few hours.
    pub since: UtcSeconds,
    /// Mean power lost since then, W.
    pub watts: u32,
    /// Why.
    pub evidence: Vec<Evidence>,
}
