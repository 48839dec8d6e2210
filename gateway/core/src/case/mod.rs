//! Cases: what people know and have done about energy that is missing on a feeder.
//!
//! Decided here: what a case remembers and how each decision changes it. Deliberately not: whether energy is missing
//! ([`crate::loss`] says so) and whether a case opens (the dispatcher of events does). A case accuses nobody: it ranks where to look first,
//! and only a person confirms.
//!
//! Terms: a *report* is what the watch over a feeder says of one circuit at one moment; a *suspect* is a usage point worth a
//! visit; a case is *going* while the loss is, *stopped* when it has not been seen for a day, *closed* when a person has said what it was.
//!
//! Invariants: a case is open at most once per circuit (feeder and phase); everything in it is bounded; its energy and money are
//! estimates and never post anything.

mod apply;
mod assess;
mod compared;
mod layout;
pub mod lesson;
mod month;
mod observer;
mod report;
mod resident;
pub mod trial;

pub(crate) use apply::apply;
pub use assess::{Assessment, AssessmentDecision, Estimate, Standing, estimate};
pub use compared::Compared;
pub use layout::{Layout, Metered};
pub use lesson::Lesson;
pub use month::{Balance, CircuitMonth, FeederMonth, Installed, Months, NoPhases};
pub use observer::{Ground, Observer};
pub use report::{Accused, LossReport, MOST_SUSPECTS, Placed, Verdict};
pub use resident::{News, ResidentNotice, ResidentRules, Tell, Texts, standing};

pub use trial::{Finding, Trial, TrialDecision, TrialRefusal, TrialRules};

use crate::debt::Terms;
use crate::loss::Phase;
use crate::{FeederId, Micro, UsagePointId, UtcSeconds};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Notes of a case: a page of a phone can show them, and nobody fills the card with them.
pub const MOST_NOTES: usize = 100;
/// Reports of tampering that a case keeps: the first ones are the evidence.
pub const MOST_TAMPERS: usize = 20;
/// Cases a site remembers. A theft a month for sixteen years; the oldest closed one leaves, its decisions stay in the journal.
pub const MOST_CASES: usize = 200;
/// Longest note or finding of a field check, bytes: a long paragraph typed on a phone.
pub const LONGEST_NOTE: usize = 500;
/// A loss on the same circuit within so many days is the same case again: a habit pauses for a holiday, not for a season.
pub const SAME_WITHIN_DAYS: i64 = 14;

/// What a case turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Somebody took energy past a meter.
    Confirmed,
    /// Nothing was wrong.
    False,
    /// Something was wrong, and nobody's fault: a joint, a meter, a transformer ratio, a wrong label.
    Technical,
}

impl Outcome {
    /// One word for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::False => "false",
            Self::Technical => "technical",
        }
    }
}

/// What was found at the premises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// A bypass, a tap, a tampered meter.
    Tampering,
    /// A fault without fault.
    Fault,
    /// Nothing.
    Nothing,
    /// Nobody let the field engineer in.
    NoAccess,
}

impl Found {
    /// Words for the page and the command line.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Tampering => "tampering found",
            Self::Fault => "a fault found",
            Self::Nothing => "nothing found",
            Self::NoAccess => "no access",
        }
    }
}

/// A note of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// When.
    pub at: UtcSeconds,
    /// Who.
    pub by: String,
    /// What.
    pub text: String,
}

/// A visit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCheck {
    /// When it was entered.
    pub at: UtcSeconds,
    /// Who was there.
    pub by: String,
    /// Where; nothing if the line itself was looked at.
    pub usage_point: Option<UsagePointId>,
    /// What was found.
    pub found: Found,
    /// In words.
    pub text: String,
}

/// What the node of a suspect reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TamperNote {
    /// When.
    pub at: UtcSeconds,
    /// Whose node.
    pub usage_point: UsagePointId,
    /// Its evidence in words.
    pub details: String,
}

/// A supply that was opened for a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// When.
    pub at: UtcSeconds,
    /// Whose.
    pub usage_point: UsagePointId,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: UtcSeconds,
    /// Who decided.
    pub by: String,
    /// What it was.
    pub outcome: Outcome,
    /// Whose premises, if it was anybody's.
    pub usage_point: Option<UsagePointId>,
    /// In words.
    pub text: String,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its number: the journal number of the decision that opened it.
    pub number: u64,
    /// When it was opened.
    pub opened_at: UtcSeconds,
    /// The newest report.
    pub report: LossReport,
    /// What the missing energy would have cost at the tariff, an estimate.
    pub money: Micro,
    /// How often the loss stopped and began again.
    pub recurred: u32,
    /// Reports of nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tampers: Vec<TamperNote>,
    /// Notes, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
    /// Visits, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<FieldCheck>,
    /// Whom the gateway told, and what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<ResidentNotice>,
    /// What of it was charged, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assessments: Vec<Assessment>,
    /// What switch tests and openings of supplies found, the last ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Supplies that were opened for a test of it, within thirty days of the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub openings: Vec<Opening>,
    /// How it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing>,
}

