//! What a feeder delivered against what its meters took, span by span: for pages and reports.
//!
//! Decided here: what is known of a span and what is guessed. A register between two rounds is read off the line if the
//! rounds lie close together; a meter that is not known in a span is guessed from its own mean over all spans, and the
//! guess is named. Deliberately not: whether a difference is a theft ([`super::watch`]).
//!
//! Terms: a *counter* is a meter's whole register or that of one of its phases. Energies of whole registers are net of export, so a premises with
//! solar panels counts negative while it feeds; phases count their import alone.
//! Invariants: nothing is guessed for the feeder; all spans have the same length and follow each other.

use super::live::Round;
use super::site::Phase;
use crate::{NodeId, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A line is drawn between rounds at most so far apart, seconds: four quarter-hours and the one that is due. Beyond it a
/// household may have done anything.
const LINE_S: i64 = 4_500;

/// What is read of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    /// The meter.
    pub node: NodeId,
    /// One phase of one that counts them apart; absent: its whole register.
    pub phase: Option<Phase>,
}

impl Counter {
    /// All of a meter.
    #[must_use]
    pub fn whole(node: NodeId) -> Self {
        Self { node, phase: None }
    }
}

/// A span's balance. Energies in Wh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its end; it begins where the one before ends.
    pub end: UtcSeconds,
    /// What went into the feeder; absent while its meter is not known.
    pub delivered: Option<i64>,
    /// What the meters took that are known.
    pub metered: i64,
    /// What the others usually take.
    pub guessed: i64,
    /// How many are guessed.
    pub missing: u32,
}

impl Span {
    /// Energy that reached no meter, guesses included; absent while the feeder is not known.
    #[must_use]
    pub fn residual(&self) -> Option<i64> {
        Some(self.delivered? - self.metered - self.guessed)
    }
}

/// The counters of every node of some rounds.
#[derive(Debug, Clone, Default)]
pub struct Registers {
    counters: BTreeMap<Counter, Vec<(i64, [i64; 2])>>,
}

impl Registers {
    /// Of rounds in order of time.
    #[must_use]
    pub fn of(rounds: &[Round]) -> Self {
        let mut counters: BTreeMap<Counter, Vec<_>> = BTreeMap::new();
        let whole = |wh: u64| i64::try_from(wh).unwrap_or(i64::MAX);
        for round in rounds {
            for (node, sample) in &round.samples {
                let both = [sample.register, sample.export].map(|wh| whole(wh.0));
                let mut keep = |phase, both| {
                    let counter = Counter { node: *node, phase };
                    counters
                        .entry(counter)
                        .or_default()
                        .push((round.end.0, both));
                };
                keep(None, both);
                for (phase, wh) in Phase::ALL.into_iter().zip(sample.phases.iter().flatten()) {
                    keep(Some(phase), [whole(wh.0), 0]);
                }
            }
        }
        Self { counters }
    }

    /// Net energy of a counter between two moments, Wh; nothing if it cannot be known.
    #[must_use]
    pub fn energy(&self, counter: Counter, from: UtcSeconds, to: UtcSeconds) -> Option<i64> {
        let known = self.counters.get(&counter)?;
        let first = known.partition_point(|(at, _)| *at <= from.0);
        let last = known.partition_point(|(at, _)| *at < to.0);
        let inside = known.get(first.saturating_sub(1)..=last.min(known.len() - 1))?;
        // A register that went back was replaced or restarted: what went through before is not known.
        let back = |pair: &[(i64, [i64; 2])]| (0..2).any(|i| pair[1].1[i] < pair[0].1[i]);
        if inside.windows(2).any(back) {
            return None;
        }
        let (before, after) = (at(known, from.0)?, at(known, to.0)?);
        Some((after[0] - before[0]) - (after[1] - before[1]))
    }

    /// The balances of spans of `length_s` from `from` to `to`.
    #[must_use]
    pub fn spans(
        &self,
        (feeder, meters): (Counter, &[Counter]),
        (from, to): (UtcSeconds, UtcSeconds),
        length_s: i64,
    ) -> Vec<Span> {
        let length_s = length_s.max(60);
        let count = (to.0 - from.0).max(0) / length_s;
        let bounds = |span: i64| {
            let begin = UtcSeconds(from.0 + span * length_s);
            (begin, UtcSeconds(begin.0 + length_s))
        };
        let mut spans: Vec<Span> = (0..count)
            .map(|span| Span {
                end: bounds(span).1,
                delivered: self.energy(feeder, bounds(span).0, bounds(span).1),
                metered: 0,
                guessed: 0,
                missing: 0,
            })
            .collect();
        for meter in meters {
            let of_span = |span| self.energy(*meter, bounds(span).0, bounds(span).1);
            let energies: Vec<Option<i64>> = (0..count).map(of_span).collect();
            let known = energies.iter().flatten();
            let number = i64::try_from(known.clone().count()).unwrap_or(i64::MAX);
            let usual = known.sum::<i64>().checked_div(number).unwrap_or(0);
            for (span, energy) in spans.iter_mut().zip(energies) {
                match energy {
                    Some(energy) => span.metered += energy,
                    None => {
                        span.guessed += usual;
                        span.missing += 1;
                    }
                }
            }
        }
        spans
    }
}

/// Both registers at a moment, on the line between the rounds around it.
fn at(known: &[(i64, [i64; 2])], moment: i64) -> Option<[i64; 2]> {
    let next = known.partition_point(|(at, _)| *at < moment);
    let (to, high) = known.get(next)?;
    if *to == moment {
        return Some(*high);
    }
    let (from, low) = known.get(next.checked_sub(1)?)?;
    if to - from > LINE_S {
        return None;
    }
    let part = |i: usize| {
        let share =
            i128::from(high[i] - low[i]) * i128::from(moment - from) / i128::from(to - from);
        low[i] + i64::try_from(share).unwrap_or(0)
    };
    Some([part(0), part(1)])
}
