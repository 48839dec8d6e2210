//! What the gateway and the meter node must agree on, and nothing else.
//!
//! - [`quantity`]: energy, money and time as integers with their unit in the type.
//! - [`ident`]: who is who.
//! - [`wire`]: the node protocol, sealed frames both ways (`docs/node-protocol.md`).
//!
//! Invariants: no clock, no randomness, no I/O, no allocation, no floating point, no panic on any input.
#![no_std]

pub mod ident;
pub mod modbus;
pub mod quantity;
pub mod wire;

pub use ident::{FeederId, NodeId, UsagePointId};
pub use quantity::{Micro, UtcSeconds, WattHours};
