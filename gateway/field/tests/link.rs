//! Node and gateway together over a transport that loses, doubles, reorders and replays, while
//! either side reboots, forgets, or is put back to an older state. Nothing is accepted twice, and
//! both find together again.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

use gateway_field::link::{Arrival, LinkError, LinkOutcome, NodeLinks, ReplyReason};
use meter_node::{EEPROM_BYTES, Identity, Measurement, Node, Storage};
use prepaid_common::wire::{
    Command, Counter, Envelope, FrameRejection, Key, Kind, Lease, MAX_FRAME, Message, Report, peek,
};
use prepaid_common::{NodeId, UtcSeconds, WattHours};
use std::collections::BTreeSet;

const NODE: NodeId = NodeId(42);
const KEY: Key = Key([7; 16]);

#[derive(Clone)]
struct Eeprom(Vec<u8>);

impl Storage for Eeprom {
    fn read(&self, address: u16) -> u8 {
        self.0[usize::from(address)]
    }
    fn write(&mut self, address: u16, value: u8) {
        self.0[usize::from(address)] = value;
    }
}

fn blank() -> Eeprom {
    Eeprom(vec![0xff; usize::from(EEPROM_BYTES)])
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap() % limit
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }
}

/// Both ends, the air between them, and everything that was ever in the air.
struct World {
    random: Random,
    node: Node<Eeprom>,
    links: NodeLinks,
    starts: u32,
    now_ms: u64,
    up: Vec<Vec<u8>>,
    down: Vec<Vec<u8>>,
    recorded_up: Vec<Vec<u8>>,
    recorded_down: Vec<Vec<u8>>,
    /// Frames accepted as new, whole: the same bytes must never be among them again.
    accepted: BTreeSet<Vec<u8>>,
    /// What the gateway has on disk, and a backup of it.
    floor: Counter,
    backup: (Counter, u32),
    lease: Lease,
    /// Lease numbers the node obeyed must not go back while nobody restores or loses anything.
    raised: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut links = NodeLinks::new(1);
        links.add(NODE, KEY, Counter::ZERO);
        let mut random = Random(seed * 2 + 1);
        let entropy = random.next();
        Self {
            node: Node::boot(
                Identity {
                    node: NODE,
                    key: KEY,
                },
                blank(),
                entropy,
            ),
            links,
            starts: 1,
            now_ms: 0,
            up: Vec::new(),
            down: Vec::new(),
            recorded_up: Vec::new(),
            recorded_down: Vec::new(),
            accepted: BTreeSet::new(),
            floor: Counter::ZERO,
            backup: (Counter::ZERO, 1),
            lease: Lease {
                lease_id: 1,
                cutoff: WattHours(1_000_000),
                ..Lease::default()
            },
            raised: 0,
            random,
        }
    }

    fn restart_gateway(&mut self) {
        self.starts += 1;
        self.links = NodeLinks::new(self.starts);
        self.links.add(NODE, KEY, self.floor);
    }

    fn reboot_node(&mut self, eeprom: Eeprom) {
        let entropy = self.random.next();
        self.node = Node::boot(
            Identity {
                node: NODE,
                key: KEY,
            },
            eeprom,
            entropy,
        );
        self.node.connected();
    }

    fn transmit(&mut self) {
        let mut buffer = [0; MAX_FRAME];
        while let Some((length, _)) = self.node.poll_transmit(&mut buffer) {
            self.up.push(buffer[..length].to_vec());
            self.recorded_up.push(buffer[..length].to_vec());
        }
    }

    fn send_down(&mut self, frame: Vec<u8>) {
        self.recorded_down.push(frame.clone());
        self.down.push(frame);
    }

    fn arrive_up(&mut self, frame: &[u8], fails: bool) {
        let directive = Command {
            lease: Some(self.lease),
            ..Command::default()
        };
        let arrival = Arrival {
            session_random: self.random.next(),
            now: UtcSeconds(1_800_000_000),
            clock_trusted: true,
            monotonic_ms: self.now_ms,
            directive: Some(&directive),
        };
        match self.links.uplink(NODE, frame, &arrival) {
            LinkOutcome::Report { counter, .. } if fails => {
                self.links.uncommitted(NODE, counter);
            }
            LinkOutcome::Report { counter, .. } => {
                assert!(
                    self.accepted.insert(frame.to_vec()),
                    "accepted twice: {counter}"
                );
                assert!(
                    counter > self.floor,
                    "{counter} is not above {}",
                    self.floor
                );
                self.floor = counter;
                self.links.committed(NODE, counter);
                self.node.acknowledged(counter);
            }
            LinkOutcome::Reply { frame, reason } => {
                if let ReplyReason::Welcome {
                    raised_gateway_epoch: Some(_),
                    ..
                } = reason
                {
                    self.raised += 1;
                }
                self.send_down(frame);
            }
            LinkOutcome::Duplicate { .. } | LinkOutcome::Rejected(_) => {}
        }
    }

    /// A second of a bad day.
    fn step(&mut self, trouble: bool) {
        self.now_ms += 1000;
        self.node.sample(
            1000,
            &Measurement {
                active_power_w: 1000,
                ..Measurement::default()
            },
        );
        self.transmit();
        if trouble {
            self.trouble();
        }
        for frame in std::mem::take(&mut self.up) {
            match self.random.below(if trouble { 8 } else { usize::MAX }) {
                0 => {}
                1 => self.up.push(frame),
                2 => {
                    self.arrive_up(&frame, false);
                    self.arrive_up(&frame, false);
                }
                3 => {
                    self.arrive_up(&frame, true);
                    self.arrive_up(&frame, false);
                }
                _ => self.arrive_up(&frame, false),
            }
        }
        if self.random.one_in(4) {
            self.lease.lease_id += 1;
            let command = Command {
                lease: Some(self.lease),
                ..Command::default()
            };
            if let Ok(frame) = self.links.command(NODE, &command) {
                self.send_down(frame);
            }
        }
        for mut frame in std::mem::take(&mut self.down) {
            match self.random.below(if trouble { 6 } else { usize::MAX }) {
                0 => {}
                1 => self.down.push(frame),
                _ => {
                    let _ = self.node.received(&mut frame);
                }
            }
        }
        self.transmit();
    }

    fn trouble(&mut self) {
        match self.random.below(40) {
            0 => self.reboot_node(self.node.storage().clone()),
            1 => self.reboot_node(blank()),
            2 => self.restart_gateway(),
            3 => self.backup = (self.floor, self.starts),
            4 => {
                // A restored backup: what was stored since is forgotten, so is what was accepted of
                // it. Its floor is older, but the test's own memory of accepted frames is not.
                self.starts = self.backup.1;
                self.floor = self.backup.0;
                self.restart_gateway();
            }
            5 => {
                self.node.disconnected();
                self.node.connected();
            }
            6..=12 if !self.recorded_up.is_empty() => {
                let frame = self.recorded_up[self.random.below(self.recorded_up.len())].clone();
                self.arrive_up(&frame, false);
            }
            13..=20 if !self.recorded_down.is_empty() => {
                let at = self.random.below(self.recorded_down.len());
                let _ = self.node.received(&mut self.recorded_down[at].clone());
            }
            _ => {}
        }
    }
}

