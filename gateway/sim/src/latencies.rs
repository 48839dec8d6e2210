//! Times to take percentiles of.

use serde::Serialize;
use std::time::Duration;

/// A million samples are 4 MB; a two-minute run of 1,000 nodes has 60,000.
const MOST_SAMPLES: usize = 1_000_000;

/// Samples in microseconds. Beyond a million further ones are not kept.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<u32>);

/// Percentiles, milliseconds with three decimals; zero without samples.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Percentiles {
    /// How many samples.
    pub count: usize,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Largest.
    pub max_ms: f64,
}

impl Latencies {
    /// Adds a sample.
    pub fn record(&mut self, latency: Duration) {
        if self.0.len() < MOST_SAMPLES {
            self.0
                .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// Adds the samples of another recording.
    pub fn extend(&mut self, other: &Self) {
        let room = MOST_SAMPLES - self.0.len();
        self.0.extend(other.0.iter().take(room));
    }

    /// Percentiles by nearest rank.
    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(place).map_or(0.0, |us| f64::from(*us) / 1000.0)
        };
        Percentiles {
            count: sorted.len(),
            p50_ms: rank(50),
            p99_ms: rank(99),
            max_ms: rank(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentiles(), Percentiles::default());
        for ms in (1..=200).rev() {
            latencies.record(Duration::from_millis(ms));
        }
        let expected = Percentiles {
            count: 200,
            p50_ms: 100.0,
            p99_ms: 198.0,
            max_ms: 200.0,
        };
        assert_eq!(latencies.percentiles(), expected);
    }
}
