//! `[gpio]`: what hangs on the pins.

mod keys;

pub(super) use keys::{BUTTON, CONTACTOR, KEYS, PULSE};

use super::{Mistake, Values};
use gateway_core::UsagePointId;
use gateway_field::gpio::{Bias, Driver, InputSettings, LineName, NoLineName, PinSettings};
use std::time::Duration;

/// `[gpio]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpio {
    /// Whose lines.
    pub driver: Driver,
    /// Active while the mains is there.
    pub mains: Option<Contact>,
    /// Active while the cabinet is open.
    pub door: Option<Contact>,
    /// What the page and the journal know, for people who stand before the cabinet.
    pub lamps: Vec<(Lamp, PinSettings)>,
    /// Impulse inputs.
    pub pulses: Vec<PulseInput>,
    /// Contactors.
    pub contactors: Vec<Contactor>,
    /// Buttons that close a supply.
    pub buttons: Vec<Button>,
    /// Where each line stands in the file.
    pub places: Vec<Place>,
}

/// A contact that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The line.
    pub input: InputSettings,
    /// How long a level must stand still.
    pub still: Duration,
}

/// What is shown or sounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    /// Blinks while the gateway decides and stores.
    Heartbeat,
    /// On while the head-end is connected.
    Cloud,
    /// On while an alarm waits for a person.
    Alarm,
    /// Flashes with each recharge.
    Vend,
    /// Sounds with each recharge and new alarm.
    Buzzer,
}

/// `[[gpio.pulse]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulseInput {
    /// Its name in `meter add --pulse NAME`.
    pub name: String,
    /// The contact.
    pub contact: Contact,
    /// Impulses per kilowatt-hour.
    pub per_kwh: u32,
}

/// `[[gpio.contactor]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contactor {
    /// Its name in `meter add --switch gpio:NAME`.
    pub name: String,
    /// How its coil is driven.
    pub coil: Coil,
    /// An auxiliary contact, active while the contactor is closed.
    pub feedback: Option<InputSettings>,
}

/// How a contactor is driven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coil {
    /// A level: active is closed.
    Level(PinSettings),
    /// A latching contactor: an impulse on one line closes, on the other opens.
    Latching {
        /// Closes.
        on: PinSettings,
        /// Opens.
        off: PinSettings,
        /// Length of an impulse.
        impulse: Duration,
    },
}

/// `[[gpio.button]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Whose supply.
    pub usage_point: UsagePointId,
    /// The contact.
    pub contact: Contact,
}

/// A line and where the file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: LineName,
    /// The key.
    pub key: &'static str,
    /// The line of the file.
    pub at: Option<usize>,
}

impl Gpio {
    /// Every line; those of the buses' transceivers are among them.
    pub fn lines(&self) -> Vec<&LineName> {
        self.places.iter().map(|place| &place.line).collect()
    }

    /// Whether anything hangs on pins.
    pub fn is_used(&self) -> bool {
        !self.places.is_empty()
    }
}

/// More contactors than one board of eight relays carries need a bus.
const MOST_CONTACTORS: usize = 8;
/// More impulse inputs, or buttons, than a header has lines for.
const MOST_OTHERS: usize = 16;

/// Collects lines and what is wrong with them.
struct Read<'a> {
    places: Vec<Place>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Read<'_> {
    fn mistake(&mut self, values: &Values, key: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake::at(values.line(key), key, what));
    }

    /// A line named by a key, if it is there and right.
    fn line(&mut self, values: &Values, key: &'static str) -> Option<LineName> {
        let text = values.optional_text(key)?;
        let line: LineName = match text.parse() {
            Ok(line) => line,
            Err(error) => {
                let error: NoLineName = error;
                self.mistake(values, key, error.to_string());
                return None;
            }
        };
        self.take(line.clone(), key, values.line(key));
        Some(line)
    }

    /// One use for each line.
    fn take(&mut self, line: LineName, key: &'static str, at: Option<usize>) {
        if let Some(first) = self.places.iter().find(|place| place.line == line) {
            let where_ = first
                .at
                .map_or(String::new(), |at| format!(" in line {at}"));
            let what = format!("{line} is in use already: {}{where_}", first.key);
            self.mistakes.push(Mistake::at(at, key, what));
        }
        self.places.push(Place { line, key, at });
    }

    fn pin(
        &mut self,
        values: &Values,
        key: &'static str,
        level: &str,
        on: &str,
    ) -> Option<PinSettings> {
        let line = self.line(values, key)?;
        Some(PinSettings {
            line,
            active_low: (values.text(level) == "low") == (on == "active"),
        })
    }

    fn contact(
        &mut self,
        values: &Values,
        keys: [&'static str; 3],
        still: &str,
    ) -> Option<Contact> {
        let [line, level, bias] = keys;
        let pin = self.pin(values, line, level, "active")?;
        Some(Contact {
            input: InputSettings {
                pin,
                bias: bias_of(&values.text(bias)),
            },
            still: Duration::from_millis(values.whole(still)),
        })
    }
}

fn bias_of(word: &str) -> Bias {
    match word {
        "down" => Bias::Down,
        "none" => Bias::None,
        _ => Bias::Up,
    }
}

