//! The node logic on the bench.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; a failure is a failed test"
)]

mod bench;
mod eeprom;
mod limits;
mod modbus;
mod switch;
mod thresholds;
mod watch;
