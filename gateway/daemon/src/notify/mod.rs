//! Telling people outside: e-mail and webhooks, from the committed journal.
//!
//! Decided here: which channels there are, how far each has come ([`Memory`]) and how each is doing ([`Notifier`]). Not decided here: which
//! records are worth telling ([`notice`]), when a channel sends ([`channel`]), how it is sent ([`smtp`], [`webhook`]).
//!
//! Terms: a *notice* is a record in words; it *waits* ([`waiting`]) until it is told or given up; a *channel* is one mail address or one webhook; its *cursor* is the last record it is done with.
//!
//! Invariants: the cycle never waits for anything here; only committed records are told; a channel tells its records in their order and its
//! cursor moves only when the other side has taken them, so that nothing is lost by a restart; what was taken while the answer was lost
//! is said again with the same id; a new channel begins at the end of the journal.

mod backoff;
mod channel;
mod memory;
pub mod metrics;
mod notice;
mod smtp;
mod status;
mod waiting;
mod way;
mod webhook;
mod wire;

pub use memory::Memory;
pub use notice::{Filter, Kind, Notice};
pub use status::{ChannelFacts, Notifier};
pub use webhook::Target;

use crate::clock::Clock;
use crate::config::Config;
use channel::Channel;
use gateway_cloud::driver::{CertificateTime, Tls, tls};
use gateway_core::order::Hex;
use gateway_store::Reader;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_rustls::rustls::ClientConfig;
use way::Way;

/// What every channel works with.
#[derive(Clone)]
pub struct Ground {
    database: PathBuf,
    clock: Clock,
    /// The site's name, currency, local time, and number in hexadecimal.
    site: Site,
    status: Arc<Notifier>,
    time: Arc<CertificateTime>,
}

/// The site, as notices name it.
#[derive(Clone)]
pub struct Site {
    name: String,
    currency: String,
    calendar: gateway_core::calendar::Calendar,
    id: String,
}

/// Starts a task for each channel; they end when the gateway stops.
pub fn start(
    config: &Config,
    clock: Clock,
    (changed, stopped): (&watch::Receiver<u64>, &watch::Receiver<bool>),
) -> Arc<Notifier> {
    let time = Arc::new(CertificateTime::default());
    let ways = ways(config, &time).unwrap_or_else(|error| {
        log::error!("nobody is told anything: failed to {error}");
        Vec::new()
    });
    let memory = crate::config::notify_memory_in(&config.store.data_dir);
    let database = config.database();
    let reader = Reader::open(&database);
    let head = reader.as_ref().ok().and_then(|reader| reader.head().ok());
    let id = reader
        .as_ref()
        .ok()
        .and_then(|reader| reader.site_id().ok());
    let names = ways.iter().map(|way| way.name().to_owned());
    let head = head.map_or(0, |head| head.number);
    let ground = Ground {
        database,
        clock,
        site: Site {
            name: config.site.name.clone(),
            currency: config.site.currency.clone(),
            calendar: config.site.calendar,
            id: id.map_or_else(String::new, |id| Hex(id).to_string()),
        },
        status: Arc::new(Notifier::new(Memory::open(memory, names, head))),
        time,
    };
    let status = ground.status.clone();
    for way in ways {
        let channel = Channel::new(way, ground.clone(), config.notify.give_up_days);
        let tester = channel.tester();
        status.add(
            tester,
            tokio::spawn(channel.run(changed.clone(), stopped.clone())),
        );
    }
    status
}

/// The channels of a configuration.
fn ways(config: &Config, time: &Arc<CertificateTime>) -> Result<Vec<Way>, String> {
    let notify = &config.notify;
    let trust = |ca: &Option<PathBuf>| -> Result<Arc<ClientConfig>, String> {
        let files = Tls {
            ca: ca.clone(),
            client: None,
        };
        tls(&files, time.clone()).map_err(|error| error.to_string())
    };
    let mut ways = Vec::new();
    if let Some(server) = &notify.smtp {
        let tls = match server.security {
            crate::config::Security::Plain => None,
            _ => Some(trust(&server.ca)?),
        };
        for mail in &notify.mail {
            ways.push(Way::mail(server, mail, tls.clone(), notify.gather_s));
        }
    }
    for hook in &notify.webhooks {
        let tls = match hook.target.is_tls {
            true => Some(trust(&hook.ca)?),
            false => None,
        };
        ways.push(Way::webhook(hook, tls));
    }
    Ok(ways)
}

/// What is wrong with the files `[notify]` names, for `check`.
pub fn mistakes(config: &Config) -> Option<String> {
    ways(config, &Arc::new(CertificateTime::default())).err()
}
