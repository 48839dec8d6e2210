//! One device: what it said lately, what it is told and asked.

use super::dialect::{Dialects, fill};
use super::place::{Place, believed, meter_place, switch_place};
use super::value::{Said, read};
use super::{DeviceRejection, Order, Outcome, SiteMessage};
use crate::LinkQuality;
use gateway_core::event::Reading;
use gateway_core::meter_link::{Installed, MeterReading};
use gateway_core::supply::Relay;
use gateway_core::{NodeId, WattHours};
use std::collections::BTreeMap;

/// A switch that does not report what it was told is told again after so long: a plug answers within a second.
const TELL_AGAIN_MS: u64 = 5_000;
/// A switch that opened by itself is not told for so long: the gateway may want it to wait for its turn after an outage.
const NOTICE_MS: u64 = 1_000;
/// A device is asked for a reading so often when nothing presses.
const POLL_MS: u64 = 60_000;
/// And so often when the credit may run out within a minute, or a switch has just moved.
const POLL_SOON_MS: u64 = 3_000;
/// Energy that lasts a minute at 3 kW.
const NEAR_WH: u64 = 50;
/// Values of one device's other topics count into a reading for so long.
const FRESH_MS: u64 = 90_000;
/// More than any shop-bought device measures, in watts: three phases of 100 A.
const MOST_POWER_W: u64 = 100_000;
/// Coarsest resolution of a device's counter, in watt-hours.
const COARSE_WH: u64 = 10;

/// A device that is asked every minute, or sends every five, is silent after so long.
const SILENT_MS: u64 = 11 * 60_000;
/// A question that was not answered before the next one.
const NO_REPLY: &str = "no-reply";

/// A device in use.
#[derive(Debug)]
pub(super) struct Tracked {
    meter: Installed,
    meters: Option<Place>,
    switches: Option<Place>,
    values: BTreeMap<&'static str, (u64, i64)>,
    /// The last register, and when it was heard.
    last: Option<(u64, u64)>,
    relay: Option<Relay>,
    start: Option<String>,
    set: bool,
    told_at: Option<u64>,
    polled_at: Option<u64>,
    poll_soon: bool,
    /// A question without an answer yet: its topic and when it was asked.
    asked: Option<(String, u64)>,
    online: Option<bool>,
    quality: LinkQuality,
}

impl Tracked {
    /// A device nothing is known of; `None` if neither meter nor switch is a device on MQTT.
    pub(super) fn of(meter: &Installed) -> Option<Self> {
        let meters = meter_place(&meter.link);
        let switches = meter.switch.as_ref().and_then(|s| switch_place(&s.link));
        if meters.is_none() && switches.is_none() {
            return None;
        }
        Some(Self {
            meter: meter.clone(),
            meters,
            switches,
            values: BTreeMap::new(),
            last: None,
            relay: None,
            start: None,
            set: false,
            told_at: None,
            polled_at: None,
            poll_soon: true,
            asked: None,
            online: None,
            quality: LinkQuality::default(),
        })
    }

