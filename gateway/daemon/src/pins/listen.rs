//! A thread for each input: edges in, levels that stood still out.

use super::Shown;
use crate::config::Contact;
use gateway_field::gpio::{Board, Change, Debounce, InputPin};
use std::io;
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often a quiet input is looked at, in case an edge got lost or the gateway stops.
const LOOK: Duration = Duration::from_millis(500);

/// A level that counts.
pub(super) struct Heard {
    /// What it is.
    pub active: bool,
    /// Whether it is the level found at the start.
    pub is_first: bool,
    /// The edge it began with, in milliseconds of the board's clock.
    pub since_ms: u64,
    /// When this program saw that edge.
    pub seen: Instant,
}

/// Where threads are started.
pub(super) struct Listening<'a> {
    board: &'a dyn Board,
    shown: &'a Shown,
    stopped: &'a watch::Receiver<bool>,
}

impl<'a> Listening<'a> {
    pub(super) fn new(
        board: &'a dyn Board,
        shown: &'a Shown,
        stopped: &'a watch::Receiver<bool>,
    ) -> Self {
        Self {
            board,
            shown,
            stopped,
        }
    }

    /// Listens to a contact; `tell` hears the level at the start and each that counts, and ends it by `false`.
    pub(super) fn start(
        &self,
        what: &str,
        contact: &Contact,
        tell: impl FnMut(&Heard) -> bool + Send + 'static,
    ) -> Result<(), String> {
        let pin = self
            .board
            .input(&contact.input)
            .map_err(|error| error.to_string())?;
        let (what, still) = (what.to_owned(), contact.still);
        let (shown, stopped) = (self.shown.clone(), self.stopped.clone());
        let listen = move || {
            if let Err(error) = listen(pin, still, &stopped, tell) {
                log::error!("failed to read the pin of {what}: {error}");
                shown.say(&what, format!("not read any more: {error}"));
            }
        };
        let thread = thread::Builder::new().name("pin".into()).spawn(listen);
        thread.map(|_| ()).map_err(|error| error.to_string())
    }
}

fn listen(
    mut pin: Box<dyn InputPin>,
    still: Duration,
    stopped: &watch::Receiver<bool>,
    mut tell: impl FnMut(&Heard) -> bool,
) -> io::Result<()> {
    let first = pin.is_active()?;
    let mut input = Debounce::new(u64::try_from(still.as_millis()).unwrap_or(u64::MAX), first);
    let mut seen = Instant::now();
    let heard = |change: Change, seen, is_first| Heard {
        active: change.active,
        is_first,
        since_ms: change.since_ms,
        seen,
    };
    let begin = Change {
        since_ms: 0,
        active: first,
    };
    let mut goes_on = tell(&heard(begin, seen, true));
    while goes_on && !*stopped.borrow() {
        let waits = input.is_waiting();
        let change = match pin.wait(if waits { still } else { LOOK })? {
            Some(edge) => {
                let (change, before) = (input.edge(edge), seen);
                seen = Instant::now();
                change.map(|change| (change, before))
            }
            None if waits => input.quiet().map(|change| (change, seen)),
            None => {
                input.found(pin.is_active()?);
                seen = Instant::now();
                None
            }
        };
        if let Some((change, seen)) = change {
            goes_on = tell(&heard(change, seen, false));
        }
    }
    Ok(())
}
