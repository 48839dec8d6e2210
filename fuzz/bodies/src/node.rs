//! A meter node under any frames, measurements and power cuts.

use crate::bytes::Bytes;
use crate::frame::{KEY, KINDS, NODE, sealed};
use meter_node::{EEPROM_BYTES, Identity, Measurement, Node, Storage};
use prepaid_common::wire::{
    Allowance, Command, Counter, Envelope, Kind, Lease, MAX_FRAME, Message, Plan, RelayPosition,
    SETTINGS_BYTES, Settings, SwitchMode, SwitchReason, TimeSignal, Trial, Welcome, peek,
};
use prepaid_common::{UtcSeconds, WattHours};

/// Most steps of a script.
const MOST_STEPS: usize = 300;

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

struct Bench {
    node: Node<Eeprom>,
    /// Whether the EEPROM was meddled with since the beginning.
    tampered: bool,
    /// A plan may have lifted the cut-off since the last boot.
    planned: bool,
    register: WattHours,
    counter: Counter,
    session: u64,
    challenge: u64,
    sent: Counter,
}

/// Registers never fall, the relay follows the lease, no counter is sent twice, nothing panics.
pub fn node(data: &[u8]) {
    let mut bytes = Bytes(data);
    let blank = Eeprom(vec![0xff; usize::from(EEPROM_BYTES)]);
    let mut bench = Bench {
        node: boot(blank, 0),
        tampered: false,
        planned: false,
        register: WattHours(0),
        counter: Counter::new(1, 0).unwrap_or_default(),
        session: 1,
        challenge: 0,
        sent: Counter::ZERO,
    };
    bench.node.connected();
    for _ in 0..MOST_STEPS {
        if bytes.is_empty() {
            break;
        }
        bench.step(&mut bytes);
        bench.holds();
    }
}

fn boot(eeprom: Eeprom, entropy: u64) -> Node<Eeprom> {
    let identity = Identity {
        node: NODE,
        key: KEY,
    };
    Node::boot(identity, eeprom, entropy)
}

impl Bench {
    fn step(&mut self, bytes: &mut Bytes<'_>) {
        match bytes.u8() % 12 {
            0 | 1 => self.sample(bytes),
            2 => {
                let length = usize::from(bytes.u8());
                let mut frame = bytes.slice(length).to_vec();
                let _ = self.node.received(&mut frame);
            }
            3 => {
                let kind = *bytes.pick(&KINDS).unwrap_or(&Kind::Who);
                let envelope = self.envelope(bytes);
                let length = usize::from(bytes.u8());
                let _ = self
                    .node
                    .received(&mut sealed(kind, envelope, bytes.slice(length)));
            }
            4 => self.welcome(bytes),
            5 => {
                let envelope = self.envelope(bytes);
                let command = command(bytes);
                self.planned |= command.plan.is_some();
                self.down(|buffer| command.encode_and_seal(envelope, &KEY, buffer));
            }
            6 => match bytes.u8() % 4 {
                0 => self.node.disconnected(),
                1 => self.node.connected(),
                2 => self.node.press(),
                _ => self.node.power_fails(),
            },
            7 => {
                let length = usize::from(bytes.u8() % 24);
                let _ = self.node.typed(bytes.slice(length));
            }
            8 => self.power_cut(bytes),
            9 => {
                self.node.set_report_interval(bytes.u16());
                self.node.add_entropy(bytes.u64());
                self.node.set_without_relay();
            }
            10 => self.node.acknowledged(self.sent),
            _ => self.transmit(),
        }
    }

    fn sample(&mut self, bytes: &mut Bytes<'_>) {
        let elapsed_ms = bytes.u32() >> (bytes.u8() % 32);
        let relays = [
            RelayPosition::Open,
            RelayPosition::Closed,
            RelayPosition::Unknown,
        ];
        let flags = bytes.u8();
        let measurement = Measurement {
            active_power_w: bytes.i32() >> (flags % 32),
            voltage_in_dv: bytes.u16(),
            voltage_out_dv: bytes.u16(),
            phase_current_ma: bytes.u32(),
            neutral_current_ma: bytes.u32(),
            frequency_chz: bytes.u16(),
            relay: *bytes.pick(&relays).unwrap_or(&RelayPosition::Unknown),
            cover_open: flags & 0x40 != 0,
            magnet: flags & 0x80 != 0,
        };
        self.node.sample(elapsed_ms, &measurement);
    }

    /// What the gateway would count next, or something near it.
    fn envelope(&mut self, bytes: &mut Bytes<'_>) -> Envelope {
        match bytes.u8() {
            0 => self.counter = Counter::from_bytes(bytes.array()),
            1 => {}
            _ => self.counter = self.counter.next().unwrap_or(self.counter),
        }
        Envelope {
            node: NODE,
            counter: self.counter,
            session: self.session - u64::from(bytes.u8() == 0),
        }
    }

