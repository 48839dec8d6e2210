//! When the machine is switched off: after so long on its battery, or when that is nearly empty. By a file that a unit of systemd waits for
//! (`prepaid-gateway-poweroff.path`): the gateway itself may switch off nothing and run nothing.

use super::Supply;
use crate::cycle::Input;
use gateway_core::Command;
use gateway_core::alarm::AlarmKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;

/// The file in the service's run directory.
const NAME: &str = "poweroff";
/// Nothing is due: a look now and then costs nothing.
const IDLE: Duration = Duration::from_secs(60 * 60);

/// What the machine runs on, for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerFacts {
    /// Whether the mains is there; `None`: nobody says.
    pub mains: Option<bool>,
    /// How long it has run on its battery, in seconds.
    pub on_battery_s: u64,
    /// In how many seconds the machine is switched off, if it is to be.
    pub off_in_s: Option<u64>,
    /// When it went last, in how many milliseconds everything was on disk, the debouncing included; since the start.
    pub stored_after_ms: Option<u64>,
}

/// Says at any time what the machine runs on.
#[derive(Debug, Clone)]
pub struct PowerView {
    /// What is said.
    pub supply: watch::Receiver<Supply>,
    /// After how long on its battery the machine is switched off.
    pub after: Option<Duration>,
    /// How long it took until everything was on disk, the last time the mains went.
    pub stored_after: watch::Receiver<Option<Duration>>,
}

impl PowerView {
    /// How it is now.
    pub fn facts(&self) -> PowerFacts {
        let now = Instant::now();
        let took = *self.stored_after.borrow();
        let facts = PowerFacts {
            mains: None,
            on_battery_s: 0,
            off_in_s: None,
            stored_after_ms: took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        match *self.supply.borrow() {
            Supply::Battery { since, low } => PowerFacts {
                mains: Some(false),
                on_battery_s: now.saturating_duration_since(since).as_secs(),
                off_in_s: due(since, low, self.after)
                    .map(|due| due.saturating_duration_since(now).as_secs()),
                ..facts
            },
            Supply::Mains => PowerFacts {
                mains: Some(true),
                ..facts
            },
            Supply::Unknown => facts,
        }
    }
}

/// When the machine is switched off, if it is to be.
fn due(since: Instant, low: bool, after: Option<Duration>) -> Option<Instant> {
    let after = after?;
    Some(if low { since } else { since + after })
}

/// Switches the machine off when its time has come.
pub struct Off {
    view: PowerView,
    inputs: mpsc::Sender<Input>,
    file: Option<PathBuf>,
}

impl Off {
    /// Without systemd's `RUNTIME_DIRECTORY` there is nobody who would do it.
    pub fn new(view: PowerView, inputs: mpsc::Sender<Input>) -> Self {
        let file = std::env::var_os("RUNTIME_DIRECTORY").map(|dir| PathBuf::from(dir).join(NAME));
        if view.after.is_some() && file.is_none() {
            log::error!(
                "failed to find whom to tell to switch the machine off (power.shutdown_after_s): its systemd unit has not started this"
            );
        }
        let off = Self { view, inputs, file };
        // One that a process before left.
        off.take_back();
        off
    }

    /// Runs until the gateway stops.
    pub async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let mut is_told = false;
        loop {
            let supply = *self.view.supply.borrow_and_update();
            let mut next = Instant::now() + IDLE;
            match supply {
                Supply::Battery { since, low } if !is_told => {
                    match due(since, low, self.view.after) {
                        Some(due) if due <= Instant::now() => {
                            is_told = true;
                            self.tell(since, low).await;
                        }
                        Some(due) => next = due,
                        None => {}
                    }
                }
                Supply::Mains if is_told => {
                    is_told = false;
                    self.take_back();
                }
                _ => {}
            }
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                changed = self.view.supply.changed() => if changed.is_err() { return },
                () = sleep_until(next.into()) => {}
            }
        }
    }

    /// Everything is on disk before the file is.
    async fn tell(&self, since: Instant, low: bool) {
        let seconds = since.elapsed().as_secs();
        let why = match low {
            true => format!("the battery is low after {seconds} s without mains"),
            false => format!("{seconds} s without mains"),
        };
        log::warn!("the machine is switched off: {why}");
        let (reply, done) = oneshot::channel();
        let report = Command::Report {
            kind: AlarmKind::SwitchedOff,
            node: None,
            details: why.clone(),
        };
        let _ = self.inputs.send(Input::Command(report, reply)).await;
        let _ = done.await;
        let (reply, done) = oneshot::channel();
        let _ = self.inputs.send(Input::Checkpoint(reply)).await;
        if let Ok(Err(error)) = done.await {
            log::error!("failed to store everything before that: {error}");
        }
        let Some(file) = &self.file else {
            log::error!("failed to switch the machine off: its systemd unit has not started this");
            return;
        };
        if let Err(error) = std::fs::write(file, why + "\n") {
            log::error!(
                "failed to switch the machine off: {}: {error}",
                file.display()
            );
        }
    }

    fn take_back(&self) {
        let Some(file) = &self.file else { return };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                log::error!("failed to remove {}: {error}", file.display());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_after_so_long_on_the_battery_or_when_that_is_low() {
        let since = Instant::now();
        let minute = Some(Duration::from_secs(60));
        let later = since + Duration::from_secs(60);
        for (low, after, expected) in [
            (false, None, None),
            (true, None, None),
            (false, minute, Some(later)),
            (true, minute, Some(since)),
        ] {
            assert_eq!(due(since, low, after), expected, "{low} {after:?}");
        }
    }

    #[test]
    fn facts_count_from_when_the_mains_went() {
        let battery = Supply::Battery {
            since: Instant::now(),
            low: false,
        };
        let (told, supply) = watch::channel(battery);
        let after = Some(Duration::from_secs(60));
        let (_, stored_after) = watch::channel(None);
        let view = PowerView {
            supply,
            after,
            stored_after,
        };
        assert_eq!(view.facts().mains, Some(false));
        assert!(matches!(view.facts().off_in_s, Some(59 | 60)));
        told.send_replace(Supply::Unknown);
        assert_eq!((view.facts().mains, view.facts().off_in_s), (None, None));
    }
}
