//! Low-credit stages: at how little credit somebody is told, each stage once per crossing.
//!
//! Terms: a *stage* is so many days at the recent rate, a percentage of what the last recharge brought the credit to, or an amount; it
//! is *armed* while the credit is above it, *crossed* when it falls to it or below. A crossed stage is armed again when the credit has
//! risen above it, not when only the rate has fallen.
//!
//! Decided here: whether a credit is below a stage. Not decided here: who is told. The low-credit alarm is beside them: it
//! stays as long as the credit is low.

use super::profile::Profile;
use crate::Micro;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A low-credit stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// So many days are left at the recent rate.
    Days(u16),
    /// So many percent are left of what the last recharge brought the credit to.
    Percent(u16),
    /// So much is left.
    Amount(Micro),
}

impl Stage {
    /// Words for people, to stand before "left".
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Days(1) => "1 day".into(),
            Self::Days(days) => format!("{days} days"),
            Self::Percent(percent) => format!("{percent} %"),
            Self::Amount(amount) => format!("{amount:.2}"),
        }
    }
}

/// A stage of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageState {
    /// Which.
    pub stage: Stage,
    /// Credit at its crossing; nothing while it is armed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossed: Option<Micro>,
}

/// The stages of one account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stages {
    /// What the last recharge brought the credit to; zero if that is not known.
    #[serde(default)]
    pub base: Micro,
    /// Stages that have been armed, or crossed since.
    #[serde(default)]
    pub known: Vec<StageState>,
}

impl Stages {
    /// Whether a credit is at or below a stage; nothing if that cannot be said.
    #[must_use]
    pub fn is_below(&self, stage: Stage, profile: &Profile, available: Micro) -> Option<bool> {
        let wide = |amount: Micro| i128::from(amount.0);
        match stage {
            Stage::Amount(amount) => Some(available <= amount),
            Stage::Percent(percent) => (self.base > Micro::ZERO)
                .then(|| wide(available) * 100 <= wide(self.base) * i128::from(percent)),
            Stage::Days(days) => profile
                .charge_per_day()
                .filter(|charge| *charge > Micro::ZERO)
                .map(|charge| wide(available) <= wide(charge) * i128::from(days)),
        }
    }

    /// What is known of a stage.
    #[must_use]
    pub fn of(&self, stage: Stage) -> Option<&StageState> {
        self.known.iter().find(|known| known.stage == stage)
    }

    /// The stage crossed last that the credit has not risen above.
    #[must_use]
    pub fn current(&self) -> Option<&StageState> {
        let crossed = self.known.iter().filter(|known| known.crossed.is_some());
        crossed.min_by_key(|known| known.crossed)
    }

    /// Arms a stage.
    pub fn arm(&mut self, stage: Stage) {
        self.known.retain(|known| known.stage != stage);
        let crossed = None;
        self.known.push(StageState { stage, crossed });
    }

    /// Notes a crossing.
    pub fn cross(&mut self, stage: Stage, available: Micro) {
        self.known.retain(|known| known.stage != stage);
        let crossed = Some(available);
        self.known.push(StageState { stage, crossed });
    }
}
