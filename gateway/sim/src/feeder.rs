//! The feeder: what it carries beyond the premises, and how far its voltage sags.

use crate::household::Demand;

/// Voltage at the transformer, millivolts.
const SOURCE_MV: u64 = 230_000;

/// The low-voltage line from the transformer to the last house, as one resistance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Resistance, milliohms. 1,200 over the number of houses loses about 2 % at 1 kW each.
    pub resistance_mohm: u32,
    /// Load that no meter counts, watts.
    pub tap_w: u32,
}

impl Line {
    /// A line that suits so many houses, without a tap.
    #[must_use]
    pub fn for_houses(houses: usize) -> Self {
        let houses = u32::try_from(houses.max(1)).unwrap_or(u32::MAX);
        Self {
            resistance_mohm: (1200 / houses).max(1),
            tap_w: 0,
        }
    }

    /// Current for the premises' and the tap's power, milliamperes.
    #[must_use]
    pub fn current_ma(&self, premises_mw: u64) -> u64 {
        (premises_mw + self.tap_mw()) * 1000 / SOURCE_MV
    }

    /// Power lost as heat, milliwatts.
    #[must_use]
    pub fn loss_mw(&self, premises_mw: u64) -> u64 {
        let current_ma = self.current_ma(premises_mw);
        // (mA)² mΩ = 10⁻⁹ W.
        current_ma * current_ma / 1000 * u64::from(self.resistance_mohm) / 1000
    }

    /// What the meter at the head of the feeder sees: premises, tap and loss.
    #[must_use]
    pub fn head(&self, premises_mw: u64) -> Demand {
        let active_mw = premises_mw + self.tap_mw() + self.loss_mw(premises_mw);
        Demand {
            active_mw,
            reactive_mw: active_mw / 4,
        }
    }

    /// Voltage at a house, millivolts. `place` is 0 at the transformer and 1000 at the far end.
    #[must_use]
    pub fn voltage_mv(&self, premises_mw: u64, place: u32) -> u64 {
        let drop_uv = self.current_ma(premises_mw) * u64::from(self.resistance_mohm);
        // At most half is lost, however wildly the load was set: the meters keep their supply.
        let drop_mv = (drop_uv / 1000 * u64::from(place) / 1000).min(SOURCE_MV / 2);
        SOURCE_MV - drop_mv
    }

    fn tap_mw(&self) -> u64 {
        u64::from(self.tap_w) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loses_two_percent_at_a_kilowatt_each() {
        let line = Line::for_houses(30);
        let loss_w = line.loss_mw(30_000_000) / 1000;
        assert!((500..800).contains(&loss_w), "{loss_w} W");
        let far_end_mv = line.voltage_mv(30_000_000, 1000);
        assert!((222_000..227_000).contains(&far_end_mv), "{far_end_mv} mV");
        assert_eq!(line.voltage_mv(30_000_000, 0), SOURCE_MV);
    }

    #[test]
    fn the_head_sees_the_tap_and_its_loss() {
        let honest = Line::for_houses(10);
        let tapped = Line {
            tap_w: 2_000,
            ..honest
        };
        let more_mw = tapped.head(5_000_000).active_mw - honest.head(5_000_000).active_mw;
        assert!(
            more_mw > 2_000_000,
            "the tap heats the line too: {more_mw} mW"
        );
        assert!(more_mw < 2_200_000, "{more_mw} mW");
    }
}