pub(super) fn gpio(values: &Values, mistakes: &mut Vec<Mistake>) -> Gpio {
    let mut read = Read {
        places: Vec::new(),
        mistakes,
    };
    for bus in values.many("field.modbus") {
        let key = "field.modbus.direction_gpio";
        // One that is no line is named with the bus.
        if let Some(Ok(line)) = bus.optional_text(key).map(|text| text.parse()) {
            read.take(line, key, bus.line(key));
        }
    }
    let driver = driver(values, &mut read);
    let mains = read.contact(
        values,
        ["gpio.mains", "gpio.mains_active", "gpio.bias"],
        "gpio.mains_debounce_ms",
    );
    let door = read.contact(
        values,
        ["gpio.door", "gpio.door_open", "gpio.bias"],
        "gpio.door_debounce_ms",
    );
    let mut lamps = Vec::new();
    for (key, lamp) in [
        ("gpio.led_heartbeat", Lamp::Heartbeat),
        ("gpio.led_cloud", Lamp::Cloud),
        ("gpio.led_alarm", Lamp::Alarm),
        ("gpio.led_vend", Lamp::Vend),
        ("gpio.buzzer", Lamp::Buzzer),
    ] {
        lamps.extend(
            read.pin(values, key, "gpio.leds_active", "active")
                .map(|pin| (lamp, pin)),
        );
    }
    let pulses = pulses(values, &mut read);
    let contactors = contactors(values, &mut read);
    let buttons = buttons(values, &mut read);
    Gpio {
        driver,
        mains,
        door,
        lamps,
        pulses,
        contactors,
        buttons,
        places: read.places,
    }
}

fn driver(values: &Values, read: &mut Read<'_>) -> Driver {
    let trace = values.optional_text("gpio.trace_file");
    match (values.text("gpio.driver").as_str(), trace) {
        ("trace", Some(file)) => Driver::Trace(file.into()),
        ("trace", None) => {
            read.mistake(values, "gpio.driver", "\"trace\" needs trace_file");
            Driver::Auto
        }
        (_, Some(_)) => {
            read.mistake(
                values,
                "gpio.trace_file",
                "is used with driver = \"trace\" only",
            );
            Driver::Auto
        }
        ("rppal", None) => Driver::Pi,
        ("gpiocdev", None) => Driver::Kernel,
        _ => Driver::Auto,
    }
}

/// The name of one of many, each once.
fn name(one: &Values, key: &str, taken: &mut Vec<String>, read: &mut Read<'_>) -> String {
    let name = one.text(key);
    if taken.contains(&name) {
        read.mistake(one, key, format!("\"{name}\" is there twice"));
    }
    taken.push(name.clone());
    name
}

fn pulses(values: &Values, read: &mut Read<'_>) -> Vec<PulseInput> {
    let mut names = Vec::new();
    let mut pulses = Vec::new();
    for (i, one) in values.many("gpio.pulse").iter().enumerate() {
        if i == MOST_OTHERS {
            read.mistake(
                one,
                "gpio.pulse.name",
                format!("at most {MOST_OTHERS} inputs"),
            );
        }
        let name = name(one, "gpio.pulse.name", &mut names, read);
        let keys = ["gpio.pulse.line", "gpio.pulse.active", "gpio.pulse.bias"];
        let contact = read.contact(one, keys, "gpio.pulse.debounce_ms");
        pulses.extend(contact.map(|contact| PulseInput {
            name,
            contact,
            per_kwh: one.whole("gpio.pulse.impulses_per_kwh"),
        }));
    }
    pulses
}

fn contactors(values: &Values, read: &mut Read<'_>) -> Vec<Contactor> {
    let mut names = Vec::new();
    let mut contactors = Vec::new();
    for (i, one) in values.many("gpio.contactor").iter().enumerate() {
        if i == MOST_CONTACTORS {
            let what = format!("at most {MOST_CONTACTORS}; more go on a Modbus relay board");
            read.mistake(one, "gpio.contactor.name", what);
        }
        let name = name(one, "gpio.contactor.name", &mut names, read);
        let latching = one.optional_text("gpio.contactor.off_line").is_some();
        let normally = one.text("gpio.contactor.normally");
        if latching && normally == "closed" {
            let what = "a latching contactor (off_line) stays as it was; leave this out";
            read.mistake(one, "gpio.contactor.normally", what);
        }
        let closes = if normally == "closed" {
            "inactive"
        } else {
            "active"
        };
        let level = "gpio.contactor.active";
        let on = read.pin(one, "gpio.contactor.line", level, closes);
        let off = read.pin(one, "gpio.contactor.off_line", level, "active");
        let feedback = read.pin(
            one,
            "gpio.contactor.feedback",
            "gpio.contactor.feedback_closed",
            "active",
        );
        let Some(on) = on else { continue };
        contactors.push(Contactor {
            name,
            coil: match off {
                None => Coil::Level(on),
                Some(off) => Coil::Latching {
                    on,
                    off,
                    impulse: Duration::from_millis(one.whole("gpio.contactor.impulse_ms")),
                },
            },
            feedback: feedback.map(|pin| InputSettings {
                pin,
                bias: bias_of(&one.text("gpio.contactor.bias")),
            }),
        });
    }
    contactors
}

fn buttons(values: &Values, read: &mut Read<'_>) -> Vec<Button> {
    let mut buttons: Vec<Button> = Vec::new();
    for (i, one) in values.many("gpio.button").iter().enumerate() {
        if i == MOST_OTHERS {
            let what = format!("at most {MOST_OTHERS} buttons");
            read.mistake(one, "gpio.button.usage_point", what);
        }
        let usage_point: Result<UsagePointId, _> = one.text("gpio.button.usage_point").parse();
        let keys = ["gpio.button.line", "gpio.button.active", "gpio.button.bias"];
        let contact = read.contact(one, keys, "gpio.button.debounce_ms");
        match (usage_point, contact) {
            (Ok(usage_point), Some(contact)) => buttons.push(Button {
                usage_point,
                contact,
            }),
            (Err(_), _) => {
                read.mistake(
                    one,
                    "gpio.button.usage_point",
                    "write a number like \"UP-0007\"",
                );
            }
            (Ok(_), None) => {}
        }
    }
    buttons
}
