//! Dialects: topics and payloads of a kind of device, as data.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// One kind of device. Topics hold `{device}`, `{channel}` (from 0) and `{relay}` (nothing, or the channel from 1).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Name in commands and links.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Where the topics are documented.
    pub source: String,
    /// What an installer has to know.
    #[serde(default)]
    pub caveats: Vec<String>,
    /// What the device says.
    pub message: Vec<Message>,
    /// How its relay is told.
    pub switch: Option<SwitchTopic>,
    /// How it is asked for a reading.
    pub poll: Option<Poll>,
    /// Messages with what they mean, for the test of the file.
    #[serde(default)]
    pub golden: Vec<Golden>,
}

/// The messages of one topic.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// Register, in Wh after scaling.
    pub register: Option<Number>,
    /// Export register, in Wh.
    pub export: Option<Number>,
    /// Power, in W.
    pub power: Option<Number>,
    /// Voltage, in V.
    pub voltage: Option<Number>,
    /// Current, in A.
    pub current: Option<Number>,
    /// Frequency, in Hz.
    pub frequency: Option<Number>,
    /// State of the relay.
    pub relay: Option<Words>,
    /// Whether the device is there.
    pub online: Option<Words>,
    /// The counter in replies to commands that set it or ask for it.
    #[serde(default)]
    pub told: Vec<Told>,
    /// JSON pointer of the moment the counter began; another one means that it was reset.
    pub start: Option<String>,
}

/// A number in a payload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// JSON pointer; without one the whole payload is the number.
    pub pointer: Option<String>,
    /// Factor to the unit.
    #[serde(default = "one")]
    pub scale: f64,
}

fn one() -> f64 {
    1.0
}

/// A counter in the reply to a command. One that stands where the register cannot have led by itself was set; one without a number is
/// taken for set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// JSON pointer of the reply.
    pub pointer: String,
    /// JSON pointer of the counter inside it.
    pub counter: String,
    /// Factor to Wh.
    #[serde(default = "one")]
    pub scale: f64,
}

/// One of two words in a payload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// JSON pointer; without one the whole payload is the word.
    pub pointer: Option<String>,
    /// Closed, or there.
    pub on: String,
    /// Open, or gone.
    pub off: String,
}

/// How a relay is told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SwitchTopic {
    /// Topic of the command.
    pub topic: String,
    /// Payload that closes it.
    pub on: String,
    /// Payload that opens it.
    pub off: String,
}

/// How a device is asked for a reading.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// Topic of the question.
    pub topic: String,
    /// Its payload.
    pub payload: String,
    /// Topic of the answer, by which the device's latency and its missing answers are known.
    pub answer: String,
}

/// A message of a device called `plug`, and what it means.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Topic.
    pub topic: String,
    /// Payload.
    pub payload: String,
    /// Expected register.
    pub register_wh: Option<u64>,
    /// Expected power.
    pub power_w: Option<i32>,
    /// Expected voltage.
    pub voltage_dv: Option<u16>,
    /// Expected current.
    pub current_ma: Option<u32>,
    /// `open` or `closed`.
    pub relay: Option<String>,
    /// Whether the device is there.
    pub online: Option<bool>,
    /// Expected counter in a reply.
    pub told_wh: Option<u64>,
    /// Whether it says that its counter was set.
    #[serde(default)]
    pub set: bool,
}

impl Dialect {
    fn scales(&self) -> impl Iterator<Item = f64> {
        self.message.iter().flat_map(|message| {
            let numbers = [
                &message.register,
                &message.export,
                &message.power,
                &message.voltage,
                &message.current,
                &message.frequency,
            ];
            let numbers = numbers.into_iter().flatten().map(|number| number.scale);
            numbers.chain(message.told.iter().map(|told| told.scale))
        })
    }
}

/// The shipped files.
const SHIPPED: [&str; 6] = [
    include_str!("../../../meter-models/mqtt/tasmota.toml"),
    include_str!("../../../meter-models/mqtt/shelly-gen1.toml"),
    include_str!("../../../meter-models/mqtt/shelly-gen2.toml"),
    include_str!("../../../meter-models/mqtt/shelly-3em.toml"),
    include_str!("../../../meter-models/mqtt/esphome.toml"),
    include_str!("../../../meter-models/mqtt/json.toml"),
];

/// Dialects by id.
#[derive(Debug, Clone, Default)]
pub struct Dialects(BTreeMap<String, Dialect>);

impl Dialects {
    /// Those that come with the gateway.
    #[must_use]
    pub fn shipped() -> Self {
        let dialects = SHIPPED.iter().filter_map(|text| parse(text).ok());
        Self(dialects.map(|d| (d.id.clone(), d)).collect())
    }

    /// Adds the site's own files, which take the place of shipped ones with the same id; returns what is wrong with others.
    pub fn add_directory(&mut self, directory: &Path) -> Vec<String> {
        let mut mistakes = Vec::new();
        let Ok(entries) = std::fs::read_dir(directory) else {
            return vec![format!("{} cannot be read", directory.display())];
        };
        let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            if file.extension().is_none_or(|end| end != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&file).map_err(|error| error.to_string());
            match text.and_then(|text| parse(&text)) {
                Ok(dialect) => {
                    self.0.insert(dialect.id.clone(), dialect);
                }
                Err(error) => mistakes.push(format!("{}: {error}", file.display())),
            }
        }
        mistakes
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Dialect> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Dialect> {
        self.0.values()
    }
}

/// Reads a file.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Dialect, String> {
    let dialect: Dialect = toml::from_str(text).map_err(|error| error.to_string())?;
    if dialect
        .scales()
        .any(|scale| !scale.is_finite() || scale <= 0.0)
    {
        return Err("a scale must be a number above zero".into());
    }
    if dialect.message.iter().all(|m| m.register.is_none()) && dialect.switch.is_none() {
        return Err("it has neither a register nor a switch".into());
    }
    Ok(dialect)
}

/// A topic, payload or pointer of one device.
pub(super) fn fill(template: &str, device: &str, channel: Option<u8>) -> String {
    let relay = channel.map_or_else(String::new, |channel| (u16::from(channel) + 1).to_string());
    template
        .replace("{channel}", &channel.unwrap_or(0).to_string())
        .replace("{relay}", &relay)
        .replace("{device}", device)
}
