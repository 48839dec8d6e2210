//! The world against arithmetic. A gateway of one function hands out the leases.

mod energy;
mod relay;
mod uplink;

use crate::eeprom::Eeprom;
use crate::household::Demand;
use crate::meter::{Kind, Meter, RelayChange};
use meter_node::{Identity, Received};
use prepaid_common::wire::{
    Command, Counter, Envelope, Hello, Key, Lease, MAX_FRAME, Message, SwitchMode, TimeSignal,
    Welcome,
};
use prepaid_common::{NodeId, UtcSeconds, WattHours};

const NODE: NodeId = NodeId(7);
const STEP_MS: u32 = 50;
const VOLTAGE_MV: u64 = 230_000;

fn key() -> Key {
    Key(*b"sixteen bytes ok")
}

fn meter(kind: Kind) -> Meter {
    let identity = Identity {
        node: NODE,
        key: key(),
    };
    Meter::new(identity, kind, Eeprom::default(), None)
}

/// By credit up to so many watt-hours.
fn up_to(cutoff_wh: u64) -> Lease {
    Lease {
        lease_id: u32::try_from(cutoff_wh).unwrap() + 1,
        mode: SwitchMode::ByCredit,
        cutoff: WattHours(cutoff_wh),
        load_limit_w: 0,
        press_to_reconnect: false,
    }
}

/// Plays the gateway: a new session that begins with this lease.
fn grant(meter: &mut Meter, node: NodeId, key: &Key, lease: Lease) {
    let mut frame = [0; MAX_FRAME];
    meter.connection(true);
    let (length, _) = meter.poll_transmit(&mut frame).expect("a hello is due");
    let (_, hello) = Hello::open(key, node, &mut frame[..length]).expect("the hello opens");
    let welcome = Welcome {
        challenge: hello.challenge,
        uplink_floor: Counter::ZERO,
        time: TimeSignal {
            utc: UtcSeconds(0),
            trusted: false,
        },
        command: Command {
            lease: Some(lease),
            ..Command::default()
        },
    };
    let envelope = Envelope {
        node,
        counter: hello.highest_gateway_counter.next().unwrap(),
        session: hello.challenge | 1,
    };
    let length = welcome.encode_and_seal(envelope, key, &mut frame).unwrap();
    assert_eq!(meter.received(&mut frame[..length]), Ok(Received::Welcomed));
}

fn lend(meter: &mut Meter, cutoff_wh: u64) {
    grant(meter, NODE, &key(), up_to(cutoff_wh));
}

/// Runs at so many watts for so long; the changes of the relay.
fn run(meter: &mut Meter, watts: u32, milliseconds: u32) -> Vec<RelayChange> {
    let steps = 0..milliseconds / STEP_MS;
    steps
        .filter_map(|_| {
            meter.run(STEP_MS, Demand::resistive(watts), VOLTAGE_MV);
            meter.relay_change()
        })
        .collect()
}