#[test]
fn nothing_is_accepted_twice_and_both_ends_find_together() {
    let (mut accepted, mut raised) = (0, 0);
    for seed in 0..150 {
        let mut world = World::new(seed);
        world.node.connected();
        for _ in 0..400 {
            world.step(true);
        }
        // Calm: the pair must recover by itself.
        let before = world.accepted.len();
        for _ in 0..180 {
            world.step(false);
        }
        assert!(
            world.accepted.len() > before + 20,
            "seed {seed}: no reports in the calm"
        );
        assert_eq!(
            world.node.lease(),
            Some(world.lease),
            "seed {seed}: the lease did not arrive"
        );
        accepted += world.accepted.len();
        raised += world.raised;
        // Everything ever recorded, again, to both ends.
        for frame in world.recorded_up.clone() {
            world.arrive_up(&frame, false);
        }
        let lease = world.node.lease();
        for mut frame in world.recorded_down.clone() {
            let _ = world.node.received(&mut frame);
        }
        assert_eq!(
            world.node.lease(),
            lease,
            "seed {seed}: a recorded command was obeyed"
        );
    }
    assert!(accepted > 10_000, "{accepted}");
    assert!(
        raised > 10,
        "the restored backups were not noticed: {raised}"
    );
}

/// A pair with a session, and the first report.
fn pair() -> (World, Vec<u8>) {
    let mut world = World::new(1);
    world.node.connected();
    world.transmit();
    let hello = world.up.remove(0);
    world.arrive_up(&hello, false);
    let mut welcome = world.down.remove(0);
    world.node.received(&mut welcome).unwrap();
    world.transmit();
    let report = world.up.remove(0);
    (world, report)
}

fn uplink(links: &mut NodeLinks, sender: NodeId, frame: &[u8]) -> LinkOutcome {
    let arrival = Arrival {
        session_random: 9,
        now: UtcSeconds(0),
        clock_trusted: false,
        monotonic_ms: 1_000_000,
        directive: None,
    };
    links.uplink(sender, frame, &arrival)
}

