//! The gateway's end of the node protocol under a script of frames, replays, commits and restarts.

use crate::bytes::Bytes;
use crate::frame::{KEY, NODE, sealed};
use gateway_field::link::{Arrival, LinkOutcome, NodeLinks, ReplyReason};
use prepaid_common::UtcSeconds;
use prepaid_common::wire::{
    Command, Counter, Envelope, Hello, Kind, MAX_FRAME, Message, Report, peek,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most steps of a script.
const MOST_STEPS: usize = 200;

struct World {
    links: NodeLinks,
    starts: u32,
    now_ms: u64,
    /// Sessions offered so far, and one that never was.
    sessions: Vec<u64>,
    /// Every frame that was ever sent up.
    recorded: Vec<Vec<u8>>,
    committed: BTreeSet<Counter>,
    in_flight: BTreeSet<Counter>,
    /// Frames sent down, by what makes their nonce.
    sent: BTreeMap<(u8, Counter, u64), Vec<u8>>,
}

/// Never accepts a counter twice, never uses a nonce for two frames, never panics.
pub fn links(data: &[u8]) {
    let mut bytes = Bytes(data);
    let mut links = NodeLinks::new(1);
    links.add(NODE, KEY, Counter::ZERO);
    let mut world = World {
        links,
        starts: 1,
        now_ms: 0,
        sessions: vec![0],
        recorded: Vec::new(),
        committed: BTreeSet::new(),
        in_flight: BTreeSet::new(),
        sent: BTreeMap::new(),
    };
    for _ in 0..MOST_STEPS {
        if bytes.is_empty() {
            break;
        }
        world.step(&mut bytes);
    }
}

impl World {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 10 {
            0 => {
                let frame = self.hello(bytes);
                self.up(frame);
            }
            1 | 2 => {
                let frame = self.report(bytes);
                self.up(frame);
            }
            3 => {
                if let Some(frame) = bytes.pick(&self.recorded).cloned() {
                    self.up(frame);
                }
            }
            4 => {
                if let Some(mut frame) = bytes.pick(&self.recorded).cloned() {
                    let place = usize::from(bytes.u8()) % frame.len();
                    frame[place] ^= bytes.u8();
                    self.up(frame);
                }
            }
            5 => {
                if let Some(counter) = self.one_in_flight(bytes) {
                    self.links.committed(NODE, counter);
                    self.in_flight.remove(&counter);
                    self.committed.insert(counter);
                }
            }
            6 => {
                if let Some(counter) = self.one_in_flight(bytes) {
                    self.links.uncommitted(NODE, counter);
                    self.in_flight.remove(&counter);
                }
            }
            7 => self.restart(),
            8 => {
                if let Ok(frame) = self.links.command(NODE, &Command::default()) {
                    self.sends(frame);
                }
            }
            _ => {
                self.now_ms += u64::from(bytes.u16());
                let length = usize::from(bytes.u8());
                let frame = bytes.slice(length).to_vec();
                self.up(frame);
            }
        }
    }

    fn one_in_flight(&self, bytes: &mut Bytes<'_>) -> Option<Counter> {
        let waiting: Vec<_> = self.in_flight.iter().copied().collect();
        bytes.pick(&waiting).copied()
    }

    /// The daemon starts anew: what was not committed is forgotten.
    fn restart(&mut self) {
        self.starts += 1;
        let floor = self.links.uplink_floor(NODE).unwrap_or_default();
        assert_eq!(
            floor,
            self.committed.last().copied().unwrap_or_default(),
            "the floor is the highest committed counter"
        );
        self.links = NodeLinks::new(self.starts);
        self.links.add(NODE, KEY, floor);
        self.in_flight.clear();
    }

    fn hello(&mut self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        let hello = Hello {
            challenge: u64::from(bytes.u16()),
            highest_gateway_counter: counter(bytes),
            boot_count: u32::from(bytes.u16()),
            highest_version: 1,
            import_register: Default::default(),
        };
        let envelope = Envelope {
            node: NODE,
            counter: counter(bytes),
            session: 0,
        };
        let mut buffer = [0; MAX_FRAME];
        let length = hello
            .encode_and_seal(envelope, &KEY, &mut buffer)
            .expect("fits");
        buffer[..length].to_vec()
    }

    fn report(&mut self, bytes: &mut Bytes<'_>) -> Vec<u8> {
        let back = usize::from(bytes.u8() % 4).min(self.sessions.len() - 1);
        let session = self.sessions[self.sessions.len() - 1 - back];
        let envelope = Envelope {
            node: NODE,
            counter: counter(bytes),
            session,
        };
        if bytes.u8().is_multiple_of(8) {
            let length = usize::from(bytes.u8());
            return sealed(Kind::Report, envelope, bytes.slice(length));
        }
        let mut buffer = [0; MAX_FRAME];
        let length = Report::default()
            .encode_and_seal(envelope, &KEY, &mut buffer)
            .expect("fits");
        buffer[..length].to_vec()
    }

    fn up(&mut self, frame: Vec<u8>) {
        let fresh = self.sessions.len() as u64;
        let arrival = Arrival {
            session_random: fresh,
            now: UtcSeconds(1_800_000_000),
            clock_trusted: true,
            monotonic_ms: self.now_ms,
            directive: None,
        };
        match self.links.uplink(NODE, &frame, &arrival) {
            LinkOutcome::Report { counter, .. } => {
                let known = self.committed.last().max(self.in_flight.last()).copied();
                assert!(known.is_none_or(|known| counter > known), "accepted twice");
                self.in_flight.insert(counter);
            }
            LinkOutcome::Duplicate { counter, committed } => {
                let known = if committed {
                    &self.committed
                } else {
                    &self.in_flight
                };
                assert!(
                    known.contains(&counter),
                    "called a duplicate, never accepted"
                );
            }
            LinkOutcome::Reply { frame, reason } => {
                if matches!(reason, ReplyReason::Welcome { .. }) {
                    self.sessions.push(fresh);
                }
                self.sends(frame);
            }
            LinkOutcome::Rejected(rejection) => assert!(!rejection.to_string().is_empty()),
        }
        if !frame.is_empty() && self.recorded.len() < MOST_STEPS {
            self.recorded.push(frame);
        }
    }

    fn sends(&mut self, frame: Vec<u8>) {
        let header = peek(&frame).expect("a frame of ours");
        let envelope = header.envelope;
        let nonce = (header.kind as u8, envelope.counter, envelope.session);
        let before = self.sent.entry(nonce).or_insert_with(|| frame.clone());
        assert_eq!(*before, frame, "one nonce, two frames");
    }
}

/// Low counters mostly; the highest ones too.
fn counter(bytes: &mut Bytes<'_>) -> Counter {
    match bytes.u8() {
        0xff => Counter::from_bytes(bytes.array()),
        0xfe => {
            Counter::new(Counter::MAX_EPOCH, u32::MAX - u32::from(bytes.u8())).unwrap_or_default()
        }
        epoch => Counter::new(u32::from(epoch % 8), u32::from(bytes.u8())).unwrap_or_default(),
    }
}
