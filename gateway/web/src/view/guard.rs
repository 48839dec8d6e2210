//! Guards of a supply on the page: what is left of the day, how often the limit tripped, and the buttons that mean something now.

use super::usage_point::Measured;
use crate::committed::UsagePointRows;
use crate::format;
use gateway_core::supply::Reason;
use gateway_core::{Rules, UtcSeconds, WattHours};

/// A button.
pub(crate) struct GuardButton {
    /// What it asks for.
    pub ask: &'static str,
    /// Its words.
    pub words: &'static str,
    /// Whether somebody may say what was found.
    pub has_note: bool,
}

/// The buttons that mean something now.
pub(crate) fn buttons(rows: &UsagePointRows) -> Vec<GuardButton> {
    let (reasons, guard) = (rows.point.supply.reasons, rows.point.guard);
    let tampered = !(guard.tampered & !guard.clears).is_empty();
    [
        (reasons.has(Reason::AwaitsPress), "close", "Connect now"),
        (
            reasons.has(Reason::OverloadLatched),
            "reset",
            "Reset the load limit",
        ),
        (tampered, "clear-tamper", "Clear tampering"),
    ]
    .into_iter()
    .filter(|(holds, ..)| *holds)
    .map(|(_, ask, words)| GuardButton {
        ask,
        words,
        has_note: ask == "clear-tamper",
    })
    .collect()
}

/// What is known of limit and allowance.
pub(crate) fn measured(
    rows: &UsagePointRows,
    rules: &Rules,
    (register, now): (WattHours, UtcSeconds),
) -> Vec<Measured> {
    let (point, tariff) = (&rows.point, rows.tariff.as_ref());
    let mut measured = Vec::new();
    let wait_s = point.wait_s(now);
    if wait_s > 0 {
        measured.push(Measured {
            name: "Closes by itself in",
            value: format!("{wait_s} s"),
        });
    }
    if let Some(end) = tariff.and_then(|tariff| point.day_ends(tariff)) {
        let left = end.since(register).unwrap_or_default();
        measured.push(Measured {
            name: "Left today",
            value: format!("{} kWh", format::units_exact(left)),
        });
    }
    let limit = rules.prepay_of(tariff).load_limit;
    let watts = limit.for_own(point.load_limit_w);
    if watts > 0 {
        measured.push(Measured {
            name: "Load limit",
            value: format::power(i64::from(watts)),
        });
        measured.push(Measured {
            name: match point.guard.node {
                Some(_) => "Trips since the node started",
                None => "Trips of the limit",
            },
            value: point.guard.trips().to_string(),
        });
    }
    let names: Vec<_> = point.guard.tampered.names().collect();
    if !names.is_empty() {
        measured.push(Measured {
            name: "Tampering",
            value: names.join(", "),
        });
    }
    measured
}
