//! What a bouncing contact means: a level counts once it has stood still for a while.
//!
//! No clock is read here: edges carry their time, and whoever waited says that nothing came ([`Debounce::quiet`]).

use super::Edge;

/// A level that has stood still long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The edge it began with, in milliseconds of the board's clock.
    pub since_ms: u64,
    /// What the line is since then.
    pub active: bool,
}

/// One input.
#[derive(Debug, Clone)]
pub struct Debounce {
    still_ms: u64,
    settled: bool,
    latest: Edge,
}

impl Debounce {
    /// An input that is now at a level; a level counts after `still_ms` without an edge.
    #[must_use]
    pub fn new(still_ms: u64, active: bool) -> Self {
        let latest = Edge { at_ms: 0, active };
        Self {
            still_ms,
            settled: active,
            latest,
        }
    }

    /// The level that counts.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.settled
    }

    /// Whether an edge waits to be believed.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.latest.active != self.settled
    }

    /// An edge came. What stood still before it may count now.
    pub fn edge(&mut self, edge: Edge) -> Option<Change> {
        let stood = edge.at_ms.saturating_sub(self.latest.at_ms) >= self.still_ms;
        let change = if stood { self.quiet() } else { None };
        self.latest = edge;
        change
    }

    /// The line was found at a level without an edge that says so: one got lost. It counts after standing still like any other.
    pub fn found(&mut self, active: bool) {
        if self.latest.active != active {
            let at_ms = u64::MAX;
            self.latest = Edge { at_ms, active };
        }
    }

    /// No edge came for as long as a level must stand still.
    pub fn quiet(&mut self) -> Option<Change> {
        if !self.is_waiting() {
            return None;
        }
        self.settled = self.latest.active;
        Some(Change {
            since_ms: self.latest.at_ms,
            active: self.settled,
        })
    }
}

/// Impulses of a meter (S0, IEC 62053-31) as its register.
///
/// ```
/// # use gateway_field::gpio::Pulses;
/// let mut meter = Pulses::new(800, 1_000); // 800 impulses per kWh, register at 1,000 Wh
/// for _ in 0..4 {
///     meter.count();
/// }
/// assert_eq!(meter.register_wh(), 1_005);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulses {
    per_kwh: u64,
    start_wh: u64,
    counted: u64,
}

impl Pulses {
    /// A meter whose register is known, in watt-hours. `per_kwh`: impulses per kilowatt-hour, at least 1.
    #[must_use]
    pub fn new(per_kwh: u32, register_wh: u64) -> Self {
        Self {
            per_kwh: u64::from(per_kwh.max(1)),
            start_wh: register_wh,
            counted: 0,
        }
    }

    /// One more impulse.
    pub fn count(&mut self) {
        self.counted = self.counted.saturating_add(1);
    }

    /// Impulses since the start.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// The register in watt-hours, rounded down: what is left of a watt-hour is counted with the next one.
    #[must_use]
    pub fn register_wh(&self) -> u64 {
        let new = u128::from(self.counted) * 1_000 / u128::from(self.per_kwh);
        self.start_wh
            .saturating_add(u64::try_from(new).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpio::parse_trace;

    /// The levels that counted in a recorded trace, as `time level`, and the impulses.
    fn replay(trace: &str, still_ms: u64) -> (Vec<(u64, bool)>, u64) {
        let mut input = Debounce::new(still_ms, false);
        let mut meter = Pulses::new(1_000, 0);
        let mut changes = Vec::new();
        for sample in parse_trace(trace).expect("a trace") {
            let edge = Edge {
                at_ms: sample.at_ms,
                active: sample.high,
            };
            changes.extend(input.edge(edge));
        }
        changes.extend(input.quiet());
        for _ in changes.iter().filter(|change| change.active) {
            meter.count();
        }
        let changes = changes
            .iter()
            .map(|change| (change.since_ms, change.active));
        (changes.collect(), meter.counted())
    }

    #[test]
    fn a_contact_that_bounces_counts_once() {
        // A reed contact: five bounces in 3 ms, 90 ms closed, three bounces on opening; then a 4 ms spark, then one more impulse.
        let trace = "100 S 1\n101 S 0\n101 S 1\n102 S 0\n103 S 1\n193 S 0\n194 S 1\n195 S 0\n\
                     400 S 1\n404 S 0\n600 S 1\n690 S 0\n";
        let (changes, counted) = replay(trace, 30);
        let expected = vec![(103, true), (195, false), (600, true), (690, false)];
        assert_eq!((changes, counted), (expected, 2));
        // Without debouncing every bounce would be energy.
        assert_eq!(replay(trace, 0).1, 6);
    }

    #[test]
    fn a_level_shorter_than_the_wait_is_none() {
        let (changes, _) = replay("10 S 1\n29 S 0\n200 S 1\n230 S 0\n", 30);
        assert_eq!(changes, [(200, true), (230, false)]);
    }

    #[test]
    fn a_lost_edge_is_found_and_still_debounced() {
        let mut input = Debounce::new(30, false);
        input.found(true);
        assert!(input.is_waiting());
        // The edge comes after all, and then a bounce: neither is believed before its time.
        for (at_ms, active) in [(100, true), (110, false), (112, true)] {
            assert_eq!(input.edge(Edge { at_ms, active }), None);
        }
        let change = input.quiet();
        assert_eq!(
            change.map(|change| (change.since_ms, change.active)),
            Some((112, true))
        );
    }

    #[test]
    fn impulses_that_are_no_whole_watt_hours_lose_nothing() {
        let mut meter = Pulses::new(3, 10);
        for _ in 0..3_000 {
            meter.count();
        }
        assert_eq!(meter.register_wh(), 10 + 1_000_000);
        assert_eq!(Pulses::new(0, 5).register_wh(), 5);
    }
}
