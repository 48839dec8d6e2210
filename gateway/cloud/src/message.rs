//! What the messages say: heads as JSON objects, topics, instances.
//!
//! Invariant: members are added, never given another meaning; unknown ones are ignored.

use gateway_core::order::{Hex, Hex32};
use gateway_core::{Answer, UtcSeconds};
use serde::{Deserialize, Serialize};

/// The site's number, from which its journal's chain begins.
pub type GatewayId = Hex<16>;
/// Drawn at each start of the program.
pub type Instance = Hex<8>;
/// Drawn for each hello.
pub type Nonce = Hex<8>;

/// A topic's last two levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Up: an enrolment.
    Enrol,
    /// Up: who is there.
    Hello,
    /// Up: rows of the journal.
    Journal,
    /// Up: rows of load profiles.
    Profile,
    /// Up, retained: what is open.
    Case,
    /// Up, retained: how the gateway is doing.
    Status,
    /// Up: what became of an order.
    Receipt,
    /// Down: the answer to an enrolment.
    Enrolled,
    /// Down: what is stored.
    Ack,
    /// Down: an order.
    Order,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Enrol,
        Self::Hello,
        Self::Journal,
        Self::Profile,
        Self::Case,
        Self::Status,
        Self::Receipt,
        Self::Enrolled,
        Self::Ack,
        Self::Order,
    ];

    /// The two levels.
    #[must_use]
    pub fn levels(self) -> &'static str {
        match self {
            Self::Enrol => "up/enrol",
            Self::Hello => "up/hello",
            Self::Journal => "up/journal",
            Self::Profile => "up/profile",
            Self::Case => "up/case",
            Self::Status => "up/status",
            Self::Receipt => "up/receipt",
            Self::Enrolled => "down/enrolled",
            Self::Ack => "down/ack",
            Self::Order => "down/order",
        }
    }

    /// The topic without its prefix: what a signature covers.
    #[must_use]
    pub fn path(self, gateway: &GatewayId) -> String {
        format!("{gateway}/{}", self.levels())
    }

    /// Whether a broker keeps the last one for who comes later.
    #[must_use]
    pub fn is_retained(self) -> bool {
        matches!(self, Self::Case | Self::Status)
    }
}

/// The end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadMark {
    /// Number of the last record.
    pub number: u64,
    /// Its time.
    pub at: UtcSeconds,
    /// Its hash.
    pub hash: Hex32,
}

/// A record of the journal by number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: Hex32,
}

/// `up/hello`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// This start of the program.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// The instance accepted last, and those after it.
    pub lineage: Vec<Instance>,
    /// Comes back with the answer.
    pub nonce: Nonce,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// The last record of the branch before that both sides have; of branch 1 it is 0.
    pub branch_after: u64,
    /// The end of the journal.
    pub head: HeadMark,
    /// The end of the profile stream.
    pub profile: u64,
    /// Records further and further back, after a refusal: so that the last common one can be found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What the clock shows.
    pub at: UtcSeconds,
    /// Whether it is believed.
    pub clock_trusted: bool,
    /// Version of the program.
    pub version: String,
}

/// Why a gateway is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refused {
    /// It was never enrolled, or its key is another.
    Unknown,
    /// Another copy went on after the moment this one remembers.
    Copy,
    /// An instance after this one was accepted.
    Superseded,
    /// The journal lacks what the head-end has, or has other records.
    Diverged,
}

/// `down/ack`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The instance it is meant for.
    pub instance: Instance,
    /// Of the hello it answers; absent if it answers something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// The branch its cursor belongs to.
    pub branch: u32,
    /// The last journal row stored.
    pub journal: Mark,
    /// Up to where profile rows are stored.
    pub profile: u64,
    /// The head-end's time.
    pub at: UtcSeconds,
    /// Whether and why the gateway is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// First line of `up/journal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalHead {
    /// Who sends it.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// Number of the first row.
    pub first: u64,
    /// Hash before it.
    pub previous: Hex32,
    /// Hash of the last row.
    pub last: Hex32,
    /// Of a row that comes in pieces: which piece this is, and how many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<(u32, u32)>,
}

/// First line of `up/profile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileHead {
    /// Who sends it.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// Which continuation of the journal this is.
    pub branch: u32,
    /// The cursor it begins after.
    pub from: u64,
    /// The cursor it ends with.
    pub to: u64,
}

/// First line of `up/case`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseHead {
    /// Who sends it.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// The journal record as of which this is open.
    pub as_of: u64,
}

/// `status.state`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Connected.
    Online,
    /// On a metered link, gone until it is time again.
    Sleeping,
    /// Said by the broker when the connection broke.
    Lost,
}

/// `up/status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Who sends it.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// Whether it is there.
    pub state: LinkState,
    /// When it comes back from sleep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<UtcSeconds>,
    /// What the clock shows.
    pub at: UtcSeconds,
    /// Version of the program.
    pub version: String,
    /// The site's name.
    pub name: String,
    /// Number of the last record.
    pub head: u64,
    /// Journal rows not acknowledged.
    pub backlog: u64,
    /// Whether money is held.
    pub money_held: bool,
    /// Usage points.
    pub usage_points: u32,
    /// Bytes published today (UTC).
    pub bytes_today: u64,
    /// Bytes allowed a day; 0: any.
    pub budget: u64,
    /// Single readings before this moment were shed; 0: only by age.
    pub shed_readings_before: i64,
    /// What is wrong at the gateway, in words.
    #[serde(default)]
    pub problems: Vec<String>,
}

/// What became of an order, on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeWord {
    /// Taken and obeyed.
    Done,
    /// Taken and not obeyed.
    Refused,
    /// Not taken yet.
    Waiting,
}

/// `up/receipt`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who sends it.
    pub instance: Instance,
    /// How many starts there were.
    pub start: u32,
    /// The head-end's name for the order.
    pub order: String,
    /// Its sequence.
    pub sequence: u64,
    /// What became of it.
    pub outcome: OutcomeWord,
    /// Number of the record that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Stable name of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// The reason in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What it achieved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// `down/order`, its command unread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderHead {
    /// The head-end's name for it.
    pub order: String,
    /// Whom it is meant for.
    pub gateway: GatewayId,
    /// From 1.
    pub sequence: u64,
    /// Not taken before.
    pub not_before: UtcSeconds,
    /// Not obeyed after.
    pub not_after: UtcSeconds,
    /// What to do.
    #[serde(rename = "do")]
    pub act: serde_json::Value,
}

/// `up/enrol`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The site's number.
    pub gateway: GatewayId,
    /// The gateway's public key.
    pub key: Hex32,
    /// Comes back with the answer.
    pub nonce: Nonce,
    /// The site's name.
    pub name: String,
    /// The end of the journal.
    pub head: HeadMark,
    /// That the code is known.
    pub proof: Hex32,
}

/// `down/enrolled`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// The site's number.
    pub gateway: GatewayId,
    /// The head-end's public key.
    pub key: Hex32,
    /// Of the request.
    pub nonce: Nonce,
    /// That the code is known.
    pub proof: Hex32,
}

/// A message of a head and rows.
#[must_use]
pub fn text(head: &impl Serialize, rows: &str) -> Vec<u8> {
    let mut text = serde_json::to_vec(head).unwrap_or_default();
    text.push(b'\n');
    text.extend(rows.as_bytes());
    text
}

/// The head of a message.
///
/// # Errors
/// It is not what it should be.
pub fn head<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, serde_json::Error> {
    let line = content.split(|byte| *byte == b'\n').next();
    serde_json::from_slice(line.unwrap_or_default())
}
