//! What every handler shares: the site's settings, the desk, the rows, and who is logged in.

use crate::access::{Access, Limiter, NameLimiter, PasswordCheck, Sessions};
use crate::committed::{Committed, ReadError};
use crate::desk::Desk;
use gateway_core::Rules;
use gateway_core::case::Ground;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Time since the start, for sessions and limits: never set back by anybody.
pub type Stopwatch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Live streams open at once: each costs a connection and a refetch per change; an operator's office has a few screens.
const MOST_LIVE_STREAMS: usize = 64;

/// Reads at once: each holds a database connection, and more would only wait for the same card.
const MOST_READS: usize = 4;

/// The site as the page shows it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Its name, for the head of every page.
    pub name: String,
    /// Local time, billing periods and limits.
    pub rules: Rules,
    /// Whether tokens are taken; their form is shown then.
    pub takes_tokens: bool,
    /// Whether browsers reach the page over TLS; cookies are then never sent in clear.
    pub tls: bool,
    /// Loads without a meter and how feeders are watched, for the loss report.
    pub ground: Ground,
    /// Addresses besides loopback that may read `/metrics`.
    pub metrics_from: Vec<IpAddr>,
}

/// Everything the router needs. Cheap to clone.
#[derive(Clone)]
pub struct App(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub site: Site,
    pub desk: Arc<dyn Desk>,
    pub committed: Arc<dyn Committed>,
    pub access: Access,
    pub sessions: Sessions,
    pub limiter: Limiter,
    pub names: NameLimiter,
    pub passwords: PasswordCheck,
    pub stopwatch: Stopwatch,
    pub live: Arc<Semaphore>,
    pub reads: Semaphore,
    pub closing: watch::Sender<bool>,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        site: Site,
        access: Access,
        desk: Arc<dyn Desk>,
        committed: Arc<dyn Committed>,
    ) -> Self {
        let start = Instant::now();
        let stopwatch: Stopwatch = Arc::new(move || start.elapsed());
        Self::with_stopwatch(site, access, (desk, committed), stopwatch)
    }

    /// The same with another stopwatch, for tests of time limits.
    #[must_use]
    pub fn with_stopwatch(
        site: Site,
        access: Access,
        (desk, committed): (Arc<dyn Desk>, Arc<dyn Committed>),
        stopwatch: Stopwatch,
    ) -> Self {
        Self(Arc::new(Inner {
            site,
            desk,
            committed,
            access,
            sessions: Sessions::default(),
            limiter: Limiter::default(),
            names: NameLimiter::default(),
            passwords: PasswordCheck::default(),
            stopwatch,
            live: Arc::new(Semaphore::new(MOST_LIVE_STREAMS)),
            reads: Semaphore::new(MOST_READS),
            closing: watch::Sender::new(false),
        }))
    }

    /// Ends every live stream, so that a graceful shutdown does not wait for browsers.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Reads rows on the blocking pool.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Committed) -> Result<T, ReadError> + Send + 'static,
    {
        let stopping = || ReadError("The gateway is stopping; try again in a moment.".into());
        let _turn = self.0.reads.acquire().await.map_err(|_| stopping())?;
        let committed = Arc::clone(&self.0.committed);
        let task = tokio::task::spawn_blocking(move || read(committed.as_ref()));
        task.await.unwrap_or_else(|_| Err(stopping()))
    }
}
