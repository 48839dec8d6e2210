//! Messages in, readings and commands out. No I/O, no clock: milliseconds are an argument.

use super::dialect::{Dialect, Dialects, fill};
use super::value::{Said, read};
use super::{DeviceRejection, Golden};
use gateway_core::event::Reading;
use gateway_core::meter_link::{Installed, MeterLink, MeterReading, SwitchLink};
use gateway_core::supply::Relay;
use gateway_core::{NodeId, WattHours};
use std::collections::BTreeMap;

/// A switch that does not report what it was told is told again after so long: a plug answers within a second.
const TELL_AGAIN_MS: u64 = 5_000;
/// A device is asked for a reading so often when nothing presses.
const POLL_MS: u64 = 60_000;
/// And so often when the credit may run out within a minute, or a switch has just moved.
const POLL_SOON_MS: u64 = 3_000;
/// Energy that lasts a minute at 3 kW.
const NEAR_WH: u64 = 50;
/// Values of one device's other topics count into a reading for so long.
const FRESH_MS: u64 = 90_000;
/// Messages kept for a test before a meter is saved: 32 plugs with eight topics.
const MOST_SEEN: usize = 256;
/// Longest of them, in bytes.
const LONGEST_SEEN: usize = 4_096;

/// A message between the site's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteMessage {
    /// The login it came by; empty: without one. An external broker does not say: then it is `broker`.
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

/// What a device shows, for a test before it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The reading's values, in words with units.
    pub values: Vec<(&'static str, String)>,
    /// Age of the newest of them, in seconds.
    pub age_s: u64,
    /// Messages on the device's topics by other logins.
    pub foreign: Vec<String>,
}

/// Where a device speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    dialect: String,
    device: String,
    channel: Option<u8>,
    credential: String,
}

#[derive(Debug)]
struct Tracked {
    meter: Installed,
    meters: Option<Place>,
    switches: Option<Place>,
    values: BTreeMap<&'static str, (u64, i64)>,
    relay: Option<Relay>,
    start: Option<String>,
    set: bool,
    told_at: Option<u64>,
    polled_at: Option<u64>,
    poll_soon: bool,
}

/// All devices of a site.
#[derive(Debug)]
pub struct Devices {
    dialects: Dialects,
    tracked: Vec<Tracked>,
    seen: BTreeMap<String, (u64, SiteMessage)>,
}

fn meter_place(link: &MeterLink) -> Option<Place> {
    match link {
        MeterLink::Mqtt {
            dialect,
            device,
            channel,
            credential,
        } => Some(Place {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: *channel,
            credential: credential.clone(),
        }),
        _ => None,
    }
}

fn switch_place(link: &SwitchLink) -> Option<Place> {
    match link {
        SwitchLink::Mqtt {
            dialect,
            device,
            channel,
            credential,
        } => Some(Place {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: *channel,
            credential: credential.clone(),
        }),
        _ => None,
    }
}

impl Devices {
    /// No device yet.
    #[must_use]
    pub fn new(dialects: Dialects) -> Self {
        Self {
            dialects,
            tracked: Vec::new(),
            seen: BTreeMap::new(),
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
            let meters = meter_place(&meter.link);
            let switches = meter.switch.as_ref().and_then(|s| switch_place(&s.link));
            if meters.is_none() && switches.is_none() {
                continue;
            }
            let known = before.iter().position(|old| {
                old.meter.node == meter.node && (&old.meters, &old.switches) == (&meters, &switches)
            });
            let mut tracked = match known {
                Some(place) => before.swap_remove(place),
                None => Tracked {
                    meter: meter.clone(),
                    meters,
                    switches,
                    values: BTreeMap::new(),
                    relay: None,
                    start: None,
                    set: false,
                    told_at: None,
                    polled_at: None,
                    poll_soon: true,
                },
            };
            if tracked.meter.wanted != meter.wanted {
                // The new state is told at once.
                tracked.told_at = None;
            }
            tracked.meter = meter.clone();
            self.tracked.push(tracked);
        }
    }

    /// Takes a message of a site client.
    pub fn take(&mut self, now_ms: u64, message: &SiteMessage) -> Vec<Outcome> {
        self.remember(now_ms, message);
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
        let mut orders = Vec::new();
        for tracked in &mut self.tracked {
            orders.extend(tracked.tell(dialects, now_ms));
            orders.extend(tracked.poll(dialects, now_ms));
        }
        orders
    }

