//! Links and switches in words, the same on page, command line and in the log.

use super::{MeterLink, Switch, SwitchLink};
use alloc::format;
use alloc::string::String;

impl MeterLink {
    /// How a meter is reached, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Node => "our node".into(),
            Self::NodeOnBus { bus, address } => format!("our node on {bus}/{address}"),
            Self::Modbus {
                bus,
                address,
                model,
                serial,
                ..
            } => {
                let serial = serial.as_deref().unwrap_or("unknown");
                format!("{model} on {bus}/{address}, serial {serial}")
            }
            Self::Mqtt {
                dialect,
                device,
                channel,
                credential,
            } => {
                let channel =
                    channel.map_or_else(String::new, |channel| format!(" channel {channel}"));
                format!("{dialect} {device}{channel} by login {credential}")
            }
            Self::Pulse { input } => format!("impulses on the pin {input}"),
        }
    }
}

impl Switch {
    /// What switches the supply, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let what = match &self.link {
            SwitchLink::Meter => "the meter's own".into(),
            SwitchLink::Coil {
                bus, address, coil, ..
            } => format!("coil {coil} of {bus}/{address}"),
            SwitchLink::Register {
                bus,
                address,
                register,
                ..
            } => format!("register {register} of {bus}/{address}"),
            SwitchLink::Mqtt {
                dialect, device, ..
            } => format!("{dialect} {device}"),
            SwitchLink::Gpio { contactor } => format!("contactor {contactor} on a pin"),
        };
        let before = if self.before_meter {
            ", before the meter"
        } else {
            ""
        };
        format!("{what}{before}")
    }
}
