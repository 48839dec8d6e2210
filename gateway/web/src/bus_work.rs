//! What an installer has done on a bus while the gateway polls it: a scan, a reading, a probe.
//!
//! Decided here: the words of such work, for the API, the control socket and the command line. Not decided here: how it is done (the
//! daemon), or what a finding means (the field).
//!
//! Terms: a *job* is one piece of work; a bus does one at a time, between its own requests. A job that nobody has looked at for a while is
//! ended, so that a phone that went out of range leaves nothing behind.

use gateway_core::meter_link::WordOrder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is to be done on a bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BusTask {
    /// Find who answers.
    Scan {
        /// First address; 1 if absent.
        #[serde(default = "first")]
        from: u8,
        /// Last address; 247 if absent.
        #[serde(default = "last")]
        to: u8,
        /// A speed to look at in place of the bus's own.
        #[serde(default)]
        speed: SpeedWish,
        /// After the bus's own speed the usual ones, until one finds somebody.
        #[serde(default)]
        search: bool,
        /// Go on at other speeds after one has found somebody.
        #[serde(default)]
        all_speeds: bool,
        /// Longest time somebody may think about an answer, in milliseconds; 300 if absent.
        #[serde(default)]
        timeout_ms: Option<u64>,
    },
    /// Every value of a meter, decoded and as it came.
    Read {
        /// Which.
        #[serde(flatten)]
        meter: BusMeter,
    },
    /// A meter against physics.
    Probe {
        /// Which.
        #[serde(flatten)]
        meter: BusMeter,
        /// How long energy is compared with power, in seconds; 60 if absent.
        #[serde(default = "minute")]
        seconds: u64,
        /// A load that is on and known, in watts.
        #[serde(default)]
        load_w: Option<u32>,
        /// Open and close a relay: the supply behind it is off for some seconds. It ends as it began.
        #[serde(default)]
        test_relay: Option<ProbeRelay>,
    },
}

/// A relay on the meter's line that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "relay", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ProbeRelay {
    /// That inside the meter.
    Own {},
    /// A coil.
    Coil {
        /// Address of its board.
        address: u8,
        /// Its number on the wire.
        coil: u16,
        /// Set, it opens the contact.
        #[serde(default)]
        inverted: bool,
    },
    /// A holding register.
    Register {
        /// Address of its device.
        address: u8,
        /// Its number on the wire.
        register: u16,
        /// What closes the contact.
        on: u16,
        /// What opens it.
        off: u16,
    },
}

/// A meter on a bus that may not be installed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusMeter {
    /// Id of its meter model.
    pub model: String,
    /// Its address; as the model leaves the factory if absent.
    #[serde(default)]
    pub address: Option<u8>,
    /// Its word order where it differs from its model's.
    #[serde(default)]
    pub word_order: Option<WordOrder>,
    /// Its speed where it differs from the bus's.
    #[serde(default)]
    pub speed: SpeedWish,
    /// Longest time it may think about an answer, in milliseconds.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// What is known of the speed of a serial line; what is not, is as the bus or the model has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpeedWish {
    /// Bits per second.
    #[serde(default)]
    pub baud: Option<u32>,
    /// Parity.
    #[serde(default)]
    pub parity: Option<ParityWish>,
    /// 1 or 2.
    #[serde(default)]
    pub stop_bits: Option<u8>,
}

/// Parity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParityWish {
    /// None.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

fn first() -> u8 {
    1
}

fn last() -> u8 {
    247
}

fn minute() -> u64 {
    60
}

/// Longest probe, in seconds.
pub const LONGEST_PROBE_S: u64 = 3_600;
/// Bounds of the time somebody may think about an answer, in milliseconds.
pub const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 10..=10_000;

impl BusTask {
    /// Why it cannot be done as it is written.
    #[must_use]
    pub fn mistake(&self) -> Option<&'static str> {
        let (timeout, speed) = match self {
            Self::Scan {
                timeout_ms, speed, ..
            } => (timeout_ms, speed),
            Self::Read { meter } | Self::Probe { meter, .. } => (&meter.timeout_ms, &meter.speed),
        };
        if timeout.is_some_and(|ms| !TIMEOUT_MS.contains(&ms)) {
            return Some("timeout_ms is 10 to 10000");
        }
        let baud = speed
            .baud
            .is_some_and(|baud| !(300..=4_000_000).contains(&baud));
        let stop = speed.stop_bits.is_some_and(|bits| !(1..=2).contains(&bits));
        if baud || stop {
            return Some("a speed has 300 to 4000000 baud and 1 or 2 stop bits");
        }
        match self {
            Self::Scan { from, to, .. } if *from == 0 || from > to || *to > 247 => {
                Some("addresses are 1 to 247, the first not above the last")
            }
            Self::Read { meter } | Self::Probe { meter, .. }
                if meter.address.is_some_and(|at| !(1..=247).contains(&at)) =>
            {
                Some("an address is 1 to 247")
            }
            Self::Probe { seconds, .. } if !(2..=LONGEST_PROBE_S).contains(seconds) => {
                Some("a probe lasts 2 to 3600 seconds")
            }
            _ => None,
        }
    }
}

