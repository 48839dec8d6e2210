//! The node's end of the protocol: which session, which counter, which frame is due.

use crate::inspect::Shown;
use crate::node::Node;
use crate::records::Storage;
use prepaid_common::UtcSeconds;
use prepaid_common::wire::{
    Command, CommandResult, Counter, Direction, Envelope, Events, Evidence, FrameRejection, Hello,
    Kind, MAX_FRAME, Message, VERSION, Welcome, acknowledge_timeout_ms, open_frame,
};

/// Seconds between regular reports until the gateway says otherwise.
pub const DEFAULT_REPORT_INTERVAL_S: u16 = 60;
/// After this many reports without acknowledgement the session is given up: the gateway may have
/// forgotten it.
const UNANSWERED_LIMIT: u8 = 3;
/// A hello without welcome is repeated after 2, 4, 8 ... 32 seconds.
const HELLO_RETRY_MS: u32 = 2_000;
const HELLO_RETRY_MAX_MS: u32 = 32_000;
/// A who is answered at most once a second.
const HELLO_SPACING_MS: u32 = 1_000;
/// Urgent reports keep this distance, so that a chattering contact does not fill the radio.
const URGENT_SPACING_MS: u32 = 100;

/// What an accepted frame was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// A session began; a report confirms it at once.
    Welcomed,
    /// A command was carried out.
    Commanded,
    /// The gateway asked who this is; a hello follows.
    AskedWho,
    /// A frame that was accepted before; nothing changed.
    Duplicate,
}

struct InFlight {
    counter: Counter,
    waited_ms: u32,
    intervals_end: Option<UtcSeconds>,
    keypad: bool,
    pressed: bool,
    evidence: Option<Evidence>,
    result: Option<CommandResult>,
}

impl InFlight {
    fn is_overdue(&self, report_interval_s: u16) -> bool {
        self.waited_ms >= acknowledge_timeout_ms(report_interval_s)
    }
}

pub(crate) struct Link {
    /// The last counter used.
    pub counter: Counter,
    pub highest_gateway_counter: Counter,
    connected: bool,
    session: Option<u64>,
    challenge: Option<u64>,
    hello_wait_ms: u32,
    hello_retry_ms: u32,
    since_hello_ms: u32,
    since_report_ms: u32,
    report_interval_s: u16,
    shown: Option<Shown>,
    in_flight: Option<InFlight>,
    unanswered: u8,
    pub result: Option<CommandResult>,
    /// Between node and gateway is a broker of others: its PUBACK means no more than "sent".
    is_told_what_is_stored: bool,
}

impl Link {
    pub fn new(counter: Counter, highest_gateway_counter: Counter) -> Self {
        Self {
            counter,
            highest_gateway_counter,
            connected: false,
            session: None,
            challenge: None,
            hello_wait_ms: 0,
            hello_retry_ms: HELLO_RETRY_MS,
            since_hello_ms: HELLO_SPACING_MS,
            since_report_ms: 0,
            report_interval_s: DEFAULT_REPORT_INTERVAL_S,
            shown: None,
            in_flight: None,
            unanswered: 0,
            result: None,
            is_told_what_is_stored: false,
        }
    }

