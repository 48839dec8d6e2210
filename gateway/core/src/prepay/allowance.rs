//! Energy a day, whatever the credit (mini-grids): when a day begins, and at which register it ends.
//!
//! The tariff says how much and from which hour ([`crate::tariff::Allowance`]). A day begins with the register at its reset, as the meter remembers
//! it, and what is left of a day is lost at the next. Friendly hours and emergency credit lift the credit's cut-off and not this one.
//! A node goes from day to day by itself ([`crate::guard`]); while the clock is not trusted no day begins here.

use crate::calendar::Calendar;
use crate::tariff::Allowance;
use crate::{UtcSeconds, WattHours};
use serde::{Deserialize, Serialize};

const DAY_S: i64 = 86_400;

/// A day of the allowance, as it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The reset it began with.
    pub began: UtcSeconds,
    /// The usage point's register then.
    pub register: WattHours,
}

impl Day {
    /// The usage point's register at which the day's energy is used.
    #[must_use]
    pub fn ends_at(self, allowance: Allowance) -> WattHours {
        let energy = WattHours(u64::from(allowance.wh_per_day));
        self.register.saturating_add(energy)
    }

    /// When the next one begins.
    #[must_use]
    pub fn next_reset(self) -> UtcSeconds {
        UtcSeconds(self.began.0.saturating_add(DAY_S))
    }
}

/// The latest reset at or before a moment.
#[must_use]
pub fn reset_before(allowance: Allowance, calendar: Calendar, at: UtcSeconds) -> UtcSeconds {
    let midnight = calendar.start_of(calendar.day_of(at));
    let today = midnight
        .0
        .saturating_add(i64::from(allowance.reset_hour) * 3_600);
    UtcSeconds(if today <= at.0 { today } else { today - DAY_S })
}
