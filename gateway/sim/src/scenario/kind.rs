//! The kinds of scenario: thefts, and honest feeders that are easily taken for one.
//!
//! Decided here: names, as the benchmark's truth and the command line write them, and what a good detector calls each of them.

use clap::ValueEnum;

/// What happens on a feeder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing but what always happens: meters replaced, offline, late.
    Clean,
    /// A tap past every meter, around the clock.
    HookConst,
    /// A tap past every meter in the evenings.
    HookEvening,
    /// A tap past every meter at night.
    HookNight,
    /// A part of a premises' load goes past its meter.
    PartialBypass,
    /// All of it, in the evenings.
    FullBypassEvening,
    /// All of it, at night.
    NightBypass,
    /// A meter counts less than it should.
    GainTamper,
    /// Two premises, each with a bypass of its own.
    TwoThieves,
    /// A register stands.
    Stuck,
    /// Honest: a large new appliance behind a meter.
    HeavyAppliance,
    /// Honest: a street light nobody declared, there from the start.
    StreetLight,
    /// Honest: a meter 2 % slow from the start.
    SlowMeter,
    /// Honest: many premises are empty for a week, or were during the first.
    Holiday,
    /// Honest: everybody uses half as much again from some day on.
    HeatWave,
    /// Honest: solar panels are put up that never export.
    NewSolar,
    /// Honest: two meters are noted on each other's phase.
    WrongPhase,
    /// Honest: a premises is moved to another phase and nobody notes it.
    Moved,
    /// Honest: a meter in the list hangs on another feeder.
    Elsewhere,
    /// Honest: the feeder meter's ratio is wrong on one phase from some day on.
    WrongRatio,
    /// Honest: a meter counts a part too much from some day on.
    FastMeter,
}

/// How often each kind comes in a mixed set, of 100: thefts like the benchmark, half of the honest ones hard.
const SHARES: [(Kind, u32); 21] = [
    (Kind::Clean, 13),
    (Kind::HookConst, 10),
    (Kind::HookEvening, 8),
    (Kind::HookNight, 4),
    (Kind::PartialBypass, 11),
    (Kind::FullBypassEvening, 8),
    (Kind::NightBypass, 6),
    (Kind::GainTamper, 7),
    (Kind::TwoThieves, 5),
    (Kind::Stuck, 5),
    (Kind::HeavyAppliance, 3),
    (Kind::StreetLight, 2),
    (Kind::SlowMeter, 2),
    (Kind::Holiday, 3),
    (Kind::HeatWave, 3),
    (Kind::NewSolar, 2),
    (Kind::WrongPhase, 2),
    (Kind::Moved, 2),
    (Kind::Elsewhere, 1),
    (Kind::WrongRatio, 2),
    (Kind::FastMeter, 1),
];

impl Kind {
    /// The kind that a number from 0 to 99 draws from a mixed set.
    #[must_use]
    pub fn of_share(number: u32) -> Self {
        let mut left = number % 100;
        for (kind, share) in SHARES {
            if left < share {
                return kind;
            }
            left -= share;
        }
        Self::Clean
    }

    /// As the command line writes it.
    #[must_use]
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether energy is taken.
    #[must_use]
    pub fn is_theft(self) -> bool {
        self.verdict()
            .is_some_and(|verdict| !verdict.starts_with("feeder_meter"))
            && !matches!(
                self,
                Self::WrongPhase | Self::Moved | Self::Elsewhere | Self::FastMeter
            )
    }

    /// What is to be said of it; nothing for a feeder of which nothing is to be said.
    #[must_use]
    pub fn verdict(self) -> Option<&'static str> {
        match self {
            Self::HookConst | Self::HookEvening | Self::HookNight => Some("unmetered_tap"),
            Self::PartialBypass | Self::GainTamper => Some("under_registers"),
            Self::FullBypassEvening => Some("bypassed_in_the_evening"),
            Self::NightBypass => Some("bypassed_at_night"),
            Self::TwoThieves => Some("two_thieves"),
            Self::Stuck => Some("register_stands"),
            Self::WrongPhase | Self::Moved | Self::Elsewhere => Some("misplaced"),
            Self::WrongRatio => Some("feeder_meter"),
            Self::FastMeter => Some("counts_too_much"),
            Self::Clean
            | Self::HeavyAppliance
            | Self::StreetLight
            | Self::SlowMeter
            | Self::Holiday
            | Self::HeatWave
            | Self::NewSolar => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_share_of_a_hundred() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<u32>(), 100);
        let drawn: Vec<Kind> = (0..100).map(Kind::of_share).collect();
        assert!(
            Kind::value_variants()
                .iter()
                .all(|kind| drawn.contains(kind))
        );
    }

    #[test]
    fn names_are_those_of_the_benchmark() {
        assert_eq!(Kind::FullBypassEvening.name(), "full_bypass_evening");
        assert!(Kind::Stuck.is_theft() && !Kind::WrongRatio.is_theft() && !Kind::Clean.is_theft());
    }
}
