//! What a device shows before it is saved: the last messages on its topics, decoded.

use super::SiteMessage;
use super::dialect::{Dialect, Dialects, fill};
use super::place::Place;
use super::value::{Said, read};
use gateway_core::WattHours;
use gateway_core::supply::Relay;
use std::collections::BTreeMap;

/// Messages kept for a test before a meter is saved: 32 plugs with eight topics.
const MOST_SEEN: usize = 256;
/// Longest of them, in bytes.
const LONGEST_SEEN: usize = 4_096;

/// Longest part of a payload shown to people, in letters.
const LONGEST_SHOWN: usize = 1_024;

/// What a device shows, for a test before it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// The reading's values, in words with units.
    pub values: Vec<(&'static str, String)>,
    /// The messages they come from: topic and payload, what is not text made visible.
    pub raw: Vec<(String, String)>,
    /// When the newest of them came, in milliseconds since the start.
    pub heard_ms: u64,
    /// Age of the newest of them, in seconds.
    pub age_s: u64,
    /// Messages on the device's topics by other logins.
    pub foreign: Vec<String>,
}

/// The last message of each topic.
#[derive(Debug, Default)]
pub(super) struct Seen(BTreeMap<String, (u64, SiteMessage)>);

impl Seen {
    pub(super) fn remember(&mut self, now_ms: u64, message: &SiteMessage) {
        if message.payload.len() > LONGEST_SEEN {
            return;
        }
        let full = self.0.len() >= MOST_SEEN && !self.0.contains_key(&message.topic);
        if full {
            let oldest = self.0.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(topic) = oldest.map(|(topic, _)| topic.clone()) {
                self.0.remove(&topic);
            }
        }
        let seen = (now_ms, message.clone());
        self.0.insert(message.topic.clone(), seen);
    }

    /// What was said at a place; an error in words, with what to do next.
    pub(super) fn show(
        &self,
        now_ms: u64,
        dialects: &Dialects,
        place: &Place,
    ) -> Result<Shown, String> {
        let dialect = dialects.get(&place.dialect).ok_or_else(|| {
            let known: Vec<_> = dialects.iter().map(|d| d.id.as_str()).collect();
            let (unknown, known) = (&place.dialect, known.join(", "));
            format!("no dialect is called {unknown}; there are {known}")
        })?;
        let shown = self.decode(now_ms, dialect, place)?;
        if !shown.values.is_empty() {
            return Ok(shown);
        }
        Err(match shown.foreign.first() {
            Some(foreign) => format!(
                "nothing was heard by login {}, but {foreign}; name that login, or give the device its own",
                place.credential
            ),
            None => format!(
                "nothing was heard of {} in dialect {}; check its broker settings, its topic and its telemetry period",
                place.device, place.dialect
            ),
        })
    }

    fn decode(&self, now_ms: u64, dialect: &Dialect, place: &Place) -> Result<Shown, String> {
        let mut shown = Shown::default();
        let mut newest = None;
        let mut values: Vec<(u64, &'static str, String)> = Vec::new();
        for message in &dialect.message {
            let topic = fill(&message.topic, &place.device, place.channel);
            let Some((at, seen)) = self.0.get(&topic) else {
                continue;
            };
            if seen.credential != place.credential {
                let foreign = format!("{topic} by login {:?}", seen.credential);
                shown.foreign.push(foreign);
                continue;
            }
            let said = read(message, &seen.payload, place.channel)
                .map_err(|why| format!("the message on {topic} cannot be used: {why}"))?;
            for (name, value) in in_words(&said) {
                let known = values.iter().position(|(_, known, _)| *known == name);
                match known {
                    // Two topics may tell the same: the newest counts.
                    Some(place) if values[place].0 <= *at => values[place] = (*at, name, value),
                    Some(_) => {}
                    None => values.push((*at, name, value)),
                }
            }
            shown.raw.push((topic, visible(&seen.payload)));
            newest = newest.max(Some(*at));
        }
        let values = values.into_iter();
        shown.values = values.map(|(_, name, value)| (name, value)).collect();
        shown.heard_ms = newest.unwrap_or_default();
        shown.age_s = newest.map_or(0, |at| now_ms.saturating_sub(at) / 1000);
        Ok(shown)
    }
}

/// A payload for a terminal: control characters and what is not UTF-8 as escapes, the end cut off.
fn visible(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    let shown = text.chars().take(LONGEST_SHOWN).flat_map(|letter| {
        let escaped = letter.is_control().then(|| letter.escape_default());
        let plain = escaped.is_none().then_some(letter);
        escaped.into_iter().flatten().chain(plain)
    });
    let cut = text.chars().nth(LONGEST_SHOWN).map(|_| '…');
    shown.chain(cut).collect()
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
