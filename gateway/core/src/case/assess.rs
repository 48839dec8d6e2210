//! Assessments: a confirmed case charged to whose premises it was.
//!
//! An assessment is a debt of the kind *fraud*, opened or raised by a correction with a reason, and above the site's limit by a second person. It
//! posts what that correction posts and nothing else; a case itself posts nothing.
//!
//! Decided here: what the missing energy would have cost, and how that is reckoned. Not decided here: who may ask, and what waits for whom
//! ([`crate::correction`]).
//!
//! Terms: an *estimate* spreads the energy evenly over the billing periods it was lost in, and prices each part on top of what the account used in
//! its period so far, at the tariff of now.
//!
//! Invariants: only a case closed as confirmed is assessed, and each usage point once, unless the assessment was refused or has expired.

use super::LossReport;
use crate::calendar::Calendar;
use crate::decision::Decision;
use crate::state::State;
use crate::usage_point::UsagePoint;
use crate::{Micro, UsagePointId, UtcSeconds, WattHours};
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What missing energy would have cost, and how that is reckoned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// The energy.
    pub energy: WattHours,
    /// When its loss began.
    pub since: UtcSeconds,
    /// Up to when it is counted.
    pub until: UtcSeconds,
    /// Tariff id.
    pub tariff: String,
    /// Billing periods it is spread over, at least one.
    pub periods: u32,
    /// Energy of each; the last one has the rest.
    pub each: WattHours,
    /// What the account used in its period so far, below it.
    pub on_top_of: WattHours,
    /// What it costs.
    pub amount: Micro,
}

impl Estimate {
    /// In one sentence, money without its currency.
    #[must_use]
    pub fn words(&self) -> String {
        let over = match self.periods {
            1 => String::new(),
            periods => format!(", {} kWh in each of {periods} billing periods", self.each),
        };
        format!(
            "{} kWh{over}, on top of the {} kWh of the period so far, by {}: {:.2}",
            self.energy, self.on_top_of, self.tariff, self.amount
        )
    }
}

/// What the energy of a report would have cost a usage point; nothing without a tariff, or where no energy is missing.
#[must_use]
pub fn estimate(
    state: &State,
    calendar: Calendar,
    report: &LossReport,
    whose: UsagePointId,
) -> Option<Estimate> {
    let point = state.usage_points.get(&whose)?;
    let tariff = state.tariff_of(point)?;
    if report.verdict.is_technical() || report.energy == WattHours(0) {
        return None;
    }
    let periods = periods(calendar, report.since, report.at);
    let each = report.energy.0 / u64::from(periods);
    let rest = report.energy.0 - each * u64::from(periods - 1);
    let cost = |wh: u64| {
        let now = point.account.settled_to;
        let at = |register| point.account.pending(tariff, point.connection(), register);
        i128::from((at(now.saturating_add(WattHours(wh))) - at(now)).0.max(0))
    };
    let amount = cost(each) * i128::from(periods - 1) + cost(rest);
    Some(Estimate {
        energy: report.energy,
        since: report.since,
        until: report.at,
        tariff: tariff.id.clone(),
        periods,
        each: WattHours(each),
        on_top_of: used(point),
        amount: Micro(i64::try_from(amount).unwrap_or(i64::MAX)),
    })
}

fn used(point: &UsagePoint) -> WattHours {
    point.account.period.energy
}

/// Billing periods that a loss touches; a century of them at most, so that a wrong clock costs no time.
fn periods(calendar: Calendar, since: UtcSeconds, until: UtcSeconds) -> u32 {
    const MOST: u32 = 1_200;
    let last = calendar.day_of(until);
    let mut period = calendar.period_of(calendar.day_of(since));
    let mut count = 1;
    while period.last() < last && count < MOST {
        period = calendar.period_of(period.first_of_next());
        count += 1;
    }
    count
}

/// What becomes of an assessment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "assessment", rename_all = "kebab-case")]
pub enum AssessmentDecision {
    /// It was made.
    Made {
        /// How much is owed for it.
        amount: Micro,
        /// The energy.
        energy: WattHours,
        /// When its loss began.
        since: UtcSeconds,
        /// Up to when it is counted.
        until: UtcSeconds,
        /// What becomes of it at once.
        standing: Standing,
        /// Why.
        reason: String,
        /// Who.
        by: String,
    },
    /// A second person agreed, or not, or nobody in time.
    Ended {
        /// The proposal.
        proposal: u64,
        /// What it has become.
        standing: Standing,
    },
}

/// How an assessment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// It waits for a second person and has moved nothing.
    Waiting {
        /// Number of the proposal.
        proposal: u64,
    },
    /// It is owed.
    Posted {
        /// Number of the record that posted it.
        posting: u64,
    },
    /// A second person did not agree.
    Refused,
    /// Nobody agreed in time.
    Expired,
}

/// An assessment, as its case knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// When it was made.
    pub at: UtcSeconds,
    /// Whose premises.
    pub usage_point: UsagePointId,
    /// How much is owed for it.
    pub amount: Micro,
    /// The energy.
    pub energy: WattHours,
    /// When its loss began.
    pub since: UtcSeconds,
    /// Up to when it is counted.
    pub until: UtcSeconds,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
}

impl Assessment {
    /// Whether it holds: it is owed, or may yet be.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(
            self.standing,
            Standing::Waiting { .. } | Standing::Posted { .. }
        )
    }
}

impl Standing {
    /// In a few words.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Waiting { proposal } => {
                format!("waits for a second person, proposal {proposal}")
            }
            Self::Posted { posting } => format!("owed, record {posting}"),
            Self::Refused => "not agreed to".into(),
            Self::Expired => "nobody agreed in time".into(),
        }
    }
}

/// Makes a decision about a case's assessments true.
pub(super) fn apply(
    assessments: &mut alloc::vec::Vec<Assessment>,
    at: UtcSeconds,
    what: &Decision,
) {
    let Decision::Assessment {
        usage_point, what, ..
    } = what
    else {
        return;
    };
    match what {
        AssessmentDecision::Made {
            amount,
            energy,
            since,
            until,
            standing,
            reason,
            by,
        } => assessments.push(Assessment {
            at,
            usage_point: *usage_point,
            amount: *amount,
            energy: *energy,
            since: *since,
            until: *until,
            standing: *standing,
            reason: reason.clone(),
            by: by.clone(),
        }),
        AssessmentDecision::Ended { proposal, standing } => {
            let waits = Standing::Waiting {
                proposal: *proposal,
            };
            let found = assessments.iter_mut().find(|of| of.standing == waits);
            if let Some(assessment) = found {
                assessment.standing = *standing;
            }
        }
    }
}