#[test]
fn bad_frames_are_rejected_by_name() {
    let (mut world, report) = pair();
    let edited = |at: usize, value: u8| {
        let mut frame = report.clone();
        frame[at] = value;
        frame
    };
    let long = vec![1; 241];
    for (frame, expected) in [
        (&report[..36], FrameRejection::TooShort),
        (&[], FrameRejection::TooShort),
        (&long, FrameRejection::TooLong),
        (&edited(0, 2), FrameRejection::UnsupportedVersion),
        (&edited(1, 9), FrameRejection::UnknownKind),
        (&edited(1, 4), FrameRejection::WrongDirection),
        (&edited(5, 43), FrameRejection::WrongNode),
        (&report[..report.len() - 1], FrameRejection::NotAuthentic),
        (&edited(12, 1), FrameRejection::NotAuthentic),
        (&edited(30, 0xff), FrameRejection::NotAuthentic),
    ] {
        let outcome = uplink(&mut world.links, NODE, frame);
        assert_eq!(outcome, LinkOutcome::Rejected(expected), "{frame:02x?}");
    }
    for bit in 0..report.len() * 8 {
        let outcome = uplink(
            &mut world.links,
            NODE,
            &edited(bit / 8, report[bit / 8] ^ 1 << (bit % 8)),
        );
        assert!(
            matches!(outcome, LinkOutcome::Rejected(_)),
            "bit {bit}: {outcome:?}"
        );
    }
    let other = uplink(&mut world.links, NodeId(43), &edited(5, 43));
    assert_eq!(other, LinkOutcome::Rejected(FrameRejection::UnknownNode));
    assert!(matches!(
        uplink(&mut world.links, NODE, &report),
        LinkOutcome::Report { .. }
    ));
}

#[test]
fn a_report_is_new_until_accepted_then_in_flight_then_stored() {
    let (mut world, report) = pair();
    let counter = peek(&report).unwrap().envelope.counter;
    let links = &mut world.links;
    assert_eq!(
        links.command(NODE, &Command::default()),
        Err(LinkError::NoSession)
    );
    for _ in 0..3 {
        assert!(matches!(
            uplink(links, NODE, &report),
            LinkOutcome::Report { .. }
        ));
        let again = LinkOutcome::Duplicate {
            counter,
            committed: false,
        };
        assert_eq!(uplink(links, NODE, &report), again);
        links.uncommitted(NODE, counter);
    }
    assert!(matches!(
        uplink(links, NODE, &report),
        LinkOutcome::Report { .. }
    ));
    links.committed(NODE, counter);
    let again = LinkOutcome::Duplicate {
        counter,
        committed: true,
    };
    assert_eq!(uplink(links, NODE, &report), again);
    assert_eq!(links.uplink_floor(NODE), Some(counter));
    assert!(links.command(NODE, &Command::default()).is_ok());
    let session = peek(&report).unwrap().envelope.session;
    let mut at = |sequence| {
        let counter = Counter::new(counter.epoch(), sequence).unwrap();
        let mut frame = [0; MAX_FRAME];
        let envelope = Envelope {
            node: NODE,
            counter,
            session,
        };
        let length = Report::default()
            .encode_and_seal(envelope, &KEY, &mut frame)
            .unwrap();
        uplink(links, NODE, &frame[..length])
    };
    assert!(matches!(at(9), LinkOutcome::Report { .. }));
    assert_eq!(
        at(8),
        LinkOutcome::Rejected(FrameRejection::Replayed),
        "overtaken"
    );
    for sequence in 10..41 {
        assert!(matches!(at(sequence), LinkOutcome::Report { .. }));
    }
    assert_eq!(
        at(41),
        LinkOutcome::Rejected(FrameRejection::TooManyUncommitted)
    );
}

#[test]
fn a_gateway_that_forgot_the_session_asks_who() {
    let (mut world, report) = pair();
    world.restart_gateway();
    let LinkOutcome::Reply {
        mut frame,
        reason: ReplyReason::Who,
    } = uplink(&mut world.links, NODE, &report)
    else {
        panic!("no who")
    };
    assert!(world.node.received(&mut frame.clone()).is_ok());
    world.node.sample(1000, &Measurement::default());
    world.transmit();
    assert_eq!(peek(&world.up[0]).unwrap().kind, Kind::Hello);
    assert_eq!(
        world.node.received(&mut frame),
        Err(FrameRejection::StaleSession),
        "a recorded who"
    );
    let answers = (0..100).filter(|_| {
        !matches!(
            uplink(&mut world.links, NODE, &report),
            LinkOutcome::Rejected(_)
        )
    });
    assert_eq!(answers.count(), 3, "answers are limited");
}

/// The counters of a node that lost its EEPROM begin anew, so only the challenge tells a recorded
/// welcome.
#[test]
fn a_recorded_welcome_is_refused_even_after_the_eeprom_was_lost() {
    let (mut world, _) = pair();
    world.links.remove(NODE);
    let mut welcome = world.recorded_down[0].clone();
    assert_eq!(peek(&welcome).unwrap().kind, Kind::Welcome);
    world.reboot_node(blank());
    let early = world.node.received(&mut welcome.clone());
    assert_eq!(
        early,
        Err(FrameRejection::ChallengeIsNotOurs),
        "no hello is outstanding"
    );
    world.transmit();
    let late = world.node.received(&mut welcome);
    assert_eq!(late, Err(FrameRejection::ChallengeIsNotOurs));
    assert_eq!(world.node.lease(), None);
}
