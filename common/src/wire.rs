//! The node protocol: sealed frames, both ways. `docs/node-protocol.md` describes it for other
//! languages.
//!
//! Decided here: the bytes of a frame, how it is authenticated and encrypted, and the name of every
//! reason to refuse one. Not decided here: which session is current, which counters were used, when
//! to send. Those belong to the two ends: `meter_node::Node` and `gateway_field::link::NodeLinks`.
//!
//! Terms: a *frame* is one message, at most [`MAX_FRAME`] bytes: clear *header*, *body*, *tag*. The
//! body is a fixed part followed by *items* (type, length, value). A *session* is a random number
//! the gateway chose in answer to a fresh challenge of the node. A *counter* never repeats in one
//! direction of one node ([`Counter`]).
//!
//! Invariants: no panic on any input; a frame that is not authentic leaves no plaintext behind; a
//! nonce is used once.
//!
//! # Wire policy
//!
//! [`VERSION`] is the first byte of every frame. It stays 1 as long as a released peer still reads
//! the frames right: a new item type below `0x80` and a new event bit keep it, because an old peer
//! skips what it does not know. A new item type from `0x80` up keeps it too, where the old peer
//! must refuse the whole command rather than skip it. Everything else (a moved field, another
//! meaning, another cipher) is a new version. The bytes of every released version are frozen in
//! `tests/frozen_v1.rs`.

pub mod ascon;
mod command;
mod counter;
mod events;
mod frame;
mod handshake;
mod items;
mod key;
mod message;
mod plan;
mod rejection;
mod report;
mod settings;
mod short;
mod status;
mod topic;

pub use command::{Command, Lease, MAX_TEXT_BYTES, MAX_TRIAL_S, SwitchMode, TimeSignal, Trial};
pub use counter::Counter;
pub use events::Events;
pub use frame::{BufferTooSmall, Direction, Envelope, Header, Kind, Opened, open_frame, peek};
pub use handshake::{Hello, Welcome, Who};
pub use key::Key;
pub use message::Message;
pub use plan::{Allowance, Plan};
pub use rejection::FrameRejection;
pub use report::{
    CommandResult, INTERVAL_SECONDS, Intervals, MAX_ADVANCES, MAX_KEYPAD_DIGITS, RelayPosition,
    Report, SwitchReason,
};
pub use settings::{MOST_DOUBLINGS, SENSOR_MS, SETTINGS_BYTES, SUPPLY_LOW_MS, Settings, doublings};
pub use short::Short;
pub use status::{Echo, Evidence, SwitchStatus};
pub use topic::{MqttName, Topic, topic_down, topic_up};

/// The protocol version in the first byte of every frame.
pub const VERSION: u8 = 1;

/// Longest frame in bytes. A Modbus RTU write of registers carries 246 bytes, and ESP-AT one
/// command line of 256.
pub const MAX_FRAME: usize = 240;

/// A report without acknowledgement is followed by a new one after this time, in milliseconds: half the report interval, so that a
/// gateway may gather the readings of many nodes into one write. At least 15 s, several commits to a slow card; at most 60 s, so that
/// whatever a report tells is there again within a minute of a frame that was lost.
#[must_use]
pub const fn acknowledge_timeout_ms(report_interval_s: u16) -> u32 {
    match report_interval_s as u32 * 500 {
        ..15_000 => 15_000,
        60_001.. => 60_000,
        half => half,
    }
}

/// Bytes of the clear header: version 1, kind 1, node 4, counter 7, session 8.
pub const HEADER_BYTES: usize = 21;

/// Bytes of the authentication tag at the end of every frame.
pub const TAG_BYTES: usize = 16;

/// Longest body in bytes.
pub const MAX_BODY: usize = MAX_FRAME - HEADER_BYTES - TAG_BYTES;
