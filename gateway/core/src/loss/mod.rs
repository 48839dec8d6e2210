//! Loss: which energy leaves a feeder unmetered, since when, and at whose premises to look first.
//!
//! | module | decides |
//! |---|---|
//! | [`site`] | the words: a feeder, a reading round, a finding |
//! | `align` | how much energy belongs to an interval when readings are late, missing or of a new meter |
//! | `phases` | which phase a meter really hangs on |
//! | `columns` | what could explain missing energy honestly, and what dishonestly |
//! | `noise` | how uncertain a residual is, and what of it is new |
//! | `circuit` | the running sums of one phase |
//! | `sequential` | whether something changed, at a stated rate of false alarms |
//! | `habit` | whose register has fallen by what is lost |
//! | `volts`, `rank` | which explanation fits best |
//! | `course` | whether a loss grows, shrinks or is over |
//! | `faults` | what no theft explains: the feeder meter, a meter on another phase or feeder |
//! | `known` | what is explained already and is not found again |
//! | [`watch`] | when it is said |
//! | [`verdict`] | the one sentence a lineman is told |
//! | [`balance`] | what a feeder delivered against what its meters took, span by span |
//! | [`suggest`] | which phase a connection hangs on, as its voltages suggest |
//! | [`live`] | from readings at any time to registers at quarter-hours |
//!
//! Integers come in and decisions go out; in between are floating-point sums in a fixed order, so
//! the same rounds give the same findings. Deliberately not here: money, and what is done about a
//! finding.

mod align;
pub mod balance;
mod circuit;
mod columns;
mod course;
mod faults;
mod habit;
mod known;
pub mod live;
mod matrix;
mod noise;
mod phases;
mod rank;
mod sequential;
pub mod site;
mod statement;
pub mod suggest;
pub mod verdict;
mod volts;
pub mod watch;

pub use known::{Form, Known};
pub use site::{
    Evidence, FeederReading, Finding, Interval, Kind, MeterReading, MeterSite, Phase, Settings,
    Site, Unmetered,
};
pub use verdict::Verdict;
pub use watch::{PhaseCheck, Watch};
