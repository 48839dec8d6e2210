//! The part of an installer's form that says what switches the supply. Plain functions over typed text; no panic on any input.

use crate::failure::Failure;
use crate::meter_form::{MeterForm, own_switch};
use gateway_core::meter_link::{MeterLink, Switch, SwitchLink};

impl MeterForm {
    /// Fills in the switch as it is now.
    pub(crate) fn show_switch(&mut self, switch: &Switch) {
        self.before_meter = if switch.before_meter { "yes" } else { "" }.into();
        let place = |form: &mut Self, bus: &str, address: u8, number: u16| {
            form.switch_bus = bus.into();
            form.switch_address = address.to_string();
            form.switch_number = number.to_string();
        };
        match &switch.link {
            SwitchLink::Gpio { contactor } => {
                self.switch = format!("gpio:{contactor}");
            }
            SwitchLink::Meter | SwitchLink::Mqtt { .. } => self.switch = "own".into(),
            SwitchLink::Coil {
                bus,
                address,
                coil,
                inverted,
            } => {
                self.switch = if *inverted { "opens-coil" } else { "coil" }.into();
                place(self, bus, *address, *coil);
            }
            SwitchLink::Register {
                bus,
                address,
                register,
                on,
                off,
            } => {
                self.switch = "register".into();
                place(self, bus, *address, *register);
                (self.switch_on, self.switch_off) = (on.to_string(), off.to_string());
            }
        }
    }

    /// The switch beside it.
    pub(crate) fn switch(&self, link: &MeterLink) -> Result<Option<Switch>, Failure> {
        let link = match self.switch.as_str() {
            "" => return Ok(None),
            "own" => own_switch(link).ok_or_else(|| {
                let words = match link {
                    MeterLink::Pulse { .. } => {
                        "A meter with an impulse output has no relay: choose a contactor, a relay on a bus, or nothing."
                    }
                    _ => "A prepaid node switches by itself: choose no switch of its own beside it.",
                };
                Failure::unusable("switch-not-here", words)
            })?,
            "coil" | "opens-coil" => SwitchLink::Coil {
                bus: self.switch_bus()?,
                address: self.switch_address()?,
                coil: cell(&self.switch_number)?,
                inverted: self.switch == "opens-coil",
            },
            "register" => SwitchLink::Register {
                bus: self.switch_bus()?,
                address: self.switch_address()?,
                register: cell(&self.switch_number)?,
                on: value(&self.switch_on)?,
                off: value(&self.switch_off)?,
            },
            other => match other.strip_prefix("gpio:") {
                Some(contactor) if !contactor.is_empty() => SwitchLink::Gpio {
                    contactor: contactor.to_owned(),
                },
                _ => {
                    let words = "Choose what switches the supply.";
                    return Err(Failure::unusable("no-switch", words));
                }
            },
        };
        Ok(Some(Switch {
            link,
            before_meter: self.before_meter == "yes",
        }))
    }

    fn switch_bus(&self) -> Result<String, Failure> {
        match self.switch_bus.trim() {
            "" => {
                let words = "Choose the bus the switch is on.";
                Err(Failure::unusable("no-switch-bus", words))
            }
            bus => Ok(bus.to_owned()),
        }
    }

    fn switch_address(&self) -> Result<u8, Failure> {
        let words = "The address of a board is a number from 1 to 247.";
        let address = self.switch_address.trim().parse();
        address.map_err(|_| Failure::unusable("no-switch-address", words))
    }
}

fn cell(text: &str) -> Result<u16, Failure> {
    let words =
        "The number of a coil or register is the one on the wire: 0 to 65535, the first is 0.";
    let number = text.trim().parse();
    number.map_err(|_| Failure::unusable("no-switch-number", words))
}

fn value(text: &str) -> Result<u16, Failure> {
    let words = "Write what closes and what opens the contact as numbers from 0 to 65535.";
    let number = text.trim().parse();
    number.map_err(|_| Failure::unusable("no-switch-value", words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(switch: &str, number: &str, values: [&str; 2]) -> MeterForm {
        MeterForm {
            kind: "modbus:sdm120".into(),
            bus: "hall".into(),
            address: "7".into(),
            switch: switch.into(),
            switch_bus: "hall".into(),
            switch_address: "40".into(),
            switch_number: number.into(),
            switch_on: values[0].into(),
            switch_off: values[1].into(),
            ..MeterForm::default()
        }
    }

    fn check(form: &MeterForm, expected: Result<&str, &str>) {
        let install = form.install().map_err(|failure| failure.name.into_owned());
        let words = install.map(|install| {
            let switch = install.switch.expect("a switch");
            // What is shown in a form again means the same.
            let mut again = MeterForm {
                kind: form.kind.clone(),
                bus: form.bus.clone(),
                address: form.address.clone(),
                ..MeterForm::default()
            };
            again.show_switch(&switch);
            assert_eq!(
                again.install().expect("good").switch.as_ref(),
                Some(&switch)
            );
            switch.words()
        });
        assert_eq!(words.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn every_kind_of_switch_can_be_written() {
        check(&form("own", "", ["", ""]), Ok("the meter's own"));
        check(&form("coil", "3", ["", ""]), Ok("coil 3 of hall/40"));
        check(&form("coil", "x", ["", ""]), Err("no-switch-number"));
        check(
            &form("register", "3", ["1", "0"]),
            Ok("register 3 of hall/40"),
        );
        check(&form("register", "3", ["1", ""]), Err("no-switch-value"));
        check(
            &form("gpio:flat-7", "", ["", ""]),
            Ok("contactor flat-7 on a pin"),
        );
        check(&form("gpio:", "", ["", ""]), Err("no-switch"));
        check(&form("lever", "3", ["1", "0"]), Err("no-switch"));
        let nowhere = MeterForm {
            switch_bus: " ".into(),
            ..form("coil", "3", ["", ""])
        };
        check(&nowhere, Err("no-switch-bus"));
    }
}
