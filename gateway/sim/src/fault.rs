//! What people do to meters, and what breaks: as the sensors show it.

use meter_node::Measurement;

/// What is amiss at a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The neutral is led past the meter: two thirds of the load return through earth.
    EarthReturn,
    /// Supply and load are swapped: the power shows backwards.
    Reversed,
    /// The cover is open.
    Cover,
    /// A magnet is near.
    Magnet,
    /// The measuring part registers nothing.
    Frozen,
    /// The voltage lead is cut, and the load goes on.
    LeadCut,
    /// Nothing arrives any more; the node lives on its battery.
    NoSupply,
    /// The supply voltage is at two thirds.
    BrownOut,
    /// The contact is welded together.
    Welded,
}

impl Fault {
    /// Changes what the sensors say.
    pub(crate) fn shows(self, now: &mut Measurement) {
        match self {
            Self::EarthReturn => now.neutral_current_ma = now.phase_current_ma / 3,
            Self::Reversed => now.active_power_w = -now.active_power_w,
            Self::Cover => now.cover_open = true,
            Self::Magnet => now.magnet = true,
            Self::Frozen => now.active_power_w = 0,
            Self::LeadCut => {
                (now.voltage_in_dv, now.voltage_out_dv, now.active_power_w) = (0, 0, 0);
            }
            Self::NoSupply => {
                (now.voltage_in_dv, now.voltage_out_dv, now.active_power_w) = (0, 0, 0);
                (now.phase_current_ma, now.neutral_current_ma) = (0, 0);
            }
            Self::BrownOut => {
                now.voltage_in_dv -= now.voltage_in_dv / 3;
                now.voltage_out_dv -= now.voltage_out_dv / 3;
            }
            // The relay itself.
            Self::Welded => {}
        }
    }
}
