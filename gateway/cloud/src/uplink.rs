//! What is sent when, and where the cursors stand. Pure: time and randomness are arguments, rows come from a [`Source`].
//!
//! Decided here: when to connect; hello before anything else; which stream goes first; how much is under way; when to go back to the
//! cursor; how large a message may be. Not decided here: what a row says, and what an order does.
//!
//! Terms: *cursor*: what the head-end says it has stored; *under way*: sent beyond the cursor; *going back*: forgetting what is under way
//! and sending from the cursor again.
//!
//! Invariants: no row goes before a hello of this connection was answered; at most [`WINDOW`] messages are under way; a cursor is set by the answer to the
//! last hello and else only moves on; after a refusal nothing goes but hellos, status and receipts.

mod ack;
mod plan;

pub use plan::Step;

use crate::budget::Budget;
use crate::envelope::SigningKey;
use crate::memory::Memory;
use crate::message::{GatewayId, Instance, LinkState, Mark, Nonce, Receipt, Refused, Status};
use crate::source::{Source, SourceError};
use gateway_core::order::{Hex, Stream};
use std::collections::VecDeque;
use std::sync::Arc;

/// Messages under way: at 3 s of latency and 60 KB each 160 KB/s, and at most half a megabyte to send again.
pub const WINDOW: usize = 8;
/// Smallest limit of a message: an envelope, a head, and some rows.
pub const SMALLEST_MESSAGE: usize = 4_096;
/// Receipts waiting for a connection. A lost one is asked for again.
const MOST_RECEIPTS: usize = 1_024;
/// First and longest wait for an acknowledgement. 20 s: several round trips of a bad link and a slow commit.
const FIRST_PATIENCE_MS: u64 = 20_000;
const LONGEST_PATIENCE_MS: u64 = 600_000;
/// First and longest pause between two connections.
const FIRST_PAUSE_MS: u64 = 1_000;
const LONGEST_PAUSE_MS: u64 = 600_000;
/// Connections that may break with the same message under way before messages are made smaller.
const BREAKS: u32 = 3;

/// How the link is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Most bytes of a payload.
    pub largest_message: usize,
    /// Bytes a day; 0: any.
    pub daily_bytes: u64,
    /// Milliseconds between two connections of a metered link; `None`: always connected.
    pub contact_every_ms: Option<u64>,
    /// How long a single decision waits for others to share a message, in milliseconds.
    pub gather_ms: u64,
    /// How long profile rows gather, in milliseconds.
    pub profile_every_ms: u64,
    /// Milliseconds between two hellos and status messages of one connection.
    pub hello_every_ms: u64,
}

impl Default for Settings {
    /// 64 KiB, any number of bytes, always connected; decisions wait 5 s, profiles 15 minutes.
    fn default() -> Self {
        Self {
            largest_message: 65_536,
            daily_bytes: 0,
            contact_every_ms: None,
            gather_ms: 5_000,
            profile_every_ms: 900_000,
            hello_every_ms: 900_000,
        }
    }
}

/// What the head-end said that others must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It is there and has accepted this instance.
    Accepted,
    /// It refuses this gateway: money is to be held unless it is [`Refused::Unknown`]. The text is the evidence.
    Refused(Refused, String),
}

/// One message under way.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    stream: Stream,
    upto: u64,
    sent_ms: u64,
    size: usize,
}

/// How the head-end stands to this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No connection.
    Away,
    /// Connected; no hello of it was answered yet.
    Greeting,
    /// Accepted: rows may go.
    Accepted,
    /// Refused.
    Refused(Refused),
}

/// Where the streams stand.
#[derive(Debug, Clone, Copy, Default)]
struct Cursors {
    /// Stored at the head-end.
    journal: u64,
    /// The same of the profile.
    profile: u64,
    /// Sent, if not lost.
    journal_sent: u64,
    /// The same of the profile.
    profile_sent: u64,
}

