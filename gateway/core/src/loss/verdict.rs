//! What a lineman is told: one sentence of an alarm, instead of its evidence.
//!
//! Decided here: which of the findings that belong together is the one to act on, and its words. Deliberately not: how sure that is; the
//! confidences stand in the findings.

use super::site::{Evidence, Finding, Kind, Phase};
use crate::UsagePointId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Premises named beside a tap.
const NEAREST: usize = 3;

/// What most likely is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This meter counts a part of what its premises use, around the clock.
    UnderRegisters(UsagePointId),
    /// This meter is bypassed in the evening.
    BypassedInTheEvening(UsagePointId),
    /// This meter is bypassed at night.
    BypassedAtNight(UsagePointId),
    /// This register stands while its premises use energy.
    RegisterStands(UsagePointId),
    /// A load without a meter.
    UnmeteredTap {
        /// The phase it hangs on, if phases are measured.
        phase: Option<Phase>,
        /// The premises it most likely hangs near, the likeliest first.
        nearest: Vec<UsagePointId>,
    },
    /// The feeder meter, its current transformers or their ratio are wrong.
    FeederMeter {
        /// The phase, if phases are measured.
        phase: Option<Phase>,
    },
    /// This meter hangs on another phase, or on another feeder.
    Misplaced {
        /// The premises.
        meter: UsagePointId,
        /// The phase it hangs on; nothing if none of this feeder.
        to: Option<Phase>,
    },
    /// This meter counts more than its premises take.
    CountsTooMuch(UsagePointId),
    /// A loss is over.
    Over,
}

impl Verdict {
    /// The verdict of findings that belong together: of the same moment and phase. Nothing if there are none.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Option<Self> {
        let first = findings.first()?;
        match first.kind {
            Kind::Ended => return Some(Self::Over),
            Kind::FeederMeter => return Some(Self::FeederMeter { phase: first.phase }),
            Kind::Misplaced { meter, to } => return Some(Self::Misplaced { meter, to }),
            Kind::CountsTooMuch { meter } => return Some(Self::CountsTooMuch(meter)),
            Kind::FeederLoss | Kind::Meter { .. } => {}
        }
        if first.evidence.contains(&Evidence::FollowsEverything) {
            return Some(Self::FeederMeter { phase: first.phase });
        }
        let mut best = first;
        for finding in findings {
            if finding.confidence_permille > best.confidence_permille {
                best = finding;
            }
        }
        let has = |evidence| first.evidence.contains(&evidence);
        let at_night = has(Evidence::LossAtNight) || has(Evidence::RecursAtNight);
        let in_the_evening = has(Evidence::LossInTheEvening) || has(Evidence::RecursInTheEvening);
        Some(match best.kind {
            Kind::Meter { meter } if best.evidence.contains(&Evidence::LossWhileRegisterStands) => {
                if best.evidence.contains(&Evidence::RegisterStandsAlways) {
                    Self::RegisterStands(meter)
                } else if in_the_evening {
                    Self::BypassedInTheEvening(meter)
                } else if at_night {
                    Self::BypassedAtNight(meter)
                } else {
                    Self::RegisterStands(meter)
                }
            }
            Kind::Meter { meter } => Self::UnderRegisters(meter),
            _ => Self::UnmeteredTap {
                phase: first.phase,
                nearest: meters(findings).take(NEAREST).collect(),
            },
        })
    }

    /// The premises it is about, if it is about one.
    #[must_use]
    pub fn meter(&self) -> Option<UsagePointId> {
        match self {
            Self::UnderRegisters(meter)
            | Self::BypassedInTheEvening(meter)
            | Self::BypassedAtNight(meter)
            | Self::RegisterStands(meter)
            | Self::CountsTooMuch(meter)
            | Self::Misplaced { meter, .. } => Some(*meter),
            Self::UnmeteredTap { .. } | Self::FeederMeter { .. } | Self::Over => None,
        }
    }

    /// A word for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnderRegisters(_) => "under_registers",
            Self::BypassedInTheEvening(_) => "bypassed_in_the_evening",
            Self::BypassedAtNight(_) => "bypassed_at_night",
            Self::RegisterStands(_) => "register_stands",
            Self::UnmeteredTap { .. } => "unmetered_tap",
            Self::FeederMeter { .. } => "feeder_meter",
            Self::Misplaced { .. } => "misplaced",
            Self::CountsTooMuch(_) => "counts_too_much",
            Self::Over => "over",
        }
    }

    /// Words for a lineman. `name` says what people call a premises.
    #[must_use]
    pub fn words(&self, name: impl Fn(UsagePointId) -> String) -> String {
        let on = |phase: &Option<Phase>| {
            phase.map_or_else(String::new, |phase| format!(", phase {phase}"))
        };
        match self {
            Self::UnderRegisters(meter) => {
                format!("the meter of {} registers only a part", name(*meter))
            }
            Self::BypassedInTheEvening(meter) => {
                format!("the meter of {} is bypassed in the evening", name(*meter))
            }
            Self::BypassedAtNight(meter) => {
                format!("the meter of {} is bypassed at night", name(*meter))
            }
            Self::RegisterStands(meter) => {
                format!(
                    "the register of {} stands while energy is used",
                    name(*meter)
                )
            }
            Self::UnmeteredTap { phase, nearest } => {
                let mut words = String::from("an unmetered tap");
                for (at, meter) in nearest.iter().enumerate() {
                    let before = if at == 0 { ", nearest to " } else { ", " };
                    words = format!("{words}{before}{}", name(*meter));
                }
                words + &on(phase)
            }
            Self::FeederMeter { phase } => {
                format!(
                    "the feeder meter or its current transformer ratio is wrong{}",
                    on(phase)
                )
            }
            Self::Misplaced {
                meter,
                to: Some(phase),
            } => format!(
                "the meter of {} hangs on phase {phase}, not where it is noted",
                name(*meter)
            ),
            Self::Misplaced { meter, to: None } => {
                format!("the meter of {} hangs on another feeder", name(*meter))
            }
            Self::CountsTooMuch(meter) => {
                format!("the meter of {} counts more than is used", name(*meter))
            }
            Self::Over => "the loss is over".into(),
        }
    }
}

