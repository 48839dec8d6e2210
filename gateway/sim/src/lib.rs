//! The simulated neighbourhood: for development, tests, the demonstration and benchmarks only.
//!
//! | module | is |
//! |---|---|
//! | [`neighbourhood`] | many nodes, each a separate MQTT client over TCP, and what they count |
//! | [`device`] | one of them: [`household`], [`meter`] and [`uplink`] together |
//! | [`truth`] | what a perfect meter would have counted |
//! | [`head_end`] | the other end of the cloud's protocol, for tests |
//! | [`feeder`] | losses and voltage of the line they share |
//! | [`scenario`] | recorded feeders with thefts, for the loss detector |
//!
//! The nodes run the logic of `meter_node`, the same as the firmware. Nothing here knows how the
//! gateway is made: it sees only what a node sees. Time is real; energy is what flows in it.

mod config;
mod connection;
mod counts;
pub mod device;
pub mod eeprom;
mod fault;
pub mod feeder;
pub mod head_end;
pub mod household;
pub mod latencies;
pub mod meter;
pub mod neighbourhood;
pub mod random;
pub mod scenario;
pub mod truth;
pub mod uplink;
mod world;

#[cfg(test)]
mod tests;

pub use config::{Config, Member};
pub use counts::{Counts, NodeState, RelayEvent};
pub use device::Load;
pub use fault::Fault;
pub use household::Habits;
pub use latencies::{Latencies, Percentiles};
pub use meter::Kind;
pub use neighbourhood::Neighbourhood;
