//! The form of an installer: which meter, how it is reached, what switches the supply. Plain functions over typed text; no panic on any input.
//!
//! Decided here: what the fields mean together. Not decided here: whether such a meter may be installed (the core), whether it answers
//! ([`crate::Desk::test_meter`]).

use crate::failure::{Failure, sentence};
use gateway_core::WattHours;
use gateway_core::event::Role;
use gateway_core::meter_link::{Install, MeterLink, Node, SwitchLink, WordOrder};
use serde::Deserialize;

/// Largest register a person may type, in kWh: ten times what any domestic meter shows.
const MOST_KWH: u64 = 10_000_000;

/// What was typed. Fields that do not belong to the chosen kind are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MeterForm {
    /// `UP-0007` or `F-01`.
    pub role: String,
    /// `node`, `mqtt:` and a dialect, `modbus:` and a model, or `pulse:` and an input.
    pub kind: String,
    pub device: String,
    pub login: String,
    pub channel: String,
    pub bus: String,
    pub address: String,
    /// Empty: as the model says.
    pub word_order: String,
    pub serial: String,
    /// Empty: none; `own`: the device's own; `coil`, `opens-coil` or `register`: one on a bus; `gpio:` and a contactor.
    pub switch: String,
    pub switch_bus: String,
    pub switch_address: String,
    pub switch_number: String,
    pub switch_on: String,
    pub switch_off: String,
    pub before_meter: String,
    pub initial_kwh: String,
    pub final_kwh: String,
    /// `yes`: save it although it shows nothing.
    pub untested: String,
}

fn wrong(name: &'static str, words: &str) -> Failure {
    Failure::unusable(name, words)
}

impl MeterForm {
    /// Filled in with a meter as it is now.
    pub(crate) fn of(node: &Node) -> Self {
        let mut form = Self {
            kind: "node".into(),
            ..Self::default()
        };
        let number = |number: u8| number.to_string();
        match &node.link {
            MeterLink::Node => {}
            MeterLink::NodeOnBus { bus, address } => {
                (form.bus, form.address) = (bus.clone(), number(*address));
            }
            MeterLink::Modbus {
                bus,
                address,
                model,
                word_order,
                serial,
            } => {
                form.kind = format!("modbus:{model}");
                (form.bus, form.address) = (bus.clone(), number(*address));
                form.serial = serial.clone().unwrap_or_default();
                form.word_order = match word_order {
                    None => String::new(),
                    Some(WordOrder::Abcd) => "abcd".into(),
                    Some(WordOrder::Cdab) => "cdab".into(),
                };
            }
            MeterLink::Mqtt {
                dialect,
                device,
                channel,
                credential,
            } => {
                form.kind = format!("mqtt:{dialect}");
                (form.device, form.login) = (device.clone(), credential.clone());
                form.channel = channel.map(number).unwrap_or_default();
            }
            MeterLink::Pulse { input } => form.kind = format!("pulse:{input}"),
        }
        if let Some(switch) = &node.switch {
            form.show_switch(switch);
        }
        form
    }

    /// What it meters.
    pub(crate) fn role(&self) -> Result<Role, Failure> {
        let role = self.role.trim();
        let point = || role.parse().ok().map(Role::UsagePoint);
        let feeder = || role.parse().ok().map(Role::Feeder);
        let found = if role.starts_with(['F', 'f']) {
            feeder()
        } else {
            point()
        };
        found.ok_or_else(|| wrong("no-role", "Choose what the meter is for."))
    }

    /// How it is reached.
    pub(crate) fn link(&self) -> Result<MeterLink, Failure> {
        let text = |text: &str| text.trim().to_owned();
        match self.kind.split_once(':') {
            None if self.kind == "node" => Ok(MeterLink::Node),
            Some(("pulse", input)) => Ok(MeterLink::Pulse {
                input: filled(input, "no-kind", "Choose which impulse input it is.")?,
            }),
            Some(("mqtt", dialect)) => Ok(MeterLink::Mqtt {
                dialect: dialect.into(),
                device: filled(&self.device, "no-topic", "Enter the device's own topic.")?,
                channel: self.channel()?,
                credential: filled(
                    &self.login,
                    "no-login",
                    "Choose the login the device connects with.",
                )?,
            }),
            Some(("modbus", model)) => Ok(MeterLink::Modbus {
                bus: filled(&self.bus, "no-bus", "Choose the bus the meter is on.")?,
                address: self.address()?,
                model: model.into(),
                word_order: match self.word_order.as_str() {
                    "abcd" => Some(WordOrder::Abcd),
                    "cdab" => Some(WordOrder::Cdab),
                    _ => None,
                },
                serial: Some(text(&self.serial)).filter(|serial| !serial.is_empty()),
            }),
            _ => Err(wrong("no-kind", "Choose which kind of meter it is.")),
        }
    }

    fn channel(&self) -> Result<Option<u8>, Failure> {
        let channel = self.channel.trim();
        if channel.is_empty() {
            return Ok(None);
        }
        let words = "A channel is a number from 0, or empty if the device has only one meter.";
        let channel = channel.parse();
        channel.map(Some).map_err(|_| wrong("no-channel", words))
    }

