//! The clock at each tick, and when somebody sets it.

use super::Cycle;
use crate::clock::Clock;
use gateway_core::alarm::AlarmKind;
use gateway_core::{Command, Event, UtcSeconds};

/// Says in a command about the clock what is known of it. If it sets it: to what, and what the stopwatch shows.
pub(super) fn to_be_set(clock: &Clock, command: &mut Command) -> Option<(UtcSeconds, u64)> {
    match command {
        Command::SetClock(order) => {
            order.known = clock.known();
            Some((order.to, clock.boot_ms()))
        }
        Command::QuoteClock(order) => {
            order.known = clock.known();
            None
        }
        _ => None,
    }
}

impl Cycle {
    /// An alarm where nothing has known the time for long. The core ends it: it is told of time passing.
    pub(super) fn look_at_clock(&mut self) {
        let untrusted = self.clock.look();
        if let Some(seconds) = untrusted
            && seconds >= self.settings.clock_alarm_after_s
        {
            let details = "no time service, no battery-backed clock, nobody has set it; energy is counted and credit kept";
            let report = Command::Report {
                kind: AlarmKind::ClockUntrusted,
                node: None,
                details: details.into(),
            };
            // Nobody waits for an answer, and an alarm is never refused.
            let _ = self.event(&Event::Command(report));
        }
        self.status.saw_clock(self.clock.now(), self.state.floor());
    }

    /// An alarm where backups are wanted and none was made for days; it ends with the next one.
    pub(super) fn look_at_backups(&mut self) {
        let (facts, kind) = (self.settings.backups.facts(), AlarmKind::BackupOverdue);
        let about = match facts.filter(|facts| facts.is_overdue) {
            Some(facts) => Command::Report {
                kind,
                node: None,
                details: match facts.at {
                    Some(_) => format!("the last one is {} days old", facts.age_s / 86_400),
                    None => "none was ever made".into(),
                },
            },
            None => Command::ReportEnd { kind, node: None },
        };
        let _ = self.event(&Event::Command(about));
    }
}
