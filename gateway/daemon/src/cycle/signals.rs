//! What lamps and a buzzer show of what is committed.

use super::Cycle;
use gateway_core::{Decision, Record};

/// As of the last commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signals {
    /// Alarms that wait for a person.
    pub waiting: usize,
    /// Alarms raised that need a person, since the start.
    pub raised: u64,
    /// Recharges since the start.
    pub vends: u64,
}

impl Cycle {
    /// Shows what has changed with these records.
    pub(super) fn show_signals(&self, records: &[Record]) {
        let alarms = self.state.alarms.values();
        let waiting =
            alarms.filter(|alarm| alarm.kind.needs_a_person() && alarm.acknowledged_by.is_none());
        let waiting = waiting.count();
        let count = |counts: fn(&Decision) -> bool| {
            records
                .iter()
                .filter(|record| counts(&record.decision))
                .count() as u64
        };
        let raised = count(
            |what| matches!(what, Decision::AlarmRaised { kind, .. } if kind.needs_a_person()),
        );
        let vends = count(|what| {
            matches!(
                what,
                Decision::Vended { .. } | Decision::TokenEntered { .. }
            )
        });
        self.status.signals.send_if_modified(|shown| {
            let before = *shown;
            *shown = Signals {
                waiting,
                raised: before.raised + raised,
                vends: before.vends + vends,
            };
            *shown != before
        });
    }
}
