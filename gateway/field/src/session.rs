//! What every session shares: the parts of the front end, and the ways in which a session ends.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::config::Limits;
use crate::credentials::Credentials;
use crate::devices::SiteMessage;
use crate::limits::Admission;
use crate::registry::{Presence, Registry};
use crate::rejection::Rejection;
use crate::router::SiteRouter;
use crate::stats::Counters;
use crate::uplink::Uplink;

/// What is left to a client for its last bytes when the front end stops or the session ends.
pub(crate) const FAREWELL: Duration = Duration::from_millis(150);

/// Everything that connections use together.
pub(crate) struct Shared {
    pub limits: Limits,
    pub counters: Counters,
    pub credentials: Arc<Credentials>,
    pub admission: Arc<Admission>,
    pub registry: Arc<Registry>,
    pub router: Arc<SiteRouter>,
    pub inbox: mpsc::Sender<Uplink>,
    pub site_messages: Option<mpsc::Sender<SiteMessage>>,
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// Counts a rejection and writes it to the log, quietly: a hostile client must not fill it.
    pub fn reject(&self, why: Rejection, who: &str, address: IpAddr) {
        self.counters.reject(why);
        log::debug!("rejected {who} at {address}: {why}");
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client said DISCONNECT.
    Goodbye,
    /// The connection closed without it.
    Closed,
    /// The front end stops.
    Stopped,
    Rejected(Rejection),
}

/// The ways in which a session ends from outside.
pub(crate) struct Endings {
    pub presence: Presence,
    pub revoked: watch::Receiver<()>,
    pub stop: watch::Receiver<bool>,
}

impl Endings {
    /// Waits for the first of them; a stop only if it is not known yet.
    pub async fn wait(&mut self, stop_is_known: bool) -> End {
        tokio::select! {
            why = &mut self.presence.ended => {
                End::Rejected(why.unwrap_or(Rejection::TakenOver))
            }
            // Nothing is ever sent: the entry and its sender are gone.
            _ = self.revoked.changed() => End::Rejected(Rejection::CredentialsRevoked),
            _ = self.stop.wait_for(|stop| *stop), if !stop_is_known => End::Stopped,
        }
    }
}
