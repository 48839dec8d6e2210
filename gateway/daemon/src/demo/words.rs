//! What the demo says: a line per event that matters, and a calm status line.

use crate::cycle::Listener;
use gateway_core::alarm::AlarmKind;
use gateway_core::supply::{Reason, Relay};
use gateway_core::{Decision, Record, State, UsagePointId, UtcSeconds};
use gateway_sim::Counts;
use std::sync::Arc;

/// Says lines on the standard output, or nothing when facts are wanted as JSON.
pub struct Voice {
    silent: bool,
    utc_offset_s: i32,
}

impl Voice {
    pub fn new(silent: bool, utc_offset_s: i32) -> Self {
        Self {
            silent,
            utc_offset_s,
        }
    }

    /// One line.
    pub fn line(&self, words: &str) {
        if !self.silent {
            println!("{words}");
        }
    }

    fn event(&self, at: UtcSeconds, words: &str) {
        let second = (at.0 + i64::from(self.utc_offset_s)).rem_euclid(86_400);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        self.line(&format!("{hour:02}:{minute:02}:{second:02}  {words}"));
    }

    /// How the neighbourhood is doing.
    pub fn status(&self, counts: &Counts, recharged: u64, nodes: usize) {
        let (wh, hundredths) = (
            counts.delivered_mwh / 1_000,
            counts.delivered_mwh % 1_000 / 10,
        );
        self.line(&format!(
            "          {} of {nodes} nodes in session, {} readings stored, {wh}.{hundredths:02} Wh delivered, {} ran out, {recharged} recharged",
            counts.nodes_in_session, counts.readings_acknowledged, counts.disconnected_for_credit,
        ));
    }
}

/// Tells the events that matter, after their commit.
pub fn listener(voice: Arc<Voice>) -> Listener {
    Box::new(move |record, state| {
        if let Some(words) = describe(record, state) {
            voice.event(record.at, &words);
        }
    })
}

fn describe(record: &Record, state: &State) -> Option<String> {
    let name = |id: &UsagePointId| {
        let label = state.usage_points.get(id).map(|point| point.label.as_str());
        format!("{id} {}", label.unwrap_or_default())
    };
    match &record.decision {
        Decision::Vended {
            usage_point,
            amount,
            by,
            ..
        } if by == super::residents::AGENT => Some(format!(
            "{}: recharged {amount:.2}, receipt {}",
            name(usage_point),
            record.number
        )),
        Decision::SupplyDesired {
            usage_point,
            reasons,
            ..
        } if reasons.has(Reason::CreditExhausted) => {
            Some(format!("{}: credit used up", name(usage_point)))
        }
        Decision::SupplyReported {
            usage_point,
            relay: Relay::Open,
            ..
        } => Some(format!("{}: disconnected", name(usage_point))),
        Decision::SupplyReported {
            usage_point,
            relay: Relay::Closed,
            ..
        } => Some(format!("{}: connected", name(usage_point))),
        Decision::AlarmRaised {
            kind: AlarmKind::LowCredit,
            subject,
            details,
        } => Some(format!("{subject}: low credit, {details}")),
        Decision::AlarmRaised {
            kind,
            subject,
            details,
        } => Some(format!("{subject}: {}: {details}", kind.words())),
        _ => None,
    }
}
