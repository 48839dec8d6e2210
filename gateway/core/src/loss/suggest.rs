//! Which phase of the feeder a single-phase connection hangs on, suggested from voltages.
//!
//! Meters on one phase see the same voltage rise and fall: the changes of a meter's voltage from one round to the next are compared with
//! those of the meters whose phase somebody has set, and with the feeder meter's own voltages where it tells all three. Decided here: what is likely, and when that is enough to suggest it. Deliberately
//! not: setting it. A suggestion is for a person.
//!
//! Terms: a *reference* is a meter whose phase is set, or a phase of the feeder meter; the *likeness* to a phase is the correlation of the meter's changes with the mean
//! change of that phase's references, in thousandths. Invariant: floating-point sums in a fixed order, so the same rounds give the same answer.

use super::Phase;
use super::live::{Round, Sample};
use crate::NodeId;
use crate::meter_link::FeederPhase;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Changes that have to be seen: a day of quarter-hours. What happens in one evening can be chance.
const LEAST_CHANGES: u32 = 96;
/// Likeness the best phase needs, in thousandths. Meters deep in one cable share 600 and more.
const LEAST_LIKENESS: i32 = 400;
/// How far the best must lie above the second, in thousandths: as in the check of phase labels.
const LEAST_LEAD: i32 = 150;
/// And in standard deviations of a correlation of unrelated series: one chance in some ten thousand.
const SURE: f64 = 4.0;
/// A step between two rounds that is no fluctuation: a switch, a fuse, another tap. In tenths of a volt.
const STEP_DV: i32 = 300;

/// What the voltages say of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "suggestion", rename_all = "kebab-case")]
pub enum PhaseSuggestion {
    /// It hangs on this phase, most likely.
    Likely {
        /// The phase.
        phase: Phase,
        /// Likeness to A, B and C, in thousandths; absent where a phase has no reference.
        likeness: [Option<i32>; 3],
        /// Changes compared.
        changes: u32,
    },
    /// No phase stands out.
    NotClear {
        /// Likeness to A, B and C, in thousandths; absent where a phase has no reference.
        likeness: [Option<i32>; 3],
        /// Changes compared.
        changes: u32,
    },
    /// Fewer changes of voltage than a day's were seen together with those of references.
    TooEarly {
        /// Changes seen.
        changes: u32,
    },
    /// The feeder meter does not tell its three voltages, and on fewer than two phases is there a meter whose phase is set, so that nothing can
    /// be told apart.
    NoReferences,
}

impl PhaseSuggestion {
    /// The phase to suggest, if there is one.
    #[must_use]
    pub fn phase(&self) -> Option<FeederPhase> {
        let Self::Likely { phase, .. } = self else {
            return None;
        };
        Some(match phase {
            Phase::A => FeederPhase::A,
            Phase::B => FeederPhase::B,
            Phase::C => FeederPhase::C,
        })
    }

    /// What it says to an installer.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Likely {
                phase, likeness, ..
            } => format!("the voltages suggest phase {phase} ({})", percents(likeness)),
            Self::NotClear { likeness, .. } => {
                format!("the voltages do not say which phase ({})", percents(likeness))
            }
            Self::TooEarly { changes } => format!(
                "too early to say: {changes} of {LEAST_CHANGES} quarter-hours with voltages"
            ),
            Self::NoReferences => {
                "set the phase of one other usage point on each of two phases, or let the feeder meter tell its three voltages, and the voltages can tell".into()
            }
        }
    }
}

fn percents(likeness: &[Option<i32>; 3]) -> String {
    let mut words = String::new();
    for (phase, likeness) in Phase::ALL.into_iter().zip(likeness) {
        if let Some(likeness) = likeness {
            let comma = if words.is_empty() { "" } else { ", " };
            words.push_str(&format!("{comma}{phase} {} %", likeness / 10));
        }
    }
    words
}

/// Sums of one comparison.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    own: f64,
    both: f64,
    other: f64,
    count: u32,
}

impl Sums {
    fn likeness(&self) -> Option<i32> {
        if self.count == 0 {
            return None;
        }
        let square = libm::sqrt(self.own * self.other);
        let likeness = if square > 0.0 {
            self.both / square
        } else {
            0.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a correlation times a thousand"
        )]
        Some(libm::round(likeness * 1_000.0) as i32)
    }
}

