//! How a meter is reached, and how a supply is switched where no lease does it.
//!
//! Terms: a *link* is the way to a meter: our node's sealed frames (by MQTT or in a block of Modbus registers), a shop-bought meter's
//! registers, its impulse output, or a shop-bought device's MQTT topics. Only sealed links are authenticated; a reading by another one is believed as far as
//! the bus or the login it came by. A *switch* is the contact of a supply beside such a meter: a coil, a register, a plug; our node
//! switches by itself. *Armed*: automatic cuts are carried out; *in shadow*: they are decided, shown, and not carried out.
//!
//! Decided here: what a link is, when two links are the same meter, what a text in one may be. Not decided here: how the link is
//! used (the field), what its model or dialect means (files beside the field), what a register is worth ([`crate::metering`]).
//!
//! Invariants: one meter per address and one usage point per switch; a link never holds a secret, only the name of a login.

mod setting;
mod words;

pub use setting::{Arming, FeederPhase, PointSetting};

use crate::event::Role;
use crate::refusal::Refusal;
use crate::supply::Relay;
use crate::{NodeId, UsagePointId, UtcSeconds, WattHours};
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Order of the 16-bit words of a value over two or four Modbus registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WordOrder {
    /// Most significant word first.
    Abcd,
    /// Least significant word first.
    Cdab,
}

/// The way to a meter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "via", rename_all = "kebab-case")]
pub enum MeterLink {
    /// Our node: sealed frames on its MQTT topics.
    #[default]
    Node,
    /// Our node: the same sealed frames in a block of Modbus registers.
    NodeOnBus {
        /// Name of the bus in the configuration.
        bus: String,
        /// Modbus address, 1 to 247.
        address: u8,
    },
    /// A meter on Modbus.
    Modbus {
        /// Name of the bus in the configuration.
        bus: String,
        /// Modbus address, 1 to 247.
        address: u8,
        /// Id of the meter model.
        model: String,
        /// Word order, where this meter's differs from its model's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        word_order: Option<WordOrder>,
        /// Serial number, in the words of the meter; filled in from the first reading that tells one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        serial: Option<String>,
    },
    /// A device on MQTT.
    Mqtt {
        /// Id of the dialect.
        dialect: String,
        /// What the dialect's topics begin with or contain: the device's own topic.
        device: String,
        /// Which meter of the device, from 0, where it has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<u8>,
        /// Name of the login (`[[field.client]]`) that alone may speak for the device.
        credential: String,
    },
    /// A meter's impulses on a pin of the gateway; its register goes on from the last reading that was stored.
    Pulse {
        /// Name of the input in the configuration.
        input: String,
    },
}

/// The contact of a supply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// How it is reached.
    #[serde(flatten)]
    pub link: SwitchLink,
    /// Whether it sits before the meter, so that the meter has no voltage while it is open.
    #[serde(default, skip_serializing_if = "is_false")]
    pub before_meter: bool,
}

/// The way to a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "switch", rename_all = "kebab-case")]
pub enum SwitchLink {
    /// The relay inside the meter, as its model describes it.
    Meter,
    /// A coil of a Modbus device: a relay or contactor board.
    Coil {
        /// Name of the bus in the configuration.
        bus: String,
        /// Modbus address, 1 to 247.
        address: u8,
        /// Coil number on the wire, from 0.
        coil: u16,
        /// Whether a set coil opens the contact (a normally closed contactor).
        #[serde(default, skip_serializing_if = "is_false")]
        inverted: bool,
    },
    /// A holding register of a Modbus device.
    Register {
        /// Name of the bus in the configuration.
        bus: String,
        /// Modbus address, 1 to 247.
        address: u8,
        /// Register number on the wire, from 0.
        register: u16,
        /// Value that closes the contact.
        on: u16,
        /// Value that opens it.
        off: u16,
    },
    /// A relay on MQTT.
    Mqtt {
        /// Id of the dialect.
        dialect: String,
        /// The device's own topic.
        device: String,
        /// Which relay of the device, from 0, where it has several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<u8>,
        /// Name of the login that alone may speak for the device.
        credential: String,
    },
    /// A contactor on pins of the gateway.
    Gpio {
        /// Name of the contactor in the configuration.
        contactor: String,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The register a meter showed when it was installed, as somebody read it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initial {
    /// Raw register.
    pub register: WattHours,
    /// When it was installed.
    pub at: UtcSeconds,
}

/// A meter of the site: our node or a shop-bought one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its number.
    pub id: NodeId,
    /// What it meters; nothing once it is replaced or retired.
    pub role: Option<Role>,
    /// How it is reached.
    #[serde(default, skip_serializing_if = "MeterLink::is_node")]
    pub link: MeterLink,
    /// The switch beside it; our nodes have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<Switch>,
    /// Its register at installation, if somebody noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Initial>,
}

/// What an installer says of a meter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Install {
    /// How it is reached.
    #[serde(default)]
    pub link: MeterLink,
    /// The switch beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switch: Option<Switch>,
    /// Its register as read off its display. Without it the first reading begins the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<WattHours>,
}

