//! The link to a head-end: the journal up, orders down, for months offline. The protocol is `docs/cloud.md`.
//!
//! | module | decides |
//! |---|---|
//! | [`envelope`] | whether a payload is genuine |
//! | [`message`] | what messages say |
//! | [`batch`] | which rows share a message |
//! | [`uplink`] | what is sent when, and where the cursors stand: pure |
//! | [`downlink`] | what an order asks the core for |
//! | [`enrol`] | who obeys whom: proofs with the one-time code |
//! | [`memory`] | what outlives the program besides the journal |
//! | [`driver`] | sockets: one MQTT connection, 3.1.1 or 5 |
//!
//! Not decided here: what an order does (the core), how rows are read ([`Source`], the daemon).
//!
//! Invariants: nothing is believed that is not signed; a cursor moves only by the head-end's acknowledgement; no queue of the MQTT client
//! outlives its connection; only [`driver`] does I/O, reads a clock or draws a random number.

pub mod batch;
pub mod budget;
pub mod downlink;
pub mod driver;
pub mod enrol;
pub mod envelope;
pub mod memory;
pub mod message;
pub mod source;
pub mod uplink;

pub use envelope::{EnvelopeError, SigningKey};
pub use memory::Memory;
pub use message::{Ack, Channel, Instance, Receipt, Status};
pub use source::{Case, ProfileRow, Row, Source, SourceError};
pub use uplink::{Heard, Settings, Step, Uplink};
