//! Kinds of debt and periods of caps, by their names.

use crate::calendar::{Calendar, LocalDay};
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Why something is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DebtKind {
    /// Unpaid bills of before.
    Arrears,
    /// An appliance bought on instalments.
    Appliance,
    /// Energy that was taken past the meter, as assessed.
    Fraud,
    /// What was put off and is to be cleared out of the next payments, after the other kinds.
    Accumulated,
}

impl DebtKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Arrears,
        Self::Appliance,
        Self::Fraud,
        Self::Accumulated,
    ];
    /// The kinds whose order a site states.
    pub const ORDERED: [Self; 3] = [Self::Arrears, Self::Appliance, Self::Fraud];

    /// Its name in files, postings and the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrears => "arrears",
            Self::Appliance => "appliance",
            Self::Fraud => "fraud",
            Self::Accumulated => "accumulated",
        }
    }

    /// Words for papers and the page.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Arrears => "Arrears",
            Self::Appliance => "Appliance loan",
            Self::Fraud => "Fraud recovery",
            Self::Accumulated => "Accumulated debt",
        }
    }
}

impl fmt::Display for DebtKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no kind of debt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotADebt;

impl fmt::Display for NotADebt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a kind of debt; take arrears, appliance, fraud or accumulated")
    }
}

impl core::error::Error for NotADebt {}

impl FromStr for DebtKind {
    type Err = NotADebt;
    fn from_str(text: &str) -> Result<Self, NotADebt> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|kind| kind.name() == text).ok_or(NotADebt)
    }
}

/// The period of a cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapPeriod {
    /// A local day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month, whatever the billing period.
    Month,
}

impl CapPeriod {
    /// First day of the period that holds a day.
    #[must_use]
    pub fn first_day(self, day: LocalDay) -> LocalDay {
        match self {
            Self::Day => day,
            Self::Week => LocalDay(day.0.saturating_sub(day.0.saturating_add(3).rem_euclid(7))),
            Self::Month => {
                let months = Calendar {
                    utc_offset_s: 0,
                    period_start_day: 1,
                };
                months.period_of(day).first
            }
        }
    }

    /// Its name in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}
