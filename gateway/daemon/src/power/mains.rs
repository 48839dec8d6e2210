//! The mains: when it goes, everything is on disk within 100 ms of the edge, and the time is noted.

use super::Supply;
use crate::cycle::Input;
use crate::pins::{Meters, Shown};
use gateway_core::Command;
use gateway_core::alarm::AlarmKind;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// The input, for people.
pub(crate) const NAME: &str = "mains";
/// From the edge until everything is on disk, the debouncing included. A supply of the gateway without a battery holds that long.
const WITHIN: Duration = Duration::from_millis(100);

/// What follows when it goes and comes.
pub(crate) struct Mains {
    inputs: mpsc::Sender<Input>,
    meters: Meters,
    shown: Shown,
    supply: watch::Sender<Supply>,
    stored_after: watch::Sender<Option<Duration>>,
}

impl Mains {
    /// With who follows what the machine runs on, and how long it took until everything was on disk.
    pub(crate) fn new(
        inputs: mpsc::Sender<Input>,
        meters: Meters,
        shown: Shown,
    ) -> (
        Self,
        watch::Receiver<Supply>,
        watch::Receiver<Option<Duration>>,
    ) {
        let (supply, said) = watch::channel(Supply::Unknown);
        let (stored_after, took) = watch::channel(None);
        let mains = Self {
            inputs,
            meters,
            shown,
            supply,
            stored_after,
        };
        (mains, said, took)
    }

    /// What is said of it, since when; `is_first`: found so at the start. On the thread of whoever says so: nothing else keeps it waiting.
    /// False: the gateway stops.
    pub(crate) fn heard(&self, is_there: bool, is_first: bool, seen: Instant) -> bool {
        self.supply.send_replace(supply(is_there, seen));
        match (is_there, is_first) {
            (true, is_first) => {
                self.shown.say(NAME, "there");
                if !is_first {
                    log::info!("the mains is back");
                }
                let kinds = [AlarmKind::MainsLost, AlarmKind::SwitchedOff];
                let end = |kind| self.send(Command::ReportEnd { kind, node: None });
                kinds.into_iter().all(end)
            }
            (false, true) => {
                self.shown
                    .say(NAME, "gone since before the gateway started");
                self.send(report("gone since before the gateway started".into()))
            }
            (false, false) => self.lost(seen),
        }
    }

    /// Nobody says any more.
    pub(super) fn unknown(&self, why: &str) {
        if self.supply.send_replace(Supply::Unknown) != Supply::Unknown {
            log::warn!("failed to ask the UPS: {why}");
        }
        self.shown.say(NAME, format!("not known: {why}"));
    }

    /// After nobody did, it is said again, and as before.
    pub(super) fn known_again(&self, is_there: bool) {
        if *self.supply.borrow() == Supply::Unknown {
            self.supply.send_replace(supply(is_there, Instant::now()));
            self.shown
                .say(NAME, if is_there { "there" } else { "gone" });
        }
    }

    /// Whether the battery is nearly empty.
    pub(super) fn battery_is_low(&self, is_low: bool) {
        self.supply.send_if_modified(|supply| match supply {
            Supply::Battery { low, .. } if *low != is_low => {
                *low = is_low;
                true
            }
            _ => false,
        });
    }

    fn lost(&self, seen: Instant) -> bool {
        for reading in self.meters.readings(true) {
            if self
                .inputs
                .blocking_send(Input::Metered(Box::new(reading)))
                .is_err()
            {
                return false;
            }
        }
        let waited = seen.elapsed().as_millis();
        if !self.send(report(format!("noted {waited} ms after it went"))) {
            return false;
        }
        let (reply, done) = oneshot::channel();
        if self.inputs.blocking_send(Input::Checkpoint(reply)).is_err() {
            return false;
        }
        let Ok(stored) = done.blocking_recv() else {
            return false;
        };
        let took = seen.elapsed();
        let ms = took.as_millis();
        if stored.is_ok() {
            self.stored_after.send_replace(Some(took));
        }
        let words = match stored {
            Ok(()) => format!("gone; everything was on disk {ms} ms after the edge"),
            Err(error) => format!("gone; failed to store: {error}"),
        };
        self.shown.say(NAME, &*words);
        if took > WITHIN {
            log::warn!(
                "the mains is {words}: longer than {} ms",
                WITHIN.as_millis()
            );
        } else {
            log::warn!("the mains is {words}");
        }
        true
    }

    fn send(&self, command: Command) -> bool {
        let (reply, _) = oneshot::channel();
        let sent = self.inputs.blocking_send(Input::Command(command, reply));
        sent.is_ok()
    }
}

impl Drop for Mains {
    /// Whoever watched it has ended: nobody says any more.
    fn drop(&mut self) {
        self.supply.send_replace(Supply::Unknown);
    }
}

fn supply(is_there: bool, since: Instant) -> Supply {
    match is_there {
        true => Supply::Mains,
        false => Supply::Battery { since, low: false },
    }
}

fn report(details: String) -> Command {
    Command::Report {
        kind: AlarmKind::MainsLost,
        node: None,
        details,
    }
}
