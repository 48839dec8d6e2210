//! Chance from a seed: the same seed gives the same neighbourhood.

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for every seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence that nobody can repeat: for the noise a node's hardware would have.
    #[must_use]
    pub fn from_noise() -> Self {
        use std::hash::{BuildHasher, Hasher};
        let hasher = std::hash::RandomState::new().build_hasher();
        Self(hasher.finish())
    }

    /// The next 64 bits.
    pub const fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` up to and including `high`; `low` if the range is empty.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u64::from(high.saturating_sub(low)) + 1;
        let share = ((self.next_bits() >> 32) * span) >> 32;
        low.saturating_add(u32::try_from(share).unwrap_or(u32::MAX))
    }

    /// From 0 up to but not including 1.
    pub fn unit(&mut self) -> f64 {
        // 53 bits are what the type holds exactly.
        (self.next_bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` to `high`, evenly.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// From `low` to `high`, both above zero, as often below their geometric mean as above.
    pub fn log_range(&mut self, low: f64, high: f64) -> f64 {
        low * (high / low).powf(self.unit())
    }

    /// True so often, 0 to 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Normally distributed around zero with standard deviation one (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_the_range_and_reaches_its_ends() {
        let mut random = Random::new(1);
        let drawn: Vec<u32> = (0..1000).map(|_| random.between(3, 7)).collect();
        for value in 3..=7 {
            assert!(drawn.contains(&value), "{value} never came");
        }
        assert!(drawn.iter().all(|value| (3..=7).contains(value)));
        assert_eq!(random.between(9, 2), 9);
        assert_eq!(Random::new(5).next_bits(), Random::new(5).next_bits());
    }
}
