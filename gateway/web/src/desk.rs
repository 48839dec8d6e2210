//! Where the page and the API put what they want changed, and hear how the gateway is doing.
//!
//! Decided here: nothing. The daemon implements [`Desk`]; a command that comes back with an [`Answer`] is on disk.

use crate::backup::BackupFacts;
use crate::bus_work::{BusFacts, BusJob, BusOrder};
use crate::clock::{ClockFacts, ClockSource};
use crate::update::UpdateFacts;
use gateway_core::meter_link::MeterLink;
use gateway_core::{Answer, Command, Moment, NodeId, Refusal, UtcSeconds};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use tokio::sync::watch;

/// What [`Desk::submit`] returns.
pub type Submission = Pin<Box<dyn Future<Output = Result<Answer, DeskError>> + Send>>;

/// What [`Desk::test_meter`] returns.
pub type Test = Pin<Box<dyn Future<Output = Result<MeterShown, String>> + Send>>;

/// The daemon, as far as the page can reach it.
pub trait Desk: Send + Sync {
    /// Puts a command into the inbox. Resolves when the decision is committed, refused, or cannot be made.
    ///
    /// Dropping the future does not take the command back.
    fn submit(&self, command: Command) -> Submission;

    /// What is wrong with the gateway itself, in plain words.
    fn health(&self) -> Health;

    /// Counters in Prometheus text format.
    fn metrics(&self) -> String;

    /// How worn the memory card is; `None` where nobody counts.
    fn card(&self) -> Option<CardState> {
        None
    }

    /// How the link to the head-end is; `None` at a site that has none.
    fn cloud(&self) -> Option<CloudState> {
        None
    }

    /// How the mail addresses and webhooks are doing that are told what happens.
    fn notices(&self) -> Vec<NoticeChannel> {
        Vec::new()
    }

    /// Grows by at least one with every commit of journal or telemetry.
    fn changes(&self) -> watch::Receiver<u64>;

    /// What a meter shows now, whether it is saved or not; an error is in words, with what to do next. It is asked for a reading, if its
    /// kind can be asked: the next call shows the answer.
    fn test_meter(&self, link: MeterLink) -> Test {
        let _ = link;
        Box::pin(async { Err("this gateway reads no such meters".into()) })
    }

    /// What hangs on the machine's pins.
    fn pins(&self) -> Vec<PinFacts> {
        Vec::new()
    }

    /// The Modbus buses.
    fn buses(&self) -> Vec<BusFacts> {
        Vec::new()
    }

    /// Work on a bus between its own requests; an error is in words, with what to do next.
    ///
    /// # Errors
    /// There is no such bus or job, the bus is at work already, or the task is written wrongly.
    fn bus_work(&self, order: BusOrder, by: &str) -> Result<BusJob, String> {
        let _ = (order, by);
        Err("this gateway has no bus".into())
    }

    /// What an installer can choose from.
    fn kinds(&self) -> MeterKinds {
        MeterKinds::default()
    }

    /// How well each meter is heard.
    fn links(&self) -> BTreeMap<NodeId, LinkFacts> {
        BTreeMap::new()
    }

    /// What the clock shows, and whether it is to be believed.
    fn now(&self) -> Moment;

    /// What is known of updates; `None` where the gateway is not installed as a package.
    fn update(&self) -> Option<UpdateFacts> {
        None
    }

    /// The last backup; `None` at a site that wants none.
    fn backup(&self) -> Option<BackupFacts> {
        None
    }

    /// How it knows the time. A desk without a memory of it says what its clock shows.
    fn clock(&self) -> ClockFacts {
        let now = self.now();
        ClockFacts {
            at: now.at,
            is_trusted: now.clock_trusted,
            source: match now.clock_trusted {
                true => ClockSource::Always,
                false => ClockSource::None,
            },
            within_s: None,
            believed_within_s: 0,
            floor: UtcSeconds(0),
            machine: now.at,
            battery: None,
            boot_ms: 0,
        }
    }
}

/// What a meter shows, before or after it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeterShown {
    /// Its values, in words with units.
    pub values: Vec<(String, String)>,
    /// What they were decoded from, as it came: topic or registers, and content.
    pub raw: Vec<(String, String)>,
    /// When the newest of them came, in milliseconds since the gateway was started: another number is another message.
    pub heard_ms: u64,
    /// Age of the newest of them, in seconds.
    pub age_s: u64,
    /// Messages on its topics that are not believed, in words.
    pub foreign: Vec<String>,
    /// Whether anything but its bus or login vouches for them.
    pub authenticated: bool,
    /// Why they are believed, in words.
    #[serde(default)]
    pub believed: String,
}