    /// Whether both are the same meter at the same place.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        self.meter.node == other.meter.node
            && (&self.meters, &self.switches) == (&other.meters, &other.switches)
    }

    /// The meter's number.
    pub(super) fn node(&self) -> NodeId {
        self.meter.node
    }

    /// How well it is heard.
    pub(super) fn quality(&self, now_ms: u64) -> LinkQuality {
        LinkQuality {
            words: self.words(now_ms),
            ..self.quality.clone()
        }
    }

    fn words(&self, now_ms: u64) -> String {
        let quality = &self.quality;
        let unreadable = quality.count(DeviceRejection::Malformed.reason())
            + quality.count(DeviceRejection::ValueUnusable.reason());
        let Some(heard) = quality.heard_ms else {
            return match quality.count(DeviceRejection::WrongCredential.reason()) {
                0 => "never heard: check its broker settings, its topic and its login".into(),
                _ => "only another login speaks on its topics: check the login".into(),
            };
        };
        let silent_s = now_ms.saturating_sub(heard) / 1_000;
        if self.online == Some(false) {
            return "offline, as its last word at the broker says: check power and Wi-Fi".into();
        }
        if silent_s * 1_000 > SILENT_MS {
            return format!("silent for {} min: check power and Wi-Fi", silent_s / 60);
        }
        if quality.percent(NO_REPLY) >= 5 {
            let percent = quality.percent(NO_REPLY);
            return format!("{percent} % of the questions unanswered: check its Wi-Fi");
        }
        if unreadable > 0 && unreadable.saturating_mul(20) > quality.good {
            return format!("{unreadable} messages could not be read: check its dialect");
        }
        match quality.count(DeviceRejection::WrongCredential.reason()) {
            0 => "good".into(),
            foreign => format!("good; refused from other logins: {foreign}"),
        }
    }

    /// Follows what was decided.
    pub(super) fn follow(&mut self, meter: &Installed) {
        if self.meter.wanted != meter.wanted {
            // The new state is told at once.
            self.told_at = None;
        }
        self.meter = meter.clone();
    }

    pub(super) fn take(
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
                    Ok(said) => {
                        let latency = self.answered(now_ms, &message.topic);
                        self.quality.good(now_ms, latency);
                        self.note(now_ms, &said, (meters, switches), outcomes);
                    }
                    // A birth message is kept on purpose.
                    Err(DeviceRejection::Retained) if kind.online.is_some() => {
                        let said = read(kind, &message.payload, place.channel);
                        self.online = said.ok().and_then(|said| said.online);
                    }
                    Err(why) => {
                        self.quality.error(why.reason());
                        outcomes.push(Outcome::Rejected(node, why));
                    }
                }
            }
        }
    }

    /// Milliseconds since the question a topic answers.
    fn answered(&mut self, now_ms: u64, topic: &str) -> Option<u64> {
        let (_, at) = self.asked.take_if(|(answer, _)| answer == topic)?;
        Some(now_ms.saturating_sub(at))
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
            if relay == Relay::Open && self.meter.wanted == Some(Relay::Closed) {
                // As if it had been told so long ago that it is told again after the notice.
                self.told_at = Some(now_ms.saturating_sub(TELL_AGAIN_MS - NOTICE_MS));
            }
            self.relay = Some(relay);
            self.poll_soon = true;
            outcomes.push(Outcome::Switched(self.meter.node, relay));
        }
        self.online = said.online.or(self.online);
        if !meters {
            return;
        }
        self.set |= said.set || said.told_wh.is_some_and(|wh| self.was_moved(now_ms, wh));
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
            self.last = Some((now_ms, register));
        }
    }

    /// Whether a counter told in reply to a command stands where the last register cannot have led: it was set, not asked for.
    fn was_moved(&self, now_ms: u64, told_wh: u64) -> bool {
        self.last.is_some_and(|(at, wh)| {
            let possible = MOST_POWER_W.saturating_mul(now_ms.saturating_sub(at)) / 3_600_000;
            let most = wh.saturating_add(possible).saturating_add(COARSE_WH);
            !(wh..=most).contains(&told_wh)
        })
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

    pub(super) fn tell(&mut self, dialects: &Dialects, now_ms: u64) -> Option<Order> {
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

    pub(super) fn poll(&mut self, dialects: &Dialects, now_ms: u64) -> Option<Order> {
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
        if self.asked.is_some() {
            self.quality.error(NO_REPLY);
        }
        let answer = fill(&poll.answer, &place.device, place.channel);
        self.asked = Some((answer, now_ms));
        self.polled_at = Some(now_ms);
        self.poll_soon = false;
        Some(Order {
            topic: fill(&poll.topic, &place.device, place.channel),
            payload: poll.payload.clone(),
        })
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
