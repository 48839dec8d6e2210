//! Shop-bought devices on MQTT: what their messages mean, what they are told.
//!
//! Decided here, without I/O: which message belongs to which meter and is believed ([`Devices::take`]), what is to be sent to
//! which device now ([`Devices::due`]). Not decided here: what a reading is worth or what a switch is to be (the core), how
//! messages travel ([`crate::Field`]).
//!
//! Terms: a *dialect* is a file that says which topics a kind of device uses ([`Dialect`]); a *credential* is the login a message came
//! by. A payload is not authenticated by anything else, so it is believed only from the login named with its meter.
//!
//! Invariants: no message panics; a message is a reading only if it holds a register, a missing value is never zero; a switch is told
//! only what committed state says, again until it reports the same.

mod dialect;
mod engine;
mod golden;
mod place;
mod rejection;
mod shown;
mod tracked;
mod value;

pub use dialect::{Dialect, Dialects, Golden};
pub use engine::{Devices, Order, Outcome, SiteMessage};
pub use rejection::DeviceRejection;
pub use shown::Shown;