impl MeterShown {
    /// The serial number it tells.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        let mut values = self.values.iter();
        let serial = values.find(|(name, _)| name == "serial");
        serial.map(|(_, serial)| serial.as_str())
    }

    /// The link it was seen by, bound to the serial number it tells if none is named: a meter that is moved is followed by it.
    #[must_use]
    pub fn bound(&self, link: MeterLink) -> MeterLink {
        match (link.serial(), self.serial()) {
            (None, Some(serial)) => link.with_serial(Some(serial.to_owned())),
            _ => link,
        }
    }
}

/// What an installer can choose from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeterKinds {
    /// Kinds of devices on MQTT.
    pub dialects: Vec<MeterKind>,
    /// Logins a device can have; empty if they are not known.
    pub logins: Vec<String>,
    /// Names of Modbus buses.
    pub buses: Vec<String>,
    /// Models of meters on them.
    pub models: Vec<MeterKind>,
    /// Impulse inputs on the machine's pins.
    pub pulses: Vec<String>,
    /// Contactors on them.
    pub contactors: Vec<String>,
}

/// A kind of device or meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterKind {
    /// Its id in links.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// How well a meter is heard, since the gateway was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkFacts {
    /// Answers or messages that were used.
    pub good: u64,
    /// What was not, by kind.
    pub errors: BTreeMap<String, u64>,
    /// Last time from a question to its answer, in milliseconds; absent where nothing is asked.
    pub latency_ms: Option<u32>,
    /// Slowest such time lately, in milliseconds.
    pub slowest_ms: Option<u32>,
    /// How long ago it was heard, in seconds.
    pub heard_ago_s: Option<u64>,
    /// What it means, for an installer.
    pub words: String,
}

/// How the link to the head-end is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudState {
    /// Whether it works.
    pub is_well: bool,
    /// In a word or three.
    pub words: &'static str,
    /// Why it does not work.
    pub trouble: Option<String>,
    /// When the head-end was heard last; 0: never.
    pub heard_at: UtcSeconds,
    /// Rows it has not acknowledged: of the journal, of the load profile.
    pub backlog: (u64, u64),
    /// Bytes published for each usage point, today and the day before (UTC).
    pub bytes_per_usage_point: (u64, u64),
}

/// How worn the memory card is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardState {
    /// Bytes written to it since this gateway first looked.
    pub written: u64,
    /// Bytes a day lately; `None` within the first hour.
    pub a_day: Option<u64>,
    /// Bytes it is rated for, as configured.
    pub endurance: u64,
    /// Tenths of years until they are written.
    pub years_left_tenths: Option<u64>,
}

impl CardState {
    /// Whether it should be replaced: less than a year of its rating is left.
    #[must_use]
    pub fn is_near_its_end(&self) -> bool {
        self.years_left_tenths.is_some_and(|tenths| tenths < 10)
    }
}

/// Somebody outside who is told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeChannel {
    /// By what: a mail address or the name of a webhook.
    pub name: String,
    /// Notices the other side has taken.
    pub told: u64,
    /// Notices given up: refused for good, or too old.
    pub given_up: u64,
    /// Notices not told yet.
    pub waiting: u64,
    /// Why the last try failed; fits after "failed to".
    pub trouble: Option<String>,
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// The rules refuse it; the value names the reason.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// It could not be decided or stored, for example because the disk is full. Plain words for the operator.
    #[error("{0}")]
    Unavailable(String),
}

/// A pin in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinFacts {
    /// What hangs on it: `cabinet door`, `contactor flat-7`.
    pub what: String,
    /// The line, as configured.
    pub line: String,
    /// How it is, for people.
    pub words: String,
}

/// How the gateway is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// What is wrong, most serious first; empty when all is well.
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whether the gateway does its work: no problem is serious.
    #[must_use]
    pub fn is_working(&self) -> bool {
        !self.problems.iter().any(|problem| problem.serious)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether decisions cannot be made or stored because of it; otherwise it only needs attention.
    pub serious: bool,
    /// What is wrong and what to do, as a sentence: `The disk is full. Nothing can be sold until there is space.`
    pub words: String,
}
