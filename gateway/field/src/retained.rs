//! The site's retained messages: the last one per topic, bounded, in memory only.
//!
//! Kept here and not in rumqttd's router, which forgets them on an empty ordinary publish, shows at
//! most a hundred, and shows none on a repeated subscription.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::topic::covers;

#[derive(Default)]
pub(crate) struct Retained {
    max_messages: usize,
    max_bytes: usize,
    bytes: usize,
    messages: BTreeMap<String, (u8, Bytes)>,
}

/// There is no room for another retained message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Retained {
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            ..Self::default()
        }
    }

    /// Keeps a message; an empty payload removes the kept one (MQTT-3.3.1-10, -11).
    ///
    /// Without room the message of this topic is forgotten: an old state must not pass for the new.
    pub fn keep(&mut self, topic: &str, qos: u8, payload: &Bytes) -> Result<(), Full> {
        if let Some((_, old)) = self.messages.remove(topic) {
            self.bytes -= topic.len() + old.len();
        }
        if payload.is_empty() {
            return Ok(());
        }
        let size = topic.len() + payload.len();
        if self.messages.len() >= self.max_messages || self.bytes + size > self.max_bytes {
            return Err(Full);
        }
        self.bytes += size;
        // A copy of its own: the payload may be a view into a larger read buffer.
        let payload = Bytes::copy_from_slice(payload);
        self.messages.insert(topic.to_owned(), (qos, payload));
        Ok(())
    }

    /// The kept messages of a filter in topic order, as topic, QoS and payload.
    pub fn matching(&self, filter: &str) -> Vec<(String, u8, Bytes)> {
        let all = self.messages.iter();
        all.filter(|(topic, _)| covers(filter, topic))
            .map(|(topic, (qos, payload))| (topic.clone(), *qos, payload.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_by_count_and_bytes() {
        let mut retained = Retained::new(2, 10);
        let mut keep = |topic: &str, payload: &'static str| {
            retained.keep(topic, 1, &Bytes::from_static(payload.as_bytes()))
        };
        for (topic, payload, expected) in [
            ("a", "1234", Ok(())),
            ("b", "12345", Err(Full)),
            ("b", "1234", Ok(())),
            ("c", "1", Err(Full)),
            ("a", "", Ok(())),
            ("c", "1", Ok(())),
            ("b", "1234567890", Err(Full)),
        ] {
            assert_eq!(keep(topic, payload), expected, "{topic} {payload}");
        }
        assert_eq!(
            retained.matching("#"),
            [("c".to_owned(), 1, Bytes::from_static(b"1"))]
        );
        assert_eq!(retained.bytes, 2);
    }
}
