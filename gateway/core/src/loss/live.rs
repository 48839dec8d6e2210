//! From readings at any time to registers at quarter-hours.
//!
//! Decided here: what a register was at the end of an interval. A node that remembered it says so; else it is read off the line
//! between the readings before and after, if they lie close together. What cannot be known is left out: the watch then guesses with
//! a wider band. Deliberately not: what the energies mean.
//!
//! Terms: a *round* is the registers of all nodes at one moment; it is *due* when the readings after it have had time to arrive.
//! Invariants: a round holds only what was read by the time it was due; memory is bounded by the rounds that wait times the nodes.

use super::site::Settings;
use crate::metering::LastReading;
use crate::{NodeId, UtcSeconds, WattHours};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A line is drawn between readings at most so far apart, as a share of the interval: within a third, no household changes by more
/// than the noise of late readings.
const LINE_SHARE: i64 = 3;
/// A reading so close to the moment is the register, seconds; the benchmark's meters are read up to 20 s off.
const CLOSE_S: i64 = 20;
/// Rounds that wait at most: an hour. More are not awaited, whatever the clock does.
const MOST_WAITING: usize = 4;

/// One node at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Cumulative import.
    pub register: WattHours,
    /// Cumulative export.
    pub export: WattHours,
    /// Mean voltage since the last round, in tenths of a volt.
    pub decivolts: Option<u16>,
    /// Cumulative import of each phase, of a three-phase meter that counts them apart.
    pub phases: Option<[WattHours; 3]>,
    /// Mean voltage of each phase since the last round, in tenths of a volt, of a meter that tells all three.
    pub phase_decivolts: Option<[u16; 3]>,
}

/// All nodes at one moment, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// The moment, a multiple of the interval.
    pub end: UtcSeconds,
    /// What is known.
    pub samples: Vec<(NodeId, Sample)>,
}

/// Makes rounds out of readings.
#[derive(Debug, Clone)]
pub struct Rounds {
    interval_s: i64,
    wait_s: i64,
    waiting: BTreeMap<i64, BTreeMap<NodeId, Sample>>,
    volts: BTreeMap<NodeId, (u32, u32)>,
    phase_volts: BTreeMap<NodeId, ([u32; 3], u32)>,
    done_s: i64,
}

impl Rounds {
    /// For a site that is watched with these settings; a round waits `wait_s` seconds for late readings.
    #[must_use]
    pub fn new(settings: &Settings, wait_s: u32) -> Self {
        Self {
            interval_s: i64::from(settings.interval_s.max(60)),
            wait_s: i64::from(wait_s),
            waiting: BTreeMap::new(),
            volts: BTreeMap::new(),
            phase_volts: BTreeMap::new(),
            done_s: i64::MIN,
        }
    }

    /// Takes note of an accepted reading; `before` is the reading of the same node before it.
    pub fn observe(&mut self, before: Option<&LastReading>, last: &LastReading) {
        let (node, now) = (last.reading.node, last.at.0);
        for interval in &last.reading.intervals {
            let end = interval.end.0;
            let on_grid = end.rem_euclid(self.interval_s) == 0;
            if on_grid && end <= now && now.saturating_sub(end) <= self.interval_s + self.wait_s {
                let phases = before.and_then(|before| self.phases_at(before, last, end));
                self.keep(end, last, interval.register, phases);
            }
        }
        if let Some(before) = before.filter(|before| before.at < last.at) {
            let end = now.div_euclid(self.interval_s) * self.interval_s;
            let registers = (before.reading.register, last.reading.register);
            if let Some(register) = self.at((before.at, last.at), registers, end) {
                let phases = self.phases_at(before, last, end);
                self.keep(end, last, register, phases);
            }
        }
        if let Some(volts) = last.reading.voltage_dv {
            let sum = self.volts.entry(node).or_default();
            // Readings every second for an hour stay below the counter's end.
            *sum = (
                sum.0.saturating_add(u32::from(volts)),
                sum.1.saturating_add(1),
            );
        }
        if let Some(volts) = phase_volts(last) {
            let sum = self.phase_volts.entry(node).or_default();
            for (sum, volts) in sum.0.iter_mut().zip(volts) {
                *sum = sum.saturating_add(u32::from(volts));
            }
            sum.1 = sum.1.saturating_add(1);
        }
    }

    /// A register at `end` between two readings of a node, each with its moment.
    fn at(
        &self,
        (before, last): (UtcSeconds, UtcSeconds),
        (low, high): (WattHours, WattHours),
        end: i64,
    ) -> Option<WattHours> {
        let (from, to) = (before.0, last.0);
        if to - end <= CLOSE_S && to >= end && from < end {
            return Some(high);
        }
        if !(from..=to).contains(&end) || to - from > (self.interval_s / LINE_SHARE).max(CLOSE_S) {
            return None;
        }
        let advance = high.since(low)?;
        let (part, whole) = (
            u128::try_from(end - from).ok()?,
            u128::try_from(to - from).ok()?,
        );
        let share = u128::from(advance.0) * part / whole.max(1);
        Some(low.saturating_add(WattHours(u64::try_from(share).ok()?)))
    }

    /// The registers of the three phases at `end`, if both readings have all of them.
    fn phases_at(
        &self,
        before: &LastReading,
        last: &LastReading,
        end: i64,
    ) -> Option<[WattHours; 3]> {
        let (low, high) = (before.reading.phases?, last.reading.phases?);
        let one = |phase: usize| {
            let registers = (low[phase].import?, high[phase].import?);
            self.at((before.at, last.at), registers, end)
        };
        Some([one(0)?, one(1)?, one(2)?])
    }

    fn keep(
        &mut self,
        end: i64,
        last: &LastReading,
        register: WattHours,
        phases: Option<[WattHours; 3]>,
    ) {
        if end <= self.done_s {
            return;
        }
        let node = last.reading.node;
        let decivolts = self
            .volts
            .remove(&node)
            .and_then(|(sum, count)| u16::try_from(sum.checked_div(count)?).ok());
        let means = self.phase_volts.remove(&node).and_then(|(sums, count)| {
            let mean = |phase: usize| u16::try_from(sums[phase].checked_div(count)?).ok();
            Some([mean(0)?, mean(1)?, mean(2)?])
        });
        let sample = Sample {
            register,
            export: last.reading.export,
            decivolts: decivolts.or(last.reading.voltage_dv),
            phases,
            phase_decivolts: means.or_else(|| phase_volts(last)),
        };
        self.waiting
            .entry(end)
            .or_default()
            .entry(node)
            .or_insert(sample);
    }

    /// The rounds that need not wait any longer, oldest first. A moment nothing was read for makes no round.
    pub fn due(&mut self, now: UtcSeconds) -> Vec<Round> {
        let mut due = Vec::new();
        while let Some((end, _)) = self.waiting.first_key_value() {
            let end = *end;
            if now.0 < end.saturating_add(self.wait_s) && self.waiting.len() <= MOST_WAITING {
                break;
            }
            let samples = self.waiting.remove(&end).unwrap_or_default();
            self.done_s = end;
            due.push(Round {
                end: UtcSeconds(end),
                samples: samples.into_iter().collect(),
            });
        }
        due
    }
}

/// The voltages of all three phases, if the meter tells them.
fn phase_volts(last: &LastReading) -> Option<[u16; 3]> {
    let phases = last.reading.phases?;
    let volts = |phase: usize| phases[phase].voltage_dv;
    Some([volts(0)?, volts(1)?, volts(2)?])
}
