//! Where time enters the daemon, and whether it is to be believed.
//!
//! A Raspberry Pi has no battery behind its clock. The kernel knows whether a time service has set it (`adjtimex`); a service that may not
//! ask the kernel (`ProtectClock=`) asks the time service ([`service`]). Until the clock is set the core's time stands still.
//! `clock.trust = "always"` is for sites with a battery-backed clock and for the demo.

mod chrony;
mod service;

use gateway_core::{Moment, UtcSeconds};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Whom to ask whether the clock is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The kernel's synchronisation status.
    Kernel,
    /// Always right.
    Always,
}

/// The wall clock and a stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    trust: Trust,
    started: Instant,
}

impl Clock {
    /// Starts the stopwatch.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            started: Instant::now(),
        }
    }

    /// What the clock shows now, and whether to believe it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the wall clock is read"
    )]
    pub fn now(&self) -> Moment {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let at = UtcSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
        let clock_trusted = match self.trust {
            Trust::Always => true,
            Trust::Kernel => kernel().unwrap_or_else(service::synchronised),
        };
        Moment { at, clock_trusted }
    }

    /// Milliseconds since the daemon started; never goes back.
    pub fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether the kernel's clock is synchronised, by NTP or by a service that set it; `None` if the kernel may not be asked.
#[expect(unsafe_code, reason = "no safe binding of adjtimex in the crates used")]
fn kernel() -> Option<bool> {
    // SAFETY: an all-zero timex is valid, `modes = 0` only reads, and the pointer is to a live local.
    let state = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut timex)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}
