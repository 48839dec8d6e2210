//! Messages in, readings and commands out. No I/O, no clock: milliseconds are an argument.

use super::DeviceRejection;
use super::dialect::{Dialects, fill};
use super::place::meter_place;
use super::shown::{Seen, Shown};
use super::tracked::Tracked;
use crate::LinkQuality;
use gateway_core::NodeId;
use gateway_core::meter_link::{Installed, MeterLink, MeterReading};
use gateway_core::supply::Relay;

/// Questions of people who test a device, waiting to be sent: two people and their retries within half a second.
const MOST_ASKS: usize = 8;

/// A message between the site's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteMessage {
    /// The login it came by; empty: without one. An external broker does not say: then it is the one the broker keeps the topic for.
    pub credential: String,
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: Vec<u8>,
    /// Whether the broker had kept it from before.
    pub retained: bool,
}

/// Something for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: String,
}

/// What a message led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A reading.
    Metered(Box<MeterReading>),
    /// The contact of a meter's switch, as reported.
    Switched(NodeId, Relay),
    /// It was not used.
    Rejected(NodeId, DeviceRejection),
}

/// All devices of a site.
#[derive(Debug)]
pub struct Devices {
    dialects: Dialects,
    tracked: Vec<Tracked>,
    seen: Seen,
    asks: Vec<Order>,
}

impl Devices {
    /// No device yet.
    #[must_use]
    pub fn new(dialects: Dialects) -> Self {
        Self {
            dialects,
            tracked: Vec::new(),
            seen: Seen::default(),
            asks: Vec::new(),
        }
    }

    /// The dialects in use.
    #[must_use]
    pub fn dialects(&self) -> &Dialects {
        &self.dialects
    }

    /// Follows what is installed; what is known of a device that stays is kept.
    pub fn follow(&mut self, installed: &[Installed]) {
        let mut before = std::mem::take(&mut self.tracked);
        for meter in installed {
            let Some(fresh) = Tracked::of(meter) else {
                continue;
            };
            let known = before.iter().position(|old| old.is_same_place(&fresh));
            let mut tracked = known.map_or(fresh, |place| before.swap_remove(place));
            tracked.follow(meter);
            self.tracked.push(tracked);
        }
    }

    /// Takes a message of a site client.
    pub fn take(&mut self, now_ms: u64, message: &SiteMessage) -> Vec<Outcome> {
        self.seen.remember(now_ms, message);
        let dialects = &self.dialects;
        let mut outcomes = Vec::new();
        for tracked in &mut self.tracked {
            tracked.take(dialects, now_ms, message, &mut outcomes);
        }
        outcomes
    }

    /// What is to be sent now.
    pub fn due(&mut self, now_ms: u64) -> Vec<Order> {
        let dialects = &self.dialects;
        let mut orders = std::mem::take(&mut self.asks);
        for tracked in &mut self.tracked {
            orders.extend(tracked.tell(dialects, now_ms));
            orders.extend(tracked.poll(dialects, now_ms));
        }
        orders
    }

    /// How well each device in use is heard.
    pub fn quality(&self, now_ms: u64) -> impl Iterator<Item = (NodeId, LinkQuality)> + '_ {
        let quality = move |tracked: &Tracked| (tracked.node(), tracked.quality(now_ms));
        self.tracked.iter().map(quality)
    }

    /// Has a device asked for a reading, whether it is installed or not, if its dialect knows how.
    pub fn ask(&mut self, link: &MeterLink) {
        let Some(place) = meter_place(link).filter(|_| self.asks.len() < MOST_ASKS) else {
            return;
        };
        let dialect = self.dialects.get(&place.dialect);
        if let Some(poll) = dialect.and_then(|dialect| dialect.poll.as_ref()) {
            self.asks.push(Order {
                topic: fill(&poll.topic, &place.device, place.channel),
                payload: poll.payload.clone(),
            });
        }
    }

    /// What a device that may not be installed yet has said.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub fn test(&self, now_ms: u64, link: &MeterLink) -> Result<Shown, String> {
        let place = meter_place(link).ok_or("it is not a device on MQTT")?;
        self.seen.show(now_ms, &self.dialects, &place)
    }
}
