//! Meter models: what a shop-bought meter has in which register, as data.
//!
//! Decided here: the shape of a model file, its mistakes, which registers are read in which blocks, and what their words mean. Not
//! decided here: when a meter is read ([`crate::modbus`]) and what a reading means (`gateway_core::metering`).
//!
//! Terms: a *cell* is a place in a meter's register space: function, zero-based address, type and word order. A *point* is a cell with a
//! name, a unit and a range. A *block* is a run of registers read with one request. A model is *unverified* while neither the
//! maker's document nor a meter has confirmed it; whoever shows the model shows that.
//!
//! Addresses are what is sent on the bus: zero-based. `printed` is the number in the maker's document and is for people only.
//!
//! Invariants: a value that is marked invalid, not a number or outside its range is no value, never zero; no value is split over
//! two blocks; every shipped file decodes its golden frames.

mod catalog;
mod decode;
mod golden;
mod model;
mod parse;
mod plan;
mod sample;

pub use catalog::{Catalog, ModelProblem, builtin};
pub use decode::{Fault, decode_cell, words_of};
pub use golden::check_golden;
pub use model::{
    Cell, Counter, Detect, Function, Golden, LinkDefaults, Model, ModelKind, Parity, Point,
    Quantity, RelayForm, RelayMap, Unit, Warning, WordOrder, WordType,
};
pub use parse::parse;
pub use plan::{Block, LARGEST_GAP, Purpose, plan, take};
pub use sample::{Sample, phase_reading};
