//! How well a meter answers.

use super::BusError;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts of one meter since the bus was started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quality {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that were not, by [`BusError::name`].
    pub failed: BTreeMap<&'static str, u64>,
    /// Values outside their range, and registers that had to be read again.
    pub implausible: u64,
    /// Slowest recent turnaround.
    pub turnaround: Duration,
    /// Failures since the last answer; the meter rests longer with each.
    pub missed_in_a_row: u32,
    /// The last error.
    pub last_error: Option<BusError>,
}

impl Quality {
    /// Counts a request.
    pub fn count(&mut self, result: Result<(), &BusError>) {
        match result {
            Ok(()) => {
                self.answered += 1;
                self.missed_in_a_row = 0;
                self.last_error = None;
            }
            Err(error) => {
                *self.failed.entry(error.name()).or_default() += 1;
                self.missed_in_a_row = self.missed_in_a_row.saturating_add(1);
                self.last_error = Some(error.clone());
            }
        }
    }

    /// Requests that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    fn percent(&self, kind: &str) -> u64 {
        let all = self.answered + self.failures();
        let count = self.failed.get(kind).copied().unwrap_or_default();
        count * 100 / all.max(1)
    }

    /// The kinds of failures by how often they are, in parts of all requests.
    #[must_use]
    pub fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.failed.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let words = kinds.iter().map(|(kind, _)| {
            let what = match **kind {
                "no-reply" => "unanswered",
                "checksum" => "CRC errors",
                "short" => "broken off",
                "wrong-meter" => "answers of others",
                "second-master" => "with somebody else asking",
                "exception" => "refused",
                other => other,
            };
            format!("{} % {what}", self.percent(kind))
        });
        let words: Vec<_> = words.collect();
        words.join(", ")
    }

    /// Where to look, by the kind of failure that is the worst of those that occur.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        let has = |kind: &str| self.failed.contains_key(kind);
        if has("second-master") {
            "somebody else asks on this line: a bus has one master; disconnect the other or move it"
        } else if has("wrong-meter") {
            "two meters share an address, or one answers late"
        } else if has("checksum") || has("short") {
            match self.answered {
                0 => "check A/B or termination, and whether speed and parity are the meter's",
                _ => "check A/B or termination, and the cable's shield",
            }
        } else if has("exception") {
            "the meter has no such register, or is busy: is it the right model?"
        } else if self.answered == 0 {
            "check address, baud rate, power and A/B"
        } else {
            "check power and cable"
        }
    }

    /// What it means, for an installer.
    #[must_use]
    pub fn words(&self) -> String {
        let all = self.answered + self.failures();
        let percent = |kind: &str| self.percent(kind);
        if all == 0 {
            return "not asked yet".into();
        }
        if self.answered == 0 {
            return match &self.last_error {
                Some(error) => error.to_string(),
                None => "no answer".into(),
            };
        }
        let bad = percent("checksum") + percent("short");
        if bad >= 2 {
            return format!(
                "{bad} % garbled answers: check A/B, termination and the cable's shield"
            );
        }
        if percent("second-master") >= 1 {
            return "somebody else asks on this bus: it may have one master only".into();
        }
        if percent("wrong-meter") >= 1 {
            return "answers from other addresses or to other questions: two meters share an address, or answer late".into();
        }
        if percent("no-reply") >= 5 {
            return format!(
                "{} % unanswered: check power and cable",
                percent("no-reply")
            );
        }
        if self.missed_in_a_row > 0 {
            return format!("silent since {} requests", self.missed_in_a_row);
        }
        "good".into()
    }
}
