//! Missing readings: what happens after minutes, hours and days.
//!
//! After minutes the node is silent, which is an alarm. After hours a *provisional charge* is posted from the account's profile, for
//! each full span of so many hours without a reading: from the credit to an account of its own, so that no estimate is ever income.
//! When the meter is heard again all of it is posted back and the register is charged as if nothing had been missing: history is never
//! edited. After days no more is charged, and an alarm asks for a person to read the meter.
//!
//! A provisional charge lowers the credit that is shown. It never shortens a lease and never cuts: how far a lease reaches below zero
//! grows by as much ([`super::PrepayState::below_zero`]).
//!
//! A *hold* is placed when a register went backwards without a restart. While it lasts no energy is charged at the usage point, what it
//! shows is only reckoned; the daily charge goes on, and so does the lease, which bounds what can be used. An operator clears it with a
//! note and says whether what the meter has counted since is charged (in the billing period of that day) or let go.

use super::profile::Profile;
use crate::{Micro, UtcSeconds, WattHours};
use serde::{Deserialize, Serialize};

/// What a site or class does about missing readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StaleRules {
    /// A provisional charge for each full span of so many hours without a reading; zero: none.
    pub provisional_h: u16,
    /// For at most so many days.
    pub provisional_days: u16,
    /// After so many days without a reading a person has to look; zero: never.
    pub alarm_days: u16,
}

impl StaleRules {
    /// Hours to have charged provisionally when nothing was heard for so many seconds.
    #[must_use]
    pub fn hours_due(&self, silent_s: u64) -> u32 {
        if self.provisional_h == 0 {
            return 0;
        }
        let span = u64::from(self.provisional_h);
        let spans = silent_s / (span * 3_600);
        let most = u64::from(self.provisional_days) * 24;
        u32::try_from((spans * span).min(most)).unwrap_or(u32::MAX)
    }
}

/// What has been charged provisionally since the last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Provisional {
    /// Hours without a reading it is for.
    pub hours: u32,
    /// Energy of the profile in them.
    pub energy: WattHours,
    /// How much.
    pub amount: Micro,
}

/// Energy the profile expects in so many hours, rounded down.
#[must_use]
pub fn expected(profile: &Profile, hours: u32) -> Option<WattHours> {
    let day = profile.energy_per_day()?;
    let energy = u128::from(day.0) * u128::from(hours) / 24;
    Some(WattHours(u64::try_from(energy).unwrap_or(u64::MAX)))
}

/// A usage point where no energy is charged until an operator has looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Journal number of the decision that placed it.
    pub number: u64,
    /// When.
    pub at: UtcSeconds,
    /// The usage point's register then.
    pub register: WattHours,
}
