//! How a meter is reached and switched, in words of the command line.

use super::super::said::Failure;
use clap::Args;
use gateway_core::meter_link::{MeterLink, Switch, SwitchLink, WordOrder};

/// How a meter is reached.
#[derive(Debug, Args)]
pub struct LinkArgs {
    /// A device on MQTT: its own topic
    #[arg(long, value_name = "TOPIC", requires = "dialect", requires = "login")]
    pub mqtt: Option<String>,
    /// Kind of the device: tasmota, shelly-gen1, shelly-gen2, shelly-3em, esphome, json
    #[arg(long)]
    pub dialect: Option<String>,
    /// Login (`[[field.client]]`) that alone may speak for the device
    #[arg(long)]
    pub login: Option<String>,
    /// Which meter or relay of the device, from 0, where it has several
    #[arg(long)]
    pub channel: Option<u8>,
    /// A meter on Modbus: name of its bus and address; our node if no model is named
    #[arg(long, value_name = "BUS/ADDRESS", value_parser = bus_address, conflicts_with = "mqtt")]
    pub modbus: Option<(String, u8)>,
    /// Id of its meter model
    #[arg(long)]
    pub model: Option<String>,
    /// Its word order where it differs from its model's: abcd or cdab
    #[arg(long, value_parser = word_order)]
    pub word_order: Option<WordOrder>,
    /// A meter's impulses on a pin: name of the input (`[[gpio.pulse]]`)
    #[arg(long, value_name = "INPUT", conflicts_with_all = ["mqtt", "modbus"])]
    pub pulse: Option<String>,
    /// Its serial number; the first one it tells if absent
    #[arg(long)]
    pub serial: Option<String>,
}

/// The switch of the supply.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// The supply is switched by: own (the device's or the meter's own relay), coil:BUS/ADDRESS/NUMBER (opens-coil: where a set coil
    /// opens it), register:BUS/ADDRESS/NUMBER/ON/OFF, or gpio:NAME (a contactor, `[[gpio.contactor]]`)
    #[arg(long, value_parser = switch)]
    pub switch: Option<SwitchWord>,
    /// The switch sits before the meter, so that the meter has no voltage while it is open
    #[arg(long, requires = "switch")]
    pub before_meter: bool,
}

/// A switch as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchWord {
    /// That of the device or meter itself.
    Own,
    /// A coil; true: set, it opens the contact.
    Coil(String, u8, u16, bool),
    /// A register: its number, what closes and what opens the contact.
    Register(String, u8, [u16; 3]),
    /// A contactor on pins.
    Gpio(String),
}

/// The link the words name.
pub(super) fn meter_link(doing: &'static str, args: &LinkArgs) -> Result<MeterLink, Failure> {
    if let (Some(device), Some(dialect), Some(credential)) =
        (&args.mqtt, &args.dialect, &args.login)
    {
        return Ok(MeterLink::Mqtt {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: args.channel,
            credential: credential.clone(),
        });
    }
    if let Some(input) = &args.pulse {
        return Ok(MeterLink::Pulse {
            input: input.clone(),
        });
    }
    if let (Some((bus, address)), Some(model)) = (&args.modbus, &args.model) {
        return Ok(MeterLink::Modbus {
            bus: bus.clone(),
            address: *address,
            model: model.clone(),
            word_order: args.word_order,
            serial: args.serial.clone(),
        });
    }
    if let (Some((bus, address)), None) = (&args.modbus, &args.model) {
        return Ok(MeterLink::NodeOnBus {
            bus: bus.clone(),
            address: *address,
        });
    }
    let why = "say how it is reached: --mqtt TOPIC --dialect D --login L, --modbus BUS/ADDRESS --model M, or --pulse INPUT";
    Err(Failure::refused(doing, "no-link", why))
}

/// The switch the words name.
pub(super) fn switch_of(
    doing: &'static str,
    args: &SwitchArgs,
    link: &MeterLink,
) -> Result<Option<Switch>, Failure> {
    let link = match (&args.switch, link) {
        (None, _) => return Ok(None),
        (
            Some(SwitchWord::Own),
            MeterLink::Mqtt {
                dialect,
                device,
                channel,
                credential,
            },
        ) => SwitchLink::Mqtt {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: *channel,
            credential: credential.clone(),
        },
        (Some(SwitchWord::Own), MeterLink::Modbus { .. }) => SwitchLink::Meter,
        (Some(SwitchWord::Gpio(contactor)), _) => SwitchLink::Gpio {
            contactor: contactor.clone(),
        },
        (Some(SwitchWord::Own), MeterLink::Pulse { .. }) => {
            let why = "a meter with an impulse output has no relay; name one";
            return Err(Failure::refused(doing, "switch-not-here", why));
        }
        (Some(SwitchWord::Own), _) => {
            let why = "a node of ours switches by itself; leave --switch out";
            return Err(Failure::refused(doing, "switch-not-here", why));
        }
        (Some(SwitchWord::Coil(bus, address, coil, inverted)), _) => SwitchLink::Coil {
            bus: bus.clone(),
            address: *address,
            coil: *coil,
            inverted: *inverted,
        },
        (Some(SwitchWord::Register(bus, address, [register, on, off])), _) => {
            SwitchLink::Register {
                bus: bus.clone(),
                address: *address,
                register: *register,
                on: *on,
                off: *off,
            }
        }
    };
    Ok(Some(Switch {
        link,
        before_meter: args.before_meter,
    }))
}

fn bus_address(text: &str) -> Result<(String, u8), &'static str> {
    let parts = text.rsplit_once('/');
    let address = parts.and_then(|(bus, address)| Some((bus.to_owned(), address.parse().ok()?)));
    address.ok_or("write it like hall/17")
}

/// A word order as written.
pub fn word_order(text: &str) -> Result<WordOrder, &'static str> {
    match text {
        "abcd" => Ok(WordOrder::Abcd),
        "cdab" => Ok(WordOrder::Cdab),
        _ => Err("a word order is abcd or cdab"),
    }
}

fn switch(text: &str) -> Result<SwitchWord, &'static str> {
    if text == "own" {
        return Ok(SwitchWord::Own);
    }
    let on_bus = || {
        let (kind, place) = text.split_once(':')?;
        if kind == "gpio" && !place.is_empty() {
            return Some(SwitchWord::Gpio(place.to_owned()));
        }
        let mut parts = place.split('/');
        let bus = parts.next()?.to_owned();
        let address = parts.next()?.parse().ok()?;
        let numbers: Option<Vec<u16>> = parts.map(|part| part.parse().ok()).collect();
        match (kind, numbers?.as_slice()) {
            ("coil", [coil]) => Some(SwitchWord::Coil(bus, address, *coil, false)),
            ("opens-coil", [coil]) => Some(SwitchWord::Coil(bus, address, *coil, true)),
            ("register", [number, on, off]) => {
                Some(SwitchWord::Register(bus, address, [*number, *on, *off]))
            }
            _ => None,
        }
    };
    on_bus().ok_or("a switch is own, or like coil:hall/40/3, register:hall/40/3/1/0 or gpio:flat-7")
}
