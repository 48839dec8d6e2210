//! What shop-bought meters show before they are saved, and the driver of those on MQTT: carries messages between the site's broker and [`Devices`], which decides.

use crate::buses::Buses;
use crate::clock::Clock;
use crate::drivers::Drivers;
use gateway_core::meter_link::MeterLink;
use gateway_field::devices::{Devices, Dialects, Outcome, Shown, SiteMessage};
use gateway_field::{Field, SitePublish};
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
}

impl Bench {
    /// With the shipped dialects and the site's buses.
    pub fn new(clock: Clock, buses: Buses) -> Self {
        let devices = Devices::new(Dialects::shipped());
        Self {
            devices: Arc::new(Mutex::new(devices)),
            buses,
            clock,
        }
    }

    /// What a meter shows now.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub async fn test(&self, link: &MeterLink) -> Result<Shown, String> {
        match link {
            MeterLink::Modbus { .. } => self.buses.test(link).await,
            _ => self.lock().test(self.clock.monotonic_ms(), link),
        }
    }

    /// The site's buses.
    pub fn buses(&self) -> &Buses {
        &self.buses
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
                _ = looks.tick() => Vec::new(),
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
