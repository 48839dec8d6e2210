//! What an account uses on a usual day: the mean of its last valid days.
//!
//! Terms: a *valid day* is a whole local day whose end was settled while its meter was heard. The day an account or a meter begins with is
//! none, nor is the one after it, nor one whose readings came later.
//!
//! Not decided here: what it is used for (provisional charges, days left).

use crate::account::Settlement;
use crate::calendar::LocalDay;
use crate::{Micro, WattHours};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Valid days that count (MePDCL: up to seven previous ones).
pub const MOST_DAYS: usize = 7;

/// One valid day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUse {
    /// Which.
    pub day: LocalDay,
    /// Energy settled in it.
    pub energy: WattHours,
    /// What it cost, all components.
    pub charge: Micro,
}

/// The last valid days of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// They, oldest first, at most [`MOST_DAYS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<DayUse>,
    /// Whether a day has ended since the account was opened or the meter fitted.
    #[serde(default)]
    begun: bool,
    /// The day in progress, if it can become valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    today: Option<DayUse>,
}

impl Profile {
    /// Takes note of a settlement of an account that was charged through a day before.
    pub fn settled(&mut self, through: LocalDay, settlement: &Settlement) {
        if let Some(today) = &mut self.today {
            today.energy = today.energy.saturating_add(settlement.energy);
            today.charge += settlement.charges.total();
        }
        if settlement.through <= through {
            return;
        }
        let ended = self.today.take();
        let next = through.0.checked_add(1) == Some(settlement.through.0);
        let valid = |day: &DayUse| next && settlement.heard && day.day == through;
        if let Some(day) = ended.filter(valid) {
            self.days.push(day);
            let surplus = self.days.len().saturating_sub(MOST_DAYS);
            self.days.drain(..surplus);
        }
        if self.begun && settlement.heard {
            self.today = Some(DayUse {
                day: settlement.through,
                energy: WattHours(0),
                charge: Micro::ZERO,
            });
        }
        self.begun |= settlement.heard;
    }

    /// The day in progress is not one: its register began anew.
    pub fn interrupted(&mut self) {
        (self.today, self.begun) = (None, false);
    }

    /// Energy of a usual day, rounded down; nothing if no valid day is known.
    #[must_use]
    pub fn energy_per_day(&self) -> Option<WattHours> {
        let days = u64::try_from(self.days.len()).unwrap_or(1);
        let sum = self.days.iter().map(|day| day.energy.0);
        let sum = sum.fold(0, u64::saturating_add);
        (days > 0).then(|| WattHours(sum / days))
    }

    /// What a usual day costs, rounded down; nothing if no valid day is known.
    #[must_use]
    pub fn charge_per_day(&self) -> Option<Micro> {
        let days = i64::try_from(self.days.len()).unwrap_or(1);
        let sum: Micro = self.days.iter().map(|day| day.charge).sum();
        (days > 0).then(|| Micro(sum.0 / days))
    }
}