    pub fn run(&mut self, elapsed_ms: u32) {
        self.hello_wait_ms = self.hello_wait_ms.saturating_sub(elapsed_ms);
        self.since_hello_ms = self.since_hello_ms.saturating_add(elapsed_ms);
        self.since_report_ms = self.since_report_ms.saturating_add(elapsed_ms);
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.waited_ms = in_flight.waited_ms.saturating_add(elapsed_ms);
        }
    }

    pub fn set_report_interval(&mut self, seconds: u16) {
        self.report_interval_s = seconds.max(1);
    }

    /// Without a session; the next hello goes out after `wait_ms`.
    fn start_over(&mut self, wait_ms: u32) {
        self.session = None;
        self.challenge = None;
        self.in_flight = None;
        self.unanswered = 0;
        self.shown = None;
        self.hello_wait_ms = wait_ms;
        self.hello_retry_ms = HELLO_RETRY_MS;
    }

    fn is_report_due(&self, shown: Shown) -> bool {
        let urgent = self.shown.is_none_or(|before| {
            let risen = !(shown.events & !before.events).is_empty();
            let fallen = !(before.events & !shown.events & Events::LATCHED).is_empty();
            let typed = shown.keypad && !before.keypad || shown.pressed && !before.pressed;
            let same = Shown {
                events: before.events,
                keypad: before.keypad,
                pressed: before.pressed,
                ..shown
            } == before;
            risen || fallen || typed || !same
        });
        if urgent && (self.shown.is_none() || self.since_report_ms >= URGENT_SPACING_MS) {
            return true;
        }
        match &self.in_flight {
            Some(in_flight) => in_flight.is_overdue(self.report_interval_s),
            None => self.since_report_ms >= u32::from(self.report_interval_s) * 1000,
        }
    }
}

impl<S: Storage> Node<S> {
    /// A new transport connection stands (MQTT: after CONNACK and SUBACK). A hello is due at once.
    pub fn connected(&mut self) {
        self.link.connected = true;
        self.link.start_over(0);
    }

    /// The transport connection is gone. Nothing is due until the next one.
    pub fn disconnected(&mut self) {
        self.link.connected = false;
        self.link.start_over(0);
    }

    /// Whether the gateway answered the hello of this connection.
    #[must_use]
    pub fn has_session(&self) -> bool {
        self.link.session.is_some()
    }