/// The uplink.
#[derive(Debug)]
pub struct Uplink {
    settings: Settings,
    gateway: GatewayId,
    key: Arc<SigningKey>,
    instance: Instance,
    start: u32,
    memory: Memory,
    /// Whether the memory has to be written before the next hello, and whether it has changed at all.
    must_store: bool,
    has_changed: bool,
    standing: Standing,
    cursors: Cursors,
    under_way: VecDeque<UnderWay>,
    /// Messages of a row that comes in pieces, not sent yet.
    pieces: VecDeque<crate::batch::Sealed>,
    receipts: VecDeque<Receipt>,
    budget: Budget,
    limit: usize,
    breaks: u32,
    progress: bool,
    nonce: Option<Nonce>,
    nonces: u64,
    hello_ms: Option<u64>,
    status_ms: Option<u64>,
    status_due: bool,
    /// What was wrong at the site when it was looked at last.
    problems: Vec<String>,
    /// What was said to be open last, and when.
    case: Option<(String, u64)>,
    unsent_since: Option<u64>,
    profile_ms: Option<u64>,
    patience_ms: u64,
    round_trip_ms: u64,
    back_ms: u64,
    retry_ms: u64,
    pause_ms: u64,
    /// When a metered connection had nothing more to do.
    idle_since: Option<u64>,
    /// It has said so and is about to go.
    leaving: bool,
}

impl Uplink {
    /// An uplink that has not connected yet. `entropy` is random: nonces follow from it.
    #[must_use]
    pub fn new(
        settings: Settings,
        (gateway, key): (GatewayId, Arc<SigningKey>),
        (instance, start): (Instance, u32),
        memory: Memory,
        entropy: u64,
    ) -> Self {
        let (day, used) = memory.bytes;
        let cursors = Cursors {
            journal: memory.journal.map_or(0, |mark| mark.number),
            profile: memory.profile,
            ..Cursors::default()
        };
        Self {
            settings,
            gateway,
            key,
            instance,
            start,
            budget: Budget::new(settings.daily_bytes, day, used),
            memory,
            must_store: false,
            has_changed: false,
            standing: Standing::Away,
            cursors,
            under_way: VecDeque::new(),
            pieces: VecDeque::new(),
            receipts: VecDeque::new(),
            limit: settings.largest_message.max(SMALLEST_MESSAGE),
            breaks: 0,
            progress: false,
            nonce: None,
            nonces: entropy,
            hello_ms: None,
            status_ms: None,
            status_due: true,
            problems: Vec::new(),
            case: None,
            unsent_since: None,
            profile_ms: None,
            patience_ms: FIRST_PATIENCE_MS,
            round_trip_ms: 1_000,
            back_ms: 0,
            retry_ms: 0,
            pause_ms: FIRST_PAUSE_MS,
            idle_since: None,
            leaving: false,
        }
    }

    /// The broker has accepted a connection.
    pub fn connected(&mut self) {
        self.standing = Standing::Greeting;
        self.nonce = None;
        (self.hello_ms, self.status_ms) = (None, None);
        (self.idle_since, self.profile_ms) = (None, None);
        self.status_due = true;
        self.case = None;
        self.progress = false;
        self.patience_ms = FIRST_PATIENCE_MS;
        self.go_back();
    }

    /// The connection has ended, or could not be made. `noise` is random: gateways do not come back in step.
    pub fn lost(&mut self, now_ms: u64, noise: u64) {
        // Taken, not read: of the attempts that follow none has achieved anything.
        let progress = std::mem::take(&mut self.progress);
        let was_stuck = !self.under_way.is_empty() && !progress;
        if progress || (self.standing == Standing::Accepted && !was_stuck) {
            self.pause_ms = FIRST_PAUSE_MS;
        }
        self.breaks = if was_stuck { self.breaks + 1 } else { 0 };
        if self.breaks >= BREAKS && self.limit > SMALLEST_MESSAGE {
            // Half of what was under way, not of a limit that nothing reached; and at once, not after minutes.
            let largest = self.under_way.iter().map(|sent| sent.size).max();
            let largest = largest.unwrap_or(self.limit).min(self.limit);
            self.limit = (largest / 2).max(SMALLEST_MESSAGE);
            self.breaks = 0;
            self.pause_ms = FIRST_PAUSE_MS;
        }
        self.standing = Standing::Away;
        self.leaving = false;
        self.nonce = None;
        self.go_back();
        self.retry_ms = now_ms + self.pause_ms / 2 + noise % (self.pause_ms / 2 + 1);
        self.pause_ms = (self.pause_ms * 2).min(LONGEST_PAUSE_MS);
    }

