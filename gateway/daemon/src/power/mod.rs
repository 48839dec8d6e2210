//! What the gateway's machine runs on: who notices that the mains goes, what is done at once, and when the machine is switched off.
//!
//! | module | decides |
//! |---|---|
//! | [`ups`] | what a file or a server of Network UPS Tools says |
//! | [`steady`] | what it says long enough to be believed |
//! | [`mains`] | what follows at once: everything on disk, an alarm |
//! | [`off`] | when the machine is switched off |
//!
//! Not decided here: how a pin is read (`crate::pins`); how the machine is switched off (a unit of systemd that waits for a file).
//!
//! Invariants: a UPS that says nothing switches nothing off; nothing here touches a supply.

mod mains;
mod off;
mod steady;
mod ups;

pub(crate) use mains::{Mains, NAME};
pub use off::{Off, PowerFacts, PowerView};
pub use ups::Ups;

use crate::config::Power;
use std::thread;
use std::time::{Duration, Instant};
use steady::Steady;
use tokio::sync::watch;
use ups::Asking;

/// What the machine runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// Nobody says.
    Unknown,
    /// The mains.
    Mains,
    /// Its battery.
    Battery {
        /// Since when.
        since: Instant,
        /// It is nearly empty.
        low: bool,
    },
}

/// Starts to ask an UPS, on a thread of its own.
///
/// # Errors
/// There is no thread for it.
pub(crate) fn ask(
    power: &Power,
    ups: &Ups,
    mains: Mains,
    stopped: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (asking, steady) = (Asking::new(ups.clone()), Steady::new(power.still));
    let ask = move || keep_asking(asking, steady, &mains, &stopped);
    thread::Builder::new().name("ups".into()).spawn(ask)?;
    Ok(())
}

fn keep_asking(
    mut asking: Asking,
    mut steady: Steady,
    mains: &Mains,
    stopped: &watch::Receiver<bool>,
) {
    let mut goes_on = true;
    while goes_on && !*stopped.borrow() {
        let asked = Instant::now();
        match asking.ask() {
            Ok(said) => {
                let is_first = steady.is_new();
                if let Some(seen) = steady.says(said.mains, asked) {
                    goes_on = mains.heard(said.mains, is_first, seen);
                } else if steady.is_settled(said.mains) {
                    mains.known_again(said.mains);
                }
                mains.battery_is_low(said.low);
            }
            Err(why) => mains.unknown(&why),
        }
        wait(asking.every());
    }
}

/// Nobody wakes this thread; it looks again when its time has come.
fn wait(time: Duration) {
    let end = Instant::now() + time;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if left.is_zero() {
            return;
        }
        thread::park_timeout(left);
    }
}