    /// What a device that may not be installed yet has said.
    ///
    /// # Errors
    /// In words, with what to do next.
    pub fn test(&self, now_ms: u64, link: &MeterLink) -> Result<Shown, String> {
        let place = meter_place(link).ok_or("it is not a device on MQTT")?;
        let dialect = self.dialects.get(&place.dialect).ok_or_else(|| {
            let known: Vec<_> = self.dialects.iter().map(|d| d.id.as_str()).collect();
            format!(
                "no dialect is called {}; there are {}",
                place.dialect,
                known.join(", ")
            )
        })?;
        let mut shown = Shown::default();
        let mut newest = None;
        for message in &dialect.message {
            let topic = fill(&message.topic, &place.device, place.channel);
            let Some((at, seen)) = self.seen.get(&topic) else {
                continue;
            };
            if seen.credential != place.credential {
                shown
                    .foreign
                    .push(format!("{topic} by login {:?}", seen.credential));
                continue;
            }
            let said = read(message, &seen.payload, place.channel)
                .map_err(|why| format!("the message on {topic} cannot be used: {why}"))?;
            shown.values.extend(in_words(&said));
            newest = newest.max(Some(*at));
        }
        shown.age_s = newest.map_or(0, |at| now_ms.saturating_sub(at) / 1000);
        if shown.values.is_empty() {
            return Err(match shown.foreign.first() {
                Some(foreign) => format!(
                    "nothing was heard by login {}, but {foreign}; name that login, or give the device its own",
                    place.credential
                ),
                None => format!(
                    "nothing was heard of {} in dialect {}; check its broker settings, its topic and its telemetry period",
                    place.device, place.dialect
                ),
            });
        }
        Ok(shown)
    }

    fn remember(&mut self, now_ms: u64, message: &SiteMessage) {
        if message.payload.len() > LONGEST_SEEN {
            return;
        }
        let full = self.seen.len() >= MOST_SEEN && !self.seen.contains_key(&message.topic);
        if full {
            let oldest = self.seen.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(topic) = oldest.map(|(topic, _)| topic.clone()) {
                self.seen.remove(&topic);
            }
        }
        self.seen
            .insert(message.topic.clone(), (now_ms, message.clone()));
    }
}

impl Tracked {
    fn take(
        &mut self,
        dialects: &Dialects,
        now_ms: u64,
        message: &SiteMessage,
        outcomes: &mut Vec<Outcome>,
    ) {
        let same = self.meters == self.switches;
        let places = [
            self.meters.clone().map(|place| (place, true, same)),
            self.switches
                .clone()
                .filter(|_| !same)
                .map(|place| (place, false, true)),
        ];
        for (place, meters, switches) in places.into_iter().flatten() {
            let Some(dialect) = dialects.get(&place.dialect) else {
                continue;
            };
            for kind in &dialect.message {
                if fill(&kind.topic, &place.device, place.channel) != message.topic {
                    continue;
                }
                let node = self.meter.node;
                let said = match believed(&place, message) {
                    Err(why) => Err(why),
                    Ok(()) => read(kind, &message.payload, place.channel),
                };
                match said {
                    Ok(said) => self.note(now_ms, &said, (meters, switches), outcomes),
                    // A birth message is kept on purpose.
                    Err(DeviceRejection::Retained) if kind.online.is_some() => {}
                    Err(why) => outcomes.push(Outcome::Rejected(node, why)),
                }
            }
        }
    }

    fn note(
        &mut self,
        now_ms: u64,
        said: &Said,
        (meters, switches): (bool, bool),
        outcomes: &mut Vec<Outcome>,
    ) {
        if let (Some(relay), true) = (said.relay, switches)
            && self.meter.switch.is_some()
            && self.relay != Some(relay)
        {
            self.relay = Some(relay);
            self.poll_soon = true;
            outcomes.push(Outcome::Switched(self.meter.node, relay));
        }
        if !meters {
            return;
        }
        self.set |= said.set;
        if let Some(start) = &said.start {
            self.set |= self.start.as_ref().is_some_and(|before| before != start);
            self.start = Some(start.clone());
        }
        for (name, value) in numbers(said) {
            self.values.insert(name, (now_ms, value));
        }
        if let Some(register) = said.register_wh {
            outcomes.push(Outcome::Metered(Box::new(self.reading(now_ms, register))));
            self.set = false;
        }
    }

    fn reading(&self, now_ms: u64, register: u64) -> MeterReading {
        let value = |name| {
            let (at, value) = self.values.get(name)?;
            (now_ms.saturating_sub(*at) <= FRESH_MS).then_some(*value)
        };
        let mut reading = Reading::of(self.meter.node, WattHours(register));
        let export = value("export").and_then(|wh| u64::try_from(wh).ok());
        reading.export = WattHours(export.unwrap_or_default());
        reading.power_w = value("power").and_then(|w| w.try_into().ok());
        reading.voltage_dv = value("voltage").and_then(|dv| dv.try_into().ok());
        reading.current_ma = value("current").and_then(|ma| ma.try_into().ok());
        reading.frequency_chz = value("frequency").and_then(|chz| chz.try_into().ok());
        reading.relay = self.relay.filter(|_| self.meter.switch.is_some());
        MeterReading {
            reading,
            serial: None,
            register_set: self.set,
        }
    }

