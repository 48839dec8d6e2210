//! The bytes of protocol version 1. Do not change this test: nodes in the field speak these bytes.
//!
//! `docs/node-protocol.md` shows the same examples; the last test holds the document to them.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

use prepaid_common::wire::{
    Command, CommandResult, Counter, Envelope, Events, Hello, Intervals, Key, Lease, MAX_FRAME,
    Message, RelayPosition, Report, Short, SwitchMode, SwitchReason, TimeSignal, Welcome, Who,
};
use prepaid_common::{NodeId, UtcSeconds, WattHours};

const NODE: NodeId = NodeId(7);
const SESSION: u64 = 0x1122_3344_5566_7788;

fn key() -> Key {
    Key(core::array::from_fn(|i| u8::try_from(i).unwrap()))
}

fn envelope(epoch: u32, sequence: u32, session: u64) -> Envelope {
    Envelope {
        node: NODE,
        counter: Counter::new(epoch, sequence).unwrap(),
        session,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hello() -> (Envelope, Hello) {
    let hello = Hello {
        challenge: key().challenge(Counter::new(3, 1).unwrap(), 0),
        highest_gateway_counter: Counter::new(5, 9).unwrap(),
        boot_count: 3,
        highest_version: 1,
        import_register: WattHours(123_456),
    };
    (envelope(3, 1, 0), hello)
}

fn welcome() -> (Envelope, Welcome) {
    let lease = Lease {
        lease_id: 12,
        mode: SwitchMode::ByCredit,
        cutoff: WattHours(130_000),
        load_limit_w: 5_000,
        press_to_reconnect: false,
    };
    let welcome = Welcome {
        challenge: hello().1.challenge,
        uplink_floor: Counter::new(2, 40).unwrap(),
        time: TimeSignal {
            utc: UtcSeconds(1_800_000_000),
            trusted: true,
        },
        command: Command {
            lease: Some(lease),
            ..Command::default()
        },
    };
    (envelope(6, 1, SESSION), welcome)
}

fn report() -> (Envelope, Report) {
    let mut intervals = Intervals::new(UtcSeconds(1_800_001_800), WattHours(123_400));
    assert!(intervals.push(210) && intervals.push(190));
    let report = Report {
        import_register: WattHours(123_460),
        export_register: WattHours(0),
        active_power_w: 1_150,
        voltage_in_dv: 2_301,
        voltage_out_dv: 2_299,
        phase_current_ma: 5_004,
        neutral_current_ma: 5_001,
        frequency_chz: 4_998,
        relay: RelayPosition::Closed,
        switch_reason: SwitchReason::WithinLease,
        lease_id: 12,
        cutoff: WattHours(130_000),
        uptime_s: 1_834,
        boot_count: 3,
        events: Events::COVER_OPEN,
        highest_gateway_counter: Counter::new(6, 1).unwrap(),
        intervals: Some(intervals),
        keypad: Short::new(b"12345678901234567890"),
        command_result: Some(CommandResult {
            counter: Counter::new(6, 1).unwrap(),
            rejection_code: None,
        }),
        ..Report::default()
    };
    (envelope(3, 2, SESSION), report)
}

fn command() -> (Envelope, Command) {
    let lease = Lease {
        lease_id: 13,
        mode: SwitchMode::ForcedOff,
        cutoff: WattHours(140_000),
        load_limit_w: 0,
        press_to_reconnect: true,
    };
    let command = Command {
        lease: Some(lease),
        text: Short::new(b"12.50 left"),
        time: Some(TimeSignal {
            utc: UtcSeconds(1_800_001_900),
            trusted: true,
        }),
        report_interval_s: Some(30),
        clear_tamper: Some(Events::COVER_OPEN),
        acknowledged: Counter::new(3, 2),
        ..Command::default()
    };
    (envelope(6, 2, SESSION), command)
}

/// Name, and the whole frame in hexadecimal.
fn frames() -> [(&'static str, String); 5] {
    let mut buffer = [0; MAX_FRAME];
    let mut frame = |seal: &dyn Fn(&mut [u8]) -> usize| {
        let length = seal(&mut buffer);
        hex(&buffer[..length])
    };
    let (at, hello) = hello();
    let hello = frame(&|buffer| hello.encode_and_seal(at, &key(), buffer).unwrap());
    let (at, welcome) = welcome();
    let welcome = frame(&|buffer| welcome.encode_and_seal(at, &key(), buffer).unwrap());
    let (at, report) = report();
    let report = frame(&|buffer| report.encode_and_seal(at, &key(), buffer).unwrap());
    let (at, command) = command();
    let command = frame(&|buffer| command.encode_and_seal(at, &key(), buffer).unwrap());
    let at = envelope(6, 3, SESSION);
    let who = frame(&|buffer| Who.encode_and_seal(at, &key(), buffer).unwrap());
    [
        ("HELLO", hello),
        ("WELCOME", welcome),
        ("REPORT", report),
        ("COMMAND", command),
        ("WHO", who),
    ]
}

const FROZEN: [(&str, &str); 5] = [
    (
        "HELLO",
        "010100000007000003000000010000000000000000561e5d62666cb0f90000050000000900000301000000000001e24083667a521feef6d6d777873886dd41c3",
    ),
    (
        "WELCOME",
        "0102000000070000060000000111223344556677885e967bdc0920f67f8e19e5f507a1eb852657c24624ee8a824bff01a6c62b36428607dc1514b78b785d379f97909df68a125afea657b6a53e",
    ),
    (
        "REPORT",
        "010300000007000003000000021122334455667788359deb0754a2c90d55c14e66b73d112a7597e1a68ff793063ffc8c34e8fdedd2c573fe73a717119084817ebb55cbc5ca40ab7509c48f97e7325c74c05edda239c39103ee37ede1e4db32c10d69128cbaa3953a24ac174524135a4817f7ab22fed382ac08ba4886c3023dd6e1a2f714b4f3b7cf0cfd94ab3f9c6366fd2d8a261ae242246e",
    ),
    (
        "COMMAND",
        "010400000007000006000000021122334455667788853e315d6ba601a6853b3c426fd6447185bbadfd81e7394b18c5525e256c74f4d0838af23f47446ac3180c55eda4b35fa581c902728adf105b987794946bcbd05cfcf19e6781bd9eb681",
    ),
    (
        "WHO",
        "010500000007000006000000031122334455667788f659bac321ed384c1ce91bd27e2a70d7",
    ),
];

const PASSWORD: &str = "f20cc66e187e4c13d88082c362f3e148";
const CHALLENGE: u64 = 0x561e_5d62_666c_b0f9;

#[test]
fn frames_are_sealed_to_the_frozen_bytes() {
    let frames = frames();
    for ((name, frame), (frozen_name, frozen)) in frames.iter().zip(FROZEN) {
        assert_eq!((*name, frame.as_str()), (frozen_name, frozen));
    }
}

#[test]
fn the_frozen_bytes_open_to_the_same_values() {
    let bytes = |index: usize| -> Vec<u8> {
        let digits = FROZEN[index].1.as_bytes();
        let pair = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    };
    assert_eq!(Hello::open(&key(), NODE, &mut bytes(0)), Ok(hello()));
    assert_eq!(Welcome::open(&key(), NODE, &mut bytes(1)), Ok(welcome()));
    assert_eq!(Report::open(&key(), NODE, &mut bytes(2)), Ok(report()));
    assert_eq!(Command::open(&key(), NODE, &mut bytes(3)), Ok(command()));
    assert_eq!(
        Who::open(&key(), NODE, &mut bytes(4)),
        Ok((envelope(6, 3, SESSION), Who))
    );
}

#[test]
fn derived_values_are_frozen() {
    assert_eq!(str::from_utf8(&key().mqtt_password()), Ok(PASSWORD));
    assert_eq!(key().challenge(Counter::new(3, 1).unwrap(), 0), CHALLENGE);
}

/// Hexadecimal in the document is broken into lines of at most 64 digits.
#[test]
fn the_document_shows_the_frozen_bytes() {
    let document = include_str!("../../docs/node-protocol.md");
    let digits: String = document.split_whitespace().collect();
    for (name, frozen) in FROZEN {
        assert!(
            digits.contains(frozen),
            "docs/node-protocol.md lacks the frame {name}"
        );
    }
    assert!(
        digits.contains(PASSWORD),
        "docs/node-protocol.md lacks the password"
    );
}
