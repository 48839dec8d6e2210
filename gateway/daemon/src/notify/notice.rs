//! Which records are told, and in which words.

use super::Site;
use gateway_core::alarm::{AlarmKind, Subject};
use gateway_core::case::TrialDecision;
use gateway_core::correction::CorrectionDecision;
use gateway_core::order::Hex;
use gateway_core::prepay::PrepayDecision;
use gateway_core::{Decision, Record, UsagePointId, UtcSeconds};
use gateway_store::{OutgoingRow, Reader, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An alarm was raised.
    Alarm,
    /// An alarm's cause is gone.
    AlarmOver,
    /// A case of missing energy was opened, goes on again, was closed, a suspect's node reported tampering, or a switch test found something.
    Case,
    /// A case has grown, points elsewhere, or its switch test did not take place.
    CaseNews,
    /// An account has fallen to a low-credit stage.
    LowCredit,
    /// What a resident is told: the end of friendly hours, emergency credit, a case, a switch test.
    Resident,
    /// A correction waits for a second person.
    Approval,
    /// A supply is to be off or on.
    Supply,
    /// A try-out; never in the journal.
    Test,
}

impl Kind {
    /// What the configuration may name.
    pub const WORDS: &'static [&'static str] = &[
        "alarm",
        "alarm-over",
        "case",
        "case-news",
        "low-credit",
        "resident",
        "approval",
        "supply",
    ];

    /// The kind of a decision, if it is told at all. The alarm that stands for a case, and the one that stands as long as credit is low, are
    /// said by the case and by the stage.
    pub fn of(decision: &Decision) -> Option<Self> {
        Some(match decision {
            Decision::AlarmRaised { kind, subject, .. }
            | Decision::AlarmCleared { kind, subject } => match (kind, subject) {
                (AlarmKind::LowCredit, _) | (_, Subject::Case(_)) => return None,
                _ if matches!(decision, Decision::AlarmCleared { .. }) => Self::AlarmOver,
                _ => Self::Alarm,
            },
            Decision::CaseOpened { .. }
            | Decision::CaseTamper { .. }
            | Decision::CaseClosed { .. }
            | Decision::CaseEvidence { recurred: true, .. } => Self::Case,
            Decision::CaseEvidence { .. } => Self::CaseNews,
            Decision::ResidentTold { .. } => Self::Resident,
            Decision::Trial(trial) => match trial {
                TrialDecision::Planned { .. } => Self::Resident,
                TrialDecision::Found { .. } => Self::Case,
                TrialDecision::Ended { .. } => Self::CaseNews,
                TrialDecision::Advanced { .. } => return None,
            },
            Decision::Prepay { what, .. } => match what {
                PrepayDecision::StageCrossed { .. } => Self::LowCredit,
                PrepayDecision::FriendlyNotice { .. }
                | PrepayDecision::EmergencyOffered { .. }
                | PrepayDecision::EmergencyInUse { .. }
                | PrepayDecision::EmergencyExhausted => Self::Resident,
                _ => return None,
            },
            Decision::Correction { what, .. } => match what.as_ref() {
                CorrectionDecision::Proposed { .. } => Self::Approval,
                _ => return None,
            },
            Decision::SupplyDesired { .. } => Self::Supply,
            _ => return None,
        })
    }

    /// Its word.
    pub fn word(self) -> String {
        let word = serde_json::to_value(self).unwrap_or_default();
        word.as_str().unwrap_or("").to_owned()
    }
}

/// What a channel wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// These kinds.
    pub kinds: Vec<Kind>,
    /// Not these alarms.
    pub except_alarms: Vec<AlarmKind>,
}

impl Filter {
    /// The kind of a decision, if the channel wants it.
    pub(super) fn takes(&self, decision: &Decision) -> Option<Kind> {
        let kind = Kind::of(decision).filter(|kind| self.kinds.contains(kind))?;
        let (Decision::AlarmRaised { kind: alarm, .. }
        | Decision::AlarmCleared { kind: alarm, .. }) = decision
        else {
            return Some(kind);
        };
        (!self.except_alarms.contains(alarm)).then_some(kind)
    }
}

