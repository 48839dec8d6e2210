//! The mains: when it goes, everything is on disk within 100 ms of the edge, and the time is noted.

use super::Shown;
use super::listen::Heard;
use super::meter::Meters;
use crate::cycle::Input;
use gateway_core::Command;
use gateway_core::alarm::AlarmKind;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The input, for people.
pub(super) const NAME: &str = "mains";
/// From the edge until everything is on disk, the debouncing included. A supply of the gateway without a battery holds that long.
const WITHIN: Duration = Duration::from_millis(100);

pub(super) struct Mains {
    inputs: mpsc::Sender<Input>,
    meters: Meters,
    shown: Shown,
}

impl Mains {
    pub(super) fn new(inputs: mpsc::Sender<Input>, meters: Meters, shown: Shown) -> Self {
        Self {
            inputs,
            meters,
            shown,
        }
    }

    /// On the input's own thread: nothing else keeps it waiting. False: the gateway stops.
    pub(super) fn heard(&self, heard: &Heard) -> bool {
        match (heard.active, heard.is_first) {
            (true, is_first) => {
                self.shown.say(NAME, "there");
                if !is_first {
                    log::info!("the mains is back");
                }
                let kind = AlarmKind::MainsLost;
                self.send(Command::ReportEnd { kind, node: None })
            }
            (false, true) => {
                self.shown
                    .say(NAME, "gone since before the gateway started");
                self.send(report("gone since before the gateway started".into()))
            }
            (false, false) => self.lost(heard),
        }
    }

    fn lost(&self, heard: &Heard) -> bool {
        for reading in self.meters.readings(true) {
            if self
                .inputs
                .blocking_send(Input::Metered(Box::new(reading)))
                .is_err()
            {
                return false;
            }
        }
        let waited = heard.seen.elapsed().as_millis();
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
        let took = heard.seen.elapsed();
        let ms = took.as_millis();
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

fn report(details: String) -> Command {
    Command::Report {
        kind: AlarmKind::MainsLost,
        node: None,
        details,
    }
}
