//! A node on the bench: EEPROM with a plug to pull, and a gateway of twenty lines.

use meter_node::{EEPROM_BYTES, Identity, Measurement, Node, Received, Storage};
use prepaid_common::wire::{
    Command, Counter, Envelope, FrameRejection, Hello, Key, Lease, MAX_FRAME, Message,
    RelayPosition, Report, TimeSignal, Welcome,
};
use prepaid_common::{NodeId, UtcSeconds, WattHours};

pub const NODE: NodeId = NodeId(7);
pub const KEY: Key = Key([0x42; 16]);

/// 1 KB of cells; after `writes_left` writes the power is gone, and the byte then being written is
/// `torn`.
#[derive(Clone)]
pub struct Eeprom {
    pub cells: Vec<u8>,
    pub writes_left: usize,
    pub torn: u8,
    pub writes: usize,
    pub worn: Option<u16>,
}

impl Eeprom {
    pub fn new() -> Self {
        let cells = vec![0xff; usize::from(EEPROM_BYTES)];
        Self {
            cells,
            writes_left: usize::MAX,
            torn: 0,
            writes: 0,
            worn: None,
        }
    }
}

impl Storage for Eeprom {
    fn read(&self, address: u16) -> u8 {
        self.cells[usize::from(address)]
    }

    fn write(&mut self, address: u16, value: u8) {
        self.writes += 1;
        if self.worn == Some(address) {
            return;
        }
        let cell = &mut self.cells[usize::from(address)];
        match self.writes_left {
            0 => return,
            1 => *cell = self.torn,
            _ => *cell = value,
        }
        self.writes_left -= 1;
    }
}

pub fn boot(eeprom: Eeprom) -> Node<Eeprom> {
    Node::boot(
        Identity {
            node: NODE,
            key: KEY,
        },
        eeprom,
        0,
    )
}

/// A healthy household at `power_w`.
pub fn load(power_w: i32) -> Measurement {
    let current_ma = power_w.unsigned_abs() * 1000 / 230;
    Measurement {
        active_power_w: power_w,
        voltage_in_dv: 2300,
        voltage_out_dv: 2300,
        phase_current_ma: current_ma,
        neutral_current_ma: current_ma,
        frequency_chz: 5000,
        relay: RelayPosition::Closed,
        ..Measurement::default()
    }
}

pub fn lease(lease_id: u32, cutoff_wh: u64) -> Lease {
    Lease {
        lease_id,
        cutoff: WattHours(cutoff_wh),
        ..Lease::default()
    }
}

/// The gateway's end for one node, trusting and simple.
pub struct Gateway {
    pub counter: Counter,
    pub session: u64,
}

impl Gateway {
    pub fn new() -> Self {
        Self {
            counter: Counter::new(1, 0).unwrap(),
            session: 100,
        }
    }

    fn envelope(&mut self) -> Envelope {
        self.counter = self.counter.next().unwrap();
        Envelope {
            node: NODE,
            counter: self.counter,
            session: self.session,
        }
    }

    /// Connects the node and welcomes it.
    pub fn connect(&mut self, node: &mut Node<Eeprom>, utc: i64, command: Command) {
        node.connected();
        let mut buffer = [0; MAX_FRAME];
        let (length, _) = node.poll_transmit(&mut buffer).expect("a hello");
        let (_, hello) = Hello::open(&KEY, NODE, &mut buffer[..length]).expect("authentic");
        self.session += 1;
        let time = TimeSignal {
            utc: UtcSeconds(utc),
            trusted: utc != 0,
        };
        let challenge = hello.challenge;
        let welcome = Welcome {
            challenge,
            uplink_floor: Counter::ZERO,
            time,
            command,
        };
        let length = welcome
            .encode_and_seal(self.envelope(), &KEY, &mut buffer)
            .unwrap();
        assert_eq!(node.received(&mut buffer[..length]), Ok(Received::Welcomed));
    }

    pub fn command(
        &mut self,
        node: &mut Node<Eeprom>,
        command: Command,
    ) -> Result<Received, FrameRejection> {
        let mut buffer = [0; MAX_FRAME];
        let length = command
            .encode_and_seal(self.envelope(), &KEY, &mut buffer)
            .unwrap();
        node.received(&mut buffer[..length])
    }

    pub fn lease(&mut self, node: &mut Node<Eeprom>, lease: Lease) {
        let command = Command {
            lease: Some(lease),
            ..Command::default()
        };
        assert_eq!(self.command(node, command), Ok(Received::Commanded));
    }
}

/// The report that is due, if one is, and its counter.
pub fn report(node: &mut Node<Eeprom>) -> Option<(Counter, Report)> {
    let mut buffer = [0; MAX_FRAME];
    let (length, counter) = node.poll_transmit(&mut buffer)?;
    let (envelope, report) = Report::open(&KEY, NODE, &mut buffer[..length]).expect("a report");
    assert_eq!(envelope.counter, counter);
    Some((counter, report))
}

/// A node with a session, a clock if `utc` is not 0, and a lease.
pub fn supplied(cutoff_wh: u64, utc: i64) -> (Node<Eeprom>, Gateway) {
    let (mut node, mut gateway) = (boot(Eeprom::new()), Gateway::new());
    let command = Command {
        lease: Some(lease(1, cutoff_wh)),
        ..Command::default()
    };
    gateway.connect(&mut node, utc, command);
    (node, gateway)
}
