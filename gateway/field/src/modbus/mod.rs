//! Modbus: the parts of a bus that do no I/O. Nothing here opens a line; no meter is polled by this version.
//!
//! Decided here: what a request looks like on a serial line, which received bytes are its answer, how long a meter may take, when a
//! meter is to be asked next, and what its error counts mean. Not decided here: what registers mean ([`crate::models`]), what a reading
//! means and whether a supply shall be on (`gateway_core`).
//!
//! Terms: *turnaround* is the time a meter takes before it answers. A meter *rests* after a failure, longer with each.
//!
//! Invariant: an answer has the address, function and length that were asked for and the right checksum, or it is none.

mod error;
pub mod frame;
mod patience;
mod quality;
mod schedule;

pub use error::BusError;
pub use frame::{Ask, Reply};
pub use patience::Patience;
pub use quality::Quality;
pub use schedule::{next_interval, rest};