    fn welcome(&mut self, bytes: &mut Bytes<'_>) {
        self.session += 1;
        let envelope = self.envelope(bytes);
        let welcome = Welcome {
            challenge: self.challenge,
            uplink_floor: match bytes.u8() {
                0 => Counter::from_bytes(bytes.array()),
                _ => self.sent,
            },
            time: time(bytes),
            command: command(bytes),
        };
        self.down(|buffer| welcome.encode_and_seal(envelope, &KEY, buffer));
    }

    fn down<E: core::fmt::Debug>(&mut self, seal: impl FnOnce(&mut [u8]) -> Result<usize, E>) {
        let mut buffer = [0; MAX_FRAME];
        let length = seal(&mut buffer).expect("fits");
        let _ = self.node.received(&mut buffer[..length]);
    }

    fn transmit(&mut self) {
        let mut buffer = [0; MAX_FRAME];
        let Some((length, counter)) = self.node.poll_transmit(&mut buffer) else {
            return;
        };
        let header = peek(&buffer[..length]).expect("a frame of ours");
        assert_eq!(header.envelope.counter, counter);
        assert!(self.tampered || counter > self.sent, "{counter} sent again");
        self.sent = counter;
        if header.kind == Kind::Hello {
            let body = &buffer[prepaid_common::wire::HEADER_BYTES..];
            let challenge = body.first_chunk().copied().unwrap_or_default();
            self.challenge = u64::from_be_bytes(challenge);
        }
    }

    /// Without warning: what was not saved is lost. Sometimes somebody meddled with the EEPROM.
    fn power_cut(&mut self, bytes: &mut Bytes<'_>) {
        let mut eeprom = self.node.storage().clone();
        if bytes.u8().is_multiple_of(4) {
            self.tampered = true;
            for _ in 0..bytes.u8() % 8 {
                let address = usize::from(bytes.u16()) % eeprom.0.len();
                eeprom.0[address] = bytes.u8();
            }
        }
        self.node = boot(eeprom, bytes.u64());
        self.planned = false;
        self.register = self.node.import_register();
        self.node.connected();
    }

    fn holds(&mut self) {
        let register = self.node.import_register();
        assert!(register >= self.register, "the register fell");
        self.register = register;
        let closed = self.node.relay_is_closed();
        match self.node.lease() {
            None => assert!(!closed, "supplied without a lease"),
            Some(lease) => match lease.mode {
                SwitchMode::ForcedOff => assert!(!closed, "supplied against an order"),
                SwitchMode::ByCredit => assert!(
                    !closed
                        || register < lease.cutoff
                        || self.node.switch_reason() == SwitchReason::Friendly
                        || self.planned
                ),
                SwitchMode::ForcedOn => {}
            },
        }
        let _ = (self.node.events(), self.node.utc(), self.node.uptime_s());
    }
}

fn time(bytes: &mut Bytes<'_>) -> TimeSignal {
    TimeSignal {
        utc: UtcSeconds(i64::from(bytes.u32())),
        trusted: bytes.bool(),
    }
}

fn command(bytes: &mut Bytes<'_>) -> Command {
    let has = bytes.u8();
    let modes = [
        SwitchMode::ByCredit,
        SwitchMode::ForcedOff,
        SwitchMode::ForcedOn,
    ];
    Command {
        lease: (has & 1 != 0).then(|| Lease {
            lease_id: u32::from(bytes.u8()),
            mode: *bytes.pick(&modes).unwrap_or(&SwitchMode::ByCredit),
            cutoff: WattHours(bytes.varied()),
            load_limit_w: u32::from(bytes.u16()),
            press_to_reconnect: bytes.bool(),
        }),
        time: (has & 2 != 0).then(|| time(bytes)),
        report_interval_s: (has & 4 != 0).then(|| bytes.u16().max(1)),
        acknowledged: (has & 8 != 0).then(|| Counter::from_bytes(bytes.array())),
        settings: (has & 16 != 0).then(|| settings(bytes)).flatten(),
        plan: (has & 32 != 0).then(|| plan(bytes)),
        reset_overload: has & 64 != 0,
        close: has & 128 != 0,
        trial: (has & 129 == 129).then(|| Trial {
            trial_id: u16::from(bytes.u8()),
            seconds: 1 + u16::from(bytes.u8()),
        }),
        ..Command::default()
    }
}

/// Any that a node takes.
fn settings(bytes: &mut Bytes<'_>) -> Option<Settings> {
    Settings::from_bytes(&bytes.array::<SETTINGS_BYTES>()).ok()
}

fn plan(bytes: &mut Bytes<'_>) -> Plan {
    let mut at = || UtcSeconds(i64::from(bytes.u32()));
    let (from, until, resets_at) = (at(), at(), at());
    Plan {
        plan_id: 1 + u32::from(bytes.u8()),
        friendly: (from < until).then_some((from, until)),
        allowance: (resets_at.0 > 0).then(|| Allowance {
            resets_at,
            wh_per_day: bytes.u32(),
            ends_at: WattHours(bytes.varied()),
            credit_cutoff: WattHours(bytes.varied()),
        }),
        press_is_wanted: bytes.bool(),
        sound: bytes.bool(),
    }
}
