//! Modbus: meters and relays on serial lines and networks.
//!
//! Decided here: how a request gets onto a line and its answer off it, which meter is asked next and how long it may take, and when
//! a relay is written. Not decided here: what registers mean ([`crate::models`]), what a reading means and whether a supply
//! shall be on (`gateway_core`, committed before it is told here).
//!
//! Terms: a *line* is one connection: a serial port, or a socket. A *bus* is a line with one owner task and the meters on it. *Turnaround* is
//! the time a meter takes before it answers. A meter *rests* after a failure.
//!
//! Invariants:
//! - One owner per bus; one request at a time; every answer has the address, function and length that were asked for.
//! - A meter that does not answer costs its neighbours one timeout, then rests, longer each time, up to a minute.
//! - No request to a meter whose late answer could be taken for the new one's.
//! - A relay is compared with what is wanted at every poll and written when it differs: level, not edge.
//! - A reading from Modbus proves nothing about who sent it. It is marked by its link; our own node's frames are sealed.

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
