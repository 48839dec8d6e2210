//! Where a device speaks, and from whom its messages are believed.

use super::{DeviceRejection, SiteMessage};
use gateway_core::meter_link::{MeterLink, SwitchLink};

/// Where a device speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub dialect: String,
    pub device: String,
    pub channel: Option<u8>,
    pub credential: String,
}

pub(super) fn meter_place(link: &MeterLink) -> Option<Place> {
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

pub(super) fn switch_place(link: &SwitchLink) -> Option<Place> {
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

pub(super) fn believed(place: &Place, message: &SiteMessage) -> Result<(), DeviceRejection> {
    if place.credential != message.credential {
        Err(DeviceRejection::WrongCredential)
    } else if message.retained {
        Err(DeviceRejection::Retained)
    } else {
        Ok(())
    }
}
