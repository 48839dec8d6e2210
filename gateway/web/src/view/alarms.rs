//! Open alarms.

use crate::format;
use askama::Template;
use gateway_core::alarm::{Alarm, AlarmKind, Subject};
use gateway_core::{Rules, UtcSeconds};

/// An open alarm in a list.
pub(crate) struct AlarmLine {
    pub number: u64,
    pub what: &'static str,
    pub subject: String,
    /// Page of the usage point it concerns.
    pub href: Option<String>,
    pub at: String,
    pub ago: String,
    pub details: String,
    pub acknowledged_by: Option<String>,
    pub is_cleared: bool,
}

impl AlarmLine {
    pub(crate) fn new(alarm: &Alarm, rules: &Rules, now: UtcSeconds) -> Self {
        let href = match alarm.subject {
            Subject::UsagePoint(id) => Some(format!("/usage-point/{id}")),
            Subject::Case(number) => Some(format!("/cases/{number}")),
            Subject::Node(node) => Some(format!("/meters/{node}")),
            Subject::Site if alarm.kind == AlarmKind::ClockUntrusted => Some("/clock".to_owned()),
            Subject::Site => None,
        };
        Self {
            number: alarm.number,
            what: alarm.kind.words(),
            subject: match alarm.subject {
                Subject::Site => "the whole site".to_owned(),
                subject => subject.to_string(),
            },
            href,
            at: format::date_time(rules.calendar, alarm.raised_at),
            ago: format::ago(alarm.raised_at, now),
            details: alarm.details.clone(),
            acknowledged_by: alarm.acknowledged_by.clone(),
            is_cleared: alarm.cleared,
        }
    }
}

#[derive(Template)]
#[template(path = "alarms.html")]
pub(crate) struct AlarmsView {
    pub alarms: Vec<AlarmLine>,
}

impl AlarmsView {
    /// Newest first, those nobody has seen before the others.
    pub(crate) fn new(alarms: &[Alarm], rules: &Rules, now: UtcSeconds) -> Self {
        let mut sorted: Vec<_> = alarms.iter().collect();
        sorted.sort_by_key(|alarm| {
            (
                alarm.acknowledged_by.is_some(),
                std::cmp::Reverse(alarm.number),
            )
        });
        let line = |alarm: &Alarm| AlarmLine::new(alarm, rules, now);
        Self {
            alarms: sorted.into_iter().map(line).collect(),
        }
    }
}