/// Compares a meter's voltages with those of its neighbours. `references`: meters with the phase somebody set, by number; the meter
/// itself among them is left out. `feeder`: the meter of the feeder they hang on; its voltages count where it tells all three.
#[must_use]
pub fn suggest(
    rounds: &[Round],
    meter: NodeId,
    references: &[(NodeId, Phase)],
    feeder: Option<NodeId>,
) -> PhaseSuggestion {
    let others: Vec<(NodeId, Phase)> = references
        .iter()
        .filter(|(node, _)| *node != meter)
        .copied()
        .collect();
    let has = |phase: Phase| others.iter().any(|(_, of)| *of == phase);
    let tells = |round: &Round| {
        let sample = feeder.and_then(|feeder| sample(round, feeder));
        sample.is_some_and(|sample| sample.phase_decivolts.is_some())
    };
    let is_apart = Phase::ALL.into_iter().filter(|phase| has(*phase)).count() >= 2;
    if !is_apart && !rounds.iter().any(tells) {
        return PhaseSuggestion::NoReferences;
    }
    let mut sums = [Sums::default(); 3];
    for pair in rounds.windows(2) {
        let [before, after] = pair else { continue };
        let Some(own) = change(before, after, meter) else {
            continue;
        };
        for phase in Phase::ALL {
            let of_phase = others.iter().filter(|(_, of)| *of == phase);
            let changes = of_phase.filter_map(|(node, _)| change(before, after, *node));
            let of_feeder = feeder.and_then(|feeder| phase_change((before, after), feeder, phase));
            let changes = changes.chain(of_feeder);
            let (sum, count) = changes.fold((0.0, 0.0_f64), |(sum, n), dv| (sum + dv, n + 1.0));
            if count > 0.0 {
                let mean = sum / count;
                let cell = &mut sums[phase.index()];
                cell.own += own * own;
                cell.both += own * mean;
                cell.other += mean * mean;
                cell.count += 1;
            }
        }
    }
    judge(&sums)
}

fn judge(sums: &[Sums; 3]) -> PhaseSuggestion {
    let likeness = [0, 1, 2].map(|phase: usize| sums[phase].likeness());
    let compared = sums.iter().filter(|sums| sums.count > 0);
    let changes = compared.clone().map(|sums| sums.count).min().unwrap_or(0);
    if changes < LEAST_CHANGES || compared.count() < 2 {
        return PhaseSuggestion::TooEarly { changes };
    }
    let mut ranked: Vec<(i32, Phase)> = Phase::ALL
        .into_iter()
        .filter_map(|phase| Some((likeness[phase.index()]?, phase)))
        .collect();
    // The first of equals stays first, so that the answer does not depend on the sort.
    ranked.sort_by_key(|(likeness, _)| core::cmp::Reverse(*likeness));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "at most four thousand over the root of a day's changes"
    )]
    let sure = libm::ceil(SURE * 1_000.0 / libm::sqrt(f64::from(changes))) as i32;
    match ranked.as_slice() {
        [(best, phase), (second, _), ..]
            if *best >= LEAST_LIKENESS && best - second >= LEAST_LEAD.max(sure) =>
        {
            PhaseSuggestion::Likely {
                phase: *phase,
                likeness,
                changes,
            }
        }
        _ => PhaseSuggestion::NotClear { likeness, changes },
    }
}

/// How much a meter's voltage changed from one round to the next, in tenths of a volt; nothing if it is not known or no fluctuation.
fn change(before: &Round, after: &Round, node: NodeId) -> Option<f64> {
    let volts = |round: &Round| sample(round, node)?.decivolts.map(i32::from);
    fluctuation(volts(before)?, volts(after)?)
}

/// The same of one phase of a meter that tells all three.
fn phase_change((before, after): (&Round, &Round), node: NodeId, phase: Phase) -> Option<f64> {
    let volts = |round: &Round| {
        let volts = sample(round, node)?.phase_decivolts?;
        Some(i32::from(volts[phase.index()]))
    };
    fluctuation(volts(before)?, volts(after)?)
}

fn fluctuation(before: i32, after: i32) -> Option<f64> {
    let change = after - before;
    (change.abs() < STEP_DV).then(|| f64::from(change))
}

/// Samples stand in the order of their nodes.
fn sample(round: &Round, node: NodeId) -> Option<&Sample> {
    let place = round.samples.binary_search_by_key(&node, |(node, _)| *node);
    place.ok().map(|place| &round.samples[place].1)
}
