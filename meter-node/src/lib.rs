//! What a meter node does, without I/O and without a heap: shared by the firmware and the simulated
//! node.
//!
//! Decided here: counting energy, when the relay opens and closes, what is tampering, what is kept
//! over a power cut, which frame is sent when. Not decided here: how a voltage is measured, how an
//! EEPROM byte is written, how bytes travel.
//!
//! Terms: a *lease* lets the node supply up to a register value, the *cut-off*. *Boot count* and
//! *epoch* are one number. A *report* is urgent when relay, lease or an event changed.
//!
//! Invariants: time enters only through [`Node::sample`]; no panic on any input; no lease, no
//! supply; the relay opens in the very step in which the register reaches the cut-off; a power cut
//! at any byte of any EEPROM write leaves the old or the new record.
#![no_std]

mod display;
mod inspect;
mod link;
mod modbus;
mod node;
mod overload;
mod profile;
mod records;
mod registers;
mod switch;
mod tamper;

pub use display::{LINE, Signals};
pub use link::{DEFAULT_REPORT_INTERVAL_S, Received};
pub use modbus::{LONGEST_RTU, Window};
pub use node::{Identity, Measurement, Node};
pub use profile::{KEPT_INTERVALS, MAX_CLOCK_CORRECTION_S};
pub use records::{EEPROM_BYTES, Storage};
pub use registers::REGISTER_SAVE_STEP_WH;