fn meters(findings: &[Finding]) -> impl Iterator<Item = UsagePointId> + '_ {
    findings.iter().filter_map(|finding| match finding.kind {
        Kind::Meter { meter } => Some(meter),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcSeconds;
    use alloc::string::ToString;
    use alloc::vec;

    const METER: UsagePointId = UsagePointId(7);

    fn finding(kind: Kind, confidence_permille: u16, evidence: Vec<Evidence>) -> Finding {
        Finding {
            at: UtcSeconds(0),
            kind,
            phase: Some(Phase::B),
            confidence_permille,
            since: UtcSeconds(0),
            watts: 100,
            evidence,
        }
    }

    fn check(loss: (u16, Evidence), meter: (u16, Evidence), says: &str) {
        let findings = [
            finding(Kind::FeederLoss, loss.0, vec![loss.1]),
            finding(Kind::Meter { meter: METER }, meter.0, vec![meter.1]),
        ];
        let verdict = Verdict::of(&findings).expect("two findings");
        assert_eq!(verdict.words(|meter| meter.0.to_string()), says);
    }

    #[test]
    fn a_lineman_is_told_one_thing() {
        use Evidence::{
            FollowsEverything, LossAroundTheClock, LossAtNight, LossFollowsRegister,
            LossInTheEvening, LossWhileRegisterStands,
        };
        let part = (700, LossFollowsRegister);
        let stands = (700, LossWhileRegisterStands);
        check(
            (300, LossInTheEvening),
            part,
            "the meter of 7 registers only a part",
        );
        check(
            (300, LossInTheEvening),
            stands,
            "the meter of 7 is bypassed in the evening",
        );
        check(
            (300, LossAtNight),
            stands,
            "the meter of 7 is bypassed at night",
        );
        check(
            (300, LossAroundTheClock),
            stands,
            "the register of 7 stands while energy is used",
        );
        check(
            (800, LossAtNight),
            part,
            "an unmetered tap, nearest to 7, phase B",
        );
        let ratio = "the feeder meter or its current transformer ratio is wrong, phase B";
        check((300, FollowsEverything), part, ratio);
    }

    #[test]
    fn what_is_no_loss_is_told_as_it_is() {
        let check = |kind, name: &str| {
            let verdict = Verdict::of(&[finding(kind, 990, Vec::new())]).expect("one finding");
            assert_eq!(verdict.name(), name);
        };
        check(Kind::Ended, "over");
        check(Kind::FeederMeter, "feeder_meter");
        check(Kind::CountsTooMuch { meter: METER }, "counts_too_much");
        let to = Some(Phase::C);
        check(Kind::Misplaced { meter: METER, to }, "misplaced");
        assert_eq!(Verdict::of(&[]), None);
    }
}