/// What is wanted of a bus, or of a job on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum BusOrder {
    /// Begin.
    Begin {
        /// The bus.
        bus: String,
        /// What.
        task: BusTask,
    },
    /// How a job stands.
    Look {
        /// Its number.
        job: u64,
    },
    /// End a job. A relay that is being tested is closed first.
    Cancel {
        /// Its number.
        job: u64,
    },
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusJob {
    /// Its number, since the gateway was started.
    pub job: u64,
    /// The bus.
    pub bus: String,
    /// Who began it.
    pub by: String,
    /// What is done.
    pub task: BusTask,
    /// How it stands.
    pub state: BusJobState,
    /// How far it has come, in words.
    pub progress: String,
    /// What it found: [`ScanResult`], [`ReadResult`] or [`ProbeResult`].
    pub result: Option<Value>,
    /// Why it failed.
    pub failure: Option<BusFailure>,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusJobState {
    /// It goes on.
    Running,
    /// It has a result.
    Done,
    /// It has none; `failure` says why.
    Failed,
    /// Somebody ended it, or nobody looked at it any more.
    Cancelled,
}

/// Why work on a bus failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusFailure {
    /// Stable name, for example `no-reply`.
    pub error: String,
    /// For an installer.
    pub message: String,
}

/// A bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusFacts {
    /// Its name.
    pub bus: String,
    /// How it is reached, in words.
    pub line: String,
    /// Its serial port, if it has one.
    pub port: Option<String>,
    /// Why it is down, if it is.
    pub down: Option<String>,
    /// Addresses in use.
    pub in_use: Vec<InUse>,
    /// The job that is under way.
    pub job: Option<u64>,
}

/// An address in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// The address.
    pub address: u8,
    /// The meter there; none: a board of relays.
    pub node: Option<String>,
    /// How it answers, in words.
    pub words: String,
}

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ScanResult {
    /// Who answers.
    pub found: Vec<FoundDevice>,
    /// Who was not asked, because they are in use already.
    #[serde(default)]
    pub in_use: Vec<InUse>,
    /// Where something is said that cannot be understood.
    pub garbled: Vec<Garbled>,
    /// Speeds the port cannot do, in words.
    #[serde(default)]
    pub skipped: Vec<String>,
}

/// A device that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundDevice {
    /// Its address.
    pub address: u8,
    /// The line, with its speed.
    pub line: String,
    /// Ids of the models that fit, the most telling first.
    pub models: Vec<String>,
    /// Whether it says so itself.
    pub certain: bool,
    /// What it is, in words.
    pub words: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// What it shows, in words.
    pub shows: String,
    /// Its values by the first model, in base units.
    pub values: BTreeMap<String, f64>,
}

/// An address where something is said that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Garbled {
    /// The line, with its speed.
    pub line: String,
    /// The address.
    pub address: u8,
    /// Stable name.
    pub error: String,
    /// For an installer.
    pub message: String,
}

/// What a meter says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadResult {
    /// Id of its model.
    pub model: String,
    /// Maker and name of its model.
    pub title: String,
    /// What nobody has confirmed of the model, if there is such.
    pub unverified: Option<String>,
    /// Its serial number.
    pub serial: Option<String>,
    /// Slowest answer, in milliseconds.
    pub slowest_ms: u64,
    /// Its values.
    pub values: Vec<ReadValue>,
}

/// A value of a meter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadValue {
    /// What.
    pub quantity: String,
    /// The value in base units.
    pub value: Option<f64>,
    /// The base unit.
    pub unit: String,
    /// The value with its unit, or why there is none, in words.
    pub words: String,
    /// Function and first register.
    pub at: String,
    /// The registers as they came, in hexadecimal.
    pub raw: String,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// Id of the model.
    pub model: String,
    /// Maker and name of the model.
    pub title: String,
    /// What nobody has confirmed of the model, if there is such.
    pub unverified: Option<String>,
    /// Whether something speaks against billing from this meter.
    pub wrong: bool,
    /// What was found.
    pub findings: Vec<FoundWords>,
}

/// One finding of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundWords {
    /// Whether it speaks against billing from this meter.
    pub wrong: bool,
    /// In words.
    pub words: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Option<&str>, &str>) {
        let parsed: Result<BusTask, _> = serde_json::from_str(text);
        match (parsed, expected) {
            (Ok(task), Ok(mistake)) => {
                assert_eq!(task.mistake(), mistake, "{text}");
                let again = serde_json::to_string(&task).unwrap();
                assert_eq!(serde_json::from_str::<BusTask>(&again).unwrap(), task);
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        }
    }

    #[test]
    fn a_task_is_bounded_and_unknown_fields_are_errors() {
        check(r#"{"task":"scan"}"#, Ok(None));
        check(
            r#"{"task":"scan","from":9,"to":3}"#,
            Ok(Some("addresses are 1 to 247, the first not above the last")),
        );
        check(
            r#"{"task":"scan","timeout_ms":5}"#,
            Ok(Some("timeout_ms is 10 to 10000")),
        );
        check(r#"{"task":"scan","form":9}"#, Err("unknown field"));
        check(
            r#"{"task":"read","model":"sdm120","speed":{"baud":2400,"parity":"even"}}"#,
            Ok(None),
        );
        check(
            r#"{"task":"read","model":"sdm120","adress":7}"#,
            Err("unknown field"),
        );
        check(
            r#"{"task":"read","model":"sdm120","address":248}"#,
            Ok(Some("an address is 1 to 247")),
        );
        check(
            r#"{"task":"read","model":"sdm120","speed":{"baud":1}}"#,
            Ok(Some("a speed has 300 to 4000000 baud and 1 or 2 stop bits")),
        );
        check(
            r#"{"task":"probe","model":"sdm120","seconds":1}"#,
            Ok(Some("a probe lasts 2 to 3600 seconds")),
        );
    }
}