/// Work on a meter, by an installer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum MeterOrder {
    /// Install a meter where there is none.
    Add {
        /// Its number; the next free one if absent.
        node: Option<NodeId>,
        /// What it meters.
        role: Role,
        /// The meter.
        #[serde(flatten)]
        install: Install,
    },
    /// Put another meter in the place of one. The account stays; what the old one has counted up to its final register is charged.
    Replace {
        /// The old meter.
        node: NodeId,
        /// The old meter's last register as read off its display; its last reading if absent.
        final_register: Option<WattHours>,
        /// The new meter.
        #[serde(flatten)]
        install: Install,
    },
    /// The same meter is reached another way.
    Move {
        /// The meter.
        node: NodeId,
        /// How it is reached now.
        link: MeterLink,
        /// The switch beside it now.
        switch: Option<Switch>,
    },
    /// Take a meter away for good.
    Retire {
        /// The meter.
        node: NodeId,
        /// Its last register as read off its display; its last reading if absent.
        final_register: Option<WattHours>,
    },
}

/// A meter in use and what its drivers need to know: a pure function of committed state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The meter.
    pub node: NodeId,
    /// What it meters.
    pub role: Role,
    /// How it is reached.
    pub link: MeterLink,
    /// Its switch.
    pub switch: Option<Switch>,
    /// What the switch is to be: level, not edge. `None` without a switch.
    pub wanted: Option<Relay>,
    /// Energy until its usage point's credit is used up, from `register` on; `None` if that cuts nothing.
    pub left: Option<WattHours>,
    /// Its raw register as last accepted; of impulses that were never read, what their meter showed when it was installed.
    pub register: Option<WattHours>,
    /// Largest power of the connection, in watts; `None` for a feeder.
    pub max_power_w: Option<u32>,
}

/// Largest Modbus address of a meter (Modbus over serial line, 2.2).
const LARGEST_ADDRESS: u8 = 247;
/// Longest name of a bus, model, device or serial number, in bytes.
const LONGEST_NAME: usize = 96;

impl MeterLink {
    /// Whether it is our node on MQTT, the link of every node before there were others.
    #[must_use]
    pub fn is_node(&self) -> bool {
        matches!(self, Self::Node)
    }

    /// Whether its frames are sealed with the node's key.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        matches!(self, Self::Node | Self::NodeOnBus { .. })
    }

    /// The serial number it is bound to.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        match self {
            Self::Modbus { serial, .. } => serial.as_deref(),
            _ => None,
        }
    }

    /// The same link bound to a serial number, if its kind knows one.
    #[must_use]
    pub fn with_serial(mut self, new: Option<String>) -> Self {
        if let Self::Modbus { serial, .. } = &mut self {
            *serial = new;
        }
        self
    }

    /// Whether both lead to the same meter.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self.bus_address(), other.bus_address()) {
            (Some(here), Some(there)) => return here == there,
            (None, None) => {}
            _ => return false,
        }
        match (self, other) {
            (
                Self::Mqtt {
                    device, channel, ..
                },
                Self::Mqtt {
                    device: other,
                    channel: other_channel,
                    ..
                },
            ) => device == other && channel.unwrap_or(0) == other_channel.unwrap_or(0),
            (Self::Pulse { input }, Self::Pulse { input: other }) => input == other,
            _ => false,
        }
    }

    fn bus_address(&self) -> Option<(&str, u8)> {
        match self {
            Self::NodeOnBus { bus, address } | Self::Modbus { bus, address, .. } => {
                Some((bus, *address))
            }
            Self::Node | Self::Mqtt { .. } | Self::Pulse { .. } => None,
        }
    }

    /// Whether its content can be one.
    ///
    /// # Errors
    /// [`Refusal::AddressOutOfRange`], [`Refusal::TextUnusable`], [`Refusal::DeviceTopicUnusable`].
    pub fn check(&self) -> Result<(), Refusal> {
        if let Some((bus, address)) = self.bus_address() {
            bus_address(bus, address)?;
        }
        match self {
            Self::Modbus { model, serial, .. } => {
                name(model)?;
                serial.as_deref().map_or(Ok(()), name)
            }
            Self::Mqtt {
                dialect,
                device,
                credential,
                ..
            } => mqtt(dialect, device, credential),
            Self::Pulse { input } => name(input),
            Self::Node | Self::NodeOnBus { .. } => Ok(()),
        }
    }
}

