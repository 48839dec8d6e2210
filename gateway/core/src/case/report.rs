//! What the watch says of one circuit, ready for people and for the journal.

use crate::loss::{Evidence, Phase};
use crate::{FeederId, UsagePointId, UtcSeconds, WattHours};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What the missing energy most likely is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A load of nobody's hangs on the line; the first suspect is whom it hangs nearest to.
    Tap,
    /// The first suspect's meter registers a part of what its premises use.
    PartlyRegistered,
    /// The first suspect's meter stands at times while its premises use energy.
    Bypassed,
    /// The meter of the feeder, or the ratio of its current transformers, is wrong.
    FeederMeter,
    /// The first suspect's meter hangs on another phase than noted.
    WrongPhase,
    /// The first suspect's meter is not on this feeder.
    WrongFeeder,
    /// The first suspect's meter counts more than its premises take.
    CountsTooMuch,
}

impl Verdict {
    /// Whether it is a matter of equipment or of papers and accuses nobody.
    #[must_use]
    pub fn is_technical(self) -> bool {
        matches!(
            self,
            Self::FeederMeter | Self::WrongPhase | Self::WrongFeeder | Self::CountsTooMuch
        )
    }

    /// Words that end in the place to look at.
    #[must_use]
    pub fn words(self, suspect: Option<&str>) -> String {
        let at = suspect.unwrap_or("an unknown place");
        match self {
            Self::Tap if suspect.is_some() => {
                format!("an unmetered tap, nearest to {at}")
            }
            Self::Tap => "an unmetered tap somewhere on the line".into(),
            Self::PartlyRegistered => format!("the meter of {at} registers only a part"),
            Self::Bypassed => format!("the meter of {at} is bypassed at times"),
            Self::FeederMeter => {
                "the feeder meter or its current transformers' ratio is wrong".into()
            }
            Self::WrongPhase => format!("the meter of {at} hangs on another phase than noted"),
            Self::WrongFeeder => format!("the meter of {at} is not on this feeder"),
            Self::CountsTooMuch => {
                format!("the meter of {at} counts more than its premises take")
            }
        }
    }
}

impl Verdict {
    /// What a person should look for there.
    #[must_use]
    pub fn look_for(self) -> &'static str {
        match self {
            Self::Tap => {
                "Walk the line: a hook, a joint that is not ours, a cable that leaves it before a meter."
            }
            Self::PartlyRegistered => {
                "At the meter: its seal, a bridge between its terminals, a magnet, one phase or the neutral led past it. Compare it with a clamp meter \
                 under load."
            }
            Self::Bypassed => {
                "Behind the meter's board: a second cable or a switch that leads past it. It is there at the times of day the loss is."
            }
            Self::FeederMeter => {
                "At the feeder meter: the ratio set in it against the plates of its current transformers, a loose or reversed secondary."
            }
            Self::WrongPhase => {
                "Follow the service cable to the pole, and note the phase it hangs on. Nobody took anything."
            }
            Self::WrongFeeder => {
                "Follow the service cable to the pole: it hangs on another feeder, or its meter is another's. Nobody took anything."
            }
            Self::CountsTooMuch => {
                "Test the meter: it counts more than it passes on. Its premises may have paid too much."
            }
        }
    }
}

/// A usage point worth a visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accused {
    /// Which.
    pub usage_point: UsagePointId,
    /// How sure, 0 to 1000 permille.
    pub confidence_permille: u16,
    /// Why.
    pub evidence: Vec<Evidence>,
}

impl Accused {
    /// Whether an opening of its supply showed that what is missing does not pass its meter.
    #[must_use]
    pub fn is_cleared(&self) -> bool {
        let shows = |evidence| self.evidence.contains(&evidence);
        let proved = shows(Evidence::BridgedInTest) || shows(Evidence::CountsPartInTest);
        !proved && (shows(Evidence::CountsAllInTest) || shows(Evidence::NotHereInTest))
    }
}

/// Where the watch counts premises otherwise than they are noted: nobody noted their phase, or what is noted is not so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Placed {
    /// On the report's phase though they are not noted there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub here: Vec<UsagePointId>,
    /// Not on the report's phase though they are noted there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<UsagePointId>,
}

/// Suspects of a report: the watch names three.
pub const MOST_SUSPECTS: usize = 3;

/// What the watch over a feeder says of one circuit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossReport {
    /// The feeder.
    pub feeder: FeederId,
    /// The phase that loses; absent if only the total is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// End of the last interval used.
    pub at: UtcSeconds,
    /// When it began, to a few hours.
    pub since: UtcSeconds,
    /// Whether it goes on.
    pub going: bool,
    /// Mean power lost since then, W.
    pub watts: u32,
    /// Energy lost since then.
    pub energy: WattHours,
    /// What it most likely is.
    pub verdict: Verdict,
    /// How sure the verdict is, 0 to 1000 permille.
    pub confidence_permille: u16,
    /// Where to look, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspects: Vec<Accused>,
    /// What the loss looks like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Who is counted on another phase than noted; absent if no phase is balanced, and in reports of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed: Option<Placed>,
}

impl LossReport {
    /// Whether it says something people would want to know beyond `before`: it stopped or went on, points elsewhere, or a
    /// quarter more energy is gone.
    #[must_use]
    pub fn is_news_after(&self, before: &Self) -> bool {
        let first = |report: &Self| report.suspects.first().map(|s| s.usage_point);
        self.going != before.going
            || self.verdict != before.verdict
            || first(self) != first(before)
            || self.energy.0 / 5 > before.energy.0 / 4
    }
}
