//! State for Home Assistant over MQTT, read-only: discovery and states are published, nothing is subscribed to.
//!
//! Decided here: when what is committed is compared with what was published. Not decided here: topics and payloads ([`messages`]).
//!
//! Invariants: only what is committed is published; no topic is below `pg/`; nothing that comes in changes anything.

mod messages;

use crate::config::HomeAssistant;
use gateway_core::UtcSeconds;
use gateway_field::{Field, SitePublish};
use gateway_store::Reader;
use gateway_web::Desk;
use messages::{Message, Site, of_site, status};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Shortest time between two looks: Home Assistant is for looking, not for switching, and a look reads every account.
const LOOK: Duration = Duration::from_secs(10);
/// Everything is published again after so long: a broker that forgot what it had kept, an expired state.
const AGAIN: Duration = Duration::from_secs(600);
/// Messages in one go, and the pause after: 20 configurations of 1.3 kB are half of what the router keeps for a client that is slow.
const AT_ONCE: usize = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// What the task needs.
pub struct Publisher {
    /// As configured.
    pub settings: HomeAssistant,
    /// The site's name.
    pub site: String,
    /// After so many seconds a meter is unavailable.
    pub silent_after_s: u32,
    /// The database, read only.
    pub database: PathBuf,
    /// The way to the broker.
    pub field: Arc<Field>,
    /// The clock and what has changed.
    pub desk: Arc<dyn Desk>,
}

impl Publisher {
    /// Runs until the gateway stops.
    pub async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut changes = self.desk.changes();
        let mut published: BTreeMap<String, String> = BTreeMap::new();
        let mut whole = Instant::now();
        loop {
            if whole <= Instant::now() {
                published.clear();
                whole = Instant::now() + AGAIN;
            }
            self.publish(&mut published).await;
            let earliest = Instant::now() + LOOK;
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                () = sleep_until(earliest) => {}
            }
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                changed = changes.changed() => if changed.is_err() { break },
                // Silence is news, too.
                () = sleep(LOOK) => {}
            }
        }
    }

    async fn publish(&self, published: &mut BTreeMap<String, String>) {
        let Some(messages) = self.messages().await else {
            return;
        };
        let news = messages
            .into_iter()
            .filter(|message| published.get(&message.topic) != Some(&message.payload));
        for (number, message) in news.collect::<Vec<_>>().into_iter().enumerate() {
            if number % AT_ONCE == AT_ONCE - 1 {
                sleep(PAUSE).await;
            }
            let (topic, payload) = (message.topic.clone(), message.payload.clone());
            if self.send(message).await {
                published.insert(topic, payload);
            }
        }
    }

    async fn send(&self, message: Message) -> bool {
        let message = SitePublish {
            topic: message.topic,
            payload: message.payload.into_bytes(),
            retain: true,
        };
        self.field.publish(message).await.is_ok()
    }

    /// Everything as it is committed now.
    async fn messages(&self) -> Option<Vec<Message>> {
        let (path, now) = (self.database.clone(), self.desk.now().at);
        let read = tokio::task::spawn_blocking(move || {
            let reader = Reader::open(&path)?;
            reader.together(|reader| {
                let tariffs = reader.tariffs()?;
                Ok((reader.usage_points()?, reader.nodes()?, tariffs))
            })
        });
        let (points, nodes, tariffs) = match read.await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                log::debug!("nothing for Home Assistant: {error}");
                return None;
            }
            Err(_) => return None,
        };
        let site = Site {
            settings: &self.settings,
            name: &self.site,
            currency: tariffs
                .first()
                .map_or("", |tariff| tariff.currency.as_str()),
            silent_before: UtcSeconds(now.0 - i64::from(self.silent_after_s)),
        };
        Some(of_site(&site, &points, &nodes))
    }
}

/// What an external broker is to say when the gateway is gone: topic and payload.
pub fn will(settings: &HomeAssistant) -> (String, String) {
    let message = status(settings, false);
    (message.topic, message.payload)
}
