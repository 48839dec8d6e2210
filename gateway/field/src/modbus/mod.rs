//! Modbus: meters and contacts on serial lines and TCP.
//!
//! Decided here: what a request looks like on a serial line, which received bytes are its answer, how long a meter may take, when which
//! meter is asked, and what its error counts mean. Not decided here: what registers mean ([`crate::models`]), what a reading
//! means and whether a supply shall be on (`gateway_core`).
//!
//! ```text
//! Installed (committed) ──► Poller: whom, what, when ──Ask──► Line ──► meter
//!                      ◄──BusNews──        (no I/O)  ◄─Answer──  (serial, RTU over TCP, Modbus TCP)
//! ```
//!
//! Terms: a *bus* is a line and everything on it; it has one owner ([`Bus`]). *Turnaround* is the time a meter takes before it answers. A
//! meter *rests* after a failure, longer with each. A *contact* is a coil or register that switches a supply.
//!
//! Invariant: an answer has the address, function and length that were asked for and the right checksum, or it is none.

mod bus;
mod error;
pub mod frame;
mod inquiry;
mod line;
mod patience;
mod physics;
mod poller;
mod probe;
mod quality;
mod scan;
mod schedule;
mod search;
mod speed;
mod station;

pub use bus::{Asker, Bus, BusAsker, BusHandle, BusSettings, BusStatus};
pub use error::BusError;
pub use frame::{Ask, Reply};
pub use inquiry::{Inquiry, RawBlock, inquire, serial};
pub use line::{Answer, Direction, Line, LineSettings, Pace, Rtu, SerialSettings, Wire};
pub use patience::Patience;
pub use physics::{Finding, Timed, examine};
pub use poller::{BusNews, Next, PollSettings, Poller, in_words, order};
pub use probe::{Counted, ProbePlan, Probed, RelayAt, probe};
pub use quality::Quality;
pub use scan::{Ended, Found, Going, ScanFindings, ScanPlan, scan};
pub use schedule::{next_interval, rest};
pub use search::{Identity, Opened, Presence, QUESTIONS, identify, presence};
pub use speed::{Speed, USUAL_SPEEDS};