    /// Something of an order for the head-end.
    pub fn receipt(&mut self, receipt: Receipt) {
        if self.receipts.len() >= MOST_RECEIPTS {
            self.receipts.pop_front();
        }
        self.receipts.push_back(receipt);
    }

    /// An order asks for a stream again from a cursor.
    pub fn resend(&mut self, stream: Stream, after: u64) {
        match stream {
            Stream::Journal => self.cursors.journal = self.cursors.journal.min(after),
            Stream::Profile => self.cursors.profile = self.cursors.profile.min(after),
        }
        self.go_back();
    }

    /// The status changed in a way the head-end should know soon (money held, reconciled): also says hello again.
    pub fn tell(&mut self) {
        self.status_due = true;
        self.hello_ms = None;
    }

    /// Forgets what is under way.
    fn go_back(&mut self) {
        self.under_way.clear();
        self.pieces.clear();
        self.cursors.journal_sent = self.cursors.journal;
        self.cursors.profile_sent = self.cursors.profile;
    }

    /// What has to be written to the file, if it has changed since it was asked for last.
    pub fn changed_memory(&mut self) -> Option<Memory> {
        let (day, used) = self.budget.used();
        if day != self.memory.bytes.0 {
            self.memory.bytes_before = self.memory.bytes.1;
        }
        self.memory.bytes = (day, used);
        let changed = std::mem::take(&mut self.has_changed);
        changed.then(|| self.memory.clone())
    }

    /// What is remembered.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memory that was asked for with [`Step::Store`] is on disk.
    pub fn stored(&mut self) {
        self.must_store = false;
    }

    /// Whether there is a connection and the head-end accepts this gateway.
    ///
    /// # Errors
    /// Its refusal.
    pub fn is_accepted(&self) -> Result<bool, Refused> {
        match self.standing {
            Standing::Refused(why) => Err(why),
            Standing::Accepted => Ok(true),
            Standing::Away | Standing::Greeting => Ok(false),
        }
    }

    /// The last journal row and profile moment acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> (u64, u64) {
        (self.cursors.journal, self.cursors.profile)
    }

    /// Bytes published today, and on the day before.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.budget.used().1, self.memory.bytes_before)
    }

    /// The largest payload sent at present.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The gateway's key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// This start of the program.
    #[must_use]
    pub fn instance(&self) -> (Instance, u32) {
        (self.instance, self.start)
    }

    /// The status message of this moment.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn status(&self, source: &dyn Source, state: LinkState) -> Result<Status, SourceError> {
        let (facts, head) = (source.facts(), source.head()?);
        Ok(Status {
            instance: self.instance,
            start: self.start,
            state,
            until: None,
            at: facts.at,
            version: facts.version,
            name: facts.name,
            head: head.number,
            backlog: head.number.saturating_sub(self.cursors.journal),
            money_held: facts.money_held,
            usage_points: facts.usage_points,
            bytes_today: self.budget.used().1,
            budget: self.settings.daily_bytes,
            shed_readings_before: facts.shed_readings_before,
            problems: facts.problems,
        })
    }

    /// Records further and further back: the head, one before, two, four, …
    fn marks(&self, source: &dyn Source) -> Result<Vec<Mark>, SourceError> {
        let head = source.head()?.number;
        let (mut back, mut marks) = (0_u64, Vec::new());
        loop {
            let number = head.saturating_sub(back);
            if let Some(hash) = source.hash_of(number)? {
                marks.push(Mark { number, hash });
            }
            if number == 0 {
                return Ok(marks);
            }
            back = (back * 2).max(1);
        }
    }

    fn fresh_nonce(&mut self) -> Nonce {
        // Only this side has to tell its hellos apart; nobody else can sign an answer.
        self.nonces = self
            .nonces
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Hex(self.nonces.to_be_bytes())
    }
}
