//! Sockets: one MQTT connection to the head-end's broker, made anew each time.
//!
//! Decided here: how a step of the uplink becomes packets, and what an arriving payload is handed to. Not decided here: what is sent when
//! ([`crate::uplink`]), what an order does (the core).
//!
//! Invariants: nothing of one connection reaches the next, also not what the MQTT client had queued; what arrives is bounded; no wait
//! is without an end; what is not signed is dropped and counted.

mod endpoint;
mod enrolment;
mod heard;
mod keeper;
mod link;
mod session;
mod status;

pub use endpoint::{CertificateTime, Endpoint, EndpointError, Protocol, Tls, split, tls};
pub use keeper::{FindEndpoint, Keeper, keep};
pub use status::{Status, StatusBox};

use crate::memory::Memory;
use crate::source::Source;
use gateway_core::cloud::Enrolled;
use gateway_core::configured::Changes;
use gateway_core::{Answer, Command, Refusal};
use std::future::Future;
use std::pin::Pin;
use tokio::sync::oneshot;

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitError {
    /// The rules refuse it.
    Refused(Refusal),
    /// It could not be stored; in words.
    Unavailable(String),
}

/// What [`Site::submit`] returns.
pub type Submission = Pin<Box<dyn Future<Output = Result<Answer, SubmitError>> + Send>>;

/// The gateway, as far as the driver reaches it.
pub trait Site: Source + Send {
    /// Puts a command into the cycle's inbox; resolves when it is on disk.
    fn submit(&self, command: Command) -> Submission;
    /// The head-end that is obeyed.
    fn enrolled(&self) -> Option<Enrolled>;
    /// Writes the memory to its file, safe from a power cut.
    ///
    /// # Errors
    /// It cannot be written; in words.
    fn remember(&self, memory: &Memory) -> Result<(), String>;
    /// Reads the memory again.
    fn memory(&self) -> Option<Memory>;
    /// Milliseconds that never go back.
    fn now_ms(&self) -> u64;
    /// Whether settings are fit here, by the configuration's own rules.
    ///
    /// # Errors
    /// They are not; in words.
    fn examine(&self, changes: &Changes) -> Result<(), String>;
    /// How often the program has started.
    fn starts(&self) -> u32;
}

/// Something a person asks for.
#[derive(Debug)]
pub struct EnrolRequest {
    /// The one-time code.
    pub code: crate::enrol::Code,
    /// The broker, if the configuration names none.
    pub url: Option<String>,
    /// Told how it ended: the head-end's key, or what to do next.
    pub reply: oneshot::Sender<Result<String, String>>,
}

/// 64 random bits; a constant if the system has none, which only makes pauses and nonces predictable.
pub(crate) fn noise() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    u64::from_be_bytes(bytes)
}