impl Case {
    /// Whether no person has said yet what it was.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.closing.is_none()
    }

    /// The circuit it concerns.
    #[must_use]
    pub fn circuit(&self) -> Circuit {
        (self.report.feeder, self.report.phase)
    }

    /// Its newest report, or when it was closed if that is later.
    #[must_use]
    pub fn heard_until(&self) -> UtcSeconds {
        let closed = self.closing.as_ref().map(|closing| closing.at);
        closed.map_or(self.report.at, |closed| closed.max(self.report.at))
    }

    /// Where to look first: the usage point a node reported tampering at, else the first suspect that no opening of its supply has cleared.
    #[must_use]
    pub fn first_suspect(&self) -> Option<UsagePointId> {
        let tampered = self.tampers.first().map(|note| note.usage_point);
        let mut suspects = self.report.suspects.iter();
        tampered.or_else(|| Some(suspects.find(|s| !s.is_cleared())?.usage_point))
    }

    /// Whether this usage point is among the suspects.
    #[must_use]
    pub fn suspects(&self, usage_point: UsagePointId) -> bool {
        self.report
            .suspects
            .iter()
            .any(|suspect| suspect.usage_point == usage_point)
    }

    /// One word: going, stopped, or how it was closed.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match &self.closing {
            Some(closing) => closing.outcome.words(),
            None if self.report.going => "going on",
            None => "stopped",
        }
    }
}

/// Up to when everything the watch had to say of a circuit was heard: its newest report, or the end of its last case. A watch that is
/// built anew sees everything again; what is older than this is not said twice.
#[must_use]
pub fn said(cases: &BTreeMap<u64, Case>) -> BTreeMap<Circuit, UtcSeconds> {
    let mut said = BTreeMap::new();
    for case in cases.values() {
        let until = said.entry(case.circuit()).or_insert(case.report.at);
        *until = (*until).max(case.heard_until());
    }
    said
}

/// A feeder and one of its phases; all of them together if only the total is measured.
pub type Circuit = (FeederId, Option<Phase>);

/// What people and the watch ask for about cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum CaseCommand {
    /// The watch over a feeder has something to say. Only the gateway itself does that.
    Report {
        /// What.
        report: LossReport,
    },
    /// Write a note into a case.
    Note {
        /// The case.
        case: u64,
        /// What, up to [`LONGEST_NOTE`] bytes.
        text: String,
        /// Who.
        by: String,
    },
    /// Enter what a visit found.
    Check {
        /// The case.
        case: u64,
        /// Where; nothing if the line itself was looked at.
        usage_point: Option<UsagePointId>,
        /// What was found.
        found: Found,
        /// In words; may be empty.
        text: String,
        /// Who was there.
        by: String,
    },
    /// Say what a case was.
    Close {
        /// The case.
        case: u64,
        /// What it was.
        outcome: Outcome,
        /// Whose premises; the first suspect of a confirmed case if absent.
        usage_point: Option<UsagePointId>,
        /// In words; may be empty.
        text: String,
        /// Who decides.
        by: String,
    },
    /// Open a suspect's supply for a moment, to compare feeder and meter.
    Try {
        /// The case.
        case: u64,
        /// Where; the first suspect if absent.
        usage_point: Option<UsagePointId>,
        /// How long, seconds; as the site has it if absent.
        seconds: Option<u16>,
        /// Who agreed to it, and how; may be empty where the terms of supply allow it.
        consent: String,
        /// Say what would happen, and change nothing.
        #[serde(default)]
        dry_run: bool,
        /// Who plans it.
        by: String,
    },
    /// Take a planned switch test back, or end one that runs.
    TakeBack {
        /// The case.
        case: u64,
        /// Who.
        by: String,
    },
    /// The readings around an opening were compared. Only the gateway itself does that.
    Found {
        /// The case.
        case: u64,
        /// The journal number of the trial.
        number: u64,
        /// What they say.
        finding: Finding,
    },
    /// Charge a confirmed case as a debt, or propose it if it is above the limit.
    Assess {
        /// The case.
        case: u64,
        /// Whose premises; those of the closing if absent.
        usage_point: Option<UsagePointId>,
        /// How much; the estimate if absent.
        amount: Option<Micro>,
        /// How it is paid back.
        #[serde(default)]
        terms: Terms,
        /// Why, for the statement.
        reason: String,
        /// Who.
        by: String,
    },
}

impl CaseCommand {
    /// The same in the name of somebody; nothing if people may not ask for it.
    #[must_use]
    pub fn in_the_name_of(mut self, who: &str) -> Option<Self> {
        match &mut self {
            Self::Report { .. } | Self::Found { .. } => return None,
            Self::Note { by, .. }
            | Self::Check { by, .. }
            | Self::Close { by, .. }
            | Self::Try { by, .. }
            | Self::TakeBack { by, .. }
            | Self::Assess { by, .. } => {
                *by = who.into();
            }
        }
        Some(self)
    }
}
