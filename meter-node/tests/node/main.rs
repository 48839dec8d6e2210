//! The node logic on the bench.

mod bench;
mod eeprom;
mod switch;
mod watch;