impl Switch {
    /// Whether both are the same contact. A meter's own relay is compared by its meter, not here.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (&self.link, &other.link) {
            (SwitchLink::Meter, _) | (_, SwitchLink::Meter) => false,
            (
                SwitchLink::Mqtt {
                    device, channel, ..
                },
                SwitchLink::Mqtt {
                    device: other,
                    channel: other_channel,
                    ..
                },
            ) => device == other && channel.unwrap_or(0) == other_channel.unwrap_or(0),
            (SwitchLink::Gpio { contactor }, SwitchLink::Gpio { contactor: other }) => {
                contactor == other
            }
            (here, there) => here.output().is_some() && here.output() == there.output(),
        }
    }

    /// Whether its content can be one.
    ///
    /// # Errors
    /// Those of [`MeterLink::check`].
    pub fn check(&self) -> Result<(), Refusal> {
        match &self.link {
            SwitchLink::Meter => Ok(()),
            SwitchLink::Coil { bus, address, .. } => bus_address(bus, *address),
            SwitchLink::Register {
                bus,
                address,
                on,
                off,
                ..
            } => {
                bus_address(bus, *address)?;
                if on == off {
                    return Err(Refusal::SwitchValuesEqual);
                }
                Ok(())
            }
            SwitchLink::Mqtt {
                dialect,
                device,
                credential,
                ..
            } => mqtt(dialect, device, credential),
            SwitchLink::Gpio { contactor } => name(contactor),
        }
    }
}

impl SwitchLink {
    fn output(&self) -> Option<(&str, u8, bool, u16)> {
        match self {
            Self::Coil {
                bus, address, coil, ..
            } => Some((bus, *address, true, *coil)),
            Self::Register {
                bus,
                address,
                register,
                ..
            } => Some((bus, *address, false, *register)),
            Self::Meter | Self::Mqtt { .. } | Self::Gpio { .. } => None,
        }
    }
}

fn bus_address(bus: &str, address: u8) -> Result<(), Refusal> {
    name(bus)?;
    if (1..=LARGEST_ADDRESS).contains(&address) {
        Ok(())
    } else {
        Err(Refusal::AddressOutOfRange)
    }
}

fn name(text: &str) -> Result<(), Refusal> {
    let bad =
        text.trim().is_empty() || text.len() > LONGEST_NAME || text.chars().any(char::is_control);
    if bad {
        Err(Refusal::TextUnusable)
    } else {
        Ok(())
    }
}

/// A device's topic goes into filters and command topics: no wildcard, and nothing of the nodes' or the broker's own.
fn mqtt(dialect: &str, device: &str, credential: &str) -> Result<(), Refusal> {
    name(dialect)?;
    name(credential)?;
    name(device)?;
    let reserved = device.starts_with('$') || device.split('/').next() == Some("pg");
    let edges = device.starts_with('/') || device.ends_with('/');
    if reserved || edges || device.contains(['+', '#']) {
        return Err(Refusal::DeviceTopicUnusable);
    }
    Ok(())
}

/// What the link of a shop-bought meter tells beside its registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterReading {
    /// The values.
    pub reading: crate::event::Reading,
    /// The serial number the meter gave with them.
    pub serial: Option<String>,
    /// The device says its counter was set or reset since it was last read.
    pub register_set: bool,
}

/// A usage point in shadow that would be cut if it were armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WouldCut {
    /// The usage point.
    pub usage_point: UsagePointId,
    /// Why.
    pub reasons: crate::supply::Reasons,
}