    fn address(&self) -> Result<u8, Failure> {
        let words = "An address on the bus is a number from 1 to 247.";
        let address = self.address.trim().parse();
        address.map_err(|_| wrong("no-address", words))
    }

    /// The meter to install.
    pub(crate) fn install(&self) -> Result<Install, Failure> {
        let link = self.link()?;
        let node = link.is_node();
        Ok(Install {
            // Our node switches by itself; whatever is chosen beside it means nothing.
            switch: if node { None } else { self.switch(&link)? },
            link,
            initial: kwh(&self.initial_kwh)?,
        })
    }

    /// The old meter's last register.
    pub(crate) fn final_register(&self) -> Result<Option<WattHours>, Failure> {
        kwh(&self.final_kwh)
    }

    /// Every field with something in it, for a form that carries it on.
    pub(crate) fn fields(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("role", &self.role),
            ("kind", &self.kind),
            ("device", &self.device),
            ("login", &self.login),
            ("channel", &self.channel),
            ("bus", &self.bus),
            ("address", &self.address),
            ("word_order", &self.word_order),
            ("serial", &self.serial),
            ("switch", &self.switch),
            ("switch_bus", &self.switch_bus),
            ("switch_address", &self.switch_address),
            ("switch_number", &self.switch_number),
            ("switch_on", &self.switch_on),
            ("switch_off", &self.switch_off),
            ("before_meter", &self.before_meter),
            ("initial_kwh", &self.initial_kwh),
            ("final_kwh", &self.final_kwh),
        ];
        let filled = all.into_iter().filter(|(_, value)| !value.is_empty());
        filled.map(|(name, value)| (name, value.clone())).collect()
    }
}

/// The relay inside a device or meter; our node has none of this kind.
pub(crate) fn own_switch(link: &MeterLink) -> Option<SwitchLink> {
    match link {
        MeterLink::Mqtt {
            dialect,
            device,
            channel,
            credential,
        } => Some(SwitchLink::Mqtt {
            dialect: dialect.clone(),
            device: device.clone(),
            channel: *channel,
            credential: credential.clone(),
        }),
        MeterLink::Modbus { .. } => Some(SwitchLink::Meter),
        MeterLink::Node | MeterLink::NodeOnBus { .. } | MeterLink::Pulse { .. } => None,
    }
}

fn filled(text: &str, name: &'static str, words: &str) -> Result<String, Failure> {
    match text.trim() {
        "" => Err(wrong(name, words)),
        text => Ok(text.to_owned()),
    }
}

/// Kilowatt-hours as read off a display: up to three decimals, nothing rounded; nothing if nothing is written.
pub(crate) fn kwh(text: &str) -> Result<Option<WattHours>, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| {
        !text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let found = if digits(whole) && digits(part) && part.len() <= 3 {
        let part = number(&format!("{part:0<3}"));
        number(whole).zip(part)
    } else {
        None
    };
    match found {
        Some((whole, part)) if whole <= MOST_KWH => Ok(Some(WattHours(whole * 1_000 + part))),
        _ => Err(wrong(
            "kwh-unusable",
            &sentence("write the register in kWh as the display shows it, like 12.345"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::{MeterForm, kwh};
    use gateway_core::WattHours;

    #[track_caller]
    fn check(text: &str, expected: Result<Option<u64>, &str>) {
        let found = kwh(text).map(|wh| wh.map(|WattHours(wh)| wh));
        let found = found.map_err(|failure| failure.name);
        assert_eq!(found, expected.map_err(Into::into), "{text:?}");
    }

    #[test]
    fn registers_are_exact_or_refused() {
        check("", Ok(None));
        check(" 12.345 ", Ok(Some(12_345)));
        check("12", Ok(Some(12_000)));
        check("0.5", Ok(Some(500)));
        for wrong in ["-1", "1.2345", "1,5", "1.", ".5", "99999999", "1e3", "x"] {
            check(wrong, Err("kwh-unusable"));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let named = |form: &MeterForm| form.install().map_err(|failure| failure.name.into_owned());
        let mut form = MeterForm::default();
        assert_eq!(named(&form).unwrap_err(), "no-kind");
        form.kind = "mqtt:tasmota".into();
        assert_eq!(named(&form).unwrap_err(), "no-topic");
        form.device = " plug7 ".into();
        assert_eq!(named(&form).unwrap_err(), "no-login");
        form.login = "plug-7".into();
        form.channel = "x".into();
        assert_eq!(named(&form).unwrap_err(), "no-channel");
        form.channel = "1".into();
        form.switch = "own".into();
        let install = named(&form).unwrap();
        assert_eq!(
            install.link.words(),
            "tasmota plug7 channel 1 by login plug-7"
        );
        assert_eq!(form.role().unwrap_err().name, "no-role");
        form.kind = "node".into();
        assert_eq!(named(&form).unwrap().switch, None);
    }
}
