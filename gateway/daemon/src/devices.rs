//! What shop-bought meters show before they are saved, and the driver of those on MQTT: carries messages between the site's broker and [`Devices`], which decides.

use crate::buses::Buses;
use crate::clock::Clock;
use crate::drivers::Drivers;
use gateway_core::NodeId;
use gateway_core::meter_link::MeterLink;
use gateway_field::devices::{Devices, Dialect, Dialects, Outcome, SiteMessage};
use gateway_field::{Field, LinkBoard, LinkQuality, SitePublish};
use gateway_web::{MeterKind, MeterKinds, MeterShown};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

/// Messages of devices waiting to be looked at: a burst of all devices after a power cut.
pub const INBOX: usize = 1_024;
/// How often it is looked whether a device is to be told or asked something.
const LOOK: Duration = Duration::from_millis(500);

/// All devices, shared with whoever tests one before it is saved.
#[derive(Clone)]
pub struct Bench {
    devices: Arc<Mutex<Devices>>,
    buses: Buses,
    clock: Clock,
    links: LinkBoard,
    logins: Vec<String>,
    is_external: bool,
}

impl Bench {
    /// With the shipped dialects, the site's buses, the logins a device can have, and whether an external broker keeps them.
    pub fn new(
        clock: Clock,
        buses: Buses,
        links: &LinkBoard,
        (logins, is_external): (Vec<String>, bool),
    ) -> Self {
        let devices = Devices::new(Dialects::shipped());
        Self {
            devices: Arc::new(Mutex::new(devices)),
            buses,
            clock,
            links: links.clone(),
            logins,
            is_external,
        }
    }

    /// What a meter shows now.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub async fn test(&self, link: &MeterLink) -> Result<MeterShown, String> {
        let shown = match link {
            MeterLink::Modbus { .. } | MeterLink::NodeOnBus { .. } => self.buses.test(link).await?,
            _ => {
                let mut devices = self.lock();
                devices.ask(link);
                devices.test(self.clock.monotonic_ms(), link)?
            }
        };
        let values = shown.values.into_iter();
        Ok(MeterShown {
            values: values
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            raw: shown.raw,
            heard_ms: shown.heard_ms,
            age_s: shown.age_s,
            foreign: shown.foreign,
            authenticated: false,
            believed: match self.is_external {
                false => "believed by its login".into(),
                true => "believed because the broker keeps its topics for its login".into(),
            },
        })
    }

    /// The site's buses.
    pub fn buses(&self) -> &Buses {
        &self.buses
    }

    /// What an installer can choose from.
    pub fn kinds(&self) -> MeterKinds {
        let devices = self.lock();
        let kind = |dialect: &Dialect| MeterKind {
            id: dialect.id.clone(),
            name: dialect.name.clone(),
        };
        MeterKinds {
            dialects: devices.dialects().iter().map(kind).collect(),
            logins: self.logins.clone(),
            buses: self.buses.names(),
            models: self.buses.models(),
            ..MeterKinds::default()
        }
    }

    /// How well every meter is heard, whatever its driver.
    pub fn links(&self) -> BTreeMap<NodeId, LinkQuality> {
        self.links.all()
    }

    /// Puts down how well each device is heard.
    fn show_quality(&self, shown: &mut BTreeSet<NodeId>) {
        let devices = self.lock();
        let mut now = BTreeSet::new();
        for (node, quality) in devices.quality(self.clock.monotonic_ms()) {
            now.insert(node);
            self.links.set(node, quality);
        }
        for gone in shown.difference(&now) {
            self.links.remove(*gone);
        }
        *shown = now;
    }

    /// Runs until the gateway stops.
    pub async fn drive(
        self,
        mut drivers: Drivers,
        field: Arc<Field>,
        mut messages: mpsc::Receiver<SiteMessage>,
        mut stopped: watch::Receiver<bool>,
    ) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        drivers.installed.mark_changed();
        let mut shown = BTreeSet::new();
        loop {
            let outcomes = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => return,
                changed = drivers.installed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let installed = drivers.installed.borrow_and_update().clone();
                    self.lock().follow(&installed);
                    Vec::new()
                }
                Some(message) = messages.recv() => {
                    self.lock().take(self.clock.monotonic_ms(), &message)
                }
                _ = looks.tick() => {
                    self.show_quality(&mut shown);
                    Vec::new()
                }
            };
            for outcome in outcomes {
                let goes_on = match outcome {
                    Outcome::Metered(reading) => drivers.metered(*reading).await,
                    Outcome::Switched(node, relay) => drivers.switched(node, relay).await,
                    Outcome::Rejected(node, why) => drivers.rejected(node, why.reason()).await,
                };
                if !goes_on {
                    return;
                }
            }
            let orders = self.lock().due(self.clock.monotonic_ms());
            for order in orders {
                let message = SitePublish {
                    topic: order.topic,
                    payload: order.payload.into_bytes(),
                    retain: false,
                };
                // What is not sent is sent again: a switch until it reports, a question at its next time.
                let _ = field.publish(message).await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Devices> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
