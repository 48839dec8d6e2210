//! Where time enters the daemon, and whether it is to be believed.
//!
//! A Raspberry Pi has no battery behind its clock. The kernel knows whether a time service has set it (`adjtimex`); a service that may not
//! ask the kernel (`ProtectClock=`) asks the time service ([`service`]). Without one the daemon counts on by itself from a moment that was
//! known ([`kept`]): the last the service kept, one a person set, or what a battery-backed clock tells. The machine's own clock is never
//! set. Until a time is known the core's time stands still.
//! `clock.trust = "always"` is for machines whose clock is right at boot and for the demo.

mod chrony;
mod kept;
mod memory;
mod service;

use gateway_core::clock::ClockKnown;
use gateway_core::{Moment, UtcSeconds};
use gateway_web::clock::{BatteryFacts, ClockFacts, ClockSource};
use kept::{Anchor, Kept, Seen};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Whom to ask whether the clock is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The kernel's synchronisation status.
    Kernel,
    /// Always right.
    Always,
}

/// The wall clock and a stopwatch. Copies share what they know.
#[derive(Debug, Clone)]
pub struct Clock {
    trust: Trust,
    started: Instant,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    /// Where it is written down, and which life of the machine this is.
    file: Option<(PathBuf, Option<String>)>,
    battery: Option<PathBuf>,
    /// The stopwatch when the clock was last seen untrusted after it had been trusted, or at the start.
    untrusted_since_ms: Option<u64>,
    failed: bool,
}

impl Clock {
    /// Starts the stopwatch. Knows nothing but the machine's clock.
    pub fn new(trust: Trust) -> Self {
        Self {
            trust,
            started: Instant::now(),
            inner: Arc::default(),
        }
    }

    /// The same with a memory in a data directory and the folder of a battery-backed clock (`/sys/class/rtc/rtc0`).
    pub fn with_memory(self, data: &Path, battery: PathBuf) -> Self {
        let (path, boot) = (data.join("clock.json"), memory::boot());
        let mut inner = self.lock();
        inner.kept = memory::read(&path, boot.as_deref(), boot_ms());
        inner.file = Some((path, boot));
        inner.battery = Some(battery);
        drop(inner);
        self.look();
        self
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the clock shows now, and whether to believe it.
    pub fn now(&self) -> Moment {
        self.told().0
    }

    /// The time, who told it, and how far off it is at most.
    fn told(&self) -> (Moment, ClockSource, Option<u64>) {
        let believed = |at| Moment {
            at,
            clock_trusted: true,
        };
        match self.trust {
            Trust::Always => return (believed(machine()), ClockSource::Always, None),
            Trust::Kernel if is_kept() => return (believed(machine()), ClockSource::Service, None),
            Trust::Kernel => {}
        }
        let (anchor, ms) = (self.lock().kept.anchor, boot_ms());
        match anchor {
            Some(anchor) if anchor.is_believed(ms) => {
                let within = anchor.within_s(ms);
                (believed(anchor.now(ms)), anchor.source, Some(within))
            }
            lapsed => {
                let moment = Moment {
                    at: lapsed.map_or_else(machine, |anchor| anchor.now(ms)),
                    clock_trusted: false,
                };
                (moment, ClockSource::None, None)
            }
        }
    }

    /// Looks at everything that knows the time, and writes down now and then what is known. For how many seconds nothing has known it.
    pub fn look(&self) -> Option<u64> {
        let seen = Seen {
            boot_ms: boot_ms(),
            service: match self.trust {
                Trust::Kernel => is_kept().then(machine),
                Trust::Always => Some(machine()),
            },
            battery: self.battery(),
        };
        let mut inner = self.lock();
        if inner.kept.look(&seen) {
            inner.write(false);
        }
        drop(inner);
        let trusted = self.now().clock_trusted;
        let mut inner = self.lock();
        if trusted {
            inner.untrusted_since_ms = None;
            return None;
        }
        let since = *inner.untrusted_since_ms.get_or_insert(seen.boot_ms);
        Some(seen.boot_ms.saturating_sub(since) / 1_000)
    }

    /// What the core has to know when somebody wants to set the clock.
    pub fn known(&self) -> ClockKnown {
        let source = self.told().1;
        ClockKnown {
            kept: matches!(source, ClockSource::Always | ClockSource::Service),
            floor: self.lock().kept.latest,
        }
    }

    /// Milliseconds since the machine was started.
    pub fn boot_ms(&self) -> u64 {
        boot_ms()
    }

    /// A person has set it, when [`Self::boot_ms`] was this.
    pub fn set_by_hand(&self, to: UtcSeconds, boot_ms: u64) {
        let mut inner = self.lock();
        inner.kept.anchor = Some(Anchor::by_hand(to, boot_ms));
        inner.write(true);
    }

    /// Everything about it. `floor` is the latest time of the journal and the readings.
    pub fn facts(&self, floor: UtcSeconds) -> ClockFacts {
        let (moment, source, within_s) = self.told();
        let kept = self.lock().kept;
        let shows = self.battery();
        let floor = match moment.clock_trusted {
            true => floor,
            false => floor.max(kept.latest),
        };
        let battery = shows.map(|shows| BatteryFacts {
            shows: UtcSeconds(shows),
            ahead_s: kept.battery.map(|compared| compared.ahead_s),
            compared_at: kept.battery.map(|compared| compared.at),
            is_believed: kept.battery.is_some_and(|compared| compared.is_steady()),
            drift_ppm: kept.battery.and_then(|compared| compared.drift_ppm()),
        });
        ClockFacts {
            at: moment.at,
            is_trusted: moment.clock_trusted,
            source,
            within_s,
            believed_within_s: kept::OFF_AT_MOST_S,
            floor,
            machine: machine(),
            battery,
            boot_ms: boot_ms(),
        }
    }

    fn battery(&self) -> Option<i64> {
        let folder = self.lock().battery.clone()?;
        let text = std::fs::read_to_string(folder.join("since_epoch")).ok()?;
        text.trim().parse().ok()
    }

    /// Milliseconds since the daemon started; never goes back.
    pub fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Inner {
    /// Whoever cannot write says so once; the time goes on without it.
    fn write(&mut self, safely: bool) {
        let Some((path, boot)) = &self.file else {
            return;
        };
        let written = memory::write(path, boot.as_deref(), &self.kept, safely);
        if let Err(error) = &written
            && !self.failed
        {
            log::warn!("failed to write {}: {error}", path.display());
        }
        self.failed = written.is_err();
    }
}

/// The machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the wall clock is read"
)]
pub fn machine() -> UtcSeconds {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    UtcSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The stopwatch that begins with the machine; nothing sets it, and it counts through sleep.
fn boot_ms() -> u64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (s, ms) = (
        u64::try_from(at.tv_sec),
        u64::try_from(at.tv_nsec / 1_000_000),
    );
    s.unwrap_or_default() * 1_000 + ms.unwrap_or_default()
}

/// Whether a time service keeps the machine's clock.
fn is_kept() -> bool {
    kernel().unwrap_or_else(service::synchronised)
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
