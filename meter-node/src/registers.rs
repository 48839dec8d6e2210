//! Energy registers: power times time in millijoules, carried into whole watt-hours.

use crate::records::SavedRegisters;
use prepaid_common::WattHours;

/// The registers are saved when they advanced by this much, so a power cut without warning forgets
/// less than this (plus the one step in which it would have been saved). The number comes from the
/// wear of the EEPROM, see `records`.
pub const REGISTER_SAVE_STEP_WH: u64 = 20;

const MJ_PER_WH: u32 = 3_600_000;
/// No household connection carries a megawatt; the limit keeps a step inside 32 bits.
const MAX_POWER_W: u32 = 1_000_000;
const MAX_STEP_MS: u32 = 4_000;

pub(crate) struct Registers {
    import: Register,
    export: Register,
}

#[derive(Default)]
struct Register {
    value: u64,
    rest_mj: u32,
    saved: u64,
}

impl Register {
    fn new(value: WattHours) -> Self {
        Self {
            value: value.0,
            rest_mj: 0,
            saved: value.0,
        }
    }

    fn add(&mut self, power_w: u32, mut elapsed_ms: u32) {
        let power_w = power_w.min(MAX_POWER_W);
        while elapsed_ms > 0 {
            let step_ms = elapsed_ms.min(MAX_STEP_MS);
            elapsed_ms -= step_ms;
            // At most 4,000,000,000 + 3,600,000 - 1: below 2^32.
            let energy_mj = self.rest_mj + power_w * step_ms;
            self.value = self.value.saturating_add(u64::from(energy_mj / MJ_PER_WH));
            self.rest_mj = energy_mj % MJ_PER_WH;
        }
    }

    fn unsaved(&self) -> u64 {
        self.value - self.saved
    }
}

impl Registers {
    pub fn new(saved: Option<SavedRegisters>) -> Self {
        match saved {
            Some(saved) => Self {
                import: Register::new(saved.import),
                export: Register::new(saved.export),
            },
            None => Self {
                import: Register::default(),
                export: Register::default(),
            },
        }
    }

    pub fn import(&self) -> WattHours {
        WattHours(self.import.value)
    }

    pub fn export(&self) -> WattHours {
        WattHours(self.export.value)
    }

    pub fn add(&mut self, power_w: i32, elapsed_ms: u32) {
        let register = if power_w < 0 {
            &mut self.export
        } else {
            &mut self.import
        };
        register.add(power_w.unsigned_abs(), elapsed_ms);
    }

    pub fn is_save_due(&self) -> bool {
        self.import.unsaved() >= REGISTER_SAVE_STEP_WH
            || self.export.unsaved() >= REGISTER_SAVE_STEP_WH
    }

    pub fn is_saved(&self) -> bool {
        self.import.unsaved() == 0 && self.export.unsaved() == 0
    }

    /// What to save; it counts as saved from here on.
    pub fn take_unsaved(&mut self) -> SavedRegisters {
        self.import.saved = self.import.value;
        self.export.saved = self.export.value;
        SavedRegisters {
            import: self.import(),
            export: self.export(),
        }
    }
}
