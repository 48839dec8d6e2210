//! The golden messages of a dialect's file, read as the device's own would be.

use super::dialect::{Dialect, Golden, fill};
use super::value::read;
use gateway_core::supply::Relay;

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
            && (said.online, said.set) == (golden.online, golden.set)
            && said.told_wh == golden.told_wh;
        (!same).then(|| format!("{}: {said:?}", golden.topic))
    }
}