/// A record in words.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// The same for the same record, whatever it is sent by and however often; of another record another one, also after an old backup
    /// was restored and its numbers are given anew.
    pub id: String,
    /// What it is about.
    pub kind: Kind,
    /// The site's name.
    pub site: String,
    /// The number of the site's journal.
    pub gateway: String,
    /// When, seconds since 1970.
    pub at: UtcSeconds,
    /// The same in the site's local time.
    pub at_local: String,
    /// The usage point, if it concerns one.
    pub usage_point: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// The case, if it concerns one.
    pub case: Option<u64>,
    /// In words.
    pub words: String,
    /// Its record's number; 0 for a test.
    pub number: u64,
    /// The record as it is in the journal.
    pub record: Option<Box<RawValue>>,
}

impl Notice {
    /// A try-out.
    pub fn test(site: &Site, at: UtcSeconds, id: String) -> Self {
        Self {
            id,
            kind: Kind::Test,
            site: site.name.clone(),
            gateway: site.id.clone(),
            at,
            at_local: crate::control::local_time(site.calendar, at),
            usage_point: None,
            label: None,
            case: None,
            words: "This is a test; nothing has happened.".into(),
            number: 0,
            record: None,
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        let whom = match (&self.usage_point, &self.label) {
            (Some(id), Some(label)) => format!("{id} ({label}): "),
            (Some(id), None) => format!("{id}: "),
            _ => String::new(),
        };
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        format!("{whom}{}", self.words).chars().map(plain).collect()
    }
}

/// Notices after a record, and the record up to which that is all.
#[derive(Debug, Default)]
pub struct Found {
    /// They, oldest first.
    pub notices: Vec<Notice>,
    /// The last record looked at.
    pub until: u64,
    /// Whether the journal goes on after it.
    pub more: bool,
}

/// Bytes of journal looked at in one go: some hundred records, and a reader never holds the log for long.
const AT_ONCE: usize = 128 * 1024;

/// The next notices after a record, at most so many.
///
/// # Errors
/// The database cannot be read.
pub fn find(
    reader: &Reader,
    site: &Site,
    filter: &Filter,
    (after, most): (u64, usize),
) -> Result<Found, StoreError> {
    let mut found = Found {
        until: after,
        ..Found::default()
    };
    let rows = reader.outgoing_rows(after, AT_ONCE)?;
    found.more = !rows.is_empty();
    for row in rows {
        // What this version cannot read was read when it was written, and is told by whoever wrote it.
        let record = serde_json::from_str::<Record>(&row.body).ok();
        let kind = record.as_ref().and_then(|r| filter.takes(&r.decision));
        if let (Some(record), Some(kind)) = (record, kind) {
            if found.notices.len() == most {
                return Ok(found);
            }
            found
                .notices
                .push(notice(reader, site, (&record, kind), &row)?);
        }
        found.until = row.number;
    }
    Ok(found)
}

fn notice(
    reader: &Reader,
    site: &Site,
    (record, kind): (&Record, Kind),
    row: &OutgoingRow,
) -> Result<Notice, StoreError> {
    let point: Option<UsagePointId> = record.decision.usage_point();
    let view = point
        .map(|id| reader.usage_point(id))
        .transpose()?
        .flatten();
    let case = match &record.decision {
        Decision::CaseOpened { .. } => Some(record.number),
        decision => decision.case(),
    };
    let hash = Hex(row.hash).to_string();
    Ok(Notice {
        id: format!("{}-{}", record.number, hash.get(..16).unwrap_or(&hash)),
        kind,
        site: site.name.clone(),
        gateway: site.id.clone(),
        at: record.at,
        at_local: crate::control::local_time(site.calendar, record.at),
        usage_point: point.map(|id| id.to_string()),
        label: view.map(|view| view.usage_point.label),
        case,
        words: gateway_web::in_words(&record.decision, &site.currency),
        number: record.number,
        record: RawValue::from_string(row.body.clone()).ok(),
    })
}
