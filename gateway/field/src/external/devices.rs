//! Messages of the site's devices through an external broker.
//!
//! The broker does not say who published. What makes a message belong to a login is the broker's own access list: the configuration names
//! the topics it keeps for each login, and the gateway takes a message on one of them for that login's. Decided here: whose a topic is.
//! Not decided here: whether it is believed ([`crate::devices`]).
//!
//! Subscribed at QoS 0: what a device said while the gateway was away is of no use, its next message tells its register.

use super::Shared;
use crate::devices::SiteMessage;
use crate::rejection::Rejection;
use crate::stats::bump;
use crate::topic::covers;
use rumqttc::{Publish, QoS, SubscribeFilter};

/// A device's login at the external broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLogin {
    /// Its name, as meters name it.
    pub login: String,
    /// Topics that the broker's access list lets this login publish to, and no other.
    pub publish: Vec<String>,
}

impl Shared {
    /// What to subscribe to for the devices.
    pub(super) fn device_filters(&self) -> Vec<SubscribeFilter> {
        let filters = self
            .broker
            .devices
            .iter()
            .flat_map(|device| &device.publish);
        let subscribe = |filter: &String| SubscribeFilter::new(filter.clone(), QoS::AtMostOnce);
        filters.map(subscribe).collect()
    }

    /// Passes a message on that is no frame of a node, in the name of the login whose topic it is.
    pub(super) fn device_message(&self, publish: &Publish) -> Result<(), Rejection> {
        let owns = |filter: &String| covers(filter, &publish.topic);
        let mut devices = self.broker.devices.iter();
        let owner = devices
            .find(|device| device.publish.iter().any(owns))
            .ok_or(Rejection::MalformedTopic)?;
        if publish.payload.len() > self.limits.site_packet_bytes {
            return Err(Rejection::PacketTooLarge);
        }
        bump(&self.counters.site_publishes);
        let Some(copies) = &self.site_messages else {
            return Ok(());
        };
        // Who does not keep up misses messages, as at the own broker.
        let _ = copies.try_send(SiteMessage {
            credential: owner.login.clone(),
            topic: publish.topic.clone(),
            payload: publish.payload.to_vec(),
            retained: publish.retain,
        });
        Ok(())
    }
}