    fn tell(&mut self, dialects: &Dialects, now_ms: u64) -> Option<Order> {
        let wanted = self.meter.wanted?;
        let place = self.switches.as_ref()?;
        if self.relay == Some(wanted) {
            return None;
        }
        let waits = |at: u64| now_ms.saturating_sub(at) < TELL_AGAIN_MS;
        if self.told_at.is_some_and(waits) {
            return None;
        }
        let switch = dialects.get(&place.dialect)?.switch.as_ref()?;
        self.told_at = Some(now_ms);
        Some(Order {
            topic: fill(&switch.topic, &place.device, place.channel),
            payload: match wanted {
                Relay::Closed => switch.on.clone(),
                Relay::Open => switch.off.clone(),
            },
        })
    }

    fn poll(&mut self, dialects: &Dialects, now_ms: u64) -> Option<Order> {
        let place = self.meters.as_ref()?;
        let near = self.meter.left.is_some_and(|left| left.0 <= NEAR_WH);
        let pressing = near && self.relay != Some(Relay::Open);
        let every = if pressing || self.poll_soon {
            POLL_SOON_MS
        } else {
            POLL_MS
        };
        let waits = |at: u64| now_ms.saturating_sub(at) < every;
        if self.polled_at.is_some_and(waits) {
            return None;
        }
        let poll = dialects.get(&place.dialect)?.poll.as_ref()?;
        self.polled_at = Some(now_ms);
        self.poll_soon = false;
        Some(Order {
            topic: fill(&poll.topic, &place.device, place.channel),
            payload: poll.payload.clone(),
        })
    }
}

fn believed(place: &Place, message: &SiteMessage) -> Result<(), DeviceRejection> {
    if place.credential != message.credential {
        Err(DeviceRejection::WrongCredential)
    } else if message.retained {
        Err(DeviceRejection::Retained)
    } else {
        Ok(())
    }
}

fn numbers(said: &Said) -> impl Iterator<Item = (&'static str, i64)> {
    let export = said.export_wh.and_then(|wh| i64::try_from(wh).ok());
    let all = [
        ("export", export),
        ("power", said.power_w.map(i64::from)),
        ("voltage", said.voltage_dv.map(i64::from)),
        ("current", said.current_ma.map(i64::from)),
        ("frequency", said.frequency_chz.map(i64::from)),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
}

fn in_words(said: &Said) -> Vec<(&'static str, String)> {
    let tenth = |value: u16, unit| format!("{:.1} {unit}", f64::from(value) / 10.0);
    let all = [
        (
            "register",
            said.register_wh.map(|wh| format!("{} kWh", WattHours(wh))),
        ),
        ("power", said.power_w.map(|w| format!("{w} W"))),
        ("voltage", said.voltage_dv.map(|dv| tenth(dv, "V"))),
        (
            "current",
            said.current_ma
                .map(|ma| format!("{:.3} A", f64::from(ma) / 1000.0)),
        ),
        (
            "frequency",
            said.frequency_chz
                .map(|chz| format!("{:.2} Hz", f64::from(chz) / 100.0)),
        ),
        (
            "switch",
            said.relay.map(|relay| match relay {
                Relay::Closed => "closed".to_owned(),
                Relay::Open => "open".to_owned(),
            }),
        ),
        (
            "device",
            said.online
                .map(|there| if there { "online" } else { "offline" }.to_owned()),
        ),
    ];
    all.into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
        .collect()
}

impl Dialect {
    /// Reads the golden messages of the file; what differs, in words.
    #[must_use]
    pub fn check_golden(&self) -> Vec<String> {
        self.golden.iter().filter_map(|g| self.differs(g)).collect()
    }

    fn differs(&self, golden: &Golden) -> Option<String> {
        let kinds = self.message.iter();
        let found = kinds
            .filter(|kind| fill(&kind.topic, "plug", None) == golden.topic)
            .map(|kind| read(kind, golden.payload.as_bytes(), None))
            .next();
        let Some(Ok(said)) = found else {
            return Some(format!("{}: {found:?}", golden.topic));
        };
        let relay = said.relay.map(|relay| match relay {
            Relay::Closed => "closed".to_owned(),
            Relay::Open => "open".to_owned(),
        });
        let same = (said.register_wh, said.power_w, said.voltage_dv)
            == (golden.register_wh, golden.power_w, golden.voltage_dv)
            && (said.current_ma, relay) == (golden.current_ma, golden.relay.clone())
            && (said.online, said.set) == (golden.online, golden.set);
        (!same).then(|| format!("{}: {said:?}", golden.topic))
    }
}