    /// Writes the frame that is due, if any: its length and counter. Call it after every `sample`
    /// and every `received` until it returns `None`. `buffer` has at least [`MAX_FRAME`] bytes.
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<(usize, Counter)> {
        if !self.link.connected || buffer.len() < MAX_FRAME {
            return None;
        }
        let timed_out = self
            .link
            .in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.is_overdue(self.link.report_interval_s));
        if timed_out && self.link.unanswered + 1 >= UNANSWERED_LIMIT {
            self.link.start_over(0);
        }
        match self.link.session {
            None if self.link.hello_wait_ms == 0 => self.hello(buffer),
            None => None,
            Some(session) => {
                let shown = self.shown();
                if !self.link.is_report_due(shown) {
                    return None;
                }
                self.link.unanswered += u8::from(timed_out);
                self.report(session, shown, buffer)
            }
        }
    }

    /// The transport acknowledges the frame with this counter (MQTT: PUBACK). The gateway has stored
    /// it, unless it said with the welcome that it tells by itself what it has stored.
    pub fn acknowledged(&mut self, counter: Counter) {
        let is_in_flight = |in_flight: &InFlight| in_flight.counter == counter;
        if !self.link.is_told_what_is_stored
            && self.link.in_flight.as_ref().is_some_and(is_in_flight)
        {
            self.stored();
        }
    }

    /// Opens a frame in place and acts on it.
    ///
    /// # Errors
    /// The first rejection in order of precedence; then nothing changed, except that a command that
    /// was authentic and current but unusable is reported back as refused.
    pub fn received(&mut self, frame: &mut [u8]) -> Result<Received, FrameRejection> {
        let Self { identity, .. } = self;
        let opened = open_frame(&identity.key, identity.node, Direction::Down, frame)?;
        let Envelope {
            counter, session, ..
        } = opened.header.envelope;
        match opened.header.kind {
            Kind::Welcome if self.link.session == Some(session) => Ok(Received::Duplicate),
            Kind::Welcome => {
                let outstanding = self
                    .link
                    .challenge
                    .ok_or(FrameRejection::ChallengeIsNotOurs)?;
                let echoed = opened
                    .body
                    .first_chunk()
                    .map(|echo| u64::from_be_bytes(*echo));
                if echoed != Some(outstanding) {
                    return Err(FrameRejection::ChallengeIsNotOurs);
                }
                if counter <= self.link.highest_gateway_counter {
                    return Err(FrameRejection::Replayed);
                }
                let welcome = Welcome::decode(opened.body)?;
                self.welcomed(counter, session, &welcome);
                Ok(Received::Welcomed)
            }
            _ if self.link.session != Some(session) => Err(FrameRejection::StaleSession),
            Kind::Who => {
                let wait_ms = HELLO_SPACING_MS.saturating_sub(self.link.since_hello_ms);
                self.link.start_over(wait_ms);
                Ok(Received::AskedWho)
            }
            _ if counter == self.link.highest_gateway_counter => Ok(Received::Duplicate),
            _ if counter < self.link.highest_gateway_counter => Err(FrameRejection::Replayed),
            _ => {
                self.link.highest_gateway_counter = counter;
                let decoded = Command::decode(opened.body);
                let rejection_code = decoded.as_ref().err().map(|rejection| rejection.code());
                self.link.result = Some(CommandResult {
                    counter,
                    rejection_code,
                });
                self.obey(&decoded?);
                Ok(Received::Commanded)
            }
        }
    }

    pub(crate) fn acknowledge_up_to(&mut self, counter: Counter) {
        if self
            .link
            .in_flight
            .as_ref()
            .is_some_and(|in_flight| in_flight.counter <= counter)
        {
            self.stored();
        }
    }

    fn stored(&mut self) {
        let Some(in_flight) = self.link.in_flight.take() else {
            return;
        };
        self.link.unanswered = 0;
        if let Some(end) = in_flight.intervals_end {
            self.profile.acknowledge(end);
        }
        if in_flight.keypad {
            self.keypad = None;
        }
        if in_flight.pressed {
            self.pressed = false;
        }
        if in_flight.evidence == self.tamper.evidence {
            self.tamper.evidence = None;
        }
        if in_flight.result == self.link.result {
            self.link.result = None;
        }
    }

    fn welcomed(&mut self, counter: Counter, session: u64, welcome: &Welcome) {
        self.link.challenge = None;
        self.link.session = Some(session);
        self.link.highest_gateway_counter = counter;
        self.link.is_told_what_is_stored = welcome.command.acknowledged.is_some();
        self.raise_epoch_above(welcome.uplink_floor);
        self.profile.set(welcome.time, self.import_register());
        self.obey(&welcome.command);
    }

    fn hello(&mut self, buffer: &mut [u8]) -> Option<(usize, Counter)> {
        let counter = self.link.counter.next()?;
        let challenge = self.identity.key.challenge(counter, self.entropy);
        let hello = Hello {
            challenge,
            highest_gateway_counter: self.link.highest_gateway_counter,
            boot_count: self.boot_count(),
            highest_version: VERSION,
            import_register: self.import_register(),
        };
        let envelope = Envelope {
            node: self.identity.node,
            counter,
            session: 0,
        };
        let length = hello
            .encode_and_seal(envelope, &self.identity.key, buffer)
            .ok()?;
        self.link.counter = counter;
        self.link.challenge = Some(challenge);
        self.link.since_hello_ms = 0;
        self.link.hello_wait_ms = self.link.hello_retry_ms;
        self.link.hello_retry_ms = (self.link.hello_retry_ms * 2).min(HELLO_RETRY_MAX_MS);
        Some((length, counter))
    }

    fn report(
        &mut self,
        session: u64,
        shown: Shown,
        buffer: &mut [u8],
    ) -> Option<(usize, Counter)> {
        let counter = self.link.counter.next()?;
        let report = self.describe(shown);
        let envelope = Envelope {
            node: self.identity.node,
            counter,
            session,
        };
        let length = report
            .encode_and_seal(envelope, &self.identity.key, buffer)
            .ok()?;
        self.link.counter = counter;
        self.link.since_report_ms = 0;
        self.link.shown = Some(shown);
        self.link.in_flight = Some(InFlight {
            counter,
            waited_ms: 0,
            intervals_end: report.intervals.map(|intervals| intervals.end),
            keypad: report.keypad.is_some(),
            pressed: report.pressed,
            evidence: report.evidence,
            result: report.command_result,
        });
        Some((length, counter))
    }
}
